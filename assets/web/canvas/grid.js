/** The similarity grid: K words x h x w cells, 8 bits each, read as the bilinear surface that labelling uses. */

export class Grid {
  /**
   * @param {number} words
   * @param {{rows: number, columns: number, low: number, high: number}} shape
   * @param {Uint8Array} bytes K planes below each other
   */
  constructor(words, { rows, columns, low, high }, bytes) {
    this.words = words;
    this.rows = rows;
    this.columns = columns;
    this.low = low;
    this.high = high;
    this.bytes = bytes;
  }

  /** The similarity that a byte stands for. */
  similarity(byte) {
    return this.low + ((this.high - this.low) * byte) / 255;
  }

  /** Least and greatest similarity of word k. */
  range(k) {
    let least = 255,
      most = 0;
    for (const byte of this.plane(k)) {
      if (byte < least) least = byte;
      if (byte > most) most = byte;
    }
    return [this.similarity(least), this.similarity(most)];
  }

  /** @returns {Uint8Array} the bytes of word k */
  plane(k) {
    const cells = this.rows * this.columns;
    return this.bytes.subarray(k * cells, (k + 1) * cells);
  }

  /** Similarity of every word at (x, y), both 0..1 across the photo. */
  at(x, y) {
    const [left, right, u] = between(x, this.columns);
    const [top, bottom, v] = between(y, this.rows);
    const scores = new Float32Array(this.words);
    for (let k = 0; k < this.words; k++) {
      const plane = this.plane(k);
      const upper = plane[top * this.columns + left] * (1 - u) + plane[top * this.columns + right] * u;
      const lower = plane[bottom * this.columns + left] * (1 - u) + plane[bottom * this.columns + right] * u;
      scores[k] = this.similarity(upper * (1 - v) + lower * v);
    }
    return scores;
  }

  /**
   * Word k upsampled to width x height, still in bytes 0..255 of low..high.
   * @returns {Float32Array}
   */
  upsampled(k, width, height) {
    const plane = this.plane(k),
      out = new Float32Array(width * height);
    const columns = Array.from({ length: width }, (_, x) => between((x + 0.5) / width, this.columns));
    for (let y = 0, i = 0; y < height; y++) {
      const [top, bottom, v] = between((y + 0.5) / height, this.rows);
      const upper = top * this.columns,
        lower = bottom * this.columns;
      for (let x = 0; x < width; x++, i++) {
        const [left, right, u] = columns[x];
        const a = plane[upper + left] + (plane[upper + right] - plane[upper + left]) * u;
        const b = plane[lower + left] + (plane[lower + right] - plane[lower + left]) * u;
        out[i] = a + (b - a) * v;
      }
    }
    return out;
  }

  /** Probability of every word in every cell: softmax over words, laid out like the grid. */
  probabilities(scale) {
    const cells = this.rows * this.columns,
      out = new Float32Array(this.words * cells);
    for (let cell = 0; cell < cells; cell++) {
      let most = -Infinity,
        sum = 0;
      for (let k = 0; k < this.words; k++) most = Math.max(most, this.bytes[k * cells + cell]);
      for (let k = 0; k < this.words; k++) {
        const power = Math.exp(
          scale * (this.similarity(this.bytes[k * cells + cell]) - this.similarity(most)),
        );
        out[k * cells + cell] = power;
        sum += power;
      }
      for (let k = 0; k < this.words; k++) out[k * cells + cell] /= sum;
    }
    return out;
  }
}

/** The two cells on either side of a position 0..1 and the share of the second (align_corners = false). */
function between(position, cells) {
  const centre = Math.max(position * cells - 0.5, 0);
  const first = Math.min(Math.floor(centre), cells - 1);
  return [first, Math.min(first + 1, cells - 1), centre - first];
}
