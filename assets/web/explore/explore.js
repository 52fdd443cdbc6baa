/** Explore: see what words find in a photo. */

import { Actions } from "../shared/actions.js";
import { Canvas } from "../canvas/canvas.js";
import { Connection } from "./connection.js";
import { debounce, h, icon, parts } from "../shared/dom.js";
import { SCALE_CSS } from "../canvas/heat.js";
import { MaskView } from "./masks.js";
import { listenForPhotos } from "../shared/intake.js";
import { decide, measure } from "../canvas/labels.js";
import { HeatLayer, LabelLayer, PhotoLayer, PinLayer, UnitLayer } from "../canvas/layers.js";
import { readAnswer, readMasks, readPartition } from "../canvas/payload.js";
import { bytesOf } from "../canvas/png.js";
import { hear, tell } from "../shared/bus.js";
import { ContactSheet } from "./sheet.js";
import { LookTool } from "./tools.js";
import { Waiting } from "../shared/waiting.js";
import { bars, decimal, placeTip, whyHere } from "./why.js";
import { ClassList, percent, withWord } from "./words.js";

const TYPING_PAUSE = 300; // milliseconds without a key before words are asked
const VIEWS = ["labels", "heat", "units", "masks", "photo"];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The page's markup is in place: bring it to life. */
export function mount(root, server, given) {
  return new Explore(root, server, given);
}

class Explore {
  constructor(root, server, given) {
    Object.assign(this, { given, connection: new Connection(server) });
    this.part = parts(root);
    /** @type {import("../canvas/payload.js").Answer|null} */
    this.answer = null;
    this.photo = null; // what the server said about it
    this.levels = new Map();
    this.hidden = new Set();
    this.colours = {};
    this.selected = -1;
    this.view = "labels";
    this.ownScale = false;
    this.turn = 0; // of questions: an answer to an older one is dropped
    this.masks = new MaskView(this.part, given.sure, () => this.canvas?.redraw());
    this.layers = {
      photo: new PhotoLayer(),
      labels: new LabelLayer(),
      heat: new HeatLayer(),
      units: new UnitLayer(),
      masks: this.masks.layer,
      pin: new PinLayer(),
    };
    this.waiting = new Waiting(this.part.busy);
    this.canvas = new Canvas(this.part.board, "The photo with its labels");
    this.canvas.tool = new LookTool({
      onhover: (point) => this.hover(point),
      onpin: (point) => this.pin(point),
    });
    this.canvas.onview = (viewport) => {
      this.part.zoom.textContent = `${Math.round(viewport.scale * 100)} %`;
    };
    this.classes = new ClassList(this.part.classes, {
      onselect: (k) => this.select(this.view === "heat" && this.selected === k ? -1 : k),
      onhide: (name) => this.hide(name),
      onlevel: (name, level) => this.setLevel(name, level),
    });
    this.sheet = new ContactSheet(this.part.sheet, (k) => this.select(k));
    this.askSoon = debounce(() => this.ask(), TYPING_PAUSE);
    this.explainSoon = debounce(() => this.layers.pin.point && this.explain(), 60);
    this.loadUnitsSoon = debounce(() => this.loadUnits(), 120);
    this.listen();
    this.showSamples();
    this.setView("labels");
    hear("status", (status) => this.hearStatus(status));
    hear("page", () => this.shown && this.photo && tell("photo", this.photo));
    this.openSample(given.samples[0]);
  }

  // --- controls ---------------------------------------------------------------------------------------------------

  listen() {
    const { part } = this;
    listenForPhotos(
      part,
      (file) => this.openFile(file),
      (text) => this.problem(text),
      () => this.shown,
    );
    part.words.addEventListener("input", this.askSoon);
    part.words.addEventListener("change", this.askSoon.now);
    part.views.addEventListener("click", (event) => {
      const view = event.target.closest("[data-view]")?.dataset.view;
      if (view) this.setView(view);
    });
    this.canvas.element.addEventListener("keydown", (event) => {
      const move = ARROWS[event.key];
      if (!move || !this.answer) return;
      event.preventDefault();
      this.step(...move);
    });
    part.opacity.addEventListener("input", () => this.setOpacity(part.opacity.valueAsNumber / 100));
    part.outlines.addEventListener("click", () => this.toggleOutlines());
    part["zoom-in"].addEventListener("click", () => this.canvas.zoom(1.5));
    part["zoom-out"].addEventListener("click", () => this.canvas.zoom(1 / 1.5));
    part.fit.addEventListener("click", () => this.canvas.fit());
    part.keys.addEventListener("click", () => this.showKeys());
    for (const name of ["by", "refine", "templates"]) {
      part[name].addEventListener("change", () => this.ask());
    }
    for (const [name, options] of [
      ["by", this.given.methods],
      ["refine", this.given.refinements],
      ["templates", this.given.templates],
    ]) {
      part[name].append(...options.map(([value, text]) => h("option", { value }, text)));
    }
    part.kind.addEventListener("change", () => this.loadUnits());
    part.grain.addEventListener("input", this.loadUnitsSoon);
    part.explore.querySelectorAll("[data-download]").forEach((button) => {
      button.addEventListener("click", () => this.download(button));
    });
    this.actions = new Actions({
      words: { label: "Type words", keys: ["/"], run: () => part.words.focus() },
      view: {
        label: "Next layer",
        keys: ["v"],
        run: () => this.setView(VIEWS[(VIEWS.indexOf(this.view) + 1) % VIEWS.length]),
      },
      peek: {
        label: "Hold: the photo alone",
        keys: ["h"],
        run: () => this.setLayers("photo"),
        release: () => this.setLayers(this.view),
      },
      outlines: { label: "Outlines", keys: ["o"], run: () => this.toggleOutlines() },
      fainter: { label: "Overlay fainter", keys: [","], run: () => this.setOpacity(this.opacity - 0.1) },
      stronger: { label: "Overlay stronger", keys: ["."], run: () => this.setOpacity(this.opacity + 0.1) },
      zoomIn: { label: "Zoom in (or turn the wheel)", keys: ["+", "="], run: () => this.canvas.zoom(1.5) },
      zoomOut: { label: "Zoom out", keys: ["-"], run: () => this.canvas.zoom(1 / 1.5) },
      fit: { label: "Fit the photo", keys: ["0"], run: () => this.canvas.fit() },
      heat: {
        label: "Heat map of a word, by its place",
        keys: [..."123456789"],
        run: (event) => this.select(Number(event.key) - 1),
      },
      keys: { label: "This list", keys: ["?"], run: () => this.showKeys() },
      back: { label: "Let go of the pin, the heat map", keys: ["Escape"], run: () => this.back() },
    }, part.explore);
  }

  showSamples() {
    this.part.samples.replaceChildren(
      ...this.given.samples.map((sample) =>
        h(
          "button",
          {
            type: "button",
            class: "sample",
            "aria-label": `Sample photo: ${sample.name}`,
            title: sample.name,
            onclick: () => this.openSample(sample),
          },
          h("img", { src: sample.picture, alt: "", width: 56, height: 56 }),
        ),
      ),
    );
  }

  showKeys() {
    const dialog = this.part["keys-dialog"];
    dialog.replaceChildren(
      h(
        "div",
        { class: "dialog-head" },
        h("h2", {}, "Keys"),
        h(
          "button",
          { class: "plain", type: "button", "aria-label": "Close", onclick: () => dialog.close() },
          icon("close"),
        ),
      ),
      h("table", {}, ...this.actions.rows()),
    );
    dialog.showModal();
  }

  back() {
    this.part.tip.hidden = true;
    if (this.layers.pin.point) this.unpin();
    else if (this.view === "heat") this.setView("labels");
  }

  setView(view) {
    this.view = view;
    if (view === "heat" && this.selected < 0 && this.answer) this.selected = this.bestWord();
    this.part.views.querySelectorAll("[data-view]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.view === view));
    });
    const layer = this.layers[view];
    this.part["opacity-field"].hidden = view === "photo";
    this.part.opacity.value = Math.round((layer.opacity ?? 0) * 100);
    this.part.outlines.hidden = view === "photo" || view === "heat";
    this.part.outlines.setAttribute("aria-pressed", String(Boolean(layer.outlines)));
    this.part["unit-tools"].hidden = view !== "units";
    this.part["mask-tools"].hidden = view !== "masks";
    if (view !== "masks") this.masks.letGo();
    if (view === "heat") this.drawHeat();
    if (view === "masks" && this.answer && !this.masks.loaded) this.loadMasks();
    if (view === "units" && !this.layers.units.bitmap) this.loadUnits();
    this.part.scale.hidden = view !== "heat" || !this.answer;
    this.markSelected();
    this.setLayers(view);
  }

  /** Draw the layers of `view`, without making it the view (a peek). */
  setLayers(view) {
    this.canvas.layers =
      view === "photo"
        ? [this.layers.photo, this.layers.pin]
        : [this.layers.photo, this.layers[view], this.masks.chosenLayer, this.layers.pin];
    this.canvas.redraw();
  }

  get opacity() {
    return this.layers[this.view].opacity ?? 1;
  }

  setOpacity(value) {
    if (this.view === "photo") return;
    this.layers[this.view].opacity = Math.min(1, Math.max(0, value));
    this.part.opacity.value = Math.round(this.layers[this.view].opacity * 100);
    this.canvas.redraw();
  }

  toggleOutlines() {
    const layer = this.layers[this.view];
    if (!("outlines" in layer)) return;
    layer.outlines = !layer.outlines;
    this.part.outlines.setAttribute("aria-pressed", String(layer.outlines));
    this.canvas.redraw();
  }

  /** Whether this is the page in front. */
  get shown() {
    return this.part.explore.checkVisibility();
  }

  // --- a photo ----------------------------------------------------------------------------------------------------

  openSample(sample) {
    this.open({ sample: sample.name }, sample.words);
  }

  openFile(file) {
    const limit = this.given.max_file_mb;
    if (file.size > limit * 2 ** 20)
      return this.problem(
        `${file.name} has ${Math.round(file.size / 2 ** 20)} MB; a photo may have at most ${limit} MB.`,
      );
    if (file.size === 0) return this.problem(`${file.name} is empty (0 bytes).`);
    this.open({ file }, null);
  }

  /** Send a photo and show it; then ask. `words` replaces the words in hand unless it is null. */
  async open(source, words) {
    const turn = ++this.turn;
    this.problem("");
    this.part.explore.classList.add("stale");
    const quiet = this.waiting.begin(source.file ? `Sending ${source.file.name}` : "Opening the photo", () =>
      this.giveUp(turn),
    );
    const opened = await this.connection.open(source);
    quiet();
    if (turn !== this.turn) return;
    if (!opened.ok) {
      this.asked = null;
      if (this.answer) this.part.explore.classList.remove("stale");
      else this.ask(); // the question that this photo interrupted
      return this.problem(opened.error);
    }
    const picture = await createImageBitmap(new Blob([bytesOf(opened.jpeg)], { type: "image/jpeg" }));
    if (turn !== this.turn) return;
    this.connection.hold(opened, source);
    Object.assign(this, { photo: opened, answer: null, asked: null, selected: -1 });
    this.encoded = opened.seconds === null && Boolean(source.sample);
    this.layers.photo.set(picture);
    this.layers.labels.clear();
    this.layers.heat.clear();
    this.layers.units.clear();
    this.masks.clear();
    this.unpin();
    this.canvas.setImage(...opened.size);
    this.part.board.style.setProperty("--shape", `${opened.size[0]} / ${opened.size[1]}`);
    if (this.shown) tell("photo", opened);
    this.part.samples.querySelectorAll(".sample").forEach((button, i) => {
      button.setAttribute("aria-pressed", String(this.given.samples[i].name === source.sample));
    });
    if (words !== null) {
      this.part.words.value = words;
      this.levels.clear();
      this.hidden.clear();
    }
    this.part.suggestions.replaceChildren();
    this.setView(this.view);
    await this.ask();
  }

  // --- a question -------------------------------------------------------------------------------------------------

  get options() {
    const { by, refine, templates } = this.part,
      parted = ["unit", "slic"].includes(by.value);
    return {
      by: by.value,
      refine: refine.value,
      templates: templates.value,
      colours: this.colours,
      ...(parted ? { granularity: this.granularity } : {}),
    };
  }

  /** From coarse (0) to fine (1). */
  get granularity() {
    return this.part.grain.valueAsNumber / this.part.grain.max;
  }

  async ask() {
    const words = this.part.words.value,
      options = this.options;
    const question = JSON.stringify([
      words,
      options.by,
      options.refine,
      options.templates,
      options.granularity,
    ]);
    if (!this.photo || question === this.asked) return;
    this.asked = question;
    this.problem("");
    const turn = ++this.turn;
    const quiet = this.waiting.begin(
      () => this.waitingFor(),
      () => this.giveUp(turn),
    );
    const reply = await this.connection.call("answer", { words, options });
    const answer = reply.ok && turn === this.turn ? await readAnswer(reply) : null;
    quiet();
    if (turn !== this.turn) return;
    if (!answer) {
      this.asked = null;
      return this.problem(reply.error);
    }
    this.encoded = true;
    this.show(answer);
    this.part.explore.dataset.answered = words;
    this.suggest(words, turn);
  }

  /** What a person waits for right now. */
  waitingFor() {
    const { status, photo } = this;
    if (status?.state === "loading") return `Loading the model ${status.name}: it is read from disk once`;
    if (this.encoded) return "Finding the words";
    return photo.seconds
      ? `Encoding the photo (about ${Math.max(1, Math.round(photo.seconds))} s)`
      : "Encoding the photo";
  }

  /** @param {import("../canvas/payload.js").Answer} answer */
  show(answer) {
    this.part.explore.classList.remove("stale");
    const kept = this.selected >= 0 ? this.answer?.words[this.selected]?.name : null;
    this.answer = answer;
    this.masks.clear();
    this.keepColours(answer.words);
    this.probabilities = answer.grid.probabilities(answer.scale);
    this.selected = kept ? answer.words.findIndex((word) => word.name === kept) : -1;
    const most = Math.min(255, Math.ceil(Math.max(answer.grid.high, 0.05) * 255));
    this.classes.show(answer.words, this.levels, this.hidden, most);
    this.sheet.show(answer, this.photo.size, this.range());
    const { encode, answer: took } = answer.seconds;
    this.part.timing.textContent =
      (encode > 0.01 ? `Encoded in ${encode.toFixed(2)} s, answered in ` : "Already encoded; answered in ") +
      `${took.toFixed(2)} s.`;
    this.part["method-line"].textContent = this.part.by.selectedOptions[0].text;
    this.drawLabels();
    this.setView(this.view);
    if (this.layers.pin.point) this.explain();
  }

  /** A name keeps its colour as long as it lives; a colour that went to another name is let go. */
  keepColours(words) {
    const taken = new Map(words.map((word) => [word.colour, word.name]));
    const others = Object.entries(this.colours)
      .filter(([, colour]) => !taken.has(colour))
      .slice(-200);
    this.colours = Object.fromEntries([...others, ...words.map((word) => [word.name, word.colour])]);
  }

  async suggest(words, turn) {
    const reply = await this.connection.call("suggest", { words });
    if (turn !== this.turn || !reply.ok) return;
    if (!reply.ready) {
      this.part.suggestions.replaceChildren(
        h(
          "span",
          { class: "hint" },
          `Suggestions follow (${Math.round((100 * reply.done) / reply.all)} % of the nouns are read)`,
        ),
      );
      return setTimeout(() => turn === this.turn && this.suggest(words, turn), 1500);
    }
    this.part.suggestions.replaceChildren(
      ...reply.words.map((word) =>
        h(
          "button",
          { type: "button", class: "suggestion", "aria-label": `Add ${word}`, onclick: () => this.add(word) },
          icon("plus"),
          word,
        ),
      ),
    );
  }

  add(word) {
    this.part.words.value = withWord(this.part.words.value, word);
    this.askSoon.now();
  }

  // --- what is seen -----------------------------------------------------------------------------------------------

  drawLabels() {
    const { answer } = this,
      { labels, words } = answer;
    const ids = decide(
      answer,
      words.map((word) => this.levels.get(word.name) ?? 0),
    );
    this.ids = ids;
    const colours = ["", ...words.map((word) => (this.hidden.has(word.name) ? "" : word.colour))];
    this.layers.labels.set(ids, labels.width, labels.height, colours);
    const measured = measure(answer, ids, this.probabilities);
    this.classes.measure(measured);
    const seen = words.map((word, k) => `${word.name} ${percent(measured.area[k + 1])}`).join(", ");
    this.canvas.element.setAttribute("aria-label", `${this.photo.name}: ${seen}. Arrow keys move a point.`);
    const none = measured.area[0];
    this.part.none.textContent =
      none === 1
        ? "No word reaches its threshold here."
        : none > 0.0005
          ? `${percent(none)} of the photo is none of them.`
          : "";
    this.canvas.redraw();
  }

  setLevel(name, level) {
    this.levels.set(name, level);
    if (this.view !== "labels") this.setView("labels");
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.drawLabels();
    });
  }

  hide(name) {
    this.hidden.has(name) ? this.hidden.delete(name) : this.hidden.add(name);
    this.classes.hide(this.hidden);
    this.drawLabels();
  }

  /** Show the heat map of word k; -1 goes back to the labels. */
  select(k) {
    if (!this.answer || k >= this.answer.words.length) return;
    this.selected = k;
    this.setView(k < 0 ? "labels" : "heat");
  }

  markSelected() {
    const shown = this.view === "heat" ? this.selected : -1;
    this.classes.select(shown);
    this.sheet.select(shown);
  }

  bestWord() {
    const tops = this.answer.words.map((_, k) => this.answer.grid.range(k)[1]);
    return tops.indexOf(Math.max(...tops));
  }

  /** Similarities at the two ends of the heat scale. */
  range(k = -1) {
    const { grid } = this.answer;
    return k >= 0 && this.ownScale ? grid.range(k) : [grid.low, grid.high];
  }

  drawHeat() {
    if (!this.answer || this.selected < 0) return this.layers.heat.clear();
    const k = this.selected,
      word = this.answer.words[k],
      [low, high] = this.range(k);
    this.layers.heat.set(this.answer.grid, k, ...this.photo.shown, low, high);
    const choose = (own) => () => {
      this.ownScale = own;
      this.drawHeat();
    };
    this.part.scale.replaceChildren(
      h("span", { class: "swatch", style: { "--class": word.colour } }),
      h("b", { class: "label" }, word.name),
      h("span", { class: "number" }, decimal(low)),
      h("span", { class: "bar", style: { background: SCALE_CSS } }),
      h("span", { class: "number" }, decimal(high)),
      h(
        "span",
        { class: "segments small", role: "group", "aria-label": "Scale" },
        h(
          "button",
          { type: "button", "aria-pressed": String(!this.ownScale), onclick: choose(false) },
          "all words",
        ),
        h(
          "button",
          { type: "button", "aria-pressed": String(this.ownScale), onclick: choose(true) },
          "this word",
        ),
      ),
    );
    this.canvas.redraw();
  }

  async loadUnits() {
    if (!this.photo || !this.layers.photo.picture) return;
    const turn = (this.unitTurn = (this.unitTurn ?? 0) + 1),
      { photo } = this;
    const { kind } = this.part;
    this.part["grain-field"].hidden = kind.value === "region";
    const quiet = this.waiting.begin(() => (this.encoded ? "Parting the photo" : this.waitingFor()));
    const reply = await this.connection.call("partition", {
      kind: kind.value,
      granularity: this.granularity,
    });
    quiet();
    if (turn !== this.unitTurn || photo !== this.photo) return;
    if (!reply.ok) return this.problem(reply.error);
    const partition = await readPartition(reply);
    if (turn !== this.unitTurn) return;
    this.ask(); // units and superpixels that label the photo are as fine as those shown
    this.layers.units.set(partition, this.layers.photo.picture);
    this.part["unit-count"].textContent = `${partition.count} parts`;
    this.canvas.redraw();
  }

  /** The masks with the words of the answer in hand. */
  async loadMasks() {
    const { answer } = this;
    const quiet = this.waiting.begin("Finding masks");
    const reply = await this.connection.call("masks", { words: this.part.words.value, options: this.options });
    quiet();
    if (answer !== this.answer) return;
    if (!reply.ok) return this.problem(reply.error);
    const found = await readMasks(reply);
    if (answer !== this.answer) return;
    this.masks.set(found, answer.words);
    if (this.view === "masks" && this.layers.pin.point) this.masks.pick(...this.share(this.layers.pin.point));
  }

  // --- a point ----------------------------------------------------------------------------------------------------

  /** Image coordinates as 0..1 across and down. */
  share([x, y]) {
    return [x / this.photo.size[0], y / this.photo.size[1]];
  }

  hover(point) {
    if (point?.pointer !== "touch") this.showTip(point);
  }

  /** The top words beside a point; null takes them away. */
  showTip(point) {
    this.part.tip.hidden = true;
    if (point && this.answer)
      placeTip(this.part.tip, point.screen, bars(this.answer, ...this.share(point.image)));
  }

  pin(point) {
    if (!this.answer) return;
    this.layers.pin.set(point.image);
    if (this.view === "masks") this.masks.pick(...this.share(point.image));
    this.canvas.redraw();
    if (point.pointer !== "mouse") this.showTip(point); // a mouse has it already, where it hovers
    this.explainSoon();
  }

  /** Move the pin by arrow keys, from the middle of what is seen. */
  step(dx, dy) {
    const { viewport } = this.canvas,
      stride = 16 / viewport.scale;
    const from = this.layers.pin.point ?? viewport.toImage(viewport.screen[0] / 2, viewport.screen[1] / 2);
    const to = [from[0] + dx * stride, from[1] + dy * stride];
    const image = to.map((value, axis) => Math.min(Math.max(value, 0.5), viewport.image[axis] - 0.5));
    this.pin({ image, screen: viewport.toScreen(...image), pointer: "keyboard" });
  }

  unpin() {
    this.layers.pin.set(null);
    this.masks.letGo();
    this.part.why.hidden = this.part.tip.hidden = true;
    this.canvas.redraw();
  }

  /** Why here: the words, the label and the nearest nouns at the pin. */
  async explain() {
    const { point } = this.layers.pin,
      { labels, words } = this.answer,
      [x, y] = this.share(point);
    const id = this.ids[Math.floor(y * labels.height) * labels.width + Math.floor(x * labels.width)];
    const facts = {
      pixel: point,
      label: id ? words[id - 1].name : "none",
      bars: bars(this.answer, x, y),
      unpin: () => this.unpin(),
    };
    const { parts, near } = whyHere(facts);
    this.part.why.replaceChildren(...parts);
    this.part.why.hidden = false;
    const reply = await this.connection.call("near", { x, y });
    if (reply.ok) near(reply.words);
  }

  // --- words to the person ----------------------------------------------------------------------------------------

  hearStatus(status) {
    this.status = status;
  }

  /** One sentence about what went wrong; "" takes it away. */
  problem(text) {
    this.part.problem.hidden = !text;
    this.part.problem.replaceChildren(...(text ? [icon("warning"), h("span", {}, text)] : []));
  }

  /** The person does not want to wait for the question or photo of this turn. */
  giveUp(turn) {
    if (turn === this.turn) this.turn++;
    this.asked = null;
    if (this.answer) this.part.explore.classList.remove("stale");
  }

  // --- downloads --------------------------------------------------------------------------------------------------

  async download(button) {
    if (!this.answer) return;
    button.disabled = true;
    const quiet = this.waiting.begin("Making the file");
    const levels = Object.fromEntries(
      this.answer.words.map((word) => [word.name, this.levels.get(word.name) ?? 0]),
    );
    const file = await this.connection.call("download", {
      words: this.part.words.value,
      options: this.options,
      levels,
      what: button.dataset.download,
      opacity: this.layers.labels.opacity,
    });
    quiet();
    button.disabled = false;
    if (!file.ok) return this.problem(file.error);
    const address = URL.createObjectURL(new Blob([bytesOf(file.data)], { type: file.mime }));
    h("a", { href: address, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}
