/**
 * A point on a canvas for whoever has no pointer: arrow keys move it, with Shift in larger steps. Space is the button of
 * a mouse there, so that holding it while the point moves draws; Enter clicks.
 */

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 8; // screen pixels
const LARGE_STEP = 64;
const MARGIN = 16; // screen pixels that stay between the point and the edge of the board, if the photo goes on there

export class Cursor {
  /**
   * @param {import("./canvas.js").Canvas} canvas
   * @param {{onmove: function([number, number]|null): void, enter?: function(): boolean}} listeners `onmove` is told where
   *   the point is in image pixels, or null when it goes; `enter` tells whether the Enter key clicks now
   */
  constructor(canvas, { onmove, enter = () => true }) {
    this.canvas = canvas;
    this.onmove = onmove;
    this.enter = enter;
    /** @type {[number, number]|null} image pixels */
    this.at = null;
    this.pressed = false;
    const { element } = canvas;
    element.addEventListener("keydown", (event) => this.down(event));
    element.addEventListener("keyup", (event) => event.key === " " && this.up(event));
    for (const gone of ["pointermove", "pointerdown", "blur"]) element.addEventListener(gone, () => this.go());
  }

  down(event) {
    const move = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) this.step(move, event);
    else if (!this.at) return;
    else if (event.key === " ") this.press(event);
    else if (event.key === "Enter" && this.enter()) {
      this.press(event);
      this.up(event);
    } else return;
    event.preventDefault();
  }

  step([dx, dy], event) {
    const { viewport, tool } = this.canvas,
      stride = (event.shiftKey ? LARGE_STEP : STEP) / viewport.scale;
    const from = this.at ?? viewport.toImage(viewport.screen[0] / 2, viewport.screen[1] / 2);
    this.at = stepped(from, [dx * stride, dy * stride], viewport.image);
    this.keepInSight();
    const point = this.point(event);
    if (this.pressed) tool?.drag(this.canvas, point);
    else tool?.hover(this.canvas, point);
    this.onmove(this.at);
  }

  keepInSight() {
    const { viewport } = this.canvas,
      place = viewport.toScreen(...this.at);
    const [dx, dy] = place.map((value, axis) => {
      const most = viewport.screen[axis] - MARGIN;
      return value < MARGIN ? MARGIN - value : value > most ? most - value : 0;
    });
    if (!dx && !dy) return;
    viewport.pan(dx, dy);
    this.canvas.changed();
  }

  press(event) {
    if (event.repeat || this.pressed) return;
    this.pressed = true;
    this.canvas.tool?.press(this.canvas, this.point(event));
  }

  up(event) {
    if (!this.pressed) return;
    this.pressed = false;
    this.canvas.tool?.release(this.canvas, this.point(event));
  }

  /** A pointer is there, or the canvas is left. */
  go() {
    if (!this.at) return;
    this.at = null;
    if (this.pressed) this.canvas.tool?.cancel?.(this.canvas);
    this.pressed = false;
    this.onmove(null);
  }

  point(event) {
    return { image: this.at, screen: this.canvas.viewport.toScreen(...this.at), pointer: "keyboard", event };
  }
}

/** A point of a photo moved by so much, and kept within it. @returns {[number, number]} */
export function stepped(from, by, size) {
  const [x, y] = [0, 1].map((axis) => Math.min(Math.max(from[axis] + by[axis], 0.5), size[axis] - 0.5));
  return [x, y];
}
