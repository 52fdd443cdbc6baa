/**
 * The canvas to work on: the photo and its label map below, redrawn only where something changed, and above it, on a
 * canvas of its own, what follows the pointer. Space, the middle button or two fingers move the photo whatever the tool.
 */

import { Canvas } from "../canvas/canvas.js";
import { h } from "../shared/dom.js";
import { PanTool } from "./tools/pan.js";
import { twice } from "./tools/sketches.js";

export class LabelCanvas extends Canvas {
  constructor(host, label) {
    super(host, label);
    /** Layers that follow the pointer, bottom to top. */
    this.above = [];
    this.hand = new PanTool(null);
    this.grabbed = false; // by a key that is held
    this.middle = false;
    this.over = h("canvas", { class: "over", "aria-hidden": "true" });
    this.overContext = this.over.getContext("2d");
    this.element.after(this.over);
    this.element.setAttribute("role", "application"); // arrow keys, Space and Enter are for the tool in hand
    this.element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** The photo is held by a key or the middle button whatever tool is in hand. @type {any} */
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
    super.resize();
    this.over.width = this.element.width;
    this.over.height = this.element.height;
    this.drawAbove();
  }

  redrawAbove() {
    this.frameAbove ||= requestAnimationFrame(() => {
      this.frameAbove = 0;
      this.drawAbove();
    });
  }

  drawAbove() {
    this.overContext.setTransform(1, 0, 0, 1, 0, 0);
    this.overContext.clearRect(0, 0, this.over.width, this.over.height);
    const crosses = { draw: (context, view) => [this.marked, this.cursor].forEach((point) => point && drawCross(context, view, point)) },
      layers = [...this.above, this.chosen, crosses].filter(Boolean);
    this.drawLayers(this.overContext, layers, this.view(null));
  }

  /** Mark a point in image pixels with a cross, or none. */
  mark(point) {
    if (!point && !this.marked) return;
    this.marked = point;
    this.redrawAbove();
  }

  /** Show where the keyboard's point is in image pixels, or null. */
  showCursor(point) {
    this.cursor = point;
    this.redrawAbove();
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
    this.first.changed();
  }

  /** The first one's view has changed. */
  follow() {
    this.element.style.touchAction = "none";
    this.redraw();
    this.redrawAbove();
  }
}

function drawCross(context, { scale }, [x, y]) {
  const arm = 10 / scale;
  twice(context, scale, "#fff", 1.5, () => {
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
  });
}
