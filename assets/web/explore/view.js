/** Which layer lies over the photo, how strong, with outlines or not. */

import { LabelLayer } from "../canvas/labelmap.js";
import { PhotoLayer, PinLayer } from "../canvas/layers.js";

const VIEWS = ["labels", "heat", "units", "masks", "photo"];

export class View {
  /**
   * @param {Object<string, any>} part
   * @param {import("../canvas/canvas.js").Canvas} canvas
   * @param {function(string): void} onturn is told the name of each view that a person comes to
   */
  constructor(part, canvas, onturn) {
    this.part = part;
    this.canvas = canvas;
    this.onturn = onturn;
    this.name = "labels";
    this.photo = new PhotoLayer();
    this.pin = new PinLayer();
    /** By view; `heat`, `units` and `masks` are added by those who fill them. */
    this.layers = { photo: this.photo, labels: new LabelLayer(true, 1) };
    this.chosenLayer = null;
    part.views.addEventListener("click", (event) => {
      const name = event.target.closest("[data-view]")?.dataset.view;
      if (name) this.turn(name);
    });
    part.opacity.addEventListener("input", () => this.setOpacity(part.opacity.valueAsNumber / 100));
    part.outlines.addEventListener("click", () => this.toggleOutlines());
  }

  turn(name) {
    this.name = name;
    this.part.views.querySelectorAll("[data-view]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.view === name));
    });
    this.part["opacity-field"].hidden = name === "photo";
    this.part.outlines.hidden = name === "photo" || name === "heat";
    this.part["unit-tools"].hidden = name !== "units";
    this.part["mask-tools"].hidden = name !== "masks";
    this.showOpacity();
    this.showOutlines();
    this.onturn(name);
    this.draw(name);
  }

  next() {
    this.turn(VIEWS[(VIEWS.indexOf(this.name) + 1) % VIEWS.length]);
  }

  /** Draw the layers of a view, without coming to it (a peek). */
  draw(name = this.name) {
    const over = name === "photo" ? [] : [this.layers[name], this.chosenLayer];
    this.canvas.layers = [this.photo, ...over, this.pin];
    this.canvas.redraw();
  }

  get layer() {
    return this.layers[this.name];
  }

  setOpacity(value) {
    if (this.name === "photo") return;
    this.layer.opacity = Math.min(1, Math.max(0, value));
    this.showOpacity();
    this.canvas.redraw();
  }

  fainter() {
    this.setOpacity(this.layer.opacity - 0.1);
  }

  stronger() {
    this.setOpacity(this.layer.opacity + 0.1);
  }

  showOpacity() {
    const shown = Math.round((this.layer.opacity ?? 0) * 100);
    this.part.opacity.value = String(shown);
    this.part.opacity.setAttribute("aria-valuetext", `${shown} %`);
  }

  toggleOutlines() {
    if (!("outlines" in this.layer)) return;
    this.layer.outlines = !this.layer.outlines;
    this.showOutlines();
    this.canvas.redraw();
  }

  showOutlines() {
    this.part.outlines.setAttribute("aria-pressed", String(Boolean(this.layer.outlines)));
  }
}
