/** Corners by clicks, or a lasso by dragging; the first corner, a double click or Enter closes it. */

import { Outline, twice } from "./sketches.js";
import { STILL, Tool, acceptStep, cancelStep, far, right, rounded, undoStep } from "./tool.js";
import { t } from "../../shared/language.js";

const CLOSE = 10; // screen pixels from the first corner that close a polygon
const DOUBLE = 350; // milliseconds between the two presses of a double click

export class PolygonTool extends Tool {
  points = [];

  press(canvas, point) {
    if (point.event.altKey) return this.desk.pick(point.image);
    if (right(point)) return this.undo();
    const first = this.points[0];
    const now = point.event.timeStamp,
      twice = this.points.length > 2 && now - this.pressed < DOUBLE && far(this.last, point.screen) < 2 * STILL;
    this.pressed = now;
    if (twice || (this.points.length > 2 && far(canvas.viewport.toScreen(...first), point.screen) < CLOSE))
      return this.accept();
    this.points.push(rounded(point.image));
    this.from = this.last = point.screen;
    this.lasso = false;
    this.hover(canvas, point);
  }

  drag(canvas, point) {
    if (this.from && far(point.screen, this.from) > 2 * STILL) this.lasso = true;
    if (this.lasso && far(point.screen, this.last) > 2) {
      this.points.push(rounded(point.image));
      this.last = point.screen;
    }
    this.hover(canvas, point);
  }

  release() {
    const { lasso } = this;
    this.from = null;
    this.lasso = false;
    if (lasso) this.accept();
  }

  hover(canvas, point) {
    this.at = point.image;
    this.changed();
  }

  /** Close and paint it. */
  accept() {
    const { points } = this;
    if (!points.length) return false;
    this.cancel();
    const paint = this.desk.classToPaint();
    if (paint && points.length > 2) this.desk.paint({ type: "polygon", class: paint.id, points }, new Outline(paint, points));
    return true;
  }

  steps() {
    if (!this.points.length || this.lasso) return [];
    return [acceptStep(this, t("Close it")), undoStep(this, t("Take the last corner back")), cancelStep(this)];
  }

  /** Take the last corner back. */
  undo() {
    const had = this.points.length > 0;
    this.points.pop();
    this.changed();
    return had;
  }

  cancel() {
    const had = this.points.length > 0;
    this.points = [];
    this.from = this.at = null;
    this.lasso = false;
    super.cancel();
    return had;
  }

  draw(context, { scale }) {
    if (!this.points.length) return;
    const line = [...this.points, ...(this.at && !this.lasso ? [this.at] : [])];
    twice(context, scale, this.desk.classInHand?.colour ?? "#fff", 2, () => {
      for (const point of line) context.lineTo(...point);
    });
    context.fillStyle = "#fff";
    context.strokeStyle = "#000";
    context.lineWidth = 1 / scale;
    for (const point of this.lasso ? [] : this.points) {
      context.beginPath();
      context.arc(...point, 3.5 / scale, 0, 7);
      context.fill();
      context.stroke();
    }
  }
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "polygon",
  icon: "polygon",
  label: t("Polygon by clicks, lasso by dragging"),
  keys: ["p"],
  hint: t("Click the corners, or drag a lasso; the first corner or Enter closes it."),
  touchHint: t("Draw around the thing."),
  create: (desk) => new PolygonTool(desk),
};
