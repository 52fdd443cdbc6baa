/** Move the photo. */

import { Tool } from "./tool.js";
import { t } from "../../shared/language.js";

export class PanTool extends Tool {
  press(canvas, { screen }) {
    this.last = screen;
    canvas.element.style.cursor = "grabbing";
  }

  drag(canvas, { screen }) {
    if (!this.last) return;
    canvas.viewport.pan(screen[0] - this.last[0], screen[1] - this.last[1]);
    this.last = screen;
    canvas.changed();
  }

  release(canvas) {
    this.last = null;
    canvas.element.style.cursor = canvas.grabbed ? "grab" : "";
  }

  cancel() {
    this.last = null;
    return false;
  }
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "pan",
  icon: "hand",
  label: t("Move the photo"),
  keys: ["v"],
  cursor: "grab",
  create: (desk) => new PanTool(desk),
};
