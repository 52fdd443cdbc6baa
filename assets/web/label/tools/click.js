/** What tools share that make one gesture of one click: fill, relabel, pick. */

import { Tool, rounded } from "./tool.js";

export class ClickTool extends Tool {
  press(canvas, point) {
    this.from = point;
  }

  release(canvas, point) {
    const { from } = this;
    this.from = null;
    if (!from || !canvas.viewport.contains(point.image)) return;
    if (point.event.altKey) return this.desk.pick(point.image);
    this.click(rounded(point.image), point);
  }

  /**
   * One gesture at a place of the photo.
   * @param {[number, number]} place in image pixels
   * @param {import("./tool.js").Point} point
   */
  click(place, point) {}

  cancel() {
    this.from = null;
    return super.cancel();
  }
}
