/** The connected region under a click becomes the class in hand; the right button erases it. */

import { ClickTool } from "./click.js";
import { t } from "../../shared/language.js";

export class FillTool extends ClickTool {
  click(place, point) {
    const paint = this.paintOf(point);
    if (paint) this.desk.paint({ type: "fill", class: paint.id, point: place }, null);
  }
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "fill",
  icon: "fill",
  label: t("Fill the connected region under the pointer"),
  keys: ["g"],
  create: (desk) => new FillTool(desk),
};
