/** The project's classes as rows: digit, colour, name, share of the photo, threshold of the model's view, eye, lock. */

import { h, icon } from "../shared/dom.js";
import { changeClass } from "./class-dialog.js";
import { t } from "../shared/language.js";
import { decimal, percent } from "../shared/numbers.js";
import { unknownLine } from "../shared/unknown.js";

const MORE = 3; // column of the last button of a row
const STEPS = {
  ArrowDown: [1, 0],
  ArrowUp: [-1, 0],
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
  Home: [-Infinity, 0],
  End: [Infinity, 0],
};

export class ClassRows {
  /**
   * @param {HTMLElement} list
   * @param {HTMLDialogElement} dialog for changing one class
   * @param {Object} listeners
   * @param {function(number): void} listeners.onselect
   * @param {function(number, boolean): void} listeners.onhide is told whether the class alone is meant
   * @param {function(number, boolean): void} listeners.onlock is told whether all others are meant
   * @param {function(number, number): void} listeners.onlevel
   * @param {function(number, {name?: string, colour?: string}): Promise<string>} listeners.onchange
   * @param {function(number, number|null): Promise<string>} listeners.ondelete is told the class that the pixels go to
   */
  constructor(list, dialog, { onselect, onhide, onlock, onlevel, onchange, ondelete }) {
    this.list = list;
    this.dialog = dialog;
    this.onselect = onselect;
    this.onhide = onhide;
    this.onlock = onlock;
    this.onlevel = onlevel;
    this.onchange = onchange;
    this.ondelete = ondelete;
    this.rows = new Map();
    this.classes = [];
    this.stop = { id: null, column: 0 }; // the button with the list's one tab stop
    list.addEventListener("keydown", (event) => this.walk(event));
    list.addEventListener("focusin", ({ target }) => this.stopAt(target));
  }

  show(classes) {
    const focused = this.list.contains(document.activeElement);
    this.classes = classes;
    this.rows = new Map(classes.map((each, k) => [each.id, this.row(each, k)]));
    this.list.replaceChildren(...[...this.rows.values()].map(({ element }) => element));
    this.setTabStop();
    if (focused) this.focus(this.stop.id, this.stop.column);
  }

  row(one, k) {
    const digit = k < 10 ? String((k + 1) % 10) : "";
    const share = h("span", { class: "number share" });
    const eye = h("button", {
      type: "button",
      class: "plain",
      title: t("Show or hide; with Shift: this one alone"),
      onclick: (event) => this.onhide(one.id, event.shiftKey),
    });
    const lock = h("button", {
      type: "button",
      class: "plain",
      title: t("Lock: cannot be painted over; with Shift: lock all others"),
      onclick: (event) => this.onlock(one.id, event.shiftKey),
    });
    const level = h("input", {
      type: "range",
      min: 0,
      max: 255,
      value: 0,
      "aria-label": t("Threshold of {name} in the model’s view", { name: one.name }),
      oninput: () => {
        value.textContent = level.valueAsNumber ? decimal(level.valueAsNumber / 255) : t("off");
        this.onlevel(one.id, level.valueAsNumber);
      },
    });
    const value = h("output", { class: "number" }, t("off"));
    const name = h(
      "button",
      {
        type: "button",
        class: "name",
        title: [one.name, ...one.aliases].join("; "),
        onclick: () => this.onselect(one.id),
        ondblclick: () => this.change(one),
      },
      h("span", { class: "label" }, one.name),
    );
    const more = h(
      "button",
      {
        type: "button",
        class: "plain",
        "aria-label": t("Change {name}", { name: one.name }),
        title: t("Rename, recolour, merge, delete"),
        onclick: () => this.change(one),
      },
      icon("more"),
    );
    const element = h(
      "li",
      { "data-class": one.id, style: { "--class": one.colour } },
      h("kbd", { class: digit ? "" : "none" }, digit),
      h("span", { class: "swatch" }),
      name,
      share,
      eye,
      lock,
      more,
      h("label", { class: "slider threshold" }, level, value),
    );
    return { element, share, eye, lock, name, buttons: [name, eye, lock, more], one };
  }

  /** @param {{chosen: number|null, hidden: Set<number>, locked: Set<number>}} state */
  mark({ chosen, hidden, locked }) {
    for (const [id, { element, eye, lock, name, one }] of this.rows) {
      element.classList.toggle("chosen", id === chosen);
      name.setAttribute("aria-pressed", String(id === chosen));
      element.classList.toggle("off", hidden.has(id));
      eye.replaceChildren(icon(hidden.has(id) ? "hidden" : "eye"));
      eye.setAttribute("aria-label", t("Show {name}", { name: one.name }));
      eye.setAttribute("aria-pressed", String(!hidden.has(id)));
      lock.replaceChildren(icon(locked.has(id) ? "lock" : "unlocked"));
      lock.setAttribute("aria-label", t("Lock {name}", { name: one.name }));
      lock.setAttribute("aria-pressed", String(locked.has(id)));
    }
  }

  /** @param {Set<string>} words that the model does not know */
  warn(words) {
    for (const { element, one } of this.rows.values()) {
      element.querySelector(".unknown")?.remove();
      const line = unknownLine([one.name, ...one.aliases].filter((name) => words.has(name)));
      if (line) element.append(line);
    }
  }

  /** @param {function(number): number} share of the photo by class id */
  measure(share) {
    for (const [id, row] of this.rows) row.share.textContent = percent(share(id));
  }

  change(one) {
    changeClass(this.dialog, one, this.classes.filter(({ id }) => id !== one.id), {
      onchange: (changes) => this.onchange(one.id, changes),
      ondelete: (into) => this.ondelete(one.id, into),
      onclose: () => this.focus(one.id, MORE),
    });
  }

  // --- by keyboard: the list is one stop of the Tab key, arrows go from button to button -----------------------------

  focus(id, column) {
    this.rows.get(id)?.buttons[column].focus();
  }

  stopAt(target) {
    const [id, row] = [...this.rows].find(([, { buttons }]) => buttons.includes(target)) ?? [];
    if (!row) return;
    this.stop = { id, column: row.buttons.indexOf(target) };
    this.setTabStop();
  }

  setTabStop() {
    if (!this.rows.has(this.stop.id)) this.stop = { id: this.classes[0]?.id ?? null, column: 0 };
    for (const [id, { buttons }] of this.rows)
      buttons.forEach((button, column) => (button.tabIndex = id === this.stop.id && column === this.stop.column ? 0 : -1));
  }

  walk(event) {
    const [down, across] = STEPS[event.key] ?? [];
    if (down === undefined || event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input")) return;
    const ids = this.classes.map(({ id }) => id),
      at = ids.indexOf(this.stop.id) + down;
    event.preventDefault();
    event.stopPropagation();
    const row = Math.min(Math.max(at, 0), ids.length - 1);
    this.focus(ids[row], Math.min(Math.max(this.stop.column + across, 0), MORE));
  }
}
