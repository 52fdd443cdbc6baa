/** The contact sheet: every word's heat map, small, on one common scale. */

import { h } from "../shared/dom.js";
import { heatImage } from "../canvas/heat.js";
import { decimal } from "../shared/numbers.js";
import { t } from "../shared/language.js";

const SIDE = 96;

export class ContactSheet {
  /** @param {function(number): void} onselect is given the word's position */
  constructor(host, onselect) {
    this.host = host;
    this.onselect = onselect;
    this.cards = [];
    // With hundreds of words only the cards that come into sight are drawn.
    this.seen = new IntersectionObserver(
      (entries) =>
        entries.filter((entry) => entry.isIntersecting).forEach((entry) => this.draw(entry.target)),
      { root: null, rootMargin: "200px" },
    );
  }

  /**
   * @param {import("../canvas/payload.js").Answer} answer
   * @param {[number, number]} size the photo's
   * @param {number[]} order the words' positions as they are listed
   */
  show({ words, grid }, size, order) {
    this.clear();
    const scale = SIDE / size[1],
      width = Math.round(Math.min(Math.max(size[0] * scale, 40), 2.2 * SIDE));
    this.grid = grid;
    this.width = width;
    this.cards = words.map((word, k) => {
      const canvas = h("canvas", { width, height: SIDE, "data-word": k });
      const most = grid.range(k)[1];
      this.seen.observe(canvas);
      return h(
        "button",
        {
          type: "button",
          class: "card",
          "aria-pressed": "false",
          title: word.name,
          "aria-label": t("Heat map of {name}, at most {most}", { name: word.name, most: decimal(most) }),
          onclick: () => this.onselect(k),
        },
        canvas,
        h(
          "span",
          { class: "caption" },
          h("span", { class: "swatch", style: { "--class": word.colour } }),
          h("span", { class: "label" }, word.name),
          h("span", { class: "number muted" }, decimal(most)),
        ),
      );
    });
    this.host.replaceChildren(...order.map((k) => this.cards[k]));
  }

  clear() {
    this.seen.disconnect();
    this.cards = [];
    this.host.replaceChildren();
  }

  draw(canvas) {
    this.seen.unobserve(canvas);
    const { grid } = this; // one scale for all words
    const image = heatImage(grid, Number(canvas.dataset.word), this.width, SIDE, grid.low, grid.high);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  select(k) {
    this.cards.forEach((card, at) => card.setAttribute("aria-pressed", String(at === k)));
  }
}
