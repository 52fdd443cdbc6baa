/** The words in hand as rows: colour, name, area, confidence, eye, threshold. */

import { h, icon } from "../shared/dom.js";
import { decimal, percent } from "../shared/numbers.js";
import { unknownLine } from "../shared/unknown.js";
import { t } from "../shared/language.js";

export class ClassList {
  /**
   * @param {HTMLElement} list
   * @param {HTMLElement} absent list of the words that are not found, where others are
   * @param {Object} listeners class positions count from 0, names are the words'
   * @param {function(number): void} listeners.onselect
   * @param {function(string): void} listeners.onhide
   * @param {function(string, number): void} listeners.onlevel
   */
  constructor(list, absent, { onselect, onhide, onlevel }) {
    this.list = list;
    this.absent = absent;
    this.onselect = onselect;
    this.onhide = onhide;
    this.onlevel = onlevel;
    this.rows = [];
  }

  /**
   * Show the words of an answer.
   * @param {import("../canvas/payload.js").Word[]} words
   * @param {Map<string, number>} levels threshold score byte by name
   * @param {Set<string>} hidden names
   * @param {number} most greatest score byte worth offering
   * @param {boolean} [probable] whether scores are probabilities
   */
  show(words, levels, hidden, most, probable = false) {
    this.probable = probable;
    this.rows = words.map((word, k) =>
      this.row(word, k, levels.get(word.name) ?? 0, hidden.has(word.name), most),
    );
    this.absent.replaceChildren();
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
      "aria-label": t("Threshold of {name}", { name: word.name }),
      title: this.probable ? t("Least confidence at which the word shows") : t("Least similarity at which the word shows"),
    });
    const tell = () => {
      value.textContent = shownLevel(slider.valueAsNumber, this.probable);
      slider.setAttribute("aria-valuetext", slider.valueAsNumber ? value.textContent : t("no threshold"));
    };
    slider.addEventListener("input", () => {
      tell();
      this.onlevel(word.name, slider.valueAsNumber);
    });
    tell();
    const threshold = h("label", { class: "slider threshold" }, slider, value);
    const absence = h("span", { class: "absence hint" });
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
      { "data-word": k, style: { "--class": word.colour }, class: word.background ? "background" : "" },
      h("span", {
        class: "swatch",
        title: word.background ? t("Background word: wins pixels, shown as none") : "",
      }),
      name,
      area,
      sure,
      eye,
      threshold,
      absence,
      unknownLine(word.unknown),
    );
    const row = { element, name, area, sure, eye, threshold, absence, slider, word };
    this.setHidden(row, hidden);
    return row;
  }

  /** Areas (0..1) and confidences by class id. */
  measure({ area, confidence }) {
    this.rows.forEach((row, k) => {
      row.area.textContent = row.word.background ? "" : percent(area[k + 1]);
      row.sure.textContent = area[k + 1] ? percent(confidence[k + 1]) : "–";
      row.element.classList.toggle("absent", !area[k + 1]);
      const { presence, background } = row.word;
      // A word that its own threshold hides keeps the slider that brings it back.
      row.missing = presence != null && !background && !area[k + 1] && !row.slider.valueAsNumber;
      row.element.classList.toggle("missing", row.missing);
      if (row.missing) tellAbsence(row.absence, presence);
    });
  }

  /**
   * Put the words that cover most first, and those that are not found last; equal ones stay as they were typed.
   * @param {number[]} area by class id
   * @returns {number[]} the words' positions as they are listed
   */
  sort(area) {
    const order = this.rows.map((_, k) => k).sort((a, b) => area[b + 1] - area[a + 1]);
    const rows = order.map((k) => this.rows[k]),
      apart = rows.some((row) => !row.missing) ? rows.filter((row) => row.missing) : [];
    this.list.append(...rows.map((row) => row.element));
    this.absent.append(...apart.map((row) => row.element));
    return order;
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
    row.eye.setAttribute("aria-label", t("Show {name}", { name: row.word.name }));
    row.eye.setAttribute("aria-pressed", String(!hidden));
  }
}

/** That a word has no pixel, and how likely it is to be there all the same. */
function tellAbsence(line, presence) {
  const likely = presence >= 0.5;
  const share = percent(presence);
  line.textContent = likely ? t("outweighed, {share} likely", { share }) : t("not found, {share} likely", { share });
  line.title = likely
    ? t("{share} likely to be in the photo, but other words fit better everywhere", { share })
    : t("{share} likely to be in the photo", { share });
}

function shownLevel(level, probable) {
  if (!level) return t("off");
  return `≥ ${probable ? percent(level / 255) : decimal(level / 255)}`;
}
