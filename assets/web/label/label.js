/** Label: correct a model's labels by click, brush and region, photo after photo. */

import { Actions } from "../shared/actions.js";
import { Boards } from "./boards.js";
import { Carrying } from "./carrying.js";
import { Classes } from "./classes.js";
import { Desk } from "./desk.js";
import { FilmStrip } from "./film.js";
import { h, icon, parts } from "../shared/dom.js";
import { hear, tell } from "../shared/bus.js";
import { labelActions } from "./actions.js";
import { Model } from "./model.js";
import { Notices } from "./notices.js";
import { Photos } from "./photos.js";
import { ProjectDialog } from "./project.js";
import { Run } from "./run.js";
import { Saving } from "./saving.js";
import { Server } from "../shared/server.js";
import { Statistics } from "./statistics.js";
import { Store } from "./store.js";
import { Team } from "./team.js";
import { TOOLS } from "./tools/index.js";
import { listenForDrops, listenForPastes } from "../shared/intake.js";
import { Waiting } from "../shared/waiting.js";
import { Windows } from "./windows.js";
import { t } from "../shared/language.js";

const LATE = { ok: false, error: "", late: true };

/** The page's markup is in place: bring it to life. */
export function mount(root, server, given) {
  return new LabelPage(parts(root), server, given);
}

export class LabelPage {
  constructor(part, server, given) {
    this.part = part;
    this.given = given;
    this.server = new Server(server);
    this.store = new Store({
      project: null,
      photos: [],
      photo: null,
      map: null,
      sources: null,
      classes: [],
      deleted: [],
      chosen: null,
      before: null,
      hidden: new Set(),
      locked: new Set(),
      levels: new Map(),
      view: null,
    });
    this.waiting = new Waiting(part.busy);
    this.notices = new Notices(part);
    this.boards = new Boards(part, this.store, (name, on) => this.press(name, on));
    this.canvas = this.boards.canvas;
    this.windows = new Windows(this);
    this.boards.onview = () => this.windows.follow();
    this.desk = new Desk(this, part);
    this.saving = new Saving(this);
    this.classes = new Classes(this);
    this.model = new Model(this);
    this.photos = new Photos(this);
    this.run = new Run(this);
    this.statistics = new Statistics(this);
    this.project = new ProjectDialog(this);
    this.team = new Team(this);
    this.film = new FilmStrip(this);
    this.carrying = new Carrying(this);
    this.actions = new Actions(labelActions(this), part.labelling);
    this.store.watch(["classes", "chosen"], (state, { fields, origin }) => {
      if (fields.has("chosen") && origin === "person") this.desk.tool.classChosen();
      this.canvas.redrawAbove();
    });
    this.store.watch(["photo"], () => this.enable());
    this.listen();
    this.enable();
    this.desk.take(TOOLS[0].name);
    this.boards.setOpacity(0.5);
    this.start();
  }

  async start() {
    const overview = await this.call("overview", {});
    if (!overview.ok) return this.problem(overview.error);
    const { part } = this,
      { key, project: name, local } = overview;
    this.server.project = key; // ids of another one mean other photos
    if (key) this.store.set({ project: { key, name, local } }, "server");
    await this.saving.resume(key);
    part.without.hidden = overview.project !== null;
    part.labelling.hidden = overview.project === null;
    if (overview.project === null) return part.without.replaceChildren(...this.project.forms(overview));
    part.project.textContent = name;
    part.project.disabled = !local;
    part["add-folder"].hidden = !local;
    this.classes.recall();
    this.classes.take(overview);
    this.team.take(overview.team);
    await this.photos.begin(overview.photos);
    this.run.look(true);
  }

  // --- the server -------------------------------------------------------------------------------------------------

  /** A server function's answer; always an object. */
  call(name, message) {
    return this.server.call(name, message);
  }

  /**
   * Ask about the photo in hand; an answer that comes when another one is in hand is none: `late`, and not `ok`.
   * @returns {Promise<import("../shared/server.js").Reply>}
   */
  async ask(name, message) {
    const still = this.store.still("photo");
    const reply = await this.call(name, { photo: this.store.state.photo.photo, ...this.windows.asked, ...message });
    return still() ? reply : LATE;
  }

  // --- controls ---------------------------------------------------------------------------------------------------

  listen() {
    const { part, actions } = this;
    for (const button of part.labelling.querySelectorAll("[data-do]")) {
      const { label, keys } = actions.table[button.dataset.do];
      const key = actions.shown(keys[0]);
      button.title = `${label} (${key})`;
      if (!button.textContent.trim()) button.setAttribute("aria-label", label);
      if (part.tools.contains(button) || part["film-ways"].contains(button)) button.append(h("kbd", {}, key));
      button.addEventListener("click", (event) => actions.table[button.dataset.do].run(event));
    }
    // A button that was clicked does not take the keys away from the canvas.
    part.labelling.addEventListener("mousedown", (event) => {
      if (event.target.closest("button")) event.preventDefault();
    });
    part.opacity.addEventListener("input", () => this.boards.setOpacity(part.opacity.valueAsNumber / 100));
    part.add.addEventListener("click", () => part.file.click());
    part["add-first"].addEventListener("click", () => part.file.click());
    part.file.addEventListener("change", async () => {
      await this.photos.add([...part.file.files]);
      part.file.value = "";
    });
    // Somebody may have worked on the project meanwhile, here in another tab or elsewhere.
    window.addEventListener("focus", () => this.photos.refresh());
    window.addEventListener("blur", () => this.canvas.grab(false));
    hear("page", (page) => {
      const { project, photo } = this.store.state;
      if (page !== "label" || !project) return;
      if (photo) tell("photo", photo);
      this.photos.refresh(); // another page may have brought photos and labels in
    });
    listenForPastes(() => this.shown, (files) => this.photos.add(files));
    listenForDrops({
      shown: () => this.shown,
      over: (event) => (part.drop.hidden = !event),
      drop: ({ files }) => this.photos.add([...files]),
    });
  }

  get shown() {
    return this.part.labelling.checkVisibility();
  }

  /** Without a photo in hand the controls that need one rest. */
  enable() {
    const { labelling, note, above, opacity, size, run, "use-view": use } = this.part;
    const buttons = [...labelling.querySelectorAll("[data-do]")].filter((button) => button.dataset.do !== "keys");
    for (const control of [...buttons, note, above, opacity, size, run, use]) control.disabled = !this.store.state.photo;
    if (this.photos?.unread) labelling.querySelector('[data-do="skip"]').disabled = false;
    this.model.showSources();
  }

  /** Show a button as on or off. */
  press(name, on) {
    this.part.labelling.querySelector(`[data-do="${name}"]`).setAttribute("aria-pressed", String(on));
  }

  /** A word about the tool in hand, on the board; "" takes it away. */
  say(text, remedy) {
    this.notices.say(text, remedy);
  }

  /** Something that has happened. */
  announce(text) {
    this.notices.announce(text);
  }

  /**
   * One sentence about what went wrong, by default with the photo in hand; "" takes it away.
   * @param {string} text
   * @param {import("./notices.js").About} [about]
   * @param {import("./notices.js").Remedy} [remedy]
   */
  problem(text, about = "photo", remedy) {
    this.notices.problem(text, about, remedy);
  }

  /** On a photo without a label: what to do first. */
  advise() {
    const bare = this.saving.edits.revision === 0 && !this.saving.busy;
    this.part["label-this"].classList.toggle("quiet", !bare);
    if (!bare || !this.desk.begins) return;
    if (!this.desk.touched) return this.say(FIRST);
    this.say(FIRST_TOUCH, { label: t("Label this photo"), run: () => this.model.label() });
  }

  showKeys() {
    const dialog = this.part["keys-dialog"];
    const close = h("button", { class: "plain", type: "button", "aria-label": t("Close"), onclick: () => dialog.close() }, icon("close"));
    dialog.replaceChildren(
      h("div", { class: "dialog-head" }, h("h2", {}, t("Keys")), close),
      h("table", { class: "keys" }, ...this.actions.rows()),
    );
    dialog.showModal();
  }

  // --- gestures ---------------------------------------------------------------------------------------------------

  get classInHand() {
    return this.classes.inHand;
  }

  paint(operation, sketch) {
    this.saving.paint(operation, sketch);
  }

  letGo(event) {
    event.target?.blur?.();
    if (!this.desk.tool.cancel()) this.say("");
  }

  toggleUnlabelled() {
    const on = (this.saving.onlyUnlabelled = !this.saving.onlyUnlabelled);
    this.press("unlabelled", on);
    this.say(on ? t("Only unlabelled pixels are painted.") : t("Everything is painted that is not locked."));
  }

  undo() {
    // What is not painted yet is taken back first.
    if (!this.desk.tool.undo()) this.paint({ type: "undo" }, null);
  }

  redo() {
    this.paint({ type: "redo" }, null);
  }
}

const FIRST = t("Press T and the model labels this photo, for you to correct. Or point at something: a click labels it.");
const FIRST_TOUCH = t("Tap something, and tap it again to label it. Or let the model begin:");
