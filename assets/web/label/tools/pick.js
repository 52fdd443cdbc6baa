/** Take the class under a click in hand, and the tool before. */

import { ClickTool } from "./click.js";
import { t } from "../../shared/language.js";

export class PickTool extends ClickTool {
  click(place) {
    this.desk.pick(place);
    this.desk.takeBack();
  }
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "pick",
  icon: "pick",
  label: t("Pick the class under the pointer (or Alt and click)"),
  keys: ["i"],
  create: (desk) => new PickTool(desk),
};
