/** A stroke; the right button erases. Shift joins a click to the end of the stroke before. */

import { Stroke, twice } from "./sketches.js";
import { Tool, far, rounded } from "./tool.js";
import { t } from "../../shared/language.js";

const MOST_POINTS = 20_000; // the server's limit for one stroke

export class BrushTool extends Tool {
  get colour() {
    return this.desk.classInHand?.colour ?? "#fff";
  }

  press(canvas, point) {
    if (point.event.altKey) return this.desk.pick(point.image);
    const paint = this.paintOf(point);
    if (!paint) return;
    const from = point.event.shiftKey && this.end ? [this.end] : [];
    this.sketch = new Stroke(paint, this.desk.radius, [...from, rounded(point.image)]);
    this.hover(canvas, point);
  }

  drag(canvas, point) {
    const { sketch } = this;
    if (sketch) {
      const all = point.event.getCoalescedEvents?.() ?? [];
      const places = all.length ? all.map((event) => canvas.point(event)) : [point];
      for (const { image } of places) {
        const next = rounded(image);
        if (far(next, sketch.points.at(-1)) >= leastStep(sketch.radius, canvas.viewport.scale) && sketch.points.length < MOST_POINTS)
          sketch.points.push(next);
      }
    }
    this.hover(canvas, point);
  }

  release(canvas, point) {
    const { sketch } = this;
    if (!sketch) return;
    this.sketch = null;
    this.end = rounded(point.image);
    this.desk.paint({ type: "brush", class: sketch.paint.id, radius: sketch.radius, points: sketch.points }, sketch);
  }

  hover(canvas, point) {
    this.at = point.pointer === "touch" ? null : point.image;
    this.changed();
  }

  leave() {
    this.at = null;
    this.changed();
  }

  cancel() {
    this.sketch = this.at = null;
    return super.cancel();
  }

  forget() {
    this.end = null;
    super.forget();
  }

  wheel(canvas, { event }) {
    if (!event.ctrlKey && !event.altKey) return false;
    this.desk.resize(event.deltaY < 0 ? 1 : -1);
    return true;
  }

  draw(context, view) {
    this.sketch?.draw(context);
    if (this.at) twice(context, view.scale, this.colour, 1.5, () => context.arc(...this.at, this.desk.radius, 0, 7));
  }
}

/** Image pixels between two points of a stroke: half a screen pixel, or a quarter of a small brush. */
export function leastStep(radius, scale) {
  return Math.max(0.25, Math.min(0.5 / scale, radius / 4));
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "brush",
  icon: "brush",
  label: t("Brush (right button erases, Shift joins to the last stroke)"),
  keys: ["b"],
  cursor: "none",
  sized: true,
  create: (desk) => new BrushTool(desk),
};
