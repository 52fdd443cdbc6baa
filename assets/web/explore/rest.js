/** What the photo shows beside the words: how much of it, and which other words win there, each one click from being asked. */

import { h, icon } from "../shared/dom.js";
import { percent } from "../shared/numbers.js";
import { t } from "../shared/language.js";

const NAMED = 3; // other words that are named without opening the row

export class RestRow {
  /**
   * @param {Object<string, any>} part the page's parts: rest, rest-area, rest-line, rest-words
   * @param {function(string): void} onadd
   */
  constructor(part, onadd) {
    this.part = part;
    this.onadd = onadd;
  }

  /**
   * @param {import("../canvas/payload.js").Rest|null} rest
   * @param {number} area share of the photo without a label
   */
  show(rest, area) {
    const { part } = this;
    part.rest.hidden = !rest || area === 0;
    if (part.rest.hidden) return;
    part["rest-area"].textContent = percent(area);
    part["rest-line"].textContent = rest.shares.slice(0, NAMED).map(([name, share]) => `${name} ${percent(share)}`).join(", ");
    part["rest-words"].replaceChildren(
      ...rest.shares.map(([name, share]) =>
        h(
          "button",
          { type: "button", class: "suggestion", "aria-label": t("Add {word}", { word: name }), onclick: () => this.onadd(name) },
          icon("plus"),
          name,
          h("span", { class: "number muted" }, percent(share)),
        ),
      ),
    );
  }
}
