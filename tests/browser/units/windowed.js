import { equal, test } from "./cases.js";
import { Viewport } from "../../../assets/web/canvas/viewport.js";
import { ASKED, covers, Pane, SHOWN, seenBox, WindowedMap, windowFor } from "../../../assets/web/canvas/windowed.js";

/** A photo of 30,000 x 20,000 on a screen of 1000 x 800, at a scale around a point. */
const at = (scale, point) => {
  const viewport = new Viewport();
  viewport.setScreen(1000, 800);
  viewport.setImage(30000, 20000);
  viewport.zoom(scale / viewport.scale);
  viewport.centre(point);
  return viewport;
};

test("a window shows what is on the screen, as finely as it is seen, and never more cells than its side", () => {
  for (const fineness of [SHOWN, ASKED])
    for (const scale of [0.04, 0.1, 0.3, 0.71, 1, 3, 40])
      for (const point of [[15000, 10000], [0, 0], [30000, 20000], [29000, 3]]) {
        const viewport = at(scale, point),
          { box, step } = windowFor(viewport, fineness);
        equal(covers({ box, step }, seenBox(viewport), step), true);
        equal(Math.max(box[2] - box[0], box[3] - box[1]) <= fineness.side * step, true);
        equal(step === 1 || step * scale < 2000 / fineness.seen, true);
      }
});

test("a hand that moves on a little stays in the window", () => {
  const { box, step } = windowFor(at(1, [15000, 10000]));
  equal(covers({ box, step }, seenBox(at(1, [15300, 10300])), step), true);
  equal(covers({ box, step }, seenBox(at(1, [15900, 10000])), step), false);
  equal(covers(null, [0, 0, 1, 1], 1), false);
});

const whole = () => new Pane({ box: [0, 0, 40, 20], step: 10 }, { width: 4, height: 2, ids: Uint8Array.of(0, 1, 1, 0, 2, 2, 0, 0) });
const pane = () => new Pane({ box: [10, 0, 14, 4], step: 2 }, { width: 2, height: 2, ids: Uint8Array.of(3, 0, 0, 4) });

test("a point is read in the window where it lies there, and else in the whole photo", () => {
  const map = new WindowedMap([40, 20], whole(), pane());
  equal([[10.5, 1], [13, 1], [13, 3.9], [14, 1], [3, 11], [45, 1]].map((point) => map.at(point)), [3, 0, 4, 1, 2, null]);
  equal([map.area, map.share(1)], [800, 0.25]);
});

test("on the screen the window lies over the whole photo", () => {
  const map = new WindowedMap([40, 20], whole(), pane());
  const view = { image: [40, 20], scale: 0.5, ratio: 1, left: 0, top: 0 };
  equal([...map.under([0, 0], [20, 2], view).subarray(0, 20)], [0, 0, 0, 0, 0, 3, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
  equal([...map.under([5, 1], [2, 1], view)], [0, 4]);
});
