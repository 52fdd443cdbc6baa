/** Whole units: the mask under the pointer lights up, the wheel takes a smaller or larger one, a click labels it. */

import { RegionMask } from "../../canvas/mask.js";
import { MaskSketch } from "./sketches.js";
import { Tool, acceptStep, cancelStep } from "./tool.js";
import { t } from "../../shared/language.js";

const FIRST_SHARE = 0.02; // of the photo: the size of unit that is shown before any was chosen

export class UnitTool extends Tool {
  levels = [];
  level = 0;
  /** Area of the mask chosen last, so that the wheel is not needed at every thing of one size. */
  wanted = 0;

  /** Whether the unit was lit by a finger or a key. */
  get wheelless() {
    return this.lit !== undefined && this.lit.pointer !== "mouse";
  }

  get mask() {
    return this.levels[this.level];
  }

  hover(canvas, point) {
    this.lit = point;
    this.point = canvas.viewport.contains(point.image) ? point.image : null;
    if (!this.point) return this.leave();
    if (!this.knows(this.point)) this.look();
  }

  /** Whether the masks in hand are those of this place too. */
  knows(point) {
    return Boolean(this.levels[0]?.has(point) && this.mask.has(point));
  }

  leave() {
    this.point = null;
    this.levels = [];
    this.changed();
  }

  /** Ask what is under the pointer; one question at a time, always about the newest place. */
  look() {
    this.looking ??= this.find().finally(() => (this.looking = null));
    return this.looking;
  }

  async find() {
    for (let about = null; this.point && this.point !== about && !this.knows(this.point); ) {
      about = this.point;
      const reply = await this.ask("hierarchy", { x: about[0], y: about[1] });
      if (!reply) continue; // another photo is in hand: ask about that one
      if (!reply.ok) return this.desk.say(reply.error);
      if (!this.point) return;
      this.levels = reply.masks.map((mask) => new RegionMask(mask));
      this.level = nearestArea(this.levels, this.wanted || FIRST_SHARE * this.desk.area);
      this.changed();
    }
  }

  wheel(canvas, { event }) {
    if (event.ctrlKey || event.altKey || !this.levels.length) return false;
    this.step(event.deltaY < 0 ? 1 : -1);
    return true;
  }

  /** One level up (larger) or down. */
  step(by) {
    this.level = Math.min(Math.max(this.level + by, 0), this.levels.length - 1);
    this.wanted = this.mask?.area ?? 0;
    this.changed();
    return true;
  }

  /** Without a wheel there are buttons for it. */
  steps() {
    if (!this.mask || !this.wheelless) return [];
    return [
      { name: "smaller", icon: "minus", label: t("Smaller region"), run: () => this.step(-1) },
      { name: "larger", icon: "plus", label: t("Larger region"), run: () => this.step(1) },
      acceptStep(this, t("Label it")),
      cancelStep(this),
    ];
  }

  accept() {
    if (!this.steps().length) return false;
    this.label(this.lit);
    this.cancel();
    return true;
  }

  press(canvas, point) {
    this.pressed = point;
  }

  async release(canvas, point) {
    const { pressed, turn } = this;
    this.pressed = null;
    if (!pressed || !canvas.viewport.contains(point.image)) return;
    if (pressed.event.altKey) return this.desk.pick(point.image);
    const seen = this.mask?.has(point.image);
    this.point = point.image;
    this.lit = point;
    if (!seen) await this.look();
    if (turn !== this.turn) return;
    // A finger does not hover: its first tap shows the unit, the second labels it.
    if (point.pointer === "touch" && !seen) return;
    if (this.mask?.has(point.image)) this.label(pressed);
  }

  /** Label the unit that is lit up. */
  label(point) {
    const { mask } = this,
      paint = this.paintOf(point);
    if (!paint) return;
    this.wanted = mask.area;
    this.desk.paint({ ...mask.operation, class: paint.id }, new MaskSketch(mask, paint));
  }

  cancel() {
    this.levels = [];
    this.point = this.pressed = null;
    return super.cancel();
  }

  draw(context, view) {
    this.mask?.draw(context, view, this.desk.classInHand?.colour ?? "#fff", 0.3);
  }
}

/** Position of the mask whose area is nearest to the wanted one by ratio. */
export function nearestArea(masks, wanted) {
  const off = masks.map(({ area }) => Math.abs(Math.log(Math.max(area, 1) / wanted)));
  return Math.max(0, off.indexOf(Math.min(...off)));
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "unit",
  icon: "units",
  label: t("Unit: label a whole region; the wheel takes a smaller or larger one"),
  keys: ["u"],
  hint: t("Point at a thing: a click labels it, the wheel takes a smaller or larger part. Ctrl and wheel zooms."),
  touchHint: t("Tap a thing to see its region; tap again to label it."),
  cursor: "pointer",
  create: (desk) => new UnitTool(desk),
};
