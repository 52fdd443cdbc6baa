/** Explore: see what words find in a photo. */

import { Canvas } from "../canvas/canvas.js";
import { LabelMap } from "../canvas/labelmap.js";
import { decide, measure } from "../canvas/labels.js";
import { readAnswer, readMasks } from "../canvas/payload.js";
import { Actions } from "../shared/actions.js";
import { hear, tell } from "../shared/bus.js";
import { h, icon, parts } from "../shared/dom.js";
import { percent } from "../shared/numbers.js";
import { Turns } from "../shared/turns.js";
import { Waiting } from "../shared/waiting.js";
import { exploreActions } from "./actions.js";
import { ClassList } from "./classes.js";
import { Connection } from "./connection.js";
import { listenForDownloads } from "./downloads.js";
import { HeatView } from "./heat.js";
import { HugePhoto } from "./huge.js";
import { EXPLAINED, showHelp } from "./help.js";
import { MaskView } from "./masks.js";
import { Method } from "./method.js";
import { Photos } from "./photos.js";
import { Pin } from "./pin.js";
import { RestRow } from "./rest.js";
import { ContactSheet } from "./sheet.js";
import { UnitView } from "./units.js";
import { View } from "./view.js";
import { otherWord } from "./why.js";
import { Words } from "./words.js";
import { t } from "../shared/language.js";

/** The page's markup is in place: bring it to life. */
export function mount(root, server, given) {
  return new Explore(parts(root), server, given);
}

export class Explore {
  constructor(part, server, given) {
    this.part = part;
    this.given = given;
    this.connection = new Connection(server);
    /** @type {import("../canvas/payload.js").Answer|null} */
    this.answer = null;
    this.question = null; // what that answers: words and options as they were sent
    this.asked = null; // the newest question as text, so that none is asked twice
    this.photo = null; // what the server said about it
    this.encoded = false; // whether the photo is
    this.levels = new Map(); // least score bytes by class name
    this.hidden = new Set(); // class names
    this.colours = {};
    this.selected = -1; // the word whose heat map is shown
    this.turns = new Turns(); // photos and questions
    this.waiting = new Waiting(part.busy);
    this.canvas = new Canvas(part.board, t("The photo with its labels"));
    this.view = new View(part, this.canvas, (name) => this.turned(name));
    this.heat = new HeatView(part.scale, () => this.canvas.redraw());
    this.units = new UnitView(this);
    this.masks = new MaskView(part, given.sure, () => this.canvas.redraw());
    Object.assign(this.view.layers, { heat: this.heat.layer, units: this.units.layer, masks: this.masks.layer });
    this.view.chosenLayer = this.masks.chosenLayer;
    this.pin = new Pin(this);
    this.classes = new ClassList(part.classes, part.absent, {
      onselect: (k) => this.select(this.view.name === "heat" && this.selected === k ? -1 : k),
      onhide: (name) => this.hide(name),
      onlevel: (name, level) => this.setLevel(name, level),
    });
    this.sheet = new ContactSheet(part.sheet, (k) => this.select(k));
    this.method = new Method(this);
    this.words = new Words(this);
    this.elsewhere = new RestRow(part, (word) => this.words.add(word));
    this.huge = new HugePhoto(this);
    this.photos = new Photos(this);
    this.listen();
    this.view.turn("labels");
    hear("status", (status) => (this.status = status));
    hear("model", () => this.changeHead());
    hear("page", (page) => page === "explore" && this.come());
    this.photos.begin();
  }

  listen() {
    const { part, canvas } = this;
    canvas.onview = (viewport) => (part.zoom.textContent = `${Math.round(viewport.scale * 100)} %`);
    part["zoom-in"].addEventListener("click", () => canvas.zoom(1.5));
    part["zoom-out"].addEventListener("click", () => canvas.zoom(1 / 1.5));
    part.fit.addEventListener("click", () => canvas.fit());
    part.keys.addEventListener("click", () => this.showHelp());
    part["explain-more"].addEventListener("click", () => this.showHelp());
    listenForDownloads(this);
    this.actions = new Actions(exploreActions(this), part.explore);
  }

  /** The page comes to the front: another one may have brought a head, Back another photo. */
  come() {
    this.method.loadHeads();
    if (!this.photo) return;
    this.tellPhoto();
    this.photos.arrive();
  }

  tellPhoto() {
    const { name, size, huge } = this.photo;
    tell("photo", { name, size: huge?.size ?? size });
  }

  /** Whether this is the page in front. */
  get shown() {
    return this.part.explore.checkVisibility();
  }

  get head() {
    return this.method.head;
  }

  showHelp() {
    showHelp(this.part["keys-dialog"], this.actions);
  }

  /** Escape: one step back from what was looked at. */
  back() {
    this.part.tip.hidden = true;
    if (this.pin.point) this.pin.letGo();
    else if (this.view.name === "heat") this.view.turn("labels");
  }

  // --- photo and question -------------------------------------------------------------------------------------------

  /** A photo is opened: it is the one in hand from now on. */
  take(opened, picture, source) {
    this.photo = opened;
    this.answer = null;
    this.question = null;
    this.asked = null;
    this.selected = -1;
    this.encoded = opened.seconds === null && Boolean(source.sample);
    this.view.photo.set(picture);
    this.huge.show(opened);
    this.view.layers.labels.clear();
    this.heat.clear();
    this.units.clear();
    this.masks.clear();
    this.pin.letGo();
    this.canvas.setImage(...opened.size);
    this.part.board.style.setProperty("--shape", `${opened.size[0]} / ${opened.size[1]}`);
    this.canvas.element.setAttribute("aria-label", opened.name);
    if (this.shown) this.tellPhoto();
    this.view.turn(this.view.name);
  }

  /** Another head answers: the same photo and words, asked anew. */
  changeHead() {
    this.asked = null;
    this.encoded = false;
    this.units.clear();
    this.masks.clear();
    if (!this.photo) return;
    this.words.blank ? this.rest() : this.ask();
    if (this.view.name === "units") this.units.load();
  }

  /** No words yet: the photo alone, and what might be asked of it. */
  rest() {
    const current = this.turns.begin();
    this.answer = null;
    this.question = null;
    this.asked = null;
    this.selected = -1;
    this.problem("");
    this.part.explore.classList.remove("stale");
    this.part.explore.dataset.answered = "";
    this.view.layers.labels.clear();
    this.heat.clear();
    this.masks.clear();
    this.pin.letGo();
    this.classes.show([], this.levels, this.hidden, 255);
    this.sheet.clear();
    this.part.sheet.hidden = true;
    this.view.turn("labels");
    this.elsewhere.show(null, 1);
    this.part.none.textContent = t("Type words above, or take some of those suggested.");
    this.words.suggest(current);
  }

  async ask() {
    const words = this.words.text,
      options = this.method.options();
    const asked = JSON.stringify([words, options, this.head]);
    if (!this.photo || asked === this.asked) return;
    this.asked = asked;
    this.problem("");
    this.part.sheet.hidden = false;
    const current = this.turns.begin();
    const question = { words, options: { ...options, colours: this.colours }, head: this.head };
    const quiet = this.waiting.begin(
      () => this.waitingFor(),
      () => this.giveUp(current),
    );
    const reply = await this.connection.call("answer", question);
    const answer = reply.ok && current() ? await readAnswer(reply) : null;
    quiet();
    if (!current()) return;
    if (!answer) {
      this.asked = null;
      return this.problem(reply.error);
    }
    this.encoded = true;
    this.question = question;
    this.show(answer);
    this.part.explore.dataset.answered = words;
    this.words.suggest(current);
  }

  /** What a person waits for right now. */
  waitingFor() {
    const { status, photo } = this;
    if (status?.state === "loading") return t("Loading the model {name}: it is read from disk once", { name: status.name });
    if (this.encoded) return t("Finding the words");
    return photo.seconds
      ? t("Encoding the photo (about {seconds} s)", { seconds: Math.max(1, Math.round(photo.seconds)) })
      : t("Encoding the photo");
  }

  /** The person does not want to wait any longer, if what `current` stands for is still awaited. */
  giveUp(current) {
    if (current()) this.turns.begin();
    this.asked = null;
    if (this.answer) this.part.explore.classList.remove("stale");
  }

  // --- an answer ----------------------------------------------------------------------------------------------------

  /** @param {import("../canvas/payload.js").Answer} answer */
  show(answer) {
    this.part.explore.classList.remove("stale");
    const kept = this.selected >= 0 ? this.answer?.words[this.selected]?.name : null;
    this.answer = answer;
    this.masks.clear();
    this.keepColours(answer.words);
    this.probabilities = answer.open ? null : answer.grid.probabilities(answer.scale);
    this.selected = kept ? answer.words.findIndex((word) => word.name === kept) : -1;
    const most = answer.open ? 255 : Math.min(255, Math.ceil(Math.max(answer.grid.high, 0.05) * 255));
    this.classes.show(answer.words, this.levels, this.hidden, most, answer.open);
    this.drawLabels();
    this.order = this.classes.sort(this.measured.area);
    this.sheet.show(answer, this.photo.size, this.order);
    this.method.timing(answer.seconds);
    this.view.turn(this.view.name);
    this.pin.explain();
  }

  /** A name keeps its colour as long as it lives; a colour that went to another name is let go. */
  keepColours(words) {
    const taken = new Map(words.map((word) => [word.colour, word.name]));
    const others = Object.entries(this.colours)
      .filter(([, colour]) => !taken.has(colour))
      .slice(-200);
    this.colours = Object.fromEntries([...others, ...words.map((word) => [word.name, word.colour])]);
  }

  drawLabels() {
    const { answer } = this,
      { labels, words } = answer;
    this.ids = decide(
      answer,
      words.map((word) => this.levels.get(word.name) ?? 0),
    );
    const colours = ["", ...words.map((word) => (this.hidden.has(word.name) ? "" : word.colour))];
    this.view.layers.labels.set(new LabelMap({ ...labels, ids: this.ids }), colours);
    this.measured = measure(answer, this.ids, this.probabilities);
    this.classes.measure(this.measured);
    const seen = words.map((word, k) => `${word.name} ${percent(this.measured.area[k + 1])}`).join(", ");
    this.canvas.element.setAttribute("aria-label", t("{name}: {seen}. Arrow keys move a point.", { name: this.photo.name, seen }));
    const none = this.measured.area[0];
    this.elsewhere.show(answer.rest, none);
    this.part.none.textContent = none === 1 ? this.nothing() : none > 0.0005 && !answer.rest ? t("{share} of the photo is none of them.", { share: percent(none) }) : "";
    this.canvas.redraw();
  }

  /** Why no pixel has a label. */
  nothing() {
    const hidden = this.answer.words.some(({ name }) => this.levels.get(name));
    return hidden || !this.answer.open ? t("No word reaches its threshold here.") : t("None of these words is found in the photo.");
  }

  setLevel(name, level) {
    this.levels.set(name, level);
    if (this.view.name !== "labels") this.view.turn("labels");
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      if (this.answer) this.drawLabels();
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
    this.view.turn(k < 0 ? "labels" : "heat");
  }

  // --- views --------------------------------------------------------------------------------------------------------

  /** A view is to be seen: what it needs is loaded or drawn. */
  turned(name) {
    this.part.explain.textContent = EXPLAINED[name];
    if (name !== "masks") this.masks.letGo();
    if (name === "heat" && this.answer) {
      if (this.selected < 0) this.selected = this.bestWord();
      this.heat.show(this.answer, this.selected, this.photo.shown);
    } else this.heat.clear();
    if (name === "masks" && this.answer && !this.masks.loaded) this.loadMasks();
    if (name === "units" && !this.units.loaded) this.units.load();
    const selected = name === "heat" ? this.selected : -1;
    this.classes.select(selected);
    this.sheet.select(selected);
  }

  bestWord() {
    const tops = this.answer.words.map((_, k) => this.answer.grid.range(k)[1]);
    return tops.indexOf(Math.max(...tops));
  }

  /** The masks with the words of the answer in hand. */
  async loadMasks() {
    const { answer } = this;
    const quiet = this.waiting.begin(t("Finding masks"));
    const reply = await this.connection.call("masks", this.question);
    const found = reply.ok && answer === this.answer ? await readMasks(reply) : null;
    quiet();
    if (answer !== this.answer) return;
    if (!found) return this.problem(reply.error);
    this.masks.set(found, answer.words);
    if (this.view.name === "masks" && this.pin.point) this.masks.pick(...this.share(this.pin.point));
  }

  /** Image coordinates as 0..1 across and down. */
  share([x, y]) {
    return [x / this.photo.size[0], y / this.photo.size[1]];
  }

  /** The name of the label at a point 0..1 across and down. */
  labelAt(x, y) {
    const { labels, words } = this.answer;
    const id = this.ids[Math.floor(y * labels.height) * labels.width + Math.floor(x * labels.width)];
    if (id) return words[id - 1].name;
    const other = otherWord(this.answer, x, y);
    return other ? t("something else ({word})", { word: other.word.name }) : t("none");
  }

  /** One sentence about what went wrong; "" takes it away. */
  problem(text) {
    this.part.problem.hidden = !text;
    this.part.problem.replaceChildren(...(text ? [icon("warning"), h("span", {}, text)] : []));
  }
}
