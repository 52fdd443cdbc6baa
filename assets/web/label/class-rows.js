/** The project's classes as rows: digit, colour, name, share of the photo, threshold of the model's view, eye, lock. */

import { h, icon } from "../shared/dom.js";
import { percent } from "../shared/numbers.js";

export class ClassRows {
  /**
   * @param {HTMLElement} list
   * @param {HTMLDialogElement} dialog for changing one class
   * @param {Object<string, function>} listeners onselect(id), onhide(id, alone), onlock(id, others), onlevel(id, level),
   *   onchange(id, {name?, colour?}), ondelete(id, into)
   */
  constructor(list, dialog, listeners) {
    Object.assign(this, { list, dialog, ...listeners });
    this.rows = new Map();
    this.classes = [];
  }

  show(classes) {
    this.classes = classes;
    this.rows = new Map(classes.map((each, k) => [each.id, this.row(each, k)]));
    this.list.replaceChildren(...[...this.rows.values()].map(({ element }) => element));
  }

  row(one, k) {
    const digit = k < 10 ? String((k + 1) % 10) : "";
    const share = h("span", { class: "number share" });
    const eye = h("button", {
      type: "button",
      class: "plain",
      title: "Show or hide; with Shift: this one alone",
      onclick: (event) => this.onhide(one.id, event.shiftKey),
    });
    const lock = h("button", {
      type: "button",
      class: "plain",
      title: "Lock: cannot be painted over; with Shift: lock all others",
      onclick: (event) => this.onlock(one.id, event.shiftKey),
    });
    const level = h("input", {
      type: "range",
      min: 0,
      max: 255,
      value: 0,
      "aria-label": `Threshold of ${one.name} in the model's view`,
      oninput: () => {
        value.textContent = (level.valueAsNumber / 255).toFixed(2);
        this.onlevel(one.id, level.valueAsNumber);
      },
    });
    const value = h("output", { class: "number" }, "any");
    const element = h(
      "li",
      { "data-class": one.id, style: { "--class": one.colour } },
      h("kbd", { class: digit ? "" : "none" }, digit),
      h("span", { class: "swatch" }),
      h(
        "button",
        {
          type: "button",
          class: "name",
          title: [one.name, ...one.aliases].join("; "),
          onclick: () => this.onselect(one.id),
          ondblclick: () => this.change(one),
        },
        h("span", { class: "label" }, one.name),
      ),
      share,
      eye,
      lock,
      h(
        "button",
        {
          type: "button",
          class: "plain",
          "aria-label": `Change ${one.name}`,
          title: "Rename, recolour, merge, delete",
          onclick: () => this.change(one),
        },
        icon("more"),
      ),
      h("label", { class: "slider threshold" }, level, value),
    );
    return { element, share, eye, lock, one };
  }

  /** @param {{chosen: number|null, hidden: Set<number>, locked: Set<number>}} state */
  mark({ chosen, hidden, locked }) {
    for (const [id, { element, eye, lock, one }] of this.rows) {
      element.classList.toggle("chosen", id === chosen);
      element.querySelector(".name").setAttribute("aria-pressed", String(id === chosen));
      element.classList.toggle("off", hidden.has(id));
      eye.replaceChildren(icon(hidden.has(id) ? "hidden" : "eye"));
      eye.setAttribute("aria-label", `Show ${one.name}`);
      eye.setAttribute("aria-pressed", String(!hidden.has(id)));
      lock.replaceChildren(icon(locked.has(id) ? "lock" : "unlocked"));
      lock.setAttribute("aria-label", `Lock ${one.name}`);
      lock.setAttribute("aria-pressed", String(locked.has(id)));
    }
  }

  /** @param {function(number): number} share of the photo by class id */
  measure(share) {
    for (const [id, row] of this.rows) row.share.textContent = percent(share(id));
  }

  /** The dialog in which a class is renamed, recoloured, merged or deleted. */
  change(one) {
    const { dialog } = this;
    const name = h("input", { type: "text", value: [one.name, ...one.aliases].join("; "), autocomplete: "off" });
    const colour = h("input", { type: "color", value: one.colour });
    const into = h(
      "select",
      {},
      h("option", { value: "" }, "unlabelled"),
      ...this.classes.filter(({ id }) => id !== one.id).map(({ id, name }) => h("option", { value: id }, name)),
    );
    const save = (event) => {
      event.preventDefault();
      dialog.close();
      this.onchange(one.id, { name: name.value, colour: colour.value });
    };
    const remove = () => {
      dialog.close();
      this.ondelete(one.id, into.value ? Number(into.value) : null);
    };
    dialog.replaceChildren(
      h(
        "form",
        { class: "class-form", onsubmit: save },
        h("h2", {}, `Class ${one.id}: ${one.name}`),
        h("label", { class: "field" }, h("span", {}, "Name"), name),
        h("label", { class: "field" }, h("span", {}, "Colour"), colour),
        h("p", { class: "hint" }, "Its number stays, so every label map stays right."),
        h(
          "div",
          { class: "row" },
          h("button", { class: "button", type: "submit" }, "Save"),
          h("button", { class: "button quiet", type: "button", onclick: () => dialog.close() }, "Cancel"),
        ),
        h("hr", {}),
        h("label", { class: "field" }, h("span", {}, "Its pixels become"), into),
        h(
          "div",
          { class: "row" },
          h("button", { class: "button quiet danger", type: "button", onclick: remove }, "Delete this class"),
        ),
      ),
    );
    dialog.showModal();
    name.select();
  }
}
