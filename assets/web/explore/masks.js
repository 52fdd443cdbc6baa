/** The masks of a photo: all of them at once, the one under a click, or the pseudo-labels that follow from them. */

import { h, icon } from "../shared/dom.js";
import { LabelLayer, LabelMap } from "../canvas/labelmap.js";
import { percent, plural } from "../shared/numbers.js";
import { barList, otherScored } from "./why.js";
import { t } from "../shared/language.js";

const CHOSEN = ["", "#ffffff"];

export class MaskView {
  /**
   * @param {Object<string, any>} part of the page
   * @param {[number, number]} sure the confidence and the margin that a pseudo-label needs at first
   * @param {function(): void} redraw
   */
  constructor(part, [confidence, margin], redraw) {
    this.part = part;
    this.confidence = confidence;
    this.margin = margin;
    this.redraw = redraw;
    this.sure = false; // show pseudo-labels, not all masks
    this.layer = new LabelLayer(true, 1);
    this.chosenLayer = new LabelLayer(true, 1);
    this.chosenLayer.opacity = 0.3;
    part.sure.value = Math.round(100 * confidence);
    part.sure.addEventListener("input", () => {
      this.confidence = part.sure.valueAsNumber / 100;
      this.pending ||= requestAnimationFrame(() => {
        this.pending = 0;
        this.paint();
      });
    });
    part["mask-kind"].addEventListener("click", (event) => {
      const kind = event.target.closest("[data-kind]")?.dataset.kind;
      if (kind) this.show(kind === "sure");
    });
    this.clear();
  }

  get loaded() {
    return this.masks !== null;
  }

  clear() {
    this.masks = null;
    this.layer.clear();
    this.letGo();
    this.part["mask-count"].textContent = "";
  }

  /**
   * @param {{cells: import("../canvas/payload.js").Partition, masks: import("../canvas/payload.js").MaskFacts[]}} found
   * @param {import("../canvas/payload.js").Word[]} words
   */
  set({ cells, masks }, words) {
    this.cells = cells;
    this.masks = masks;
    this.words = words;
    /** The masks that hold each cell, from small to large. */
    this.holders = Array.from({ length: cells.count }, () => []);
    for (let k = masks.length - 1; k >= 0; k--) for (const cell of masks[k].cells) this.holders[cell].push(k);
    this.paint();
  }

  /** All masks, or the pseudo-labels. */
  show(sure) {
    this.sure = sure;
    this.part["mask-kind"].querySelectorAll("[data-kind]").forEach((button) => {
      button.setAttribute("aria-pressed", String((button.dataset.kind === "sure") === sure));
    });
    this.part["sure-field"].hidden = !sure;
    this.paint();
  }

  paint() {
    this.part["sure-value"].textContent = percent(this.confidence);
    this.part.sure.setAttribute("aria-valuetext", percent(this.confidence));
    if (!this.loaded) return;
    const { ids, width, height } = this.cells;
    if (this.sure) {
      const labels = Uint16Array.from(this.holders, (holders) => this.labelOf(holders));
      const map = Uint16Array.from(ids, (cell) => labels[cell]);
      this.layer.set(new LabelMap({ width, height, ids: map }), ["", ...this.words.map((word) => word.colour)]);
      const share = map.reduce((count, id) => count + Number(id > 0), 0) / map.length;
      this.count(share ? t("{share} labelled", { share: percent(share) }) : t("No mask is this confident"));
    } else {
      const colours = this.holders.map(([smallest]) => this.masks[smallest]?.colour ?? "");
      this.layer.set(new LabelMap(this.cells), colours);
      this.count(this.masks.length ? plural(this.masks.length, "{n} mask", "{n} masks") : t("No masks in this photo"));
    }
    this.redraw();
  }

  /** The class of a cell: that of the smallest mask which is sure enough; 0 where there is none, or it is something else. */
  labelOf(holders) {
    const k = holders.find((k) => this.masks[k].confidence >= this.confidence && this.masks[k].margin >= this.margin);
    if (k === undefined) return 0;
    const id = this.masks[k].word;
    return this.words[id - 1]?.background ? 0 : id;
  }

  count(text) {
    this.part["mask-count"].textContent = text;
  }

  /** Take the smallest mask at a point, 0..1 across and down; at a point of the mask in hand, the next larger one. */
  pick(x, y) {
    if (!this.loaded) return;
    const { ids, width, height } = this.cells;
    this.under = this.holders[ids[Math.floor(y * height) * width + Math.floor(x * width)]];
    const held = this.under.indexOf(this.chosen);
    this.choose(held < 0 ? 0 : (held + 1) % this.under.length);
  }

  /** Take the mask at a place among those under the point. */
  choose(place) {
    const k = this.under[place];
    if (k === undefined) return this.letGo();
    this.chosen = k;
    const { ids, width, height, count } = this.cells;
    const inside = new Uint8Array(count);
    for (const cell of this.masks[k].cells) inside[cell] = 1;
    this.chosenLayer.set(new LabelMap({ width, height, ids: ids.map((cell) => inside[cell]) }), CHOSEN);
    this.explain(place);
    this.redraw();
  }

  letGo() {
    this.chosen = -1;
    this.under = [];
    this.chosenLayer.clear();
    this.part.mask.hidden = true;
  }

  /** The panel about the mask in hand. */
  explain(place) {
    const mask = this.masks[this.chosen],
      last = this.under.length - 1;
    /** @type {import("./why.js").Scored[]} */
    const scored = mask.scores.map(([id, score]) => ({ word: this.words[id - 1], score }));
    if (mask.other) scored.push(otherScored(...mask.other));
    scored.sort((a, b) => b.score - a.score);
    const best = mask.word ? this.words[mask.word - 1].name : t("something else ({word})", { word: mask.other[0] });
    const step = (name, label, to) =>
      h(
        "button",
        { type: "button", class: "plain", "aria-label": label, title: label, disabled: !(to in this.under), onclick: () => this.choose(to) },
        icon(name),
      );
    this.part.mask.hidden = false;
    this.part.mask.replaceChildren(
      h(
        "div",
        { class: "row" },
        icon("masks"),
        h("span", { class: "heading" }, t("Mask")),
        h("span", { class: "number muted" }, t("{share} of the photo", { share: percent(mask.area) })),
        h("span", { class: "spacer" }),
        step("minus", t("Smaller mask"), place - 1),
        h("span", { class: "number muted" }, t("{n} of {all}", { n: place + 1, all: last + 1 })),
        step("plus", t("Larger mask"), place + 1),
      ),
      barList(scored, { low: 0, high: Math.max(scored[0].score, 0.01) }),
      h(
        "p",
        { class: "hint" },
        t("Most likely "),
        h("b", {}, best),
        t(": confidence {share}, {points} points ahead of the next word. Click again for a larger mask.", {
          share: percent(mask.confidence),
          points: Math.round(100 * mask.margin),
        }),
      ),
    );
  }
}
