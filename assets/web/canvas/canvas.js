/** The one canvas: a viewport, layers drawn in order, and the tool in hand. */

import { Viewport } from "./viewport.js";

export class Canvas {
  /**
   * @param {HTMLElement} host the element to fill
   * @param {string} label its name for screen readers
   */
  constructor(host, label) {
    this.host = host;
    this.viewport = new Viewport();
    /** @type {{draw: function(CanvasRenderingContext2D, Object): void}[]} bottom to top */
    this.layers = [];
    this.tool = null;
    /** @type {function(Viewport): void} */
    this.onview = () => {};
    this.element = document.createElement("canvas");
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.context = this.element.getContext("2d");
    this.pointers = new Map();
    this.frame = 0;
    host.prepend(this.element);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(host);
    this.resize();
  }

  /** A photo of width x height image pixels is to be shown. */
  setImage(width, height) {
    this.viewport.setImage(width, height);
    this.changed();
  }

  /** Draw at the next frame. */
  redraw() {
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
    this.onview(this.viewport);
    this.draw();
  }

  draw() {
    const { context, viewport } = this,
      ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.element.width, this.element.height);
    const scale = viewport.scale * ratio;
    const view = { image: viewport.image, scale: viewport.scale };
    for (const layer of this.layers) {
      context.setTransform(scale, 0, 0, scale, viewport.left * ratio, viewport.top * ratio);
      layer.draw(context, view);
    }
  }

  /** Whether a pressed button begins a gesture. */
  accepts(event) {
    return event.button <= 0;
  }

  /** A pointer's place on the screen and in the photo. */
  point(event) {
    const box = this.element.getBoundingClientRect();
    const screen = [event.clientX - box.left, event.clientY - box.top];
    return { screen, image: this.viewport.toImage(...screen), pointer: event.pointerType, event };
  }

  listen() {
    const canvas = this.element;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.accepts(event)) return;
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, this.point(event).screen);
      if (this.pointers.size === 1) this.tool?.press(this, this.point(event));
      else this.tool?.cancel?.(this); // a second finger: this is a pinch
    });
    canvas.addEventListener("pointermove", (event) => {
      const point = this.point(event);
      if (this.pointers.size === 2 && this.pointers.has(event.pointerId))
        this.pinch(event.pointerId, point.screen);
      else if (this.pointers.has(event.pointerId)) this.tool?.drag(this, point);
      else this.tool?.hover(this, point);
    });
    const up = (event) => {
      const alone = this.pointers.size === 1;
      if (!this.pointers.delete(event.pointerId)) return;
      if (event.type === "pointercancel") this.tool?.cancel?.(this);
      else if (alone && !this.pinched) this.tool?.release(this, this.point(event));
      if (this.pointers.size === 0) this.pinched = false;
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.tool?.leave(this); // a finger leaves at the end of every tap
    });
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        if (this.tool?.wheel?.(this, this.point(event))) return;
        const lines = event.deltaMode === 1 ? 16 : 1;
        this.zoom(Math.exp(-event.deltaY * lines * 0.002), ...this.point(event).screen);
      },
      { passive: false },
    );
  }

  /** Two fingers: zoom about their middle, and move with it. */
  pinch(id, to) {
    this.pinched = true;
    const [first, second] = [...this.pointers.entries()];
    const other = first[0] === id ? second[1] : first[1];
    const from = this.pointers.get(id);
    const distance = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
    this.viewport.pan((to[0] - from[0]) / 2, (to[1] - from[1]) / 2);
    this.pointers.set(id, to);
    this.zoom(distance(to, other) / distance(from, other), (to[0] + other[0]) / 2, (to[1] + other[1]) / 2);
  }
}
