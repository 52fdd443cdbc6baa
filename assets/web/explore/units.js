/** The photo split into units, superpixels or regions, from coarse to fine. */

import { UnitLayer } from "../canvas/layers.js";
import { readPartition } from "../canvas/payload.js";
import { debounce } from "../shared/dom.js";
import { percent, plural } from "../shared/numbers.js";
import { Turns } from "../shared/turns.js";
import { t } from "../shared/language.js";

const SETTLE = 120; // milliseconds that the slider rests before the photo is split

export class UnitView {
  /** @param {import("./explore.js").Explore} page */
  constructor(page) {
    const { part } = page;
    this.page = page;
    this.part = part;
    this.layer = new UnitLayer();
    this.turns = new Turns();
    const loadSoon = debounce(() => this.load(), SETTLE);
    part.kind.addEventListener("change", () => this.load());
    part.grain.addEventListener("input", () => {
      this.nameGrain();
      loadSoon();
    });
    this.nameGrain();
  }

  nameGrain() {
    this.part.grain.setAttribute("aria-valuetext", t("{share} of the way to fine", { share: percent(this.granularity) }));
  }

  /** From coarse (0) to fine (1). */
  get granularity() {
    return this.part.grain.valueAsNumber / Number(this.part.grain.max);
  }

  get loaded() {
    return Boolean(this.layer.bitmap);
  }

  clear() {
    this.turns.begin();
    this.layer.clear();
    this.part["unit-count"].textContent = "";
  }

  async load() {
    const { page, part } = this;
    if (!page.photo) return;
    const current = this.turns.begin(); // another photo clears this view, and that is a turn too
    part["grain-field"].hidden = part.kind.value === "region";
    const quiet = page.waiting.begin(() => (page.encoded ? t("Splitting the photo") : page.waitingFor()));
    const reply = await page.connection.call("partition", {
      kind: part.kind.value,
      granularity: this.granularity,
      head: page.head,
    });
    quiet();
    if (!current()) return;
    if (!reply.ok) return page.problem(reply.error);
    const partition = await readPartition(reply);
    if (!current()) return;
    page.ask(); // units and superpixels that label the photo are as fine as those shown
    this.layer.set(partition, page.view.photo.picture);
    part["unit-count"].textContent = plural(partition.count, "{n} part", "{n} parts");
    page.canvas.redraw();
  }
}
