/** What the server sends, unpacked. The format is described in textseg/web/canvas.py. */

import { Grid } from "./grid.js";
import { readPng } from "./png.js";

/**
 * @typedef {Object} Word
 * @property {string} name
 * @property {string[]} aliases
 * @property {string} colour `#rrggbb`
 * @property {boolean} background wins pixels but is shown as none
 * @property {number|null} presence probability that the word is in the photo; null: not asked
 * @property {string[]} unknown those of its names that the model does not know
 *
 * @typedef {Object} LabelRaster class id (0 none) and score byte (255 = 1.0) of each pixel, without thresholds
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array|Uint16Array} ids
 * @property {Uint8Array} score
 *
 * @typedef {Object} Answer
 * @property {Word[]} words class id = position + 1
 * @property {Grid} grid
 * @property {LabelRaster} labels
 * @property {number} scale logit scale of the softmax over words
 * @property {{encode: number, answer: number}} seconds
 * @property {boolean} open whether other words were let in, so that scores are probabilities; else similarities
 * @property {Rest|null} rest what else competed; null where nothing did
 *
 * @typedef {Object} Rest other words, which nobody typed
 * @property {[string, number][]} shares what the pixels without a label are instead, with their shares of the photo
 * @property {string[]} names
 * @property {Uint16Array} ids position in names of the one that scores best in each cell of the grid
 * @property {Uint8Array} score its similarity there, in bytes of the grid
 *
 * @typedef {Object} Partition
 * @property {number} count
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array|Uint16Array} ids numbered from 0
 */

/** @returns {Promise<Answer>} */
export async function readAnswer(message) {
  const [grid, labels] = await Promise.all([readPng(message.grid.png), readPng(message.labels.png)]);
  return {
    words: message.words,
    grid: new Grid(message.words.length, message.grid, grid.bytes),
    labels: { ...readIds(labels, message.labels.planes), score: plane(labels, labels.channels - 1) },
    scale: message.scale,
    seconds: message.seconds,
    open: message.words.some(({ presence }) => presence != null),
    rest: message.rest ? await readRest(message.rest) : null,
  };
}

async function readRest({ shares, names, png }) {
  const raster = await readPng(png);
  const [low, high, score] = [0, 1, 2].map((channel) => plane(raster, channel));
  return { shares, names, ids: Uint16Array.from(low, (byte, i) => byte | (high[i] << 8)), score };
}

/** @returns {Promise<Partition>} */
export async function readPartition(message) {
  return { count: message.count, ...readIds(await readPng(message.png), message.planes) };
}

/**
 * @typedef {Object} MaskFacts
 * @property {number[]} cells those of the partition that it holds
 * @property {number} area share of the photo
 * @property {string} colour
 * @property {number} word class id that describes it best; 0: an other word does
 * @property {number} confidence
 * @property {number} margin
 * @property {[number, number][]} scores the best class ids with their similarity
 * @property {[string, number]|null} other the other word that fits best with its similarity; null where none competes
 *
 * @returns {Promise<{cells: Partition, masks: MaskFacts[]}>} masks from large to small
 */
export async function readMasks(message) {
  return { cells: await readPartition(message.cells), masks: message.masks };
}

function readIds(raster, planes) {
  const { width, height } = raster;
  const low = plane(raster, 0);
  if (!planes.includes("high")) return { width, height, ids: low };
  const high = plane(raster, 1);
  return { width, height, ids: Uint16Array.from(low, (byte, i) => byte | (high[i] << 8)) };
}

function plane(raster, channel) {
  const { bytes, channels, width, height } = raster;
  if (channels === 1) return bytes;
  const out = new Uint8Array(width * height);
  for (let i = 0, from = channel; i < out.length; i++, from += channels) out[i] = bytes[from];
  return out;
}
