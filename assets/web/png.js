/**
 * A small, exact PNG reader for rasters that carry numbers, not colours: 8 bits a channel, 1 to 3 channels, not
 * interlaced. A <canvas> is no substitute: it multiplies by alpha, and some browsers disturb what it gives back.
 */

const CHANNELS = { 0: 1, 2: 3, 4: 2 };

/**
 * @typedef {Object} Raster
 * @property {number} width
 * @property {number} height
 * @property {number} channels
 * @property {Uint8Array} bytes row by row, channels interleaved
 */

/**
 * @param {string} base64
 * @returns {Promise<Raster>}
 */
export async function readPng(base64) {
  const file = bytesOf(base64);
  const view = new DataView(file.buffer);
  const width = view.getUint32(16),
    height = view.getUint32(20);
  const channels = CHANNELS[file[25]];
  if (file[24] !== 8 || !channels || file[28] !== 0) throw new Error("a raster of an unexpected kind");
  const packed = [];
  for (let at = 8; at < file.length;) {
    const length = view.getUint32(at);
    if (view.getUint32(at + 4) === 0x49444154) packed.push(file.subarray(at + 8, at + 8 + length)); // IDAT
    at += length + 12;
  }
  const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
  const filtered = new Uint8Array(await new Response(stream).arrayBuffer());
  return { width, height, channels, bytes: unfilter(filtered, width * channels, height, channels) };
}

/** @param {string} base64 */
export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Undo PNG's row filters (PNG specification, section 9). */
function unfilter(filtered, stride, height, step) {
  const out = new Uint8Array(stride * height);
  for (let row = 0, from = 0; row < height; row++) {
    const filter = filtered[from++];
    const at = row * stride,
      above = at - stride;
    for (let i = 0; i < stride; i++) {
      const left = i >= step ? out[at + i - step] : 0;
      const up = row > 0 ? out[above + i] : 0;
      let guess = 0;
      if (filter === 1) guess = left;
      else if (filter === 2) guess = up;
      else if (filter === 3) guess = (left + up) >> 1;
      else if (filter === 4) guess = paeth(left, up, row > 0 && i >= step ? out[above + i - step] : 0);
      out[at + i] = filtered[from++] + guess;
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const estimate = left + up - corner;
  const a = Math.abs(estimate - left),
    b = Math.abs(estimate - up),
    c = Math.abs(estimate - corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
