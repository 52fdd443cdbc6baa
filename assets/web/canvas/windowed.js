/**
 * A huge photo is seen through a window: a box of its pixels, of which one in so many travels. Around the window lies the
 * whole photo, coarse. Everything is told in pixels of the photo, so that tools need not know of it.
 */

import { LabelMap } from "./labelmap.js";

/**
 * @typedef {Object} Fineness in cells
 * @property {number} side of a window
 * @property {number} seen at most along the longer side of what is on the screen
 * @property {number} grid windows begin at multiples of it
 */

/** For the eye. @type {Fineness} */
export const SHOWN = { side: 2048, seen: 1400, grid: 64 };
/** For a model, whose answer is waited for; a little moving about asks about the same window. @type {Fineness} */
export const ASKED = { side: 1024, seen: 700, grid: 128 };

/** @typedef {import("./canvas.js").Box} Box */

/** @typedef {{box: Box, step: number}} Window a raster over `box`, whose cells are `step` x `step` pixels of the photo */

/** The part of the photo on the screen, in its pixels. @param {import("./viewport.js").Viewport} viewport @returns {Box} */
export function seenBox(viewport) {
  const from = viewport.toImage(0, 0),
    to = viewport.toImage(...viewport.screen);
  const [left, top] = from.map((value) => Math.max(0, Math.floor(value)));
  const [right, bottom] = to.map((value, axis) => Math.min(viewport.image[axis], Math.ceil(value)));
  return [left, top, Math.max(right, left + 1), Math.max(bottom, top + 1)];
}

/**
 * The window for what is on the screen: fine enough for it, and with something around it for the hand that moves on.
 * @param {import("./viewport.js").Viewport} viewport
 * @param {Fineness} [fineness]
 * @returns {Window}
 */
export function windowFor(viewport, fineness = SHOWN) {
  const seen = seenBox(viewport),
    longest = Math.max(seen[2] - seen[0], seen[3] - seen[1]);
  const step = 2 ** Math.max(0, Math.ceil(Math.log2(longest / fineness.seen)));
  const [xs, ys] = [0, 1].map((axis) => {
    const grid = fineness.grid * step,
      side = fineness.side * step,
      length = viewport.image[axis];
    const middle = (seen[axis] + seen[axis + 2]) / 2;
    const last = Math.max(0, Math.ceil((length - side) / grid) * grid);
    const from = Math.min(last, Math.max(0, Math.round((middle - side / 2) / grid) * grid));
    return [from, Math.min(length, from + side)];
  });
  return { box: [xs[0], ys[0], xs[1], ys[1]], step };
}

/** Whether a window shows a box as finely as another one would. @param {Window|null} window @param {Box} box */
export function covers(window, box, step) {
  if (window?.step !== step) return false;
  const [left, top, right, bottom] = window.box;
  return left <= box[0] && top <= box[1] && right >= box[2] && bottom >= box[3];
}

/** Whether two windows are one. @param {Window} a @param {Window} b */
export const same = (a, b) => a.step === b.step && a.box.every((edge, k) => edge === b.box[k]);

/** Class ids over a part of a photo: those of a window's cells, or fewer over the same place. */
export class Pane {
  /**
   * @param {Window} window
   * @param {{width: number, height: number, ids: Uint8Array|Uint16Array}} raster
   * @param {number} [revision] of the label map
   */
  constructor(window, raster, revision = 0) {
    this.window = window;
    this.map = new LabelMap(raster);
    this.revision = revision;
    const { box, step } = window;
    const [across, down] = [0, 1].map((axis) => Math.ceil((box[axis + 2] - box[axis]) / step) * step);
    /** Pixels of the photo a cell, across and down. */
    this.cell = [across / raster.width, down / raster.height];
  }

  /** The class id under a point in image pixels, or null outside the window. */
  at([x, y]) {
    const { box } = this.window;
    if (x < box[0] || y < box[1] || x >= box[2] || y >= box[3]) return null;
    return this.map.at([(x - box[0]) / this.cell[0], (y - box[1]) / this.cell[1]]);
  }

  /** Take over what changed, in cells. */
  patch(box, ids) {
    this.map.patch(box, ids);
  }

  /** As that of a label map; what lies outside the window has no label. */
  under(from, counts, view, out = new Uint16Array(counts[0] * counts[1])) {
    const { map } = this,
      { box } = this.window;
    const [columns, rows] = [0, 1].map((axis) => {
      const scale = view.scale * view.ratio,
        offset = [view.left, view.top][axis],
        cells = [map.width, map.height][axis];
      return Int32Array.from({ length: counts[axis] }, (_, i) => {
        const at = Math.floor(((from[axis] + i + 0.5 - offset) / scale - box[axis]) / this.cell[axis]);
        return at < 0 || at >= cells ? -1 : at;
      });
    });
    const first = columns.findIndex((at) => at >= 0),
      last = columns.findLastIndex((at) => at >= 0);
    if (first < 0) return out;
    for (let j = 0; j < counts[1]; j++) {
      if (rows[j] < 0) continue;
      const row = rows[j] * map.width,
        to = j * counts[0];
      for (let i = first; i <= last; i++) out[to + i] = map.ids[row + columns[i]];
    }
    return out;
  }
}

/** The label map of a huge photo: the whole of it coarse, and fine where the window lies. */
export class WindowedMap {
  /** @param {[number, number]} size of the photo @param {Pane} whole @param {Pane|null} [pane] of the window */
  constructor(size, whole, pane = null) {
    this.size = size;
    this.whole = whole;
    this.pane = pane;
  }

  /** @returns {Pane[]} */
  get panes() {
    return this.pane ? [this.whole, this.pane] : [this.whole];
  }

  get area() {
    return this.size[0] * this.size[1];
  }

  at(point) {
    return this.pane?.at(point) ?? this.whole.at(point);
  }

  /** The share of the photo, 0..1, that a class has: as the coarse cells show it. */
  share(id) {
    return this.whole.map.share(id);
  }

  under(from, counts, view) {
    const out = this.whole.under(from, counts, view);
    return this.pane ? this.pane.under(from, counts, view, out) : out;
  }
}
