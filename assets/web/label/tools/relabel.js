/** The whole class under a click becomes the class in hand; the right button erases it. */

import { ClickTool } from "./click.js";
import { t } from "../../shared/language.js";

export class RelabelTool extends ClickTool {
  click(place, point) {
    const paint = this.paintOf(point),
      from = this.desk.map.at(place);
    if (paint && from !== paint.id) this.desk.paint({ type: "relabel", from, to: paint.id }, null);
  }
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "relabel",
  icon: "relabel",
  label: t("Relabel the whole class under the pointer"),
  keys: ["r"],
  create: (desk) => new RelabelTool(desk),
};
