/** What is at a point: the words by score, beside the pointer and in the panel. */

import { h, icon } from "../shared/dom.js";
import { decimal } from "../shared/numbers.js";
import { t } from "../shared/language.js";

const SHOWN = 5;

/**
 * A word with its score at some place.
 * @typedef {{word: {name: string, colour: string, other?: boolean}, score: number}} Scored
 */

/**
 * An other word, as the words asked are shown.
 * @returns {Scored}
 */
export const otherScored = (name, score) => ({ word: { name, colour: "var(--edge)", other: true }, score });

/**
 * The words by falling score at (x, y), both 0..1 across the photo; at most five, and the best other word.
 * @param {import("../canvas/payload.js").Answer} answer
 * @returns {Scored[]}
 */
export function topWords(answer, x, y) {
  /** @type {Scored[]} */
  const asked = Array.from(answer.grid.at(x, y), (score, k) => ({ word: answer.words[k], score }));
  const other = otherWord(answer, x, y);
  const first = asked.sort((a, b) => b.score - a.score).slice(0, SHOWN);
  return other ? [...first, other].sort((a, b) => b.score - a.score) : first;
}

/** The other word that scores best at (x, y), null where none competes. */
export function otherWord({ rest, grid }, x, y) {
  if (!rest) return null;
  const row = Math.min(Math.floor(y * grid.rows), grid.rows - 1),
    column = Math.min(Math.floor(x * grid.columns), grid.columns - 1),
    cell = row * grid.columns + column;
  return otherScored(rest.names[rest.ids[cell]], grid.similarity(rest.score[cell]));
}

/** The top words at (x, y) as a list of bars on the answer's scale. */
export function bars(answer, x, y) {
  return barList(topWords(answer, x, y), answer.grid);
}

/**
 * Words as a list of bars on a scale from `low` to `high`.
 * @param {Scored[]} words
 * @param {{low: number, high: number}} scale
 */
export function barList(words, { low, high }) {
  const width = (score) => `${Math.max(2, (100 * (score - low)) / (high - low || 1))}%`;
  return h(
    "ol",
    { class: "bars" },
    ...words.map(({ word, score }) =>
      h(
        "li",
        { class: word.other ? "other" : "", style: { "--class": word.colour } },
        h("span", { class: "swatch" }),
        h("span", { class: "label", title: word.other ? t("Nobody asked for this word") : "" }, word.name),
        h("span", { class: "bar" }, h("i", { style: { width: width(score) } })),
        h("span", { class: "number" }, decimal(score)),
      ),
    ),
  );
}

/**
 * Put the tip beside a point of the board, inside it.
 * @param {HTMLElement} tip
 * @param {[number, number]} at on the board
 */
export function placeTip(tip, [x, y], content) {
  tip.hidden = false;
  tip.replaceChildren(content);
  const { width, height } = tip.getBoundingClientRect(),
    board = tip.parentElement;
  tip.style.left = `${x + 20 + width > board.clientWidth ? Math.max(0, x - width - 16) : x + 20}px`;
  tip.style.top = `${Math.max(8, Math.min(y + 16, board.clientHeight - height - 8))}px`;
}

/**
 * The panel about a pinned point.
 * @param {{pixel: [number, number], label: string, bars: HTMLElement, unpin: function(): void}} facts
 * @returns {{parts: Node[], near: function([string, number][]): void}} `near` adds the nearest nouns when they come
 */
export function whyHere({ pixel, label, bars, unpin }) {
  const nouns = h("p", { class: "hint" });
  return {
    parts: [
      h(
        "div",
        { class: "row" },
        icon("pin"),
        h("span", { class: "heading" }, t("Why here")),
        h("span", { class: "number muted" }, pixel.map(Math.floor).join(", ")),
        h("span", { class: "spacer" }),
        h(
          "button",
          { type: "button", class: "plain", "aria-label": t("Let go of the pin"), onclick: unpin },
          icon("close"),
        ),
      ),
      bars,
      h("p", { class: "hint" }, t("Label here: "), h("b", {}, label)),
      nouns,
    ],
    near: (words) => {
      if (!words.length) return;
      const named = words.map(([word, score]) => `${word} ${decimal(score)}`).join(", ");
      nouns.replaceChildren(t("Nearest of all nouns: "), h("b", {}, named));
    },
  };
}
