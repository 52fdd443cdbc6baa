/**
 * The language of the pages. What they say is written in English; a table of another language has for each text its own, and
 * what it lacks stays English. To add a language: one file in `languages/`, and its line in TABLES.
 */

import de from "./languages/de.js";

/** @type {Object<string, {name: string, table: Object<string, string>}>} by the code that browsers use */
const TABLES = { en: { name: "English", table: {} }, de: { name: "Deutsch", table: de } };

const KEY = "textseg-language";
const NAMED = ["aria-label", "title", "placeholder"];

/** Code and name of each language, in the order of a menu. */
export const LANGUAGES = Object.entries(TABLES).map(([code, { name }]) => [code, name]);

/** The language of this page: what a person chose, else the first one of their browser that there is a table of. */
export const language = chosen() ?? (navigator.languages ?? []).map((tag) => tag.split("-")[0].toLowerCase()).find((code) => code in TABLES) ?? "en";

/**
 * A text in the language of the page; `{name}` in it becomes `values.name`.
 * @param {string} text as it is written in English
 * @param {Object<string, string|number>} [values]
 */
export function t(text, values = {}) {
  return said(TABLES[language].table, text, values);
}

/**
 * @param {Object<string, string>} table
 * @param {string} text
 * @param {Object<string, string|number>} [values]
 */
export function said(table, text, values = {}) {
  const found = Object.hasOwn(table, text) ? table[text] : text;
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Put a page's own markup into the language of the page, before anything of a person's is in it. @param {HTMLElement} root */
export function translate(root) {
  if (language === "en") return;
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = /** @type {Text} */ (texts.currentNode);
    const text = node.data.trim().replace(/\s+/g, " ");
    if (text && !node.parentElement?.closest("code, pre, script, style")) node.data = node.data.replace(node.data.trim(), () => t(text));
  }
  for (const name of NAMED)
    for (const element of root.querySelectorAll(`[${name}]`)) element.setAttribute(name, t(element.getAttribute(name) ?? ""));
}

/** Choose a language for this browser; the page begins anew in it. @param {string} code */
export function choose(code) {
  try {
    localStorage.setItem(KEY, code);
  } catch {
    return; // storage is forbidden: the browser's own language stays
  }
  location.reload();
}

/** @returns {string|undefined} what was chosen here before */
function chosen() {
  try {
    const code = localStorage.getItem(KEY);
    return code && code in TABLES ? code : undefined;
  } catch {
    return undefined;
  }
}
