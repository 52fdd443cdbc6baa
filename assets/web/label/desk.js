/** What a tool works at: the tool in hand, its buttons and hints, the size of the brush, and the little that a tool may ask of the page. */

import { h, icon } from "../shared/dom.js";
import { openable } from "../shared/openable.js";
import { Steps } from "./steps.js";
import { TOOLS } from "./tools/index.js";
import { t } from "../shared/language.js";

const LARGEST = 500; // image pixels: the brush's largest radius

export class Desk {
  /**
   * @param {import("./label.js").LabelPage} page
   * @param {Object<string, any>} part of its markup
   */
  constructor(page, part) {
    this.page = page;
    this.part = part;
    this.radius = 12;
    this.taken = this.before = TOOLS[0];
    this.steps = new Steps(part.steps);
    openable(part.more, part.view);
    part.tools.prepend(...TOOLS.map(({ name, icon: picture }) => h("button", { type: "button", "data-do": name }, icon(picture))));
    /** @type {Object<string, import("./tools/tool.js").Tool>} by name */
    this.tools = Object.fromEntries(TOOLS.map(({ name, create }) => [name, create(this)]));
    part.size.addEventListener("input", () => this.setRadius(radiusAt(part.size.valueAsNumber / 100)));
    this.setRadius(this.radius);
  }

  // --- what a tool may ask of the page ----------------------------------------------------------------------------

  get canvas() {
    return this.page.canvas;
  }

  /** The photo in hand; another object for each. */
  get photo() {
    return this.page.store.state.photo;
  }

  /** Pixels of the photo, or of the window onto a huge one, in which regions are found. */
  get area() {
    return this.page.windows.area;
  }

  /** @type {import("../canvas/labelmap.js").LabelMap|import("../canvas/windowed.js").WindowedMap} */
  get map() {
    return this.page.store.state.map;
  }

  get classInHand() {
    return this.page.classInHand;
  }

  /** The class in hand; without one it is said what to do. */
  classToPaint() {
    const { classInHand } = this;
    if (!classInHand) this.say(t("Add a class first, then paint."));
    return classInHand;
  }

  /** Ask about the photo in hand; always an object. */
  ask(name, message) {
    return this.page.ask(name, message);
  }

  /** One gesture in the words of the HTTP contract; `sketch` shows it until it is saved. */
  paint(operation, sketch) {
    this.page.paint(operation, sketch);
  }

  /** A short word about the tool in hand, on the board; "" takes it away. */
  say(text) {
    this.page.say(text);
  }

  /** Take the class under a point in hand. */
  pick(point) {
    const id = this.map.at(point);
    if (id) this.page.classes.choose(id);
    else this.say(t("Nothing is labelled here."));
  }

  // --- the tool in hand -------------------------------------------------------------------------------------------

  get tool() {
    return this.tools[this.taken.name];
  }

  /** Whether the tool that a page begins with is in hand. */
  get begins() {
    return this.taken === TOOLS[0];
  }

  /** @param {string} name */
  take(name) {
    const tool = TOOLS.find((each) => each.name === name);
    if (tool !== this.taken) {
      this.tool.cancel();
      this.before = this.taken;
    }
    this.taken = tool;
    for (const button of this.part.tools.querySelectorAll("[data-do]"))
      if (button.dataset.do in this.tools) button.setAttribute("aria-pressed", String(button.dataset.do === name));
    this.part["size-field"].hidden = !tool.sized;
    this.part.board.style.setProperty("--cursor", tool.cursor ?? "crosshair");
    this.say((this.touched ? tool.touchHint : tool.hint) ?? "");
    this.canvas.tool = this.tool;
    this.changed(this.tool);
  }

  /** Whether nothing hovers here: a finger is the pointer. */
  get touched() {
    return matchMedia("(hover: none)").matches;
  }

  /** What a tool has begun has changed. @param {import("./tools/tool.js").Tool} tool */
  changed(tool) {
    this.canvas.redrawAbove();
    if (tool === this.tool) this.steps.show(tool.steps());
  }

  /** Take the tool before this one. */
  takeBack() {
    this.take(this.before.name);
  }

  /** Another photo is in hand. */
  forget() {
    for (const tool of Object.values(this.tools)) tool.forget();
  }

  // --- the brush --------------------------------------------------------------------------------------------------

  /** A larger (1) or smaller (-1) brush, or what else the tool in hand can make larger. */
  resize(by) {
    if (this.tool.step(by)) return;
    const step = Math.max(1, Math.round(this.radius * 0.15));
    this.setRadius(Math.round(this.radius + by * step));
  }

  setRadius(radius) {
    this.radius = Math.min(LARGEST, Math.max(0.5, radius));
    this.part.size.value = 100 * shareOf(this.radius);
    const width = Math.round(2 * this.radius);
    this.part["size-text"].textContent = `${width} px`;
    this.part.size.setAttribute("aria-valuetext", t("{n} pixels wide", { n: width }));
    this.canvas.redrawAbove();
  }
}

/** Sizes grow by ratio along the slider, so that small ones can be chosen finely. */
export const radiusAt = (share) => Math.round(2 * 0.5 * (2 * LARGEST) ** share) / 2;
export const shareOf = (radius) => Math.log(2 * radius) / Math.log(2 * LARGEST);
