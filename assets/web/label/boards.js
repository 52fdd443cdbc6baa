/** The boards: the photo with its labels and, beside it, as the model sees it; and what lies under the pointer. */

import { Cursor } from "../canvas/cursor.js";
import { debounce } from "../shared/dom.js";
import { LabelCanvas, TwinCanvas } from "./canvas.js";
import { LabelLayer, LabelMap } from "../canvas/labelmap.js";
import { PhotoLayer } from "../canvas/layers.js";
import { t } from "../shared/language.js";
import { percent } from "../shared/numbers.js";

const PAUSE = 250; // milliseconds without a move before the place of the keyboard's point is spoken
const WITHIN = 0.12; // of the opacity, inside outlines

export class Boards {
  /**
   * @param {Object<string, any>} part board, model-board, boards, zoom, under, opacity
   * @param {import("./store.js").Store} store
   * @param {function(string, boolean): void} press shows a button as on or off
   */
  constructor(part, store, press) {
    this.part = part;
    this.store = store;
    this.press = press;
    this.photo = new PhotoLayer();
    this.labels = new LabelLayer(false, WITHIN);
    this.model = new LabelLayer(false, WITHIN);
    this.canvas = new LabelCanvas(part.board, t("The photo with its labels: arrow keys move a point, Space or Enter clicks there"));
    this.canvas.layers = [this.photo, this.labels];
    this.twin = new TwinCanvas(part["model-board"], t("The photo as the model sees it"), this.canvas);
    this.twin.layers = [this.photo, this.model];
    /** What the model's view decides, while it is shown. @type {LabelMap|import("../canvas/windowed.js").Pane|null} */
    this.decided = null;
    this.pointed = null;
    /** Called when the view has changed. @type {function(): void} */
    this.onview = () => {};
    this.canvas.onview = ({ scale }) => {
      part.zoom.textContent = store.state.photo ? t("zoom {share}", { share: percent(Math.round(scale * 100) / 100) }) : "";
      this.under();
      if (this.decided) this.twin.follow();
      this.onview();
    };
    for (const canvas of [this.canvas, this.twin]) {
      canvas.element.addEventListener("pointermove", (event) => {
        this.pointed = { canvas, event };
        this.under();
      });
      canvas.element.addEventListener("pointerleave", () => {
        this.pointed = null;
        this.under();
      });
    }
    this.cursor = new Cursor(this.canvas, {
      onmove: (image) => {
        this.canvas.showCursor(image);
        this.pointed = image && { canvas: this.canvas, image };
        this.under();
        this.speakSoon();
      },
      enter: () => !this.canvas.tool?.steps().length, // what was begun is finished by it
    });
    this.speakSoon = debounce(() => (part.spoken.textContent = part.under.textContent), PAUSE);
    store.watch(["map", "classes", "hidden"], (state, { box }) => {
      if (box) this.canvas.redraw(box);
      else this.colour();
      this.under();
    });
  }

  /** Another photo; of a huge one the whole of it, coarse. @param {ImageBitmap} picture @param {[number, number]} size in image pixels */
  show(picture, size) {
    this.photo.set(picture);
    this.canvas.setImage(...size);
    this.part.boards.style.setProperty("--shape", `${size[0]} / ${size[1]}`);
  }

  /** What the model's view decides, or null to put it away. */
  showModel(map) {
    this.decided = map;
    this.part["model-board"].hidden = !map;
    this.part.labelling.classList.toggle("models", Boolean(map));
    if (!map) return;
    this.model.set(map, this.colours());
    this.twin.redraw();
  }

  colours() {
    const { classes, hidden } = this.store.state;
    const colours = [""];
    for (const { id, colour } of classes) colours[id] = hidden.has(id) ? "" : colour;
    return Array.from(colours, (colour) => colour ?? "");
  }

  colour() {
    this.labels.set(this.store.state.map, this.colours());
    if (this.decided) this.model.set(this.decided, this.colours());
    this.redraw();
  }

  redraw() {
    this.canvas.redraw();
    this.twin.redraw();
  }

  get opacity() {
    return this.labels.opacity;
  }

  setOpacity(value) {
    const opacity = Math.min(1, Math.max(0, value));
    this.labels.opacity = this.model.opacity = opacity;
    this.part.opacity.value = Math.round(opacity * 100);
    this.part.opacity.setAttribute("aria-valuetext", percent(opacity));
    this.redraw();
  }

  toggleOutlines() {
    const on = !this.labels.outlines;
    this.labels.outlines = this.model.outlines = on;
    this.press("outlines", on);
    this.redraw();
  }

  showLabels(visible) {
    this.labels.visible = this.model.visible = visible;
    this.redraw();
  }

  /** The class under the pointer, in the status line; a cross marks the place on the other board. */
  under() {
    const { map, photo, classes } = this.store.state;
    if (!map) return;
    const image = this.pointed && (this.pointed.image ?? this.pointed.canvas.point(this.pointed.event).image);
    this.twin.mark(this.pointed?.canvas === this.canvas ? image : null);
    this.canvas.mark(this.pointed?.canvas === this.twin ? image : null);
    const id = image ? map.at(image) : null;
    if (id === null) return void (this.part.under.textContent = "");
    const name = (id) => (id ? (classes.find((each) => each.id === id)?.name ?? "") : t("unlabelled"));
    const model = this.decided ? ` · ${t("model: {name}", { name: name(this.decided.at(scaled(image, photo.size, this.decided))) })}` : "";
    this.part.under.textContent = `${image.map(Math.floor).join(", ")} · ${name(id)}${model}`;
  }
}

/** A point in image pixels, in those of a map that covers the photo with fewer. @returns {[number, number]} */
const scaled = ([x, y], [width, height], map) => (map.window ? [x, y] : [(x * map.width) / width, (y * map.height) / height]);
