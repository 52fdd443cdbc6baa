import { close, equal, test } from "./cases.js";
import { LabelMap } from "../../../assets/web/canvas/labelmap.js";

const small = () => new LabelMap({ width: 3, height: 2, ids: Uint8Array.of(0, 1, 1, 2, 2, 2) });

test("a class has its share of the photo, an unknown one none", () => {
  close([0, 1, 2, 9].map((id) => small().share(id)), [1 / 6, 2 / 6, 3 / 6, 0]);
});

test("a point reads the pixel that it lies in, and nothing outside", () => {
  const map = small();
  equal([map.at([1.9, 0.9]), map.at([0, 1]), map.at([3, 0]), map.at([0, -0.1])], [1, 2, null, null]);
});

test("a patch changes its box and the shares, and nothing else", () => {
  const map = small();
  map.patch([1, 0, 3, 1], Uint8Array.of(2, 0));
  equal(map.ids, [0, 2, 0, 2, 2, 2]);
  close([0, 1, 2].map((id) => map.share(id)), [2 / 6, 0, 4 / 6]);
});

test("a patch with ids beyond 255 widens the map", () => {
  const map = small();
  map.patch([0, 0, 1, 1], Uint16Array.of(300));
  equal(map.ids, [300, 1, 1, 2, 2, 2]);
  close(map.share(300), 1 / 6);
});

test("an empty patch changes nothing", () => {
  const map = small();
  map.patch([1, 1, 1, 1], new Uint8Array(0));
  equal(map.ids, [0, 1, 1, 2, 2, 2]);
});
