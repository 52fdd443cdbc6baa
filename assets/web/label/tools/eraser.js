/** A brush that takes labels away. */

import { BrushTool } from "./brush.js";
import { ERASER } from "./tool.js";
import { t } from "../../shared/language.js";

export class EraserTool extends BrushTool {
  paintOf() {
    return ERASER;
  }

  get colour() {
    return "#fff";
  }

  /** Whoever takes a class wants to paint. */
  classChosen() {
    this.desk.take("brush");
  }
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "eraser",
  icon: "eraser",
  label: t("Eraser"),
  keys: ["e"],
  cursor: "none",
  sized: true,
  create: (desk) => new EraserTool(desk),
};
