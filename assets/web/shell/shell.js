/** The header of every page: name, pages, photo or project in hand, light and dark. */

import { h, icon, parts } from "../shared/dom.js";
import { hear, tell } from "../shared/bus.js";
import { openable } from "../shared/openable.js";
import { Server } from "../shared/server.js";
import { showMe } from "./me.js";
import { watchModel } from "./model.js";
import { followTheme } from "./theme.js";
import { Visit } from "./visit.js";
import { LANGUAGES, choose, language, t } from "../shared/language.js";

export function mount(root, functions, given) {
  const part = parts(root);
  const toggle = followTheme((theme) => {
    part.theme.replaceChildren(icon(theme === "dark" ? "sun" : "moon"));
    part.theme.setAttribute("aria-label", theme === "dark" ? t("Light theme") : t("Dark theme"));
  });
  part.theme.addEventListener("click", toggle);
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--chrome", `${root.getBoundingClientRect().height}px`);
  }).observe(root); // a banner makes the header taller; pages fill what is left
  openable(part.chip, part.panel);
  part.pages.append(...given.pages.map(({ name, title }) => h("a", { href: `#${name}` }, t(title))));
  turnPages(part, given.first);
  document.documentElement.lang = language;
  part.language.append(...LANGUAGES.map(([code, name]) => h("option", { value: code, selected: code === language, lang: code }, name)));
  part.language.addEventListener("change", () => choose(part.language.value));
  hear("photo", ({ name, size }) => {
    part.photo.replaceChildren(h("b", {}, name), h("span", { class: "number" }, ` ${size[0]} × ${size[1]}`));
  });
  hear("project", (name) => part.photo.replaceChildren(h("b", {}, name)));
  hear("status", ({ me }) => showMe(part.me, me));
  const server = new Server(functions);
  if (given.visits) new Visit(part, server, given.visits);
  watchModel(part, server, given.version);
}

/**
 * The page in front is the one that the address names: `#explore`, or `#label` with a photo's id after a slash.
 * @param {Object<string, any>} part the header's parts: pages, title, photo
 * @param {string} first the page in front where the address names none
 */
function turnPages({ pages, title, photo }, first) {
  const turn = () => {
    const named = location.hash.slice(1).split("/")[0];
    const links = [...pages.children];
    const shown = links.find((link) => link.hash === `#${named}`) ?? links.find((link) => link.hash === `#${first}`);
    const page = shown.hash.slice(1);
    document.body.dataset.page = page;
    for (const link of links) {
      if (link === shown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    title.textContent = shown.textContent;
    document.title = `${shown.textContent} · textseg`;
    photo.replaceChildren(); // the page says what it has in hand
    tell("page", page);
  };
  window.addEventListener("hashchange", turn);
  turn();
}
