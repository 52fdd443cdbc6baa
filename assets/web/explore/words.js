/** The words in hand as rows: colour, name, area, confidence, eye, threshold. */

import { h, icon } from "../shared/dom.js";

export class ClassList {
  /**
   * @param {HTMLElement} list
   * @param {{onselect: function(number), onhide: function(string), onlevel: function(string, number)}} listeners
   *   class positions count from 0, names are the words'
   */
  constructor(list, listeners) {
    this.list = list;
    Object.assign(this, listeners);
    this.rows = [];
  }

  /**
   * Show the words of an answer.
   * @param {import("../canvas/payload.js").Word[]} words
   * @param {Map<string, number>} levels threshold score byte by name
   * @param {Set<string>} hidden names
   * @param {number} most greatest score byte worth offering
   */
  show(words, levels, hidden, most) {
    this.rows = words.map((word, k) =>
      this.row(word, k, levels.get(word.name) ?? 0, hidden.has(word.name), most),
    );
    this.list.replaceChildren(...this.rows.map((row) => row.element));
  }

  row(word, k, level, hidden, most) {
    const area = h("span", { class: "number area" }),
      sure = h("span", { class: "number muted sure" });
    const value = h("output", { class: "number" });
    const eye = h("button", { type: "button", class: "plain eye", onclick: () => this.onhide(word.name) });
    const slider = h("input", {
      type: "range",
      min: 0,
      max: Math.max(most, level),
      step: 1,
      value: level,
      "aria-label": `Threshold of ${word.name}`,
      title: "Least similarity at which the word shows",
    });
    slider.addEventListener("input", () => {
      value.textContent = threshold(slider.valueAsNumber);
      this.onlevel(word.name, slider.valueAsNumber);
    });
    value.textContent = threshold(level);
    const name = h(
      "button",
      {
        type: "button",
        class: "name",
        "aria-pressed": "false",
        title: [word.name, ...word.aliases].join("; "),
        onclick: () => this.onselect(k),
      },
      h("span", { class: "label" }, word.name),
      word.aliases.length ? h("span", { class: "aliases" }, word.aliases.join(", ")) : null,
    );
    const element = h(
      "li",
      { style: { "--class": word.colour }, class: word.background ? "background" : "" },
      h("span", {
        class: "swatch",
        title: word.background ? "Background word: wins pixels, shown as none" : "",
      }),
      name,
      area,
      sure,
      eye,
      h("label", { class: "slider threshold" }, slider, value),
    );
    const row = { element, name, area, sure, eye, word };
    this.setHidden(row, hidden);
    return row;
  }

  /** Areas (0..1) and confidences by class id. */
  measure({ area, confidence }) {
    this.rows.forEach((row, k) => {
      row.area.textContent = row.word.background ? "" : percent(area[k + 1]);
      row.sure.textContent = area[k + 1] ? confidence[k + 1].toFixed(2) : "–";
      row.element.classList.toggle("absent", !area[k + 1]);
    });
  }

  /** Mark the word whose heat map is shown; -1 for none. */
  select(k) {
    this.rows.forEach((row, at) => {
      row.name.setAttribute("aria-pressed", String(at === k));
      row.element.classList.toggle("selected", at === k);
    });
  }

  hide(names) {
    this.rows.forEach((row) => this.setHidden(row, names.has(row.word.name)));
  }

  setHidden(row, hidden) {
    row.element.classList.toggle("off", hidden);
    row.eye.replaceChildren(icon(hidden ? "hidden" : "eye"));
    row.eye.setAttribute("aria-label", `Show ${row.word.name}`);
    row.eye.setAttribute("aria-pressed", String(!hidden));
  }
}

/** Text with one more word at its end. */
export function withWord(text, word) {
  const trimmed = text.replace(/[\s,，、]+$/, "");
  return trimmed ? `${trimmed}, ${word}` : word;
}

export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
const threshold = (level) => (level ? `≥ ${(level / 255).toFixed(2)}` : "any");
