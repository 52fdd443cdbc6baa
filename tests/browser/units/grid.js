import { close, equal, test } from "./cases.js";
import { Grid } from "../../../assets/web/canvas/grid.js";

const two = () => new Grid(2, { rows: 2, columns: 2, low: -0.5, high: 0.5 }, Uint8Array.of(0, 255, 0, 255, 255, 255, 255, 255));

test("bytes span low to high", () => close([two().similarity(0), two().similarity(255)], [-0.5, 0.5]));

test("a cell's centre has the cell's similarity, the middle between two has their mean", () => {
  const grid = two();
  close([0.25, 0.5, 0.75].map((x) => grid.at(x, 0.25)[0]), [-0.5, 0, 0.5]);
  close(grid.at(0.5, 0.5)[1], 0.5);
});

test("beyond the outermost centres the surface is level", () => close([two().at(0, 0)[0], two().at(1, 1)[0]], [-0.5, 0.5]));

test("the range of a word is that of its own plane", () => {
  close(two().range(0), [-0.5, 0.5]);
  close(two().range(1), [0.5, 0.5]);
});

test("upsampling reads the same surface as a look at one point", () => {
  const grid = two(),
    wide = grid.upsampled(0, 8, 2);
  for (let x = 0; x < 8; x++) close(grid.similarity(wide[x]), grid.at((x + 0.5) / 8, 0.25)[0]);
});

test("probabilities of a cell add up to one and follow the scale", () => {
  const grid = two(),
    shares = grid.probabilities(10);
  for (let cell = 0; cell < 4; cell++) close(shares[cell] + shares[4 + cell], 1);
  close(shares[0], 1 / (1 + Math.exp(10)), 1e-6);
  close(shares[1], 0.5);
});

test("one cell, one word: sure everywhere", () => {
  const grid = new Grid(1, { rows: 1, columns: 1, low: 0.2, high: 0.2 }, Uint8Array.of(0));
  equal([...grid.probabilities(30)], [1]);
  close(grid.at(0.9, 0.1), [0.2]);
});
