/** Project statistics: photos by state and pixels by class, of the whole project. */

import { debounce, h } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { number, percent } from "../shared/numbers.js";

const PAUSE = 400; // milliseconds after a change before they are read again

export class Statistics {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    this.page = page;
    this.part = page.part;
    this.soon = debounce(() => this.show(), PAUSE);
    this.part.statistics.addEventListener("toggle", () => this.show());
  }

  async show() {
    if (!this.part.statistics.open) return;
    const reply = await this.page.call("statistics", {});
    this.page.problem(reply.ok ? "" : reply.error, "work");
    if (!reply.ok) return;
    const { photos, classes, unlabelled_pixels: rest } = reply.status;
    const all = classes.reduce((sum, { pixels }) => sum + pixels, rest) || 1;
    const line = (name, text, colour) =>
      h(
        "tr",
        {},
        h("td", {}, colour ? h("span", { class: "swatch", style: { "--class": colour } }) : null, name),
        h("td", { class: "number" }, text),
      );
    this.part["statistics-body"].replaceChildren(
      h(
        "table",
        {},
        ...this.page.given.states.map((state) => line(heard(state), number(photos[state]))),
        ...classes.map(({ name, colour, pixels }) => line(name, percent(pixels / all), colour)),
        line(t("unlabelled"), percent(rest / all)),
      ),
    );
  }
}
