/** Labels out: a format, a split, and which photos, pixels and classes. */

import { Options } from "./options.js";
import { h } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { listed } from "../shared/numbers.js";

const MADE_BY = { person: t("a person drew"), accepted: t("a person accepted"), model: t("a model labelled") };
const SPLITS = ["train", "val", "test"];
const CHOICES = { states: t("states"), provenance: t("provenance"), classes: t("classes") };

export class ExportForm {
  /** @param {import("./data.js").DataPage} page */
  constructor(page) {
    const { part, given } = page;
    this.page = page;
    this.part = part;
    this.given = given;
    this.format = page.format;
    this.offered = new Options(part["export-options"]);
    /** Classes that a person left out, by name: whatever comes later is ticked. */
    this.without = new Set();
    part["export-formats"].replaceChildren(...given.formats.filter(({ writes }) => writes).map((format) => this.choice(format)));
    part["export-states"].replaceChildren(...given.states.map((state) => check(state, heard(state), true)));
    part["export-provenance"].replaceChildren(...given.provenance.map((kind) => check(kind, MADE_BY[kind], true)));
    part["export-formats"].addEventListener("change", ({ target }) => {
      this.format = target.value;
      this.showFormat();
      part["export-outcome"].replaceChildren();
    });
    part["export-classes"].addEventListener("change", ({ target }) => {
      target.checked ? this.without.delete(target.value) : this.without.add(target.value);
    });
    part["export-box"].addEventListener("change", () => {
      part.shares.hidden = page.picked("split") === "no";
      this.say();
    });
    part["export-check"].addEventListener("click", () => this.run(true));
    part["export-go"].addEventListener("click", () => this.run(false));
    this.showFormat();
    this.say();
  }

  choice({ name, title }) {
    const radio = h("input", { type: "radio", name: "export-format", value: name, checked: name === this.format });
    return h("label", {}, radio, h("span", {}, title));
  }

  showFormat() {
    const format = this.given.formats.find(({ name }) => name === this.format);
    this.part["export-layout"].textContent = heard(format.layout);
    this.offered.show(format.export_options);
  }

  forget() {
    this.without.clear();
    this.part["export-outcome"].replaceChildren();
  }

  /** @param {{name: string, colour: string}[]} classes all of the project's */
  classes(classes) {
    this.part["export-classes"].replaceChildren(
      ...classes.map(({ name, colour }) => check(name, name, !this.without.has(name), colour)),
    );
    this.say();
  }

  boxes(name, which = "") {
    return [...this.part[`export-${name}`].querySelectorAll(`input${which}`)];
  }

  checked(name) {
    return this.boxes(name, ":checked").map((box) => box.value);
  }

  /** What was chosen of the photos and pixels, beside the folded form. */
  say() {
    const less = Object.keys(CHOICES).filter((name) => this.boxes(name, ":not(:checked)").length);
    this.part.chosen.textContent = less.length ? t("not all {parts}", { parts: listed(less.map((name) => CHOICES[name])) }) : t("all");
  }

  options() {
    const { part, page } = this;
    const shares = Object.fromEntries(SPLITS.map((name) => [name, part[`share-${name}`].valueAsNumber / 100 || 0]));
    return {
      ...this.offered.values(),
      split: page.picked("split") === "yes" ? shares : null,
      seed: part.seed.valueAsNumber || 0,
      states: this.checked("states"),
      provenance: this.checked("provenance"),
      classes: this.boxes("classes", ":not(:checked)").length ? this.checked("classes") : null,
    };
  }

  run(dry) {
    const { page, part } = this;
    const folder = part["export-place"].value.trim() || null;
    const message = { format: this.format, options: this.options(), dry_run: dry, folder };
    return page.work.run(part["export-outcome"], () => page.server.call("export", message));
  }
}

function check(value, text, checked, colour = null) {
  return h(
    "label",
    { class: "check", style: colour ? { "--class": colour } : {} },
    h("input", { type: "checkbox", value, checked }),
    colour ? h("span", { class: "swatch" }) : null,
    h("span", {}, text),
  );
}
