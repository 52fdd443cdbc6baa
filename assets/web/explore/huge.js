/** A part of a huge photo is a photo of its own here; the navigator says which part, and takes another. */

import { Navigator } from "../canvas/navigator.js";
import { PhotoLayer } from "../canvas/layers.js";
import { bytesOf } from "../canvas/png.js";
import { debounce, h, icon } from "../shared/dom.js";
import { t } from "../shared/language.js";

const SETTLE = 250; // milliseconds without a move before another part is asked for
const LEAST = 64; // image pixels along the shorter side of a part

/** @typedef {import("../canvas/canvas.js").Box} Box */

export class HugePhoto {
  /** @param {import("./explore.js").Explore} page */
  constructor(page) {
    this.page = page;
    /** The whole photo, as the server told of it; null of an ordinary one. @type {any} */
    this.whole = null;
    this.layer = new PhotoLayer();
    this.navigator = new Navigator(page.part.board, {
      onmove: (point) => this.move(point),
      onzoom: (factor) => this.zoom(factor),
    });
    this.navigator.layers = [this.layer];
    const button = (name, label, factor) =>
      h("button", { class: "plain", type: "button", "aria-label": label, title: label, onclick: () => this.zoom(factor) }, icon(name));
    this.navigator.extra.append(button("minus", t("See more of the photo"), 1 / 2), button("plus", t("Nearer"), 2));
    this.openSoon = debounce(() => this.open(), SETTLE);
  }

  /** A photo was opened. @param {any} opened */
  async show({ huge }) {
    const before = this.whole;
    this.whole = huge ?? null;
    if (!huge) return this.navigator.show(null);
    this.box = huge.box;
    if (before?.photo !== huge.photo || before.jpeg !== huge.jpeg) {
      this.layer.set(null);
      this.navigator.show(huge.size);
      const picture = await createImageBitmap(new Blob([bytesOf(huge.jpeg)], { type: "image/jpeg" }));
      if (this.whole === huge) this.layer.set(picture);
    }
    this.navigator.frame(this.box, huge.step);
  }

  /** Bring a point into the middle of the part. */
  move([x, y]) {
    const [left, top, right, bottom] = this.box;
    this.look([x, y], [right - left, bottom - top]);
  }

  zoom(factor) {
    const [left, top, right, bottom] = this.box;
    this.look([(left + right) / 2, (top + bottom) / 2], [(right - left) / factor, (bottom - top) / factor]);
  }

  look(middle, sides) {
    this.box = partOf(this.whole.size, middle, sides);
    this.navigator.frame(this.box, this.whole.step);
    this.openSoon();
  }

  open() {
    if (this.whole) this.page.photos.openPart(this.whole.photo, this.box);
  }
}

/**
 * The part of a photo of `size` around a point, within the photo.
 * @param {[number, number]} size
 * @param {[number, number]} middle
 * @param {[number, number]} sides
 * @returns {Box}
 */
export function partOf(size, middle, sides) {
  const more = Math.max(1, LEAST / Math.min(...sides));
  const [xs, ys] = [0, 1].map((axis) => {
    const side = Math.min(size[axis], Math.round(sides[axis] * more));
    const from = Math.round(Math.min(Math.max(middle[axis] - side / 2, 0), size[axis] - side));
    return [from, from + side];
  });
  return [xs[0], ys[0], xs[1], ys[1]];
}
