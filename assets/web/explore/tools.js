/**
 * Tools turn pointers into gestures. A tool has `press`, `drag`, `release`, `hover` and `leave`, each given the canvas
 * and a point `{screen, image}`. The canvas itself handles the wheel and two fingers; a tool may take the wheel by
 * answering true from `wheel`, and forgets a gesture that it has begun at `cancel`.
 */

const STILL = 4; // a press that moves less than this is a click

/** Look: hovering asks what is there, a click pins the point, dragging moves the photo. */
export class LookTool {
  constructor({ onhover, onpin }) {
    this.onhover = onhover;
    this.onpin = onpin;
  }

  press(canvas, point) {
    this.from = this.last = point.screen;
    this.moved = false;
  }

  drag(canvas, point) {
    const [dx, dy] = [point.screen[0] - this.last[0], point.screen[1] - this.last[1]];
    if (!this.moved && Math.hypot(point.screen[0] - this.from[0], point.screen[1] - this.from[1]) < STILL)
      return;
    this.moved = true;
    this.last = point.screen;
    this.onhover(null);
    canvas.viewport.pan(dx, dy);
    canvas.redraw();
  }

  release(canvas, point) {
    if (!this.moved && canvas.viewport.contains(point.image)) this.onpin(point);
  }

  hover(canvas, point) {
    this.onhover(canvas.viewport.contains(point.image) ? point : null);
  }

  leave() {
    this.onhover(null);
  }
}
