/**
 * The canvas to work on: the photo and its label map below, redrawn only where something changed, and above it, on a
 * canvas of its own, what follows the pointer. Space, the middle button or two fingers move the photo whatever the tool.
 */

import { Canvas } from "../canvas/canvas.js";
import { h } from "../shared/dom.js";
import { PanTool } from "./tools/pan.js";

/** @typedef {[number, number, number, number]} Box left, top, right, bottom */

export class LabelCanvas extends Canvas {
  constructor(host, label) {
    super(host, label);
    /** Layers that follow the pointer, bottom to top. */
    this.above = [];
    this.hand = new PanTool();
    this.grabbed = false; // by a key that is held
    this.middle = false;
    this.over = h("canvas", { class: "over", "aria-hidden": "true" });
    this.overContext = this.over.getContext("2d");
    this.element.after(this.over);
    this.element.addEventListener("contextmenu", (event) => event.preventDefault());
    this.resize();
  }

  get tool() {
    return this.grabbed || this.middle ? this.hand : this.chosen;
  }

  set tool(tool) {
    this.chosen = tool;
    this.redrawAbove();
  }

  /** Hold or let go of the photo; not while a gesture is on. */
  grab(grabbed) {
    if (this.pointers.size === 0) this.grabbed = grabbed;
    else if (!grabbed) this.element.addEventListener("pointerup", () => (this.grabbed = false), { once: true });
    this.element.style.cursor = this.grabbed ? "grab" : "";
  }

  accepts(event) {
    if (this.pointers.size === 0) this.middle = event.button === 1;
    return event.button <= 2;
  }

  changed() {
    super.changed();
    this.element.style.touchAction = "none"; // a finger paints
    this.redrawAbove();
  }

  resize() {
    if (!this.over) return;
    this.dirty = null;
    super.resize();
    this.over.width = this.element.width;
    this.over.height = this.element.height;
    this.drawAbove();
  }

  /** Draw at the next frame: everything, or what lies in a box of image pixels. @param {Box} [box] */
  redraw(box) {
    if (!box) this.dirty = null;
    else if (!this.frame) this.dirty = box;
    else if (this.dirty) this.dirty = union(this.dirty, box);
    super.redraw();
  }

  redrawAbove() {
    this.frameAbove ||= requestAnimationFrame(() => {
      this.frameAbove = 0;
      this.drawAbove();
    });
  }

  draw() {
    if (!this.over) return;
    const { context } = this,
      view = this.view(this.dirty),
      [x0, y0, x1, y1] = view.box;
    this.dirty = null;
    if (x1 <= x0 || y1 <= y0) return;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.beginPath();
    context.rect(x0, y0, x1 - x0, y1 - y0);
    context.clip();
    context.clearRect(x0, y0, x1 - x0, y1 - y0);
    this.drawLayers(context, this.layers, view);
    context.restore();
  }

  drawAbove() {
    this.overContext.setTransform(1, 0, 0, 1, 0, 0);
    this.overContext.clearRect(0, 0, this.over.width, this.over.height);
    this.drawLayers(this.overContext, [...this.above, ...(this.chosen ? [this.chosen] : []), { draw: (context, view) => this.drawMark(context, view) }], this.view(null));
  }

  /** Mark a point in image pixels with a cross, or none. */
  mark(point) {
    if (!point && !this.marked) return;
    this.marked = point;
    this.redrawAbove();
  }

  drawMark(context, { scale }) {
    if (!this.marked) return;
    const [x, y] = this.marked,
      arm = 10 / scale;
    for (const [width, colour] of [
      [4, "rgb(0 0 0 / 60%)"],
      [1.5, "#fff"],
    ]) {
      context.lineWidth = width / scale;
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(x - arm, y);
      context.lineTo(x + arm, y);
      context.moveTo(x, y - arm);
      context.lineTo(x, y + arm);
      context.stroke();
    }
  }

  drawLayers(context, layers, view) {
    for (const layer of layers) {
      const scale = view.scale * view.ratio;
      context.setTransform(scale, 0, 0, scale, view.left, view.top);
      layer.draw(context, view);
    }
  }

  /** What layers need to know: `left`, `top` and `box` are in device pixels, `scale` is in CSS pixels an image pixel. */
  view(dirty) {
    const { viewport, element } = this,
      ratio = window.devicePixelRatio || 1,
      scale = viewport.scale * ratio,
      left = viewport.left * ratio,
      top = viewport.top * ratio;
    let box = [0, 0, element.width, element.height];
    if (dirty) {
      const margin = 2 * ratio + 1; // outlines reach a little over the edge
      const [x0, y0, x1, y1] = dirty;
      box = [
        Math.max(0, Math.floor(x0 * scale + left - margin)),
        Math.max(0, Math.floor(y0 * scale + top - margin)),
        Math.min(element.width, Math.ceil(x1 * scale + left + margin)),
        Math.min(element.height, Math.ceil(y1 * scale + top + margin)),
      ];
    }
    return { image: viewport.image, scale: viewport.scale, ratio, left, top, box };
  }
}

/** A canvas of the same size beside another, which shows the same part of the photo; dragging moves both. */
export class TwinCanvas extends LabelCanvas {
  /** @param {LabelCanvas} first */
  constructor(host, label, first) {
    super(host, label);
    this.first = first;
    this.viewport = first.viewport;
    this.tool = this.hand;
  }

  /** While it is hidden it has no size to speak of. */
  resize() {
    if (this.host.checkVisibility()) super.resize();
  }

  changed() {
    if (this.first) this.first.changed();
    else super.changed();
  }

  /** The first one's view has changed. */
  follow() {
    this.element.style.touchAction = "none";
    this.redraw();
    this.redrawAbove();
  }
}

/** @returns {Box} */
function union(a, b) {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}
