/** Where the photo lies on the screen: zoom, pan, fit. Image coordinates are pixels of the photo. */

const MOST = 40; // screen pixels a photo pixel

export class Viewport {
  constructor() {
    /** @type {[number, number]} */
    this.image = [1, 1];
    /** @type {[number, number]} */
    this.screen = [1, 1];
    this.scale = 1;
    this.left = 0;
    this.top = 0;
    this.fitted = true;
  }

  /** A photo of width x height; it is fitted. */
  setImage(width, height) {
    this.image = [width, height];
    this.fit();
  }

  /** The screen, in CSS pixels; a fitted photo stays fitted. */
  setScreen(width, height) {
    this.screen = [Math.max(1, width), Math.max(1, height)];
    if (this.fitted) this.fit();
    else this.hold();
  }

  get fitScale() {
    return Math.min(this.screen[0] / this.image[0], this.screen[1] / this.image[1]);
  }

  fit() {
    this.scale = this.fitScale;
    this.left = (this.screen[0] - this.image[0] * this.scale) / 2;
    this.top = (this.screen[1] - this.image[1] * this.scale) / 2;
    this.fitted = true;
  }

  /** Multiply the zoom by `factor`; the point (x, y) of the screen stays where it is. */
  zoom(factor, x = this.screen[0] / 2, y = this.screen[1] / 2) {
    const least = this.fitScale;
    const scale = Math.min(Math.max(this.scale * factor, least), Math.max(MOST, least));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.fitted = scale <= least * 1.001;
    if (this.fitted) this.fit();
    else this.hold();
  }

  pan(dx, dy) {
    if (this.fitted) return;
    this.left += dx;
    this.top += dy;
    this.hold();
  }

  /** Bring a point of the photo into the middle of the screen. @param {[number, number]} point */
  centre([x, y]) {
    this.pan(this.screen[0] / 2 - x * this.scale - this.left, this.screen[1] / 2 - y * this.scale - this.top);
  }

  /** @returns {[number, number]} image coordinates of a point of the screen */
  toImage(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  /** @returns {[number, number]} */
  toScreen(x, y) {
    return [x * this.scale + this.left, y * this.scale + this.top];
  }

  contains([x, y]) {
    return x >= 0 && y >= 0 && x < this.image[0] && y < this.image[1];
  }

  /** Keep the photo on the screen: no gap on a side where it is larger, centred where it is smaller. */
  hold() {
    [this.left, this.top] = [this.left, this.top].map((offset, axis) => {
      const length = this.image[axis] * this.scale,
        room = this.screen[axis];
      return length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, offset));
    });
  }
}
