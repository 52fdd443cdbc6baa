/** Who is signed in, and the way out; nothing on a server where nobody signs in. */

import { h, icon } from "../shared/dom.js";
import { t } from "../shared/language.js";

/**
 * @param {HTMLElement} place
 * @param {{name: string, role: string}|null|undefined} me
 */
export function showMe(place, me) {
  place.hidden = !me;
  if (!me || place.dataset.name === me.name) return;
  place.dataset.name = me.name;
  const out = h(
    "button",
    { class: "plain", type: "button", "aria-label": t("Sign out, {name}", { name: me.name }), title: t("Sign out, {name}", { name: me.name }), onclick: signOut },
    icon("leave"),
  );
  place.replaceChildren(h("span", { class: "number", title: t("Your role: {role}", { role: me.role }) }, me.name), out);
}

async function signOut() {
  await fetch("sign-out", { method: "POST" }).catch(() => null);
  location.assign("sign-in");
}
