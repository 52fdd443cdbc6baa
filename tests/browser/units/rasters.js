/** Rasters as the server sends them, made by hand. */

/**
 * Bytes as a PNG in base64, 1 to 3 channels, no row filter.
 * @param {number} width
 * @param {number} height
 * @param {number} channels
 * @param {ArrayLike<number>} bytes pixel by pixel
 * @returns {Promise<string>}
 */
export async function png(width, height, channels, bytes) {
  const stride = width * channels,
    rows = new Uint8Array(height * (stride + 1));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < stride; x++) rows[y * (stride + 1) + 1 + x] = bytes[y * stride + x];
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header.set([8, [0, 0, 4, 2][channels]], 8);
  const parts = [
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    ...chunk("IHDR", header),
    ...chunk("IDAT", new Uint8Array(await new Response(packed).arrayBuffer())),
    ...chunk("IEND", new Uint8Array()),
  ];
  return btoa(parts.flatMap((part) => [...part]).map((byte) => String.fromCharCode(byte)).join(""));
}

/** Length, name, content, and a checksum that the page's reader does not look at. */
function chunk(name, content) {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, content.length);
  return [length, new TextEncoder().encode(name), content, new Uint8Array(4)];
}
