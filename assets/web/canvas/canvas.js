/** The one canvas: a viewport, layers drawn in order, and the tool in hand. */

import { listen } from "./pointers.js";
import { Viewport } from "./viewport.js";

/** @typedef {[number, number, number, number]} Box left, top, right, bottom */

/**
 * @typedef {Object} View what layers need to know
 * @property {[number, number]} image width and height of the photo
 * @property {number} scale CSS pixels an image pixel
 * @property {number} ratio device pixels a CSS pixel
 * @property {number} left of the photo in device pixels
 * @property {number} top
 * @property {Box} box what is to be drawn, in device pixels
 *
 * @typedef {{draw: function(CanvasRenderingContext2D, View): void}} Layer its context is in image coordinates
 */

export class Canvas {
  /**
   * @param {HTMLElement} host the element to fill
   * @param {string} label its name for screen readers
   */
  constructor(host, label) {
    this.host = host;
    this.viewport = new Viewport();
    /** @type {Layer[]} bottom to top */
    this.layers = [];
    /** The tool in hand, as it was chosen. @type {any} */
    this.chosen = null;
    /** @type {function(Viewport): void} */
    this.onview = () => {};
    this.element = document.createElement("canvas");
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.context = this.element.getContext("2d");
    /** Where each pressed pointer is on the screen, by its id. @type {Map<number, [number, number]>} */
    this.pointers = new Map();
    /** The part of the photo to draw at the next frame, null for all of it. @type {Box|null} */
    this.dirty = null;
    this.frame = 0;
    host.prepend(this.element);
    listen(this);
    new ResizeObserver(() => this.resize()).observe(host); // which also tells the first size
  }

  /** A photo of width x height image pixels is to be shown. */
  setImage(width, height) {
    this.viewport.setImage(width, height);
    this.changed();
  }

  /** What listens to pointers now. @type {any} */
  get tool() {
    return this.chosen;
  }

  set tool(tool) {
    this.chosen = tool;
  }

  /** Draw at the next frame: everything, or what lies in a box of image pixels. @param {Box} [box] */
  redraw(box) {
    if (!box) this.dirty = null;
    else if (!this.frame) this.dirty = box;
    else if (this.dirty) this.dirty = union(this.dirty, box);
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  zoom(factor, x, y) {
    this.viewport.zoom(factor, x, y);
    this.changed();
  }

  fit() {
    this.viewport.fit();
    this.changed();
  }

  changed() {
    // A fitted photo leaves vertical swipes to the page; a zoomed one takes every gesture.
    this.element.style.touchAction = this.viewport.fitted ? "pan-y" : "none";
    this.onview(this.viewport);
    this.redraw();
  }

  resize() {
    const { width, height } = this.host.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    this.element.width = Math.max(1, Math.round(width * ratio));
    this.element.height = Math.max(1, Math.round(height * ratio));
    this.viewport.setScreen(width, height);
    this.dirty = null;
    this.onview(this.viewport);
    this.draw();
  }

  draw() {
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

  drawLayers(context, layers, view) {
    for (const layer of layers) {
      const scale = view.scale * view.ratio;
      context.setTransform(scale, 0, 0, scale, view.left, view.top);
      layer.draw(context, view);
    }
  }

  /** @param {Box|null} dirty in image pixels, null for everything @returns {View} */
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
    return { image: viewport.image, scale: viewport.scale, ratio, left, top, box: /** @type {Box} */ (box) };
  }

  /** Whether a pressed button begins a gesture. */
  accepts(event) {
    return event.button <= 0;
  }

  /** A pointer's place on the screen and in the photo. */
  point(event) {
    const box = this.element.getBoundingClientRect();
    /** @type {[number, number]} */
    const screen = [event.clientX - box.left, event.clientY - box.top];
    return { screen, image: this.viewport.toImage(...screen), pointer: event.pointerType, event };
  }
}

/** @param {Box} a @param {Box} b @returns {Box} */
export function union(a, b) {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}
