/** One table of named actions with their keys, for buttons, keyboard and the list of keys alike. */

import { h } from "./dom.js";
import { t } from "./language.js";

/**
 * @typedef {Object} Action
 * @property {string} label what it does, as the list of keys says it
 * @property {string[]} keys values of KeyboardEvent.key, with `ctrl+` (or command) and `shift+` before it if held
 * @property {function(KeyboardEvent): void} run
 * @property {function(): void} [release] for keys that are held
 */

export class Actions {
  /**
   * @param {Object<string, Action>} table by name
   * @param {HTMLElement} root the page they belong to: they rest while it is not shown
   */
  constructor(table, root) {
    this.table = table;
    this.root = root;
    this.byKey = new Map();
    for (const [name, action] of Object.entries(table)) {
      for (const key of action.keys) {
        if (this.byKey.has(key))
          throw new Error(`the key ${key} has two actions: ${this.byKey.get(key)} and ${name}`);
        this.byKey.set(key, name);
      }
    }
    document.addEventListener("keydown", (event) => this.press(event));
    document.addEventListener("keyup", (event) => this.named(event)?.release?.());
  }

  named(event) {
    return this.table[this.byKey.get(chord(event))];
  }

  press(event) {
    if (event.altKey || event.defaultPrevented || !this.root.checkVisibility()) return;
    const action = this.named(event);
    if (!action || document.querySelector("dialog[open]") || (typing(event.target) && event.key !== "Escape"))
      return;
    if ([" ", "Enter"].includes(chord(event)) && event.target.closest?.("button, a, summary")) return; // presses it
    if (action.release && event.repeat) return event.preventDefault();
    event.preventDefault();
    action.run(event);
  }

  /** A key as it is written on its button. */
  shown(key) {
    return cap(key);
  }

  /** The list of keys, as rows of a table. */
  rows() {
    return Object.values(this.table).map(({ label, keys }) => {
      const shown = keys.length > 2 ? [keys[0], "–", keys.at(-1)] : keys;
      const caps = shown.map((key) => (key === "–" ? " – " : h("kbd", {}, cap(key))));
      return h("tr", {}, h("td", {}, ...caps), h("td", {}, label));
    });
  }
}

const NAMES = { Escape: "Esc", " ": t("Space"), ArrowLeft: "←", ArrowRight: "→", ctrl: t("Ctrl"), shift: t("Shift") };

const cap = (key) =>
  key
    .split(/\+(?=.)/)
    .map((part) => NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(" ");

/** The key of an event with what is held beside it; Shift counts where it does not make another character. */
function chord(event) {
  const ctrl = event.ctrlKey || event.metaKey,
    one = event.key.length === 1,
    shift = event.shiftKey && (!one || ctrl);
  return `${ctrl ? "ctrl+" : ""}${shift ? "shift+" : ""}${one ? event.key.toLowerCase() : event.key}`;
}

/** Keys belong to the field a person types in. */
function typing(target) {
  const field = target.closest?.("input, textarea, select, [contenteditable]");
  return Boolean(field) && !["checkbox", "radio", "range", "button"].includes(field.type);
}
