import { close, equal, test } from "./cases.js";
import { stepped } from "../../../assets/web/canvas/cursor.js";
import { union } from "../../../assets/web/canvas/canvas.js";
import { radiusAt, shareOf } from "../../../assets/web/label/desk.js";
import { leastStep } from "../../../assets/web/label/tools/brush.js";
import { TOOLS } from "../../../assets/web/label/tools/index.js";
import { boxOf } from "../../../assets/web/label/tools/prompt.js";
import { rounded } from "../../../assets/web/label/tools/tool.js";
import { nearestArea } from "../../../assets/web/label/tools/unit.js";
import { ICONS } from "../../../assets/web/shared/icons.js";

test("a tool has a name and keys of its own, an icon, a label and a way to make it", () => {
  const names = TOOLS.map(({ name }) => name),
    keys = TOOLS.flatMap((tool) => tool.keys);
  equal([new Set(names).size, new Set(keys).size], [names.length, keys.length]);
  for (const { icon, label, create } of TOOLS) equal([icon in ICONS, label.length > 0, typeof create], [true, true, "function"]);
});

test("a tool that is made answers to everything that the canvas and the page call", () => {
  const calls = ["press", "drag", "release", "hover", "leave", "wheel", "draw", "cancel", "forget", "accept", "undo", "negate", "steps"];
  const desk = { canvas: { redrawAbove() {} }, changed() {}, say() {}, classToPaint: () => null };
  for (const { name, create } of TOOLS) {
    const tool = create(desk);
    for (const call of calls) equal([name, call, typeof tool[call]], [name, call, "function"]);
    equal([tool.cancel(), tool.undo(), tool.steps()], [false, false, []]); // nothing was begun
  }
});

test("a box goes from its least to its greatest corner and stays within the photo", () => {
  equal(boxOf([50, 20], [10, 90], [300, 200]), [10, 20, 50, 90]);
  equal(boxOf([-5, 10], [310, 250], [300, 200]), [0, 10, 300, 200]);
});

test("a box thinner than a pixel is none", () => equal(boxOf([10, 10], [10.9, 50], [300, 200]), null));

test("the unit nearest by ratio is shown, not by difference", () => {
  const masks = [{ area: 10 }, { area: 100 }, { area: 1000 }];
  equal([nearestArea(masks, 40), nearestArea(masks, 20), nearestArea(masks, 1e9), nearestArea([], 5)], [1, 0, 2, 0]);
});

test("points of a stroke lie half a screen pixel apart, or a quarter of a small brush", () => {
  close([leastStep(12, 1), leastStep(1, 0.1), leastStep(12, 40)], [0.5, 0.25, 0.25]);
});

test("sizes of the brush go by ratio from one pixel to a thousand, there and back", () => {
  close([radiusAt(0), radiusAt(1)], [0.5, 500]);
  for (const radius of [0.5, 12, 100, 500]) close(radiusAt(shareOf(radius)), radius);
});

test("coordinates travel in hundredths of a pixel", () => equal(rounded([1.23456, 7]), [1.23, 7]));

test("the keyboard's point stays within the photo", () => {
  equal([stepped([10, 10], [5, -3], [300, 200]), stepped([2, 199], [-9, 9], [300, 200])], [[15, 7], [0.5, 199.5]]);
});

test("two boxes to draw become the one around both", () => equal(union([0, 5, 10, 10], [4, 2, 12, 6]), [0, 2, 12, 10]));
