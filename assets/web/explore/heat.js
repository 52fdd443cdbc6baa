/** The heat map of one word, with its scale drawn and the word named. */

import { SCALE_CSS } from "../canvas/heat.js";
import { HeatLayer } from "../canvas/layers.js";
import { h } from "../shared/dom.js";
import { decimal } from "../shared/numbers.js";
import { t } from "../shared/language.js";

export class HeatView {
  /**
   * @param {HTMLElement} scale where the scale is drawn
   * @param {function(): void} redraw
   */
  constructor(scale, redraw) {
    this.scale = scale;
    this.redraw = redraw;
    this.layer = new HeatLayer();
    this.own = false; // the word's own range, not that of all words
  }

  clear() {
    this.layer.clear();
    this.scale.hidden = true;
  }

  /**
   * @param {import("../canvas/payload.js").Answer} answer
   * @param {number} k the word's position
   * @param {[number, number]} shown the photo's size on the page
   */
  show(answer, k, shown) {
    const { grid } = answer,
      word = answer.words[k];
    const [low, high] = this.own ? grid.range(k) : [grid.low, grid.high];
    this.layer.set(grid, k, ...shown, low, high);
    const choice = (text, own) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(this.own === own),
          onclick: () => {
            this.own = own;
            this.show(answer, k, shown);
          },
        },
        text,
      );
    this.scale.hidden = false;
    this.scale.replaceChildren(
      h("span", { class: "swatch", style: { "--class": word.colour } }),
      h("b", { class: "label" }, word.name),
      h("span", { class: "number" }, decimal(low)),
      h("span", { class: "bar", style: { background: SCALE_CSS } }),
      h("span", { class: "number" }, decimal(high)),
      h(
        "span",
        { class: "segments small", role: "group", "aria-label": t("Scale") },
        choice(t("all words"), false),
        choice(t("this word"), true),
      ),
    );
    this.redraw();
  }
}
