/** One photo as two heads see it, under a slider. */

import { paint } from "../canvas/labels.js";
import { readPng } from "../canvas/png.js";
import { h } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { number, percent } from "../shared/numbers.js";
import { Turns } from "../shared/turns.js";

export class Compare {
  /** @param {import("./learn.js").LearnPage} page */
  constructor(page) {
    const { part } = page;
    this.page = page;
    this.part = part;
    /** @type {Object<string, any>|null} */
    this.shown = null; // what the server answered, with rasters and picture
    this.turns = new Turns();
    part.slide.addEventListener("input", () => this.slide());
    part["only-changed"].addEventListener("change", () => this.draw());
    part.photo.addEventListener("change", () => this.ask(Number(part.photo.value)));
    part.back.addEventListener("click", () => this.step(-1));
    part.forward.addEventListener("click", () => this.step(1));
  }

  forget() {
    this.turns.begin();
    this.shown = null;
    this.part.compare.hidden = true;
    this.part["no-compare"].hidden = false;
    this.part.changed.textContent = "";
  }

  /** A photo by two heads; undefined leaves the choice to the server. */
  async ask(photo, head = photo === undefined ? undefined : this.shown?.head) {
    const current = this.turns.begin();
    this.part.changed.textContent = t("Asking both heads");
    const answer = await this.page.call("compare", { photo, head });
    if (!current() || answer.late) return;
    if (!answer.ok) {
      this.part.changed.textContent = answer.error;
      return;
    }
    const rasters = await Promise.all(answer.maps.map(readIds));
    const picture = new Image();
    picture.src = `data:image/jpeg;base64,${answer.jpeg}`;
    await picture.decode();
    if (!current()) return;
    this.shown = { ...answer, rasters, picture };
    const { part } = this;
    part["no-compare"].hidden = true;
    part.compare.hidden = false;
    part.photo.replaceChildren(...answer.photos.map((one) => h("option", { value: one.photo }, one.name)));
    part.photo.value = String(answer.photo);
    part["before-name"].textContent = t("Before: {name}", { name: heard(answer.names[0]) });
    part["after-name"].textContent = t("After: {name}", { name: heard(answer.names[1]) });
    const share = `${number(100 * answer.changed)} %`;
    part.changed.textContent = answer.held_back ? t("held back, {share} of the pixels changed", { share }) : t("{share} of the pixels changed", { share });
    this.draw();
    this.table(answer.classes);
  }

  draw() {
    if (!this.shown) return;
    const { part } = this,
      { shown, rasters, picture, classes } = this.shown;
    const colours = [];
    this.part.board.style.setProperty("--shape", String(shown[0] / shown[1]));
    for (const { id, colour } of classes) colours[id] = colour;
    const [before, after] = rasters;
    const only = part["only-changed"].checked;
    for (const [name, ids] of [
      ["before-canvas", before],
      ["after-canvas", after],
    ]) {
      const canvas = part[name];
      [canvas.width, canvas.height] = shown;
      const context = canvas.getContext("2d");
      context.drawImage(picture, 0, 0, ...shown);
      const kept = only ? ids.map((id, i) => (before[i] === after[i] ? 0 : id)) : ids;
      const layer = h("canvas", { width: shown[0], height: shown[1] });
      const most = Math.max(0, ...classes.map(({ id }) => id));
      const palette = Array.from({ length: most + 1 }, (_, id) => colours[id] ?? "");
      layer.getContext("2d").putImageData(paint(kept, shown[0], shown[1], palette), 0, 0);
      context.globalAlpha = 0.55;
      context.drawImage(layer, 0, 0);
    }
    this.slide();
  }

  slide() {
    const at = Number(this.part.slide.value);
    this.part["after-canvas"].style.clipPath = `inset(0 0 0 ${at}%)`;
    this.part.line.style.left = `${at}%`;
    this.part.slide.setAttribute("aria-valuetext", t("before up to {at} %, after from there on", { at }));
  }

  table(classes) {
    const known = classes.some(({ iou }) => iou[0] !== null);
    const pair = (values, text) =>
      h("td", { class: "number" }, values.every((one) => one === null) ? "–" : values.map(text).join(" → "));
    const share = (one) => (one ? percent(one) : "0");
    this.part.scores.replaceChildren(
      h(
        "thead",
        {},
        h("tr", {}, h("th", { scope: "col" }, t("Class")), h("th", { scope: "col" }, t("Share of the photo")), known ? h("th", { scope: "col" }, t("IoU with yours")) : null),
      ),
      h(
        "tbody",
        {},
        ...classes.map(({ name, colour, area, iou }) =>
          h(
            "tr",
            { style: { "--class": colour } },
            h("th", { scope: "row" }, h("span", { class: "swatch" }), ` ${name}`),
            pair(area, share),
            known ? pair(iou, (one) => number(one)) : null,
          ),
        ),
      ),
    );
  }

  step(by) {
    const { photo } = this.part;
    const next = photo.options[photo.selectedIndex + by];
    if (next) this.ask(Number(next.value));
  }
}

async function readIds(base64) {
  const { width, height, channels, bytes } = await readPng(base64);
  if (channels === 1) return bytes;
  return Uint16Array.from({ length: width * height }, (_, i) => (bytes[channels * i] << 8) | bytes[channels * i + 1]);
}
