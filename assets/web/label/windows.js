/**
 * The window onto a huge photo: it follows the view, comes when that has settled, and says what travels with questions
 * and gestures. Of an ordinary photo there is none, and nothing is asked.
 */

import { ASKED, covers, Pane, same, seenBox, WindowedMap, windowFor } from "../canvas/windowed.js";
import { bytesOf, readIndexPng } from "../canvas/png.js";
import { Navigator } from "../canvas/navigator.js";
import { debounce, h } from "../shared/dom.js";
import { t } from "../shared/language.js";

const FINER = 1.5; // times finer than the whole photo, for a window to be worth asking for
const SETTLE = 120; // milliseconds without a move before another window is asked for

/** @typedef {import("../canvas/windowed.js").Window} Window */

export class Windows {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    const { canvas } = page;
    this.page = page;
    this.store = page.store;
    /** The window that shows all of the photo in hand, null of an ordinary one. @type {Window|null} */
    this.whole = null;
    this.lookSoon = debounce(() => this.look(), SETTLE);
    this.navigator = new Navigator(page.part.board, {
      onmove: (point) => this.go(point),
      onzoom: (factor) => canvas.zoom(factor),
    });
    this.navigator.layers = [page.boards.photo, page.boards.labels];
    this.words = h("a", { class: "link", title: t("Explore: see what words find in what is seen here") }, t("Ask words"));
    this.navigator.extra.append(this.words);
    this.store.watch(["map", "classes", "hidden"], () => this.whole && this.navigator.redraw());
  }

  /** @type {import("../canvas/windowed.js").WindowedMap} */
  get map() {
    return /** @type {any} */ (this.store.state.map);
  }

  /** Another photo is in hand; `whole` is what the server said of a huge one. @param {{size: [number, number], whole?: Window}} opened */
  begin({ size, whole }) {
    this.whole = whole ?? null;
    this.navigator.show(whole ? size : null);
    this.page.part["label-this"].lastChild.textContent = whole ? t("Label this part") : t("Label this photo");
    if (whole) this.follow();
  }

  /** The label map that came with a photo, or anew: one raster for each of these windows. */
  async mapOf(size, windows, labels, revision) {
    const panes = await Promise.all(labels.map(async (png, k) => new Pane(windows[k], await readIndexPng(png), revision)));
    return new WindowedMap(size, panes[0], panes[1]);
  }

  // --- what travels -----------------------------------------------------------------------------------------------------

  /** What a question to the model says: which window it is about. @returns {{window?: Window}} */
  get asked() {
    if (!this.whole) return {};
    const window = windowFor(this.page.canvas.viewport, ASKED);
    return { window: window.step < this.whole.step ? window : this.whole };
  }

  /** What a gesture says of the windows, so that its answer is cut to them. @returns {{windows?: Window[]}} */
  get shown() {
    return this.whole ? { windows: this.map.panes.map(({ window }) => window) } : {};
  }

  /** Where a fill ends that finds no edge before, null for the whole photo. @returns {Window|null} */
  get seen() {
    return this.whole && { box: seenBox(this.page.canvas.viewport), step: 1 };
  }

  /** Pixels of the photo in which regions are found. */
  get area() {
    const { box } = this.asked.window ?? { box: [0, 0, ...this.page.canvas.viewport.image] };
    return (box[2] - box[0]) * (box[3] - box[1]);
  }

  // --- the window follows the view --------------------------------------------------------------------------------------

  /** Bring a point of the photo into the middle of the board. */
  go(point) {
    const { canvas } = this.page,
      { viewport } = canvas;
    if (viewport.fitted) viewport.zoom(4);
    viewport.centre(point);
    canvas.changed();
  }

  /** The view has changed. */
  follow() {
    if (!this.whole) return;
    const { viewport } = this.page.canvas,
      seen = seenBox(viewport),
      step = Math.min(windowFor(viewport).step, this.whole.step);
    this.navigator.frame(seen, step);
    this.words.href = `#explore/huge-${this.store.state.photo?.photo}-${seen.join("-")}`;
    this.lookSoon();
  }

  /** Ask for the window that the view wants; one at a time, always the newest. */
  look() {
    this.looking ??= this.load().finally(() => (this.looking = null));
    return this.looking;
  }

  async load() {
    const { page, store } = this;
    while (this.whole) {
      const { viewport } = page.canvas,
        wanted = windowFor(viewport),
        { pane } = this.map;
      if (FINER * wanted.step > this.whole.step) return this.take(null, null);
      if (pane && covers(pane.window, seenBox(viewport), wanted.step)) return this.mark();
      const { photo } = store.state,
        quiet = page.waiting.begin(t("Reading this part of the photo"));
      const reply = await page.ask("window", { window: wanted });
      let picture, raster;
      if (reply.ok) {
        [picture, raster] = await Promise.all([
          createImageBitmap(new Blob([bytesOf(reply.jpeg)], { type: "image/jpeg" })),
          readIndexPng(reply.labels[0]),
        ]);
      }
      quiet();
      if (photo !== store.state.photo) continue; // another one is in hand: ask about that
      if (!reply.ok) return page.problem(reply.error);
      this.take(new Pane(reply.window, raster, reply.revision), picture);
      // A gesture was saved while its labels were read.
      if (page.saving.edits.revision > reply.revision) await page.photos.reload();
    }
  }

  /** What the window shows has come; null where the whole photo is fine enough. */
  take(pane, picture) {
    const { page, store, map } = this;
    if (!pane && !map.pane) return this.mark();
    map.pane = pane;
    page.boards.photo.setWindow(pane && { picture, box: pane.window.box });
    store.touch(null, "server");
    this.mark();
  }

  /** Say on the page which window it shows, for whoever looks from outside. */
  mark() {
    this.page.part.labelling.dataset.window = this.map.pane ? this.map.pane.window.box.join(",") : "";
  }

  // --- answers ----------------------------------------------------------------------------------------------------------

  /**
   * Put what a gesture changed where it is shown.
   * @param {import("../shared/server.js").Reply} reply with a patch for each of the windows that were sent
   * @param {Window[]} sent
   */
  async takeOver({ patches, box, revision }, sent) {
    const { store } = this,
      still = store.still("photo", "map");
    const rasters = await Promise.all(
      patches.map(({ png }) => (png ? readIndexPng(png.slice(png.indexOf(",") + 1)) : null)),
    );
    if (!still()) return;
    let missed = false;
    for (const pane of this.map.panes) {
      if (pane.revision >= revision) continue; // it was read after this gesture
      const k = sent.findIndex((window) => same(window, pane.window));
      if (k < 0) missed = true; // the window has moved on meanwhile
      else {
        if (rasters[k]) pane.patch(patches[k].box, rasters[k].ids);
        pane.revision = revision;
      }
    }
    if (missed) return void (await this.page.photos.reload());
    const { step } = this.whole; // a coarse cell reaches over the box
    store.touch([box[0] - step, box[1] - step, box[2] + step, box[3] + step], "server");
  }

  /** Whether a box of image pixels has something of what is on the screen. */
  sees([left, top, right, bottom]) {
    const seen = seenBox(this.page.canvas.viewport);
    return left < seen[2] && right > seen[0] && top < seen[3] && bottom > seen[1];
  }
}
