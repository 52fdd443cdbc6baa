/** Clicks on what belongs to a thing (left) and what does not (right, or with Alt), or a box around it. */

import { RegionMask } from "../../canvas/mask.js";
import { MaskSketch, twice } from "./sketches.js";
import { STILL, Tool, acceptStep, cancelStep, far, right, rounded, undoStep } from "./tool.js";
import { t } from "../../shared/language.js";

export class PromptTool extends Tool {
  points = [];
  box = null;
  mask = null;
  asking = null;
  negative = false; // the next click says what does not belong

  get begun() {
    return this.points.length > 0 || this.box !== null;
  }

  press(canvas, point) {
    this.from = point;
    this.boxing = null;
  }

  drag(canvas, point) {
    if (this.from && far(point.screen, this.from.screen) > STILL)
      this.boxing = boxOf(this.from.image, point.image, canvas.viewport.image);
    this.changed();
  }

  release(canvas, point) {
    const { from } = this;
    this.from = null;
    if (!from) return;
    if (this.boxing) {
      this.box = this.boxing;
      this.boxing = null;
    } else if (canvas.viewport.contains(point.image)) {
      const out = this.negative || right(from) || from.event.altKey;
      this.points.push([...rounded(point.image), out ? -1 : 1]);
    } else return;
    this.find();
  }

  /** Ask for the mask of all clicks so far. */
  async find() {
    this.turn++;
    this.changed();
    this.asking = this.ask("prompt", { points: this.points, box: this.box });
    const reply = await this.asking;
    if (!reply) return;
    this.asking = null;
    if (!reply.ok) {
      this.desk.say(reply.error);
      this.undo();
      return;
    }
    this.mask = reply.masks.length ? new RegionMask(reply.masks[0]) : null;
    this.desk.say(
      this.mask ? this.desk.touched ? t("Tap on to correct it.") : t("Enter labels it; click on to correct it (right click: not this); Esc lets go.") : t("Nothing was found there; add another point."),
    );
    this.changed();
  }

  /** Label the mask of all clicks so far; one that is still being found is waited for. */
  async accept() {
    const { turn } = this;
    await this.asking;
    const { mask } = this;
    if (!mask || turn !== this.turn) return false;
    this.cancel();
    const paint = this.desk.classToPaint();
    if (paint) this.desk.paint({ ...mask.operation, class: paint.id }, new MaskSketch(mask, paint));
    return true;
  }

  negate() {
    this.negative = this.begun && !this.negative;
    this.changed();
  }

  steps() {
    if (!this.begun) return [];
    const negative = { icon: "minus", label: t("The next click says what does not belong (N)"), text: t("Not this"), pressed: this.negative };
    return [
      acceptStep(this, t("Label it")),
      { name: "negative", ...negative, run: () => this.negate() },
      undoStep(this, t("Take the last click back")),
      cancelStep(this),
    ];
  }

  /** Take the last click back. */
  undo() {
    const had = this.begun;
    if (this.points.length) this.points.pop();
    else this.box = null;
    if (this.begun) this.find();
    else this.cancel();
    return had;
  }

  cancel() {
    const had = this.begun;
    this.points = [];
    this.box = null;
    this.mask = null;
    this.boxing = null;
    this.from = null;
    this.asking = null;
    this.negative = false;
    if (had) this.desk.say("");
    super.cancel();
    return had;
  }

  draw(context, view) {
    const { scale } = view;
    this.mask?.draw(context, view, this.desk.classInHand?.colour ?? "#fff", 0.45);
    const box = this.boxing ?? this.box;
    if (box) twice(context, scale, "#fff", 1.5, () => context.rect(box[0], box[1], box[2] - box[0], box[3] - box[1]));
    for (const [x, y, label] of this.points) {
      context.beginPath();
      context.arc(x, y, 7 / scale, 0, 7);
      context.fillStyle = label > 0 ? "#1b7f4b" : "#b3261e";
      context.fill();
      context.lineWidth = 2 / scale;
      context.strokeStyle = "#fff";
      context.stroke();
      context.beginPath();
      context.moveTo(x - 3 / scale, y);
      context.lineTo(x + 3 / scale, y);
      if (label > 0) {
        context.moveTo(x, y - 3 / scale);
        context.lineTo(x, y + 3 / scale);
      }
      context.stroke();
    }
  }
}

/**
 * The box between two corners, within the photo.
 * @param {[number, number]} a
 * @param {[number, number]} b
 * @param {[number, number]} size of the photo
 * @returns {[number, number, number, number]|null} left, top, right, bottom; null if it is thinner than a pixel
 */
export function boxOf(a, b, size) {
  const [xs, ys] = [0, 1].map((axis) => [a[axis], b[axis]].map((value) => Math.min(Math.max(value, 0), size[axis])));
  const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  return box[2] - box[0] >= 1 && box[3] - box[1] >= 1 ? /** @type {[number, number, number, number]} */ (box) : null;
}

/** @type {import("./tool.js").ToolModule} */
export default {
  name: "prompt",
  icon: "click",
  label: t("Click what it is, right click what it is not, or drag a box"),
  keys: ["s"],
  hint: t("Click the thing; right click what is not part of it; or drag a box around it."),
  touchHint: t("Tap the thing, or drag a box around it."),
  create: (desk) => new PromptTool(desk),
};
