import { close, equal, test } from "./cases.js";
import { Viewport } from "../../../assets/web/canvas/viewport.js";

const shown = () => {
  const viewport = new Viewport();
  viewport.setScreen(600, 300);
  viewport.setImage(300, 200);
  return viewport;
};

test("a photo is fitted and centred", () => {
  const { scale, left, top, fitted } = shown();
  close([scale, left, top], [1.5, 75, 0]);
  equal(fitted, true);
});

test("screen and image coordinates are each other's inverse at any zoom", () => {
  const viewport = shown();
  viewport.zoom(3.7, 200, 100);
  close(viewport.toScreen(...viewport.toImage(123, 45)), [123, 45]);
});

test("zooming keeps the point under the pointer", () => {
  const viewport = shown(),
    before = viewport.toImage(300, 150);
  viewport.zoom(4, 300, 150);
  close(viewport.toImage(300, 150), before);
  equal(viewport.fitted, false);
});

test("zoom ends at the fitted photo and at forty screen pixels a photo pixel", () => {
  const viewport = shown();
  viewport.zoom(0.01);
  close(viewport.scale, 1.5);
  viewport.zoom(1e6);
  close(viewport.scale, 40);
});

test("a zoomed photo leaves no gap when it is moved, and a fitted one does not move", () => {
  const viewport = shown();
  viewport.pan(50, 50);
  close([viewport.left, viewport.top], [75, 0]);
  viewport.zoom(4);
  viewport.pan(1e4, -1e4);
  close([viewport.left, viewport.top], [0, 300 - 200 * 6]);
});

test("a fitted photo stays fitted when the window changes, a zoomed one keeps its zoom", () => {
  const viewport = shown();
  viewport.setScreen(300, 300);
  close(viewport.scale, 1);
  viewport.zoom(4);
  viewport.setScreen(400, 300);
  close(viewport.scale, 4);
});

test("the right and lower edges are outside the photo", () => {
  const viewport = shown();
  equal([[0, 0], [299.9, 199.9], [300, 10], [10, 200], [-0.1, 5]].map((point) => viewport.contains(point)), [true, true, false, false, false]);
});
