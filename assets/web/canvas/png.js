/**
 * A small, exact PNG reader for rasters that carry numbers, not colours: 1 to 3 channels of 8 bits, a palette's indices,
 * or 16-bit grey, not interlaced. A <canvas> is no substitute: it multiplies by alpha, and some browsers disturb what it gives back.
 */

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2 };

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
  const channels = CHANNELS[file[25]],
    wide = file[24] === 16 && file[25] === 0;
  if (!(file[24] === 8 || wide) || !channels || file[28] !== 0)
    throw new Error("a raster of an unexpected kind");
  const packed = [];
  for (let at = 8; at < file.length;) {
    const length = view.getUint32(at);
    if (view.getUint32(at + 4) === 0x49444154) packed.push(file.subarray(at + 8, at + 8 + length)); // IDAT
    at += length + 12;
  }
  const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
  const filtered = new Uint8Array(await new Response(stream).arrayBuffer());
  const step = wide ? 2 : channels;
  return { width, height, channels: step, bytes: unfilter(filtered, width * step, height, step) };
}

/**
 * The ids of an index PNG, palette or 16-bit grey.
 * @returns {Promise<{width: number, height: number, ids: Uint8Array|Uint16Array}>}
 */
export async function readIndexPng(base64) {
  const { width, height, channels, bytes } = await readPng(base64);
  if (channels === 1) return { width, height, ids: bytes };
  return { width, height, ids: Uint16Array.from({ length: width * height }, (_, i) => (bytes[2 * i] << 8) | bytes[2 * i + 1]) };
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
    if (filter === 0) {
      out.set(filtered.subarray(from, from + stride), at);
      from += stride;
      continue;
    }
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
