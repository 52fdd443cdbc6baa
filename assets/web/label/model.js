/** The model beside the person: its labels, its view with thresholds, and what of its work is accepted. */

import { debounce } from "../shared/dom.js";
import { decide } from "../canvas/labels.js";
import { LabelMap } from "../canvas/labelmap.js";
import { Pane } from "../canvas/windowed.js";
import { t } from "../shared/language.js";
import { decimal, number, percent } from "../shared/numbers.js";
import { readAnswer } from "../canvas/payload.js";

const PAUSE = 700; // milliseconds after a gesture before its sources are counted again

export class Model {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    const { part, store } = page;
    this.page = page;
    this.part = part;
    this.store = store;
    this.sourcesSoon = debounce(() => this.loadSources(), PAUSE);
    part["use-view"].addEventListener("click", () => this.label(Object.fromEntries(store.state.levels)));
    part.above.addEventListener("input", () => this.showSources());
    part["accept-sure"].addEventListener("click", () => this.accept({ above: part.above.valueAsNumber / 100 }));
    part["accept-all"].addEventListener("click", () => this.accept({}));
    store.watch(["sources", "map", "classes", "chosen"], (state, { box }) => box || this.showSources());
    store.watch(["view", "levels"], ({ view }) => {
      page.press("model", view !== null);
      page.boards.showModel(view && decided(view, store.state.levels));
    });
  }

  get state() {
    return this.store.state;
  }

  /** @param {Object<number, number>} [levels] store the model's view with these thresholds, not its sure regions */
  label(levels) {
    const { page } = this;
    if (!this.state.photo) return;
    const { photo } = this.state.photo;
    const quiet = page.waiting.begin(t("The model labels this photo"));
    const message = { photo, ...page.windows.asked, ...(levels ? { levels } : {}) };
    page.saving.push({ name: "pseudolabel", message, heard: quiet });
  }

  /** @param {{class?: number, above?: number}} which of the model's regions become a person's decision */
  accept(which) {
    this.page.paint({ type: "accept", ...which }, null);
  }

  async loadSources() {
    if (!this.state.photo) return;
    const reply = await this.page.ask("sources", {});
    if (reply.ok) this.store.set({ sources: { person: reply.person, model: reply.model } }, "server");
  }

  /** What accepting would take, before it is done. */
  showSources() {
    const { part } = this,
      { map, sources, chosen } = this.state,
      all = map?.area ?? 1;
    part["above-text"].textContent = decimal(part.above.valueAsNumber / 100);
    const { person, model } = sources ?? { person: 0, model: [] };
    const sure = model.filter(([, confidence]) => confidence >= part.above.valueAsNumber);
    const regions = (rows) => rows.reduce((sum, [, , count]) => sum + count, 0);
    const share = (rows) => percent(rows.reduce((sum, [, , , pixels]) => sum + pixels, 0) / all);
    const found = { sure: number(regions(sure)), all: number(regions(model)), share: share(sure) };
    part["sure-text"].textContent = [
      model.length ? t("{sure} of {all} suggested regions, {share} of the photo.", found) : t("No suggestions to accept here."),
      map ? t("Drawn or accepted by a person: {share}.", { share: percent(person / all) }) : "",
    ].join(" ");
    part["accept-sure"].disabled = !sure.length;
    part["accept-all"].disabled = !model.length;
    part["accept-class"].disabled = !model.some(([id]) => id === chosen);
    const inHand = this.page.classInHand;
    part["accept-class"].lastChild.textContent = inHand ? t("Accept {name}", { name: inHand.name }) : t("Accept class");
  }

  /** Show what the model says to the project's classes beside the labels, with thresholds; nothing of it is stored. */
  async toggle() {
    const { page, store } = this;
    if (this.state.view) return store.set({ view: null }, "person");
    if (!this.state.photo) return;
    const still = store.still("photo", "classes", "view");
    const quiet = page.waiting.begin(t("Asking the model"));
    const { asked } = page.windows;
    const reply = await page.ask("model_view", asked);
    const answer = reply.ok ? await readAnswer(reply) : null;
    quiet();
    if (!still()) return;
    if (!answer) return page.problem(reply.error);
    store.set({ view: { answer, ids: reply.ids, ...asked } }, "server");
  }
}

/**
 * The label map that a view decides with thresholds.
 * @param {{answer: Object, ids: number[], window?: import("../canvas/windowed.js").Window}} view
 * @param {Map<number, number>} levels
 */
function decided({ answer, ids, window }, levels) {
  const chosen = decide(
    answer,
    ids.map((id) => levels.get(id) ?? 0),
  );
  const table = [0, ...answer.words.map((word, k) => (word.background ? 0 : ids[k]))];
  const { width, height } = answer.labels;
  const raster = { width, height, ids: Uint16Array.from(chosen, (k) => table[k]) };
  return window ? new Pane(window, raster) : new LabelMap(raster);
}
