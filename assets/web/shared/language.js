/**
 * The language of the pages. What they say is written in English; a table of another language has for each text its own, and
 * what it lacks stays English. To add a language: one module in `languages/`, and its line in TABLES.
 */

import * as de from "./languages/de.js";

/**
 * By the code that browsers use: `pages` has the texts of the pages, `server` the sentences of the server.
 * @type {Object<string, {name: string, pages: Object<string, string>, server: Object<string, string>}>}
 */
const TABLES = { en: { name: "English", pages: {}, server: {} }, de: { name: "Deutsch", ...de } };

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
  return said(TABLES[language].pages, text, values);
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

/**
 * A sentence of the server in the language of the page.
 * @param {string} text
 */
export function heard(text) {
  return replied(TABLES[language].server, text);
}

/**
 * A sentence as it stands in the table, or with places for what it names there, where `{what}` is another sentence; one that
 * the table lacks stays as it is.
 * @param {Object<string, string>} table
 * @param {string} text
 * @returns {string}
 */
export function replied(table, text) {
  if (Object.hasOwn(table, text)) return table[text];
  const longestFirst = Object.entries(table).sort(([one], [other]) => other.length - one.length); // which says most
  for (const [sentence, own] of longestFirst) {
    const [names, pattern] = places(sentence);
    const found = names.length ? pattern.exec(text) : null;
    if (!found) continue;
    const values = names.map((name, k) => [name, name === "what" ? replied(table, found[k + 1]) : found[k + 1]]);
    return said({}, own, Object.fromEntries(values));
  }
  return text;
}

/**
 * Names of the places of a sentence, and what a sentence looks like that has something in them.
 * @param {string} sentence
 * @returns {[string[], RegExp]}
 */
function places(sentence) {
  const pieces = sentence.split(/\{(\w+)\}/);
  const fixed = pieces.filter((_, k) => k % 2 === 0).map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return [pieces.filter((_, k) => k % 2 === 1), new RegExp(`^${fixed.join("(.*?)")}$`, "s")];
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
