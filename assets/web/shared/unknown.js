/** Words that the model does not know: what a person is told beside them. Which they are the server says. */

import { h } from "./dom.js";
import { t } from "./language.js";

/**
 * A line about those of a class's names, null when there are none.
 * @param {string[]} names
 */
export function unknownLine(names) {
  if (!names.length) return null;
  const title = t("It was taught English. What it finds for this word means little.");
  return h("p", { class: "unknown hint", title }, t("The model does not know {names}", { names: names.map((name) => t("“{name}”", { name })).join(", ") }));
}
