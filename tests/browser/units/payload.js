import { equal, test } from "./cases.js";
import { png } from "./rasters.js";
import { readAnswer, readMasks, readPartition } from "../../../assets/web/canvas/payload.js";

const words = (n) => Array.from({ length: n }, (_, k) => ({ name: `w${k}`, aliases: [], colour: "#000000", background: false }));

async function answer(...message) {
  return readAnswer(await sent(...message));
}

async function sent(n, planes, channels, bytes) {
  return {
    words: words(n),
    grid: { rows: 1, columns: 2, low: 0, high: 1, png: await png(2, n, 1, new Uint8Array(2 * n)) },
    labels: { size: [2, 1], planes, png: await png(2, 1, channels, bytes) },
    scale: 10,
    seconds: { encode: 0, answer: 0 },
  };
}

test("up to 255 classes a pixel has one byte of id and one of score", async () => {
  const { labels } = await answer(2, "id,score", 2, [1, 200, 2, 90]);
  equal([labels.width, labels.height, labels.ids, labels.score], [2, 1, [1, 2], [200, 90]]);
});

test("above 255 classes an id has two bytes", async () => {
  const { labels } = await answer(300, "low,high,score", 3, [44, 1, 200, 7, 0, 90]);
  equal([labels.ids, labels.score], [[300, 7], [200, 90]]);
});

test("an answer that told presence let other words in, also where none of them was left to compete", async () => {
  const message = await sent(1, "id,score", 2, [1, 200, 0, 90]);
  equal((await readAnswer(message)).open, false);
  message.words[0].presence = 0;
  equal((await readAnswer({ ...message, rest: null })).open, true);
});

test("the grid of an answer has one plane a word", async () => {
  const { grid } = await answer(3, "id,score", 2, [0, 0, 0, 0]);
  equal([grid.words, grid.rows, grid.columns], [3, 1, 2]);
});

test("a partition is numbered from 0 in one byte or two", async () => {
  const small = await readPartition({ count: 2, planes: "id", png: await png(2, 1, 1, [0, 1]) });
  const large = await readPartition({ count: 600, planes: "low,high", png: await png(2, 1, 2, [87, 2, 1, 0]) });
  equal([small.ids, large.ids], [[0, 1], [599, 1]]);
});

test("masks keep the cells they are made of", async () => {
  const masks = [{ cells: [0, 1], area: 1 }, { cells: [1], area: 0.5 }];
  const found = await readMasks({ cells: { count: 2, planes: "id", png: await png(2, 1, 1, [0, 1]) }, masks });
  equal([found.cells.count, found.masks], [2, masks]);
});
