import { close, equal, test } from "./cases.js";
import { borders, decide, measure, paint } from "../../../assets/web/canvas/labels.js";
import { Grid } from "../../../assets/web/canvas/grid.js";

const answer = () => ({
  words: [{ name: "cat" }, { name: "wall" }],
  labels: { width: 2, height: 2, ids: Uint8Array.of(1, 1, 2, 0), score: Uint8Array.of(100, 200, 90, 0) },
  grid: new Grid(2, { rows: 1, columns: 1, low: 0, high: 1 }, Uint8Array.of(255, 255)),
});

test("without thresholds every pixel keeps its class, and nothing is copied", () => {
  const one = answer();
  equal(decide(one, [0, 0]) === one.labels.ids, true);
});

test("a threshold hides its own class below the level and keeps it at the level", () => {
  equal(decide(answer(), [200, 0]), [0, 1, 2, 0]);
  equal(decide(answer(), [201, 0]), [0, 0, 2, 0]);
  equal(decide(answer(), [0, 91]), [1, 1, 0, 0]);
});

test("areas count none too and add up to the photo", () => {
  const one = answer(),
    { area, confidence } = measure(one, decide(one, [0, 0]), one.grid.probabilities(1));
  close(area, [0.25, 0.5, 0.25]);
  close(confidence, [0, 0.5, 0.5]);
});

test("where scores are probabilities their mean is the confidence", () => {
  const one = answer();
  close(measure(one, decide(one, [0, 0]), null).confidence, [0, 300 / 510, 90 / 255]);
});

test("a class without pixels has no confidence", () => {
  const one = answer();
  close(measure(one, decide(one, [0, 255]), one.grid.probabilities(1)).confidence, [0, 0.5, 0]);
});

test("colours are painted opaque, classes without one are left out", () => {
  const image = paint(Uint8Array.of(0, 1, 2, 1), 2, 2, ["", "#102030", ""]);
  equal([...image.data], [0, 0, 0, 0, 16, 32, 48, 255, 0, 0, 0, 0, 16, 32, 48, 255]);
});

test("each side of a border draws in its own colour, and none draws nothing", () => {
  const paths = borders(Uint8Array.of(1, 2, 0, 2), 2, 2, (id) => id);
  equal([...paths.keys()].sort(), [1, 2]);
  equal(borders(Uint8Array.of(3, 3, 3, 3), 2, 2, (id) => id).size, 0);
});
