/** From an answer and a person's thresholds to what is seen: the visible class of each pixel, areas, confidence. */

/**
 * The class id of each pixel once thresholds are applied.
 * @param {import("./payload.js").Answer} answer
 * @param {number[]} levels least score byte of each word
 * @returns {Uint8Array|Uint16Array}
 */
export function decide({ words, labels }, levels) {
  if (!levels.some((level) => level > 0)) return labels.ids;
  const least = [0, ...levels];
  return labels.ids.map((id, i) => (labels.score[i] < least[id] ? 0 : id));
}

/**
 * Share of the photo (0..1) and mean probability of each class id; both are 0 for a class without pixels.
 *
 * @param {import("./payload.js").Answer} answer
 * @param {Uint8Array|Uint16Array} ids
 * @param {Float32Array|null} probabilities laid out like the grid; null where the answer's scores are probabilities
 * @returns {{area: number[], confidence: number[]}} by class id, 0 (none) included
 */
export function measure({ words, labels, grid }, ids, probabilities) {
  const classes = words.length + 1,
    { rows, columns } = grid,
    cells = rows * columns;
  const pixels = new Float64Array(classes),
    sure = new Float64Array(classes);
  const column = Array.from({ length: labels.width }, (_, x) => Math.floor((x * columns) / labels.width));
  for (let y = 0, i = 0; y < labels.height; y++) {
    const row = Math.floor((y * rows) / labels.height) * columns;
    for (let x = 0; x < labels.width; x++, i++) {
      const id = ids[i];
      pixels[id]++;
      if (id) sure[id] += probabilities === null ? labels.score[i] / 255 : probabilities[(id - 1) * cells + row + column[x]];
    }
  }
  return {
    area: Array.from(pixels, (n) => n / ids.length),
    confidence: Array.from(sure, (sum, id) => (pixels[id] ? sum / pixels[id] : 0)),
  };
}

/**
 * Colour an id raster: one 32-bit look-up a pixel.
 * @param {Uint8Array|Uint16Array} ids
 * @param {string[]} colours `#rrggbb` or "" (transparent) by id
 */
export function paint(ids, width, height, colours) {
  const table = Uint32Array.from(colours, (colour) => (colour ? abgr(colour) : 0));
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[ids[i]];
  return image;
}

/**
 * The borders of an id raster as one path a class (in raster coordinates), runs of pixels joined.
 * @param {function(number): number} group ids with the same group have no border between them; 0 draws none
 * @returns {Map<number, Path2D>}
 */
export function borders(ids, width, height, group) {
  const paths = new Map();
  const line = (id, x0, y0, x1, y1) => {
    if (!id) return;
    if (!paths.has(id)) paths.set(id, new Path2D());
    paths.get(id).moveTo(x0, y0);
    paths.get(id).lineTo(x1, y1);
  };
  const at = (x, y) => group(ids[y * width + x]);
  for (let y = 1; y < height; y++) {
    for (let x = 0; x < width;) {
      const above = at(x, y - 1),
        below = at(x, y),
        from = x++;
      while (x < width && at(x, y - 1) === above && at(x, y) === below) x++;
      if (above !== below) [above, below].forEach((id) => line(id, from, y, x, y));
    }
  }
  for (let x = 1; x < width; x++) {
    for (let y = 0; y < height;) {
      const left = at(x - 1, y),
        right = at(x, y),
        from = y++;
      while (y < height && at(x - 1, y) === left && at(x, y) === right) y++;
      if (left !== right) [left, right].forEach((id) => line(id, x, from, x, y));
    }
  }
  return paths;
}

/** `#rrggbb` as the little-endian word of an opaque ImageData pixel. */
function abgr(colour) {
  const value = parseInt(colour.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}
