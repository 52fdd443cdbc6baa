/** Heat maps: similarity in viridis (van der Walt and Smith 2015, CC0), with its scale. */

const STOPS = [
  [68, 1, 84],
  [72, 29, 111],
  [69, 55, 129],
  [60, 79, 138],
  [50, 101, 142],
  [41, 122, 142],
  [33, 143, 141],
  [34, 164, 133],
  [59, 184, 117],
  [101, 203, 94],
  [155, 217, 60],
  [210, 226, 27],
  [253, 231, 37],
];

/** 256 colours as ImageData words. */
const TABLE = Uint32Array.from({ length: 256 }, (_, i) => {
  const at = (i / 255) * (STOPS.length - 1),
    first = Math.min(Math.floor(at), STOPS.length - 2),
    share = at - first;
  const [r, g, b] = STOPS[first].map((c, j) => Math.round(c + (STOPS[first + 1][j] - c) * share));
  return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
});

/** The scale as CSS, for legends. */
export const SCALE_CSS = `linear-gradient(to right, ${STOPS.map((c) => `rgb(${c})`).join(", ")})`;

/**
 * Word k as an image of width x height; `low` and `high` are the similarities at the two ends of the scale.
 * @param {import("./grid.js").Grid} grid
 * @returns {ImageData}
 */
export function heatImage(grid, k, width, height, low, high) {
  const image = new ImageData(width, height),
    pixels = new Uint32Array(image.data.buffer);
  const values = grid.upsampled(k, width, height);
  const unit = (grid.high - grid.low) / 255,
    span = high - low || 1;
  for (let i = 0; i < pixels.length; i++) {
    const share = (grid.low + values[i] * unit - low) / span;
    pixels[i] = TABLE[Math.max(0, Math.min(255, Math.round(share * 255)))];
  }
  return image;
}
