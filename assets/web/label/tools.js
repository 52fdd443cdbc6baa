/**
 * The tools of the Label page. Each turns pointers into one gesture of the HTTP contract, in image pixels, and draws
 * what it is about to do above the photo. What they share with the page is the desk: class in hand, brush size, and
 * `paint(operation, sketch)`.
 */

import { RegionMask } from "../canvas/mask.js";

const STILL = 4; // screen pixels: a press that moves less than this is a click
const CLOSE = 10; // screen pixels from the first corner that close a polygon
const MOST_POINTS = 20_000; // the server's limit for one stroke
const ERASER = { id: 0, colour: "#ffffff" };

const right = (point) => point.event.button === 2;
const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const rounded = ([x, y]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100];

/** What every tool is: a layer above the photo and a listener to pointers that does nothing yet. */
class Tool {
  constructor(desk) {
    this.desk = desk;
  }
  press() {}
  drag() {}
  release() {}
  hover() {}
  leave() {}
  cancel() {}
  draw() {}
  /** The tool is put down. */
  drop() {
    this.cancel();
  }
}

/** Move the photo. */
export class PanTool extends Tool {
  press(canvas, { screen }) {
    this.last = screen;
    canvas.element.style.cursor = "grabbing";
  }

  drag(canvas, { screen }) {
    if (!this.last) return;
    canvas.viewport.pan(screen[0] - this.last[0], screen[1] - this.last[1]);
    this.last = screen;
    canvas.changed();
  }

  release(canvas) {
    this.last = null;
    canvas.element.style.cursor = canvas.grabbed ? "grab" : "";
  }
}

/** A stroke; the right button erases. Shift joins a click to the end of the stroke before. */
export class BrushTool extends Tool {
  /** @param {boolean} erases */
  constructor(desk, erases = false) {
    super(desk);
    this.erases = erases;
  }

  press(canvas, point) {
    if (point.event.altKey) return this.desk.pick(point.image);
    const paint = this.erases || right(point) ? ERASER : this.desk.classInHand;
    if (!paint) return this.desk.say("Add a class first, then paint.");
    const from = point.event.shiftKey && this.end ? [this.end] : [];
    this.sketch = new Stroke(paint, this.desk.radius, [...from, rounded(point.image)]);
    this.hover(canvas, point);
  }

  drag(canvas, point) {
    if (this.sketch) {
      const all = point.event.getCoalescedEvents?.() ?? [];
      for (const event of all.length ? all : [point.event]) this.sketch.add(rounded(canvas.point(event).image), canvas);
    }
    this.hover(canvas, point);
  }

  release(canvas, point) {
    const { sketch } = this;
    if (!sketch) return;
    this.sketch = null;
    this.end = rounded(point.image);
    this.desk.paint({ type: "brush", class: sketch.paint.id, radius: sketch.radius, points: sketch.points }, sketch);
  }

  hover(canvas, point) {
    this.at = point.pointer === "touch" ? null : point.image;
    canvas.redrawAbove();
  }

  leave(canvas) {
    this.at = null;
    canvas.redrawAbove();
  }

  cancel(canvas) {
    this.sketch = this.at = null;
    canvas?.redrawAbove();
  }

  wheel(canvas, { event }) {
    if (!event.ctrlKey && !event.altKey) return false;
    this.desk.resize(event.deltaY < 0 ? 1 : -1);
    return true;
  }

  draw(context, view) {
    this.sketch?.draw(context, view);
    if (!this.at) return;
    for (const [width, colour] of [
      [3, "rgb(0 0 0 / 60%)"],
      [1.5, (!this.erases && this.desk.classInHand?.colour) || "#fff"],
    ]) {
      context.beginPath();
      context.arc(...this.at, this.desk.radius, 0, 7);
      context.lineWidth = width / view.scale;
      context.strokeStyle = colour;
      context.stroke();
    }
  }
}

/** A stroke that is not saved yet, in a tint of its class. */
class Stroke {
  constructor(paint, radius, points) {
    Object.assign(this, { paint, radius, points });
  }

  /** One more point, unless it lies where the last one does. */
  add(point, canvas) {
    const least = Math.max(0.25, Math.min(0.5 / canvas.viewport.scale, this.radius / 4));
    if (far(point, this.points.at(-1)) < least || this.points.length >= MOST_POINTS) return;
    this.points.push(point);
  }

  draw(context) {
    context.globalAlpha = 0.35;
    context.lineWidth = 2 * this.radius;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = this.paint.colour;
    context.beginPath();
    context.moveTo(...this.points[0]);
    for (const point of this.points) context.lineTo(...point);
    context.stroke();
    context.globalAlpha = 1;
  }
}

/** Corners by clicks, or a lasso by dragging; the first corner, a double click or Enter closes it. */
export class PolygonTool extends Tool {
  points = [];

  press(canvas, point) {
    if (point.event.altKey) return this.desk.pick(point.image);
    if (right(point)) return this.undo();
    const first = this.points[0];
    const now = point.event.timeStamp,
      twice = this.points.length > 2 && now - this.pressed < 350 && far(this.last, point.screen) < 2 * STILL;
    this.pressed = now;
    if (twice || (this.points.length > 2 && far(canvas.viewport.toScreen(...first), point.screen) < CLOSE))
      return this.accept();
    this.points.push(rounded(point.image));
    this.from = this.last = point.screen;
    this.lasso = false;
    this.hover(canvas, point);
  }

  drag(canvas, point) {
    if (this.from && far(point.screen, this.from) > 2 * STILL) this.lasso = true;
    if (this.lasso && far(point.screen, this.last) > 2) {
      this.points.push(rounded(point.image));
      this.last = point.screen;
    }
    this.hover(canvas, point);
  }

  release() {
    const lasso = this.lasso;
    this.from = null;
    this.lasso = false;
    if (lasso) this.accept();
  }

  hover(canvas, point) {
    this.at = point.image;
    canvas.redrawAbove();
  }

  /** Close and paint it. */
  accept() {
    const points = this.points,
      paint = this.desk.classInHand;
    if (!points.length) return false;
    this.cancel();
    if (!paint) this.desk.say("Add a class first, then paint.");
    else if (points.length > 2) this.desk.paint({ type: "polygon", class: paint.id, points }, new Outline(paint, points));
    return true;
  }

  /** Take the last corner back. */
  undo() {
    const had = this.points.length > 0;
    this.points.pop();
    this.desk.canvas.redrawAbove();
    return had;
  }

  cancel() {
    const had = this.points.length > 0;
    this.points = [];
    this.from = this.at = null;
    this.lasso = false;
    this.desk.canvas.redrawAbove();
    return had;
  }

  draw(context, { scale }) {
    if (!this.points.length) return;
    const line = [...this.points, ...(this.at && !this.lasso ? [this.at] : [])];
    for (const [width, colour] of [
      [4, "rgb(0 0 0 / 60%)"],
      [2, this.desk.classInHand?.colour ?? "#fff"],
    ]) {
      context.lineWidth = width / scale;
      context.strokeStyle = colour;
      context.beginPath();
      for (const point of line) context.lineTo(...point);
      context.stroke();
    }
    context.fillStyle = "#fff";
    for (const point of this.lasso ? [] : this.points) {
      context.beginPath();
      context.arc(...point, 3.5 / scale, 0, 7);
      context.fill();
      context.lineWidth = 1 / scale;
      context.strokeStyle = "#000";
      context.stroke();
    }
  }
}

/** A polygon that is not saved yet. */
class Outline {
  constructor(paint, points) {
    Object.assign(this, { paint, points });
  }

  draw(context) {
    context.globalAlpha = 0.35;
    context.fillStyle = this.paint.colour;
    context.beginPath();
    for (const point of this.points) context.lineTo(...point);
    context.fill("evenodd");
    context.globalAlpha = 1;
  }
}

/** One click, one gesture: what `gesture(paint, point)` answers. */
export class ClickTool extends Tool {
  /** @param {function({id: number}, [number, number]): Object|null} gesture */
  constructor(desk, gesture) {
    super(desk);
    this.gesture = gesture;
  }

  press(canvas, point) {
    this.from = point.screen;
  }

  release(canvas, point) {
    if (!canvas.viewport.contains(point.image)) return;
    if (point.event.altKey) return this.desk.pick(point.image);
    const paint = right(point) ? ERASER : this.desk.classInHand;
    if (!paint) return this.desk.say("Add a class first, then paint.");
    const operation = this.gesture(paint, rounded(point.image));
    if (operation) this.desk.paint(operation, null);
  }
}

/** Clicks on what belongs to a thing (left) and what does not (right, or with Alt), or a box around it. */
export class PromptTool extends Tool {
  points = [];
  box = null;
  mask = null;
  asking = null;
  turn = 0;

  press(canvas, point) {
    this.from = point;
    this.boxing = null;
  }

  drag(canvas, point) {
    if (this.from && far(point.screen, this.from.screen) > STILL) this.boxing = this.boxOf(canvas, point);
    canvas.redrawAbove();
  }

  release(canvas, point) {
    const { from } = this;
    this.from = null;
    if (!from) return;
    if (this.boxing) {
      this.box = this.boxing;
      this.boxing = null;
    } else if (canvas.viewport.contains(point.image)) {
      const out = from.event.button === 2 || from.event.altKey;
      this.points.push([...rounded(point.image), out ? -1 : 1]);
    } else return;
    this.ask();
  }

  boxOf(canvas, point) {
    const [width, height] = canvas.viewport.image;
    const xs = [this.from.image[0], point.image[0]].map((x) => Math.min(Math.max(x, 0), width)),
      ys = [this.from.image[1], point.image[1]].map((y) => Math.min(Math.max(y, 0), height));
    const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
    return box[2] - box[0] >= 1 && box[3] - box[1] >= 1 ? box : null;
  }

  async ask() {
    const turn = ++this.turn;
    this.desk.canvas.redrawAbove();
    if (!this.points.length && !this.box) return this.cancel();
    this.asking = this.desk.ask("prompt", { points: this.points, box: this.box });
    const reply = await this.asking;
    if (turn !== this.turn) return;
    this.asking = null;
    if (!reply.ok) {
      this.desk.say(reply.error);
      this.undo();
      return;
    }
    this.mask = reply.masks.length ? new RegionMask(reply.masks[0]) : null;
    this.desk.say(
      this.mask ? "Enter labels it; click on to mend it (right click: not this); Esc lets go." : "Nothing was found there; add another point.",
    );
    this.desk.canvas.redrawAbove();
  }

  /** Label the mask of all clicks so far; one that is still being found is waited for. */
  async accept() {
    const turn = this.turn;
    await this.asking;
    const { mask } = this,
      paint = this.desk.classInHand;
    if (!mask || turn !== this.turn) return;
    this.cancel();
    if (!paint) this.desk.say("Add a class first, then paint.");
    else this.desk.paint({ type: "region", class: paint.id, rle: mask.rle }, new MaskSketch(mask, paint));
  }

  /** Take the last click back. */
  undo() {
    const had = this.points.length > 0 || this.box !== null;
    if (this.points.length) this.points.pop();
    else this.box = null;
    if (this.points.length || this.box) this.ask();
    else this.cancel();
    return had;
  }

  cancel() {
    const had = this.points.length > 0 || this.box !== null;
    Object.assign(this, { points: [], box: null, mask: null, boxing: null, from: null, asking: null });
    this.turn++;
    if (had) this.desk.say("");
    this.desk.canvas.redrawAbove();
    return had;
  }

  draw(context, view) {
    const { scale } = view;
    this.mask?.draw(context, view, this.desk.classInHand?.colour ?? "#fff", 0.45);
    const box = this.boxing ?? this.box;
    if (box) {
      for (const [width, colour] of [
        [3.5, "rgb(0 0 0 / 60%)"],
        [1.5, "#fff"],
      ]) {
        context.lineWidth = width / scale;
        context.strokeStyle = colour;
        context.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
      }
    }
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

/** A mask that is not saved yet. */
class MaskSketch {
  constructor(mask, paint) {
    Object.assign(this, { mask, paint });
  }

  draw(context, view) {
    this.mask.draw(context, view, this.paint.colour, 0.35);
  }
}

/** Whole units: the mask under the pointer lights up, the wheel takes a smaller or larger one, a click labels it. */
export class UnitTool extends Tool {
  levels = [];
  level = 0;
  /** Area of the mask chosen last, so that the wheel is not needed at every thing of one size. */
  wanted = 0;

  hover(canvas, point) {
    this.point = canvas.viewport.contains(point.image) ? point.image : null;
    if (!this.point) return this.leave(canvas);
    if (!this.levels[0]?.has(this.point)) this.look();
  }

  leave(canvas) {
    this.point = null;
    this.levels = [];
    canvas.redrawAbove();
  }

  /** Ask what is under the pointer; one question at a time, always about the newest place. */
  async look() {
    if (this.looking) return this.looking;
    const { point } = this;
    this.looking = this.desk.ask("hierarchy", { x: point[0], y: point[1] });
    const reply = await this.looking;
    this.looking = null;
    if (!reply.ok) return this.desk.say(reply.error);
    if (!this.point) return;
    this.levels = reply.masks.map((mask) => new RegionMask(mask));
    this.level = this.likeLast();
    this.desk.canvas.redrawAbove();
    if (this.point !== point && !this.levels[0]?.has(this.point)) await this.look();
  }

  likeLast() {
    const [width, height] = this.desk.canvas.viewport.image;
    const wanted = this.wanted || 0.02 * width * height;
    const off = this.levels.map((mask) => Math.abs(Math.log(Math.max(mask.area, 1) / wanted)));
    return Math.max(0, off.indexOf(Math.min(...off)));
  }

  wheel(canvas, { event }) {
    if (event.ctrlKey || event.altKey || !this.levels.length) return false;
    this.step(event.deltaY < 0 ? 1 : -1);
    return true;
  }

  /** One level up (larger) or down. */
  step(by) {
    this.level = Math.min(Math.max(this.level + by, 0), this.levels.length - 1);
    this.wanted = this.levels[this.level]?.area ?? 0;
    this.desk.canvas.redrawAbove();
  }

  press(canvas, point) {
    this.pressed = point;
  }

  async release(canvas, point) {
    const { pressed } = this;
    this.pressed = null;
    if (!pressed || !canvas.viewport.contains(point.image)) return;
    if (pressed.event.altKey) return this.desk.pick(point.image);
    const seen = this.levels[this.level]?.has(point.image);
    this.point = point.image;
    if (!seen) await (this.looking ?? this.look());
    if (!this.levels[this.level]?.has(point.image)) await this.look();
    // A finger does not hover: its first tap shows the unit, the second labels it.
    if (point.pointer === "touch" && !seen) return;
    const mask = this.levels[this.level],
      paint = pressed.event.button === 2 ? ERASER : this.desk.classInHand;
    if (!mask) return;
    if (!paint) return this.desk.say("Add a class first, then paint.");
    this.wanted = mask.area;
    this.desk.paint({ type: "region", class: paint.id, rle: mask.rle }, new MaskSketch(mask, paint));
  }

  cancel() {
    this.levels = [];
    this.point = this.pressed = null;
    this.desk.canvas.redrawAbove();
    return false;
  }

  draw(context, view) {
    this.levels[this.level]?.draw(context, view, this.desk.classInHand?.colour ?? "#fff", 0.3);
  }
}
