/** What can lie on the canvas beside labels (`labelmap.js`): the photo, heat, units, a pin. Each is a `Layer` of `canvas.js`. */

import { heatImage } from "./heat.js";
import { borders } from "./labels.js";

const HEAT_SIDE = 640; // a heat map is smooth: more pixels show nothing more

/** The photo itself, kept in halves, so that a large one is never scaled down by much while it is drawn. */
export class PhotoLayer {
  /** @param {ImageBitmap|null} picture */
  set(picture) {
    this.window = null;
    this.picture = picture;
    /** @type {(ImageBitmap|OffscreenCanvas)[]} */
    this.levels = picture ? [picture] : [];
    /** @type {ImageBitmap|OffscreenCanvas|null} */
    let level = picture;
    while (level && Math.max(level.width, level.height) > 1200) {
      const half = new OffscreenCanvas(Math.ceil(level.width / 2), Math.ceil(level.height / 2));
      const context = half.getContext("2d");
      context.imageSmoothingQuality = "medium";
      context.drawImage(level, 0, 0, half.width, half.height);
      this.levels.push(half);
      level = half;
    }
  }

  /**
   * Of a huge photo, what its window shows: it lies over the rest.
   * @param {{picture: ImageBitmap, box: import("./canvas.js").Box}|null} window
   */
  setWindow(window) {
    this.window = window;
  }

  draw(context, { image, scale, ratio }) {
    if (!this.levels?.length) return;
    const wanted = image[0] * scale * ratio;
    const level = this.levels.findLast((each) => each.width >= wanted) ?? this.levels[0];
    context.imageSmoothingEnabled = scale * ratio < 4;
    context.imageSmoothingQuality = "medium";
    context.drawImage(level, 0, 0, ...image);
    if (!this.window || level !== this.levels[0]) return;
    const [left, top, right, bottom] = this.window.box;
    context.drawImage(this.window.picture, left, top, right - left, bottom - top);
  }
}

/** One word's similarity in viridis. */
export class HeatLayer {
  constructor() {
    this.opacity = 0.7;
  }

  /** @param {import("./grid.js").Grid} grid */
  set(grid, k, width, height, low, high) {
    const scale = Math.min(1, HEAT_SIDE / Math.max(width, height));
    this.bitmap = canvasOf(
      heatImage(
        grid,
        k,
        Math.max(1, Math.round(width * scale)),
        Math.max(1, Math.round(height * scale)),
        low,
        high,
      ),
    );
  }

  clear() {
    this.bitmap = null;
  }

  draw(context, { image }) {
    if (!this.bitmap) return;
    context.globalAlpha = this.opacity;
    context.imageSmoothingEnabled = true;
    context.drawImage(this.bitmap, 0, 0, ...image);
    context.globalAlpha = 1;
  }
}

/** Units, superpixels or regions: each filled with the photo's mean colour there, with its border. */
export class UnitLayer {
  constructor() {
    this.opacity = 0.85;
    this.outlines = true;
  }

  /**
   * @param {import("./payload.js").Partition} partition
   * @param {CanvasImageSource} picture
   */
  set({ ids, width, height, count }, picture) {
    this.size = [width, height];
    this.ids = ids;
    this.bitmap = canvasOf(meanColours(ids, width, height, count, picture));
    this.paths = borders(ids, width, height, (id) => id + 1);
    const all = new Path2D();
    for (const path of this.paths.values()) all.addPath(path);
    this.all = new Map([[1, all]]);
  }

  clear() {
    this.bitmap = null;
  }

  /** The unit at an image position, or null. */
  at([x, y], image) {
    if (!this.bitmap) return null;
    const column = Math.floor((x / image[0]) * this.size[0]),
      row = Math.floor((y / image[1]) * this.size[1]);
    return this.ids[row * this.size[0] + column] ?? null;
  }

  draw(context, view) {
    if (!this.bitmap) return;
    context.globalAlpha = this.opacity;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.bitmap, 0, 0, ...view.image);
    context.globalAlpha = 1;
    if (this.outlines) strokePaths(context, view, this.size, this.all, () => "#ffffff", 1);
  }
}

/** @type {[number, number, string][]} radius and width in screen pixels, the halo first */
const PIN = [
  [7, 4, "#000000b0"],
  [7, 2, "#ffffff"],
];

/** The point a person pinned. */
export class PinLayer {
  /** @param {[number, number]|null} point image coordinates */
  set(point) {
    this.point = point;
  }

  draw(context, { scale }) {
    if (!this.point) return;
    for (const [radius, width, colour] of PIN) {
      context.beginPath();
      context.arc(...this.point, radius / scale, 0, 7);
      context.lineWidth = width / scale;
      context.strokeStyle = colour;
      context.stroke();
    }
  }
}

/** Stroke raster borders at a constant width on the screen, over a halo that sets them off from any photo. */
function strokePaths(context, { image, scale }, size, paths, colour, width = 1.5) {
  const sx = image[0] / size[0],
    sy = image[1] / size[1];
  context.save();
  context.scale(sx, sy);
  context.lineCap = "square";
  const pixel = 1 / (scale * sx);
  for (const [strokeWidth, style] of [
    [width + 1.5, () => "rgba(0, 0, 0, 0.35)"],
    [width, colour],
  ]) {
    context.lineWidth = strokeWidth * pixel;
    for (const [id, path] of paths) {
      context.strokeStyle = style(id);
      context.stroke(path);
    }
  }
  context.restore();
}

function meanColours(ids, width, height, count, picture) {
  const small = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  small.drawImage(picture, 0, 0, width, height);
  const pixels = small.getImageData(0, 0, width, height).data;
  const sums = new Float64Array(count * 4);
  for (let i = 0; i < ids.length; i++) {
    for (let c = 0; c < 3; c++) sums[ids[i] * 4 + c] += pixels[i * 4 + c];
    sums[ids[i] * 4 + 3]++;
  }
  const out = new ImageData(width, height);
  for (let i = 0; i < ids.length; i++) {
    for (let c = 0; c < 3; c++) out.data[i * 4 + c] = sums[ids[i] * 4 + c] / sums[ids[i] * 4 + 3];
    out.data[i * 4 + 3] = 255;
  }
  return out;
}

function canvasOf(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
