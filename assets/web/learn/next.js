/** Which photo to label next, and why. */

import { h } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { plural } from "../shared/numbers.js";
import { Turns } from "../shared/turns.js";

const RULES = {
  rarity: t("words corrected least"),
  diversity: t("unlike what is corrected"),
  margin: t("two words nearly tie"),
  entropy: t("many words compete"),
  disagreement: t("heads disagree"),
  random: t("at random"),
};

export class Next {
  /** @param {import("./learn.js").LearnPage} page */
  constructor(page) {
    const { part, given } = page;
    this.page = page;
    this.part = part;
    this.turns = new Turns();
    part.rule.append(...given.rules.map((rule) => h("option", { value: rule }, RULES[rule] ?? rule)));
    part.rule.value = given.rule;
    part.rule.addEventListener("change", () => this.ask());
  }

  async ask() {
    const { part } = this;
    const current = this.turns.begin();
    if (!part.next.children.length) part.next.append(h("li", { class: "hint" }, t("Looking for the photos that teach most")));
    const answer = await this.page.call("suggest", { rule: part.rule.value });
    if (!current() || answer.late) return;
    if (!answer.ok) return part.next.replaceChildren(h("li", { class: "hint" }, answer.error));
    part.next.replaceChildren(...answer.photos.map((one) => suggested(one)));
    if (!answer.left) part.next.replaceChildren(h("li", { class: "hint" }, t("Every photo is corrected, done or skipped.")));
    part["waiting-row"].hidden = !answer.waiting;
    part.waiting.textContent = plural(
      answer.waiting,
      "{n} photo not encoded yet, so not in the order (about a second)",
      "{n} photos not encoded yet, so not in the order (about a second each)",
    );
  }
}

function suggested({ photo, name, reason, click, jpeg }) {
  const picture = h("span", { class: "thumb" }, h("img", { src: `data:image/jpeg;base64,${jpeg}`, alt: "" }));
  if (click) {
    const [x0, y0, x1, y1] = click.box.map((n) => `${100 * n}%`);
    picture.append(
      h("i", { class: "click", title: t("Click here first: {reason}", { reason: heard(click.reason) }), style: { left: x0, top: y0, right: `calc(100% - ${x1})`, bottom: `calc(100% - ${y1})` } }),
    );
  }
  return h(
    "li",
    { "data-photo": photo },
    h(
      "a",
      { href: `#label/${photo}` },
      picture,
      h("span", { class: "why" }, h("b", {}, name), h("span", {}, heard(reason)), click ? h("span", { class: "hint" }, t("Click here first: {reason}", { reason: heard(click.reason) })) : null),
    ),
  );
}
