/**
 * What a tool is. A tool is a file of this folder, named in `index.js`, whose default export says what the page shows of
 * it and makes the thing that listens to pointers:
 *
 *     import { Outline } from "./sketches.js";
 *     import { Tool, rounded } from "./tool.js";
 *
 *     class RectangleTool extends Tool {
 *       press(canvas, point) {
 *         this.from = rounded(point.image);
 *       }
 *       release(canvas, point) {
 *         const paint = this.paintOf(point),
 *           [[x0, y0], [x1, y1]] = [this.from ?? point.image, rounded(point.image)];
 *         const points = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
 *         if (paint) this.desk.paint({ type: "polygon", class: paint.id, points }, new Outline(paint, points));
 *       }
 *     }
 *
 *     export default {
 *       name: "rectangle",
 *       icon: "polygon",
 *       label: "Rectangle from corner to corner",
 *       keys: ["w"],
 *       hint: "Drag from one corner to the other.",
 *       create: (desk) => new RectangleTool(desk),
 *     };
 *
 * Button, key, list of keys and hint follow from it. A gesture is one operation of the HTTP contract, in image pixels.
 */

import { t } from "../../shared/language.js";

/**
 * @typedef {Object} ToolModule
 * @property {string} name unique; what the page's parts call it
 * @property {string} icon of the set in `shared/icons.js`
 * @property {string} label what it does, as button and list of keys say it
 * @property {string[]} keys see `shared/actions.js`
 * @property {string} [hint] said on the board when it is taken in hand
 * @property {string} [touchHint] the same where nothing hovers
 * @property {string} [cursor] of CSS; a cross if it is left out
 * @property {boolean} [sized] it has the brush's size
 * @property {function(import("../desk.js").Desk): Tool} create
 *
 * @typedef {Object} Point a pointer's place
 * @property {[number, number]} screen CSS pixels from the canvas's corner
 * @property {[number, number]} image pixels of the photo
 * @property {string} pointer "mouse", "touch", "pen" or "keyboard"
 * @property {PointerEvent|KeyboardEvent} event
 *
 * @typedef {import("../canvas.js").LabelCanvas} LabelCanvas
 */

/** The steps that most tools share. */
export const acceptStep = (tool, text) => ({ name: "accept", icon: "check", label: `${text} (Enter)`, text, run: () => tool.accept() });
export const undoStep = (tool, label) => ({ name: "undo", icon: "undo", label: `${label} (Backspace)`, run: () => tool.undo() });
export const cancelStep = (tool) => ({ name: "cancel", icon: "close", label: t("Let go of it (Esc)"), run: () => tool.cancel() });

export const STILL = 4; // screen pixels: a press that moves less than this is a click
export const ERASER = { id: 0, colour: "#ffffff" };

/** @param {Point} point */
export const right = ({ event }) => /** @type {PointerEvent} */ (event).button === 2;
export const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
/** Coordinates as they travel: in hundredths of a pixel. @returns {[number, number]} */
export const rounded = ([x, y]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100];

/** What every tool is: a layer above the photo and a listener to pointers that does nothing yet. */
export class Tool {
  turn = 0; // of gestures: an answer to an older one is dropped

  /** @param {import("../desk.js").Desk} desk */
  constructor(desk) {
    this.desk = desk;
  }

  /** @param {LabelCanvas} canvas @param {Point} point */
  press(canvas, point) {}
  /** @param {LabelCanvas} canvas @param {Point} point */
  drag(canvas, point) {}
  /** @param {LabelCanvas} canvas @param {Point} point */
  release(canvas, point) {}
  /** @param {LabelCanvas} canvas @param {Point} point */
  hover(canvas, point) {}
  /** @param {LabelCanvas} canvas */
  leave(canvas) {}
  /** @param {CanvasRenderingContext2D} context @param {Object} view */
  draw(context, view) {}
  /** Take the wheel; false leaves it to the zoom. @param {LabelCanvas} canvas @param {Point} point @returns {boolean} */
  wheel(canvas, point) {
    return false;
  }

  /** Let go of the gesture that was begun, and of answers to it; whether there was one. @returns {boolean} */
  cancel() {
    this.turn++;
    this.changed();
    return false;
  }

  /** Another photo is in hand: nothing of the one before is kept. */
  forget() {
    this.cancel();
  }

  /** Finish what was begun; whether there was anything. @returns {boolean|Promise<boolean>} */
  accept() {
    return false;
  }

  /** Take the last step of what was begun back; whether there was one. @returns {boolean} */
  undo() {
    return false;
  }

  /** Take something larger (1) or smaller (-1); whether this tool has that. @returns {boolean} */
  step(by) {
    return false;
  }

  /** Another class was taken in hand. */
  classChosen() {}

  /** Let the next clicks say what does not belong to the thing, or no longer. */
  negate() {}

  /** What can be done about what was begun, in the order of its buttons. @returns {import("../steps.js").Step[]} */
  steps() {
    return [];
  }

  /** What was begun has changed, and what is drawn of it. */
  changed() {
    this.desk.changed(this);
  }

  /** The class that a press at `point` paints with, none where there is none yet. */
  paintOf(point) {
    return right(point) ? ERASER : this.desk.classToPaint();
  }

  /**
   * Ask the server about the photo in hand.
   * @param {string} name of the server function
   * @param {Object} message
   * @returns {Promise<any>} null if the gesture was let go of or another photo taken meanwhile: nobody waits for it
   */
  async ask(name, message) {
    const { turn } = this,
      { photo } = this.desk;
    const reply = await this.desk.ask(name, message);
    return turn === this.turn && photo === this.desk.photo ? reply : null;
  }
}
