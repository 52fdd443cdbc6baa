/** The whole of a huge photo, small in a corner of the board, with a frame around what is seen; dragging moves it. */

import { h } from "../shared/dom.js";
import { t } from "../shared/language.js";
import { Viewport } from "./viewport.js";
import { number } from "../shared/numbers.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FACTORS = { "+": 1.5, "=": 1.5, "-": 1 / 1.5 };
const STRIDE = 0.25; // of what is seen, for an arrow key
const LEAST = 6; // screen pixels of the frame, however little is seen
/** @type {[number, string][]} widths in screen pixels, the halo first */
const FRAME = [
  [4, "rgb(0 0 0 / 60%)"],
  [2, "#fff"],
];

/** @typedef {import("./canvas.js").Box} Box */

export class Navigator {
  /**
   * @param {HTMLElement} board
   * @param {{onmove: function([number, number]): void, onzoom: function(number): void}} listeners `onmove` is told which point
   *   of the photo is to be in the middle, `onzoom` how many times nearer it is to come
   */
  constructor(board, { onmove, onzoom }) {
    this.onmove = onmove;
    this.onzoom = onzoom;
    this.viewport = new Viewport();
    /** @type {import("./canvas.js").Layer[]} bottom to top */
    this.layers = [];
    /** What is seen, in image pixels. @type {Box} */
    this.seen = [0, 0, 1, 1];
    this.canvas = h("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label": t("The whole photo: drag or use the arrow keys to move what is seen"),
    });
    this.context = this.canvas.getContext("2d");
    this.size = h("span", { class: "number size" });
    this.step = h("span", { class: "number" });
    this.extra = h("span", { class: "extra" });
    this.board = board;
    this.element = h("div", { class: "navigator" }, this.canvas, h("div", { class: "row" }, this.size, this.step, this.extra));
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.go(event);
    });
    this.canvas.addEventListener("pointermove", (event) => this.canvas.hasPointerCapture(event.pointerId) && this.go(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        onzoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 16 : 1) * 0.002));
      },
      { passive: false },
    );
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
  }

  /** A huge photo of width x height is in hand, null for one that needs no navigator. @param {[number, number]|null} size */
  show(size) {
    if (!size) return this.element.remove();
    this.board.append(this.element);
    this.viewport.setImage(...size);
    this.canvas.style.aspectRatio = `${size[0]} / ${size[1]}`;
    this.canvas.classList.toggle("upright", size[1] > size[0]);
    this.redraw();
  }

  /** What is seen, in image pixels, and how many of them are one. @param {Box} seen @param {number} step */
  frame(seen, step) {
    this.seen = seen;
    const [width, height] = [seen[2] - seen[0], seen[3] - seen[1]].map((side) => number(side));
    this.size.textContent = `${width} × ${height} px`;
    this.step.textContent = `1:${step}`;
    this.redraw();
  }

  go(event) {
    const box = this.canvas.getBoundingClientRect();
    this.onmove(this.viewport.toImage(event.clientX - box.left, event.clientY - box.top));
  }

  key(event) {
    const move = ARROWS[event.key],
      factor = FACTORS[event.key];
    if (!(move || factor) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page's own keys are for the board
    if (factor) return this.onzoom(factor);
    const [left, top, right, bottom] = this.seen;
    this.onmove([
      (left + right) / 2 + move[0] * STRIDE * (right - left),
      (top + bottom) / 2 + move[1] * STRIDE * (bottom - top),
    ]);
  }

  redraw() {
    this.waiting ||= requestAnimationFrame(() => {
      this.waiting = 0;
      if (this.element.isConnected) this.draw();
    });
  }

  draw() {
    const { canvas, context, viewport } = this,
      { width, height } = canvas.getBoundingClientRect(),
      ratio = window.devicePixelRatio || 1;
    if (!width || !height) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    viewport.setScreen(width, height);
    viewport.fit();
    const scale = viewport.scale * ratio,
      left = viewport.left * ratio,
      top = viewport.top * ratio;
    const view = { image: viewport.image, scale: viewport.scale, ratio, left, top, box: /** @type {Box} */ ([0, 0, canvas.width, canvas.height]) };
    for (const layer of this.layers) {
      context.setTransform(scale, 0, 0, scale, left, top);
      layer.draw(context, view);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const [x0, y0] = viewport.toScreen(this.seen[0], this.seen[1]),
      [x1, y1] = viewport.toScreen(this.seen[2], this.seen[3]);
    const wide = Math.max(LEAST, x1 - x0),
      high = Math.max(LEAST, y1 - y0);
    for (const [line, style] of FRAME) {
      context.lineWidth = line;
      context.strokeStyle = style;
      context.strokeRect((x0 + x1 - wide) / 2, (y0 + y1 - high) / 2, wide, high);
    }
  }
}
