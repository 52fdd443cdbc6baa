/** Masks as they travel: COCO run-length codes, read for drawing and for asking whether a pixel is inside. */

import { borders } from "./labels.js";

const SIDE = 1024; // a drawn mask needs no more pixels along its longer side
/** @type {[number, string][]} widths in screen pixels, the halo first */
const BORDER = [
  [3.5, "rgb(0 0 0 / 55%)"],
  [1.5, "#fff"],
];

export class RegionMask {
  /**
   * @param {{rle: {size: [number, number], counts: string}, box: number[], area: number, window?: import("./windowed.js").Window}} message
   *   `box` and `area` in image pixels; the code too, or in the cells of a window onto a huge photo
   */
  constructor({ rle, box, area, window }) {
    this.rle = rle;
    this.window = window;
    this.step = window?.step ?? 1;
    this.origin = window ? [window.box[0], window.box[1]] : [0, 0];
    this.box = box;
    this.area = area;
    this.height = rle.size[0];
    /** Where the mask changes between out and in, positions x * height + y. */
    this.toggles = readToggles(rle.counts);
  }

  /** The mask in the words of the HTTP contract. */
  get operation() {
    return this.window ? { type: "region", rle: this.rle, window: this.window } : { type: "region", rle: this.rle };
  }

  /** Whether a point in image pixels is inside. */
  has(point) {
    const [x, y] = point.map((value, axis) => (value - this.origin[axis]) / this.step);
    if (x < 0 || y < 0 || x >= this.rle.size[1] || y >= this.height) return false;
    const at = Math.floor(x) * this.height + Math.floor(y);
    let low = 0,
      high = this.toggles.length; // the number of toggles at or before `at`
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.toggles[middle] <= at) low = middle + 1;
      else high = middle;
    }
    return low % 2 === 1;
  }

  /** Draw the mask in a colour, with its border, in image coordinates. */
  draw(context, { scale }, colour, opacity) {
    const [left, top] = this.box,
      { canvas, path, width, height } = this.drawn(colour),
      step = this.step * this.cached.step;
    context.save();
    context.translate(left, top);
    context.scale(step, step);
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, width, height);
    context.globalAlpha = 1;
    for (const [line, style] of BORDER) {
      context.lineWidth = line / (scale * step);
      context.strokeStyle = style;
      context.stroke(path);
    }
    context.restore();
  }

  drawn(colour) {
    if (this.cached?.colour === colour) return this.cached;
    const [left, top, right, bottom] = this.box.map((edge, k) => (edge - this.origin[k % 2]) / this.step),
      boxWidth = right - left,
      boxHeight = bottom - top;
    const step = Math.max(1, Math.ceil(Math.max(boxWidth, boxHeight) / SIDE));
    const width = Math.max(1, Math.ceil(boxWidth / step)),
      height = Math.max(1, Math.ceil(boxHeight / step));
    // One empty cell around, so that the border is closed.
    const raster = new Uint8Array((width + 2) * (height + 2));
    const { toggles } = this;
    for (let i = 0; i < toggles.length; i += 2) {
      const end = toggles[i + 1] ?? Infinity;
      for (let at = toggles[i]; at < end && at < Infinity;) {
        const x = Math.floor(at / this.height),
          next = Math.min(end, (x + 1) * this.height);
        if (x >= left + boxWidth) break;
        if ((x - left) % step === 0) {
          const from = Math.ceil((at - x * this.height - top) / step),
            to = Math.ceil((next - x * this.height - top) / step);
          for (let y = from; y < to && y < height; y++) raster[(y + 1) * (width + 2) + (x - left) / step + 1] = 1;
        }
        at = next;
      }
    }
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    const image = new ImageData(width, height);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (raster[(y + 1) * (width + 2) + x + 1]) image.data[4 * (y * width + x) + 3] = 255;
    context.putImageData(image, 0, 0);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = colour;
    context.fillRect(0, 0, width, height);
    const path = new Path2D();
    for (const border of borders(raster, width + 2, height + 2, (id) => id).values())
      path.addPath(border, new DOMMatrix([1, 0, 0, 1, -1, -1]));
    this.cached = { colour, canvas, path, step, width, height };
    return this.cached;
  }
}

/** The compressed counts of a COCO run-length code (pycocotools, rleFrString) as toggling positions. */
function readToggles(text) {
  const counts = [],
    toggles = [];
  for (let i = 0; i < text.length;) {
    let value = 0,
      shift = 0,
      more = true;
    while (more) {
      const c = text.charCodeAt(i++) - 48;
      value |= (c & 0x1f) << shift;
      shift += 5;
      more = Boolean(c & 0x20);
      if (!more && c & 0x10 && shift < 32) value |= -1 << shift;
    }
    if (counts.length > 2) value += counts[counts.length - 2];
    counts.push(value);
  }
  let at = 0;
  for (const count of counts) toggles.push((at += count));
  toggles.pop(); // the end of the photo
  return Float64Array.from(toggles);
}
