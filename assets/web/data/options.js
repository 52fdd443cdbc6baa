/** What a format lets people choose, as fields of a form. */

import { h } from "../shared/dom.js";
import { heard } from "../shared/language.js";

/** @typedef {{name: string, title: string, default: boolean|string, choices: string[], hint: string}} Option */

export class Options {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.fields = new Map();
  }

  /** @param {Option[]} options */
  show(options) {
    this.fields = new Map(options.map((option) => [option.name, field(option)]));
    this.place.hidden = !options.length;
    this.place.replaceChildren(
      ...options.map(({ name, title }) => {
        const input = this.fields.get(name);
        const ticked = input.type === "checkbox";
        return h("label", { class: ticked ? "check" : "named" }, ...(ticked ? [input, h("span", {}, heard(title))] : [h("span", {}, heard(title)), input]));
      }),
    );
  }

  /** @returns {Object<string, boolean|string>} by option */
  values() {
    return Object.fromEntries(
      [...this.fields].map(([name, input]) => [name, input.type === "checkbox" ? input.checked : input.value.trim()]),
    );
  }
}

function field({ name, default: value, choices, hint }) {
  if (typeof value === "boolean") return h("input", { type: "checkbox", checked: value, "data-option": name });
  if (choices.length) {
    const options = choices.map((choice) => h("option", { value: choice, selected: choice === value }, choice));
    return h("select", { "data-option": name }, ...options);
  }
  return h("input", { type: "text", value, placeholder: heard(hint), autocomplete: "off", spellcheck: "false", "data-option": name });
}
