/**
 * The label map of one photo in the browser: one raster of class ids, whatever the number of regions, and a layer that
 * colours it at the screen's resolution, so that drawing costs what is seen and not what the photo holds.
 */

const HALO = word("#000000", 0.35);

export class LabelMap {
  /** @param {{width: number, height: number, ids: Uint8Array|Uint16Array}} raster */
  constructor({ width, height, ids }) {
    this.width = width;
    this.height = height;
    this.ids = ids;
    /** Pixels by class id. */
    this.pixels = new Map();
    this.count(ids, 1);
  }

  /** The class id under a point in image pixels, or null outside the photo. */
  at([x, y]) {
    const column = Math.floor(x),
      row = Math.floor(y);
    if (column < 0 || row < 0 || column >= this.width || row >= this.height) return null;
    return this.ids[row * this.width + column];
  }

  /**
   * Take over what the server answered.
   * @param {[number, number, number, number]} box
   * @param {Uint8Array|Uint16Array} ids of the box, row by row
   */
  patch([x0, y0, x1, y1], ids) {
    const width = x1 - x0;
    if (this.ids instanceof Uint8Array && ids instanceof Uint16Array) this.ids = Uint16Array.from(this.ids);
    for (let y = y0; y < y1; y++) {
      const at = y * this.width + x0,
        row = ids.subarray((y - y0) * width, (y - y0 + 1) * width);
      this.count(this.ids.subarray(at, at + width), -1);
      this.ids.set(row, at);
      this.count(row, 1);
    }
  }

  /** Pixels of the photo. */
  get area() {
    return this.ids.length;
  }

  /** The class ids under `counts` device pixels across and down from a place of the screen on. */
  under([x, y], [across, down], view) {
    const scale = view.scale * view.ratio;
    const columns = samples(x, across, view.left, scale, view.image[0], this.width);
    const rows = samples(y, down, view.top, scale, view.image[1], this.height);
    return read(this, columns, rows);
  }

  /** The share of the photo, 0..1, that a class has. */
  share(id) {
    return (this.pixels.get(id) ?? 0) / this.ids.length;
  }

  count(ids, sign) {
    for (let i = 0; i < ids.length;) {
      const id = ids[i],
        from = i;
      while (i < ids.length && ids[i] === id) i++;
      this.pixels.set(id, (this.pixels.get(id) ?? 0) + sign * (i - from));
    }
  }
}

/** A label map in class colours, filled or with outlines; each outline has a dark line beside it, so that it is seen on any photo. */
export class LabelLayer {
  /** @param {boolean} outlines @param {number} within share of the opacity that is left inside outlines */
  constructor(outlines, within) {
    this.opacity = 0.5;
    this.outlines = outlines;
    this.within = within;
    this.visible = true;
    this.buffer = new OffscreenCanvas(1, 1);
    this.bufferContext = this.buffer.getContext("2d");
    this.set(null, []);
  }

  /**
   * @param {LabelMap|import("./windowed.js").Pane|import("./windowed.js").WindowedMap|null} map
   * @param {string[]} colours `#rrggbb` by class id, "" for classes that are not shown
   */
  set(map, colours) {
    this.map = map;
    this.colours = colours;
  }

  clear() {
    this.set(null, []);
  }

  draw(context, view) {
    const { map } = this;
    if (!map || !this.visible) return;
    const scale = view.scale * view.ratio;
    const x0 = Math.max(view.box[0], Math.floor(view.left)),
      y0 = Math.max(view.box[1], Math.floor(view.top));
    const x1 = Math.min(view.box[2], Math.ceil(view.left + view.image[0] * scale)),
      y1 = Math.min(view.box[3], Math.ceil(view.top + view.image[1] * scale));
    const width = x1 - x0,
      height = y1 - y0;
    if (width <= 0 || height <= 0) return;
    const line = this.outlines ? Math.max(1, Math.round(1.5 * view.ratio)) : 0;
    const stride = width + 2 * line,
      ids = map.under([x0, y0], [stride, height + 2 * line], view);
    const image = new ImageData(width, height);
    this.colour(ids, stride, new Uint32Array(image.data.buffer), width, height, line);
    if (this.buffer.width < width || this.buffer.height < height) {
      this.buffer.width = Math.max(this.buffer.width, width);
      this.buffer.height = Math.max(this.buffer.height, height);
    }
    this.bufferContext.putImageData(image, 0, 0);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.buffer, 0, 0, width, height, x0, y0, width, height);
  }

  colour(ids, stride, pixels, width, height, line) {
    const inside = this.table(this.outlines ? this.within * this.opacity : this.opacity);
    if (!line) {
      for (let i = 0; i < pixels.length; i++) pixels[i] = inside[ids[i]];
      return;
    }
    const edge = this.table(1);
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0, at = y * stride; x < width; x++, i++, at++) {
        const id = ids[at],
          right = ids[at + line],
          below = ids[at + line * stride];
        if (id !== right || id !== below) pixels[i] = edge[id] || edge[right === id ? below : right] || inside[id];
        else pixels[i] = id === ids[at + 2 * line] && id === ids[at + 2 * line * stride] ? inside[id] : HALO;
      }
    }
  }

  /** Words of the class colours by id, 0 for those that are not shown. */
  table(opacity) {
    return this.colours.map((colour) => (colour ? word(colour, opacity) : 0));
  }
}

/** The raster's column (or row) under each of `count` device pixels from `from` on. */
function samples(from, count, offset, scale, image, cells) {
  const out = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const at = Math.floor((((from + i + 0.5 - offset) / scale) * cells) / image);
    out[i] = Math.min(Math.max(at, 0), cells - 1);
  }
  return out;
}

function read({ ids, width }, columns, rows) {
  const stride = columns.length,
    out = new Uint16Array(stride * rows.length);
  for (let j = 0; j < rows.length; j++) {
    if (j && rows[j] === rows[j - 1]) {
      out.copyWithin(j * stride, (j - 1) * stride, j * stride);
      continue;
    }
    const row = rows[j] * width;
    for (let i = 0, to = j * stride; i < stride; i++, to++) out[to] = ids[row + columns[i]];
  }
  return out;
}

/** `#rrggbb` with an opacity as the little-endian word of an ImageData pixel. */
function word(colour, opacity) {
  const value = parseInt(colour.slice(1), 16);
  const alpha = Math.round(opacity * 255);
  return ((alpha << 24) | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}
