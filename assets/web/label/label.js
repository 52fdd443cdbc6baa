/** Label: correct a model's labels by click, brush and region, photo after photo. */

import { Actions } from "../shared/actions.js";
import { debounce, h, icon, parts } from "../shared/dom.js";
import { Edits } from "./edits.js";
import { labelActions } from "./actions.js";
import { LabelCanvas, TwinCanvas } from "./canvas.js";
import { ClassRows } from "./classes.js";
import { LabelMap, LabelMapLayer, PyramidLayer } from "../canvas/labelmap.js";
import { folderForm, projectForms } from "./project.js";
import { Queue } from "./queue.js";
import { BrushTool, ClickTool, PanTool, PolygonTool, PromptTool, UnitTool } from "./tools.js";
import { decide } from "../canvas/labels.js";
import { readAnswer } from "../canvas/payload.js";
import { bytesOf, readIndexPng } from "../canvas/png.js";
import { hear, tell } from "../shared/bus.js";
import { Waiting } from "../shared/waiting.js";
import { percent } from "../explore/words.js";

const NO_ANSWER = { ok: false, error: "The server does not answer; see that it still runs." };
const SETTLE = 250; // milliseconds on a photo before it and the next one are encoded
const LOOK = 1000; // milliseconds between two looks at a background run
const PAINTING = ["brush", "polygon", "fill", "region", "relabel"];
const LARGEST = 500; // image pixels: the brush's largest radius

/** The page's markup is in place: bring it to life. */
export function mount(root, server, given) {
  return new LabelPage(parts(root), server, given);
}

export class LabelPage {
  constructor(part, server, given) {
    Object.assign(this, { part, server, given });
    this.key = null; // of the project in hand: ids of another one mean other photos
    /** @type {{photo: number, name: string, size: [number, number]}|null} */
    this.photo = null;
    this.map = null;
    this.edits = null;
    this.classes = [];
    this.chosen = this.before = null;
    this.hidden = new Set();
    this.locked = new Set();
    this.levels = new Map();
    this.onlyUnlabelled = false;
    this.radius = 12;
    this.turn = 0; // of photos: what comes late about an older one is dropped
    this.modelView = null;
    this.layers = { photo: new PyramidLayer(), labels: new LabelMapLayer(), model: new LabelMapLayer() };
    this.waiting = new Waiting(part.busy);
    this.canvas = new LabelCanvas(part.board, "The photo with its labels");
    this.canvas.layers = [this.layers.photo, this.layers.labels];
    this.modelCanvas = new TwinCanvas(part["model-board"], "The photo as the model sees it", this.canvas);
    this.modelCanvas.layers = [this.layers.photo, this.layers.model];
    this.canvas.onview = ({ scale }) => {
      part.zoom.textContent = `zoom ${Math.round(scale * 100)} %`;
      this.under();
      if (this.modelView) this.modelCanvas.follow();
    };
    for (const canvas of [this.canvas, this.modelCanvas]) {
      canvas.element.addEventListener("pointermove", (event) => {
        this.pointed = { canvas, event };
        this.under();
      });
      canvas.element.addEventListener("pointerleave", () => {
        this.pointed = null;
        this.under();
      });
    }
    const relabel = ({ id }, point) => {
      const from = this.map.at(point);
      return from === id ? null : { type: "relabel", from, to: id };
    };
    this.tools = {
      units: new UnitTool(this),
      prompts: new PromptTool(this),
      brush: new BrushTool(this),
      eraser: new BrushTool(this, true),
      polygon: new PolygonTool(this),
      fill: new ClickTool(this, ({ id }, point) => ({ type: "fill", class: id, point })),
      relabel: new ClickTool(this, relabel),
      pick: new ClickTool(this, (paint, point) => this.pick(point)),
      pan: new PanTool(this),
    };
    this.rows = new ClassRows(part.classes, part["class-dialog"], {
      onselect: (id) => this.choose(id),
      onhide: (id, alone) => this.hide(id, alone),
      onlock: (id, others) => this.lock(id, others),
      onlevel: (id, level) => this.setLevel(id, level),
      onchange: (id, changes) => this.changeClass("change_class", { id, ...changes }),
      ondelete: (id, into) => this.changeClass("delete_class", { id, into }),
    });
    this.queue = new Queue(part, given.states, {
      onopen: (photo) => this.open(photo),
      thumbs: async (photos) => (await this.call("thumbs", { photos })).thumbs ?? {},
    });
    this.actions = new Actions(labelActions(this), part.labelling);
    this.prepareSoon = debounce(() => this.prepare(), SETTLE);
    this.noteSoon = debounce(() => this.saveNote(), 500);
    this.measureSoon = debounce(() => this.measure(), 60);
    this.sourcesSoon = debounce(() => this.loadSources(), 700);
    this.listen();
    this.take("units");
    this.resize(0);
    this.setOpacity(0.5);
    this.start();
  }

  // --- controls ---------------------------------------------------------------------------------------------------

  listen() {
    const { part, actions } = this;
    for (const button of part.labelling.querySelectorAll("[data-do]")) {
      const { label, keys } = actions.table[button.dataset.do];
      const key = actions.shown(keys[0]);
      button.title = `${label} (${key})`;
      if (!button.textContent.trim()) button.setAttribute("aria-label", label);
      if (part.tools.contains(button)) button.append(h("kbd", {}, key));
      button.addEventListener("click", (event) => actions.table[button.dataset.do].run(event));
    }
    // A button that was clicked does not take the keys away from the canvas.
    part.labelling.addEventListener("mousedown", (event) => {
      if (event.target.closest("button")) event.preventDefault();
    });
    part.size.addEventListener("input", () => {
      this.radius = radiusAt(part.size.valueAsNumber / 100);
      this.resize(0);
    });
    part.opacity.addEventListener("input", () => this.setOpacity(part.opacity.valueAsNumber / 100));
    part.note.addEventListener("input", this.noteSoon);
    part["new-class"].addEventListener("submit", (event) => {
      event.preventDefault();
      this.addClass();
    });
    part.add.addEventListener("click", () => part.file.click());
    part["add-first"].addEventListener("click", () => part.file.click());
    part.file.addEventListener("change", async () => {
      await this.addPhotos([...part.file.files]);
      part.file.value = "";
    });
    part.run.addEventListener("click", () => this.run("start"));
    part.project.addEventListener("click", () => this.changeProject());
    part["use-view"].addEventListener("click", () => this.pseudolabel(Object.fromEntries(this.levels)));
    part["add-folder"].addEventListener("click", () => this.addFolder());
    part.above.addEventListener("input", () => this.showSources());
    part["accept-sure"].addEventListener("click", () => this.accept({ above: this.above }));
    part["accept-all"].addEventListener("click", () => this.accept({}));
    part.statistics.addEventListener("toggle", () => this.showStatistics());
    this.listenForDrops();
    window.addEventListener("beforeunload", (event) => {
      if (this.edits?.waiting.length) event.preventDefault();
    });
    window.addEventListener("hashchange", () => {
      const asked = askedPhoto();
      if (asked && asked !== this.photo?.photo) this.open(asked);
    });
    // Somebody may have worked on the project meanwhile, here in another tab or elsewhere.
    window.addEventListener("focus", () => this.refresh());
    window.addEventListener("blur", () => this.canvas.grab(false));
    hear("page", (page) => {
      if (page !== "label" || !this.key) return;
      if (this.photo) tell("photo", this.photo);
      this.refresh(); // another page may have brought photos and labels in
    });
    document.addEventListener("paste", (event) => {
      const files = [...event.clipboardData.files];
      if (files.length && this.shown) this.addPhotos(files);
    });
  }

  listenForDrops() {
    const curtain = this.part.drop;
    let leaving = 0;
    document.addEventListener("dragover", (event) => {
      if (!this.shown || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      clearTimeout(leaving);
      curtain.hidden = false;
      leaving = setTimeout(() => (curtain.hidden = true), 300);
    });
    document.addEventListener("drop", (event) => {
      if (!this.shown || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      curtain.hidden = true;
      this.addPhotos([...event.dataTransfer.files]);
    });
  }

  get shown() {
    return this.part.labelling.checkVisibility();
  }

  /** A server function's answer; always an object. */
  async call(name, message) {
    return (await this.send(name, message).catch(() => null)) ?? NO_ANSWER;
  }

  /** The same without an answer for a server that has none: null, or a rejection. */
  send(name, message) {
    return this.server[name](message.binary ? message : { project: this.key, ...message });
  }

  /** Ask about the photo in hand. */
  ask(name, message) {
    return this.call(name, { photo: this.photo.photo, ...message });
  }

  // --- photos -----------------------------------------------------------------------------------------------------

  async start() {
    const overview = await this.call("overview", {});
    if (!overview.ok) return this.problem(overview.error);
    const { part } = this;
    this.key = overview.key;
    part.without.hidden = overview.project !== null;
    part.labelling.hidden = overview.project === null;
    if (overview.project === null) return part.without.replaceChildren(...this.projectForms(overview));
    part.project.textContent = overview.project;
    part.project.disabled = !overview.local;
    part["add-folder"].hidden = !overview.local;
    this.setClasses(overview);
    this.queue.show(overview.photos);
    await this.begin(overview.photos);
    this.look(true);
  }

  /** Take the photo that the address names, or else the first that is not done, in hand. */
  async begin(photos) {
    this.part["no-photos"].hidden = photos.length > 0;
    const first = photos.find(({ state }) => !["done", "skipped"].includes(state)) ?? photos[0];
    const asked = photos.find(({ photo }) => photo === askedPhoto());
    if (photos.length) await this.open((asked ?? first).photo);
  }

  projectForms(overview) {
    return projectForms(overview, {
      make: (message) => this.call("make_project", { ...message, project: null }),
      open: (message) => this.call("open_project", { ...message, project: null }),
      done: () => {
        if (this.photo) history.replaceState(null, "", "#label");
        location.reload(); // nothing of the project before is left in hand
      },
    });
  }

  /** The forms again, in a dialog; what is drawn is saved first. */
  async changeProject() {
    await this.edits?.done;
    const dialog = this.part["project-dialog"];
    const overview = await this.call("overview", {});
    if (!overview.ok) return this.problem(overview.error);
    const close = h("button", { class: "plain", type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
    dialog.replaceChildren(h("div", { class: "dialog-head" }, h("span", { class: "hint" }, overview.folder), close), ...this.projectForms(overview));
    dialog.showModal();
  }

  addFolder() {
    const dialog = this.part["project-dialog"];
    const add = async (folder) => {
      const reply = await this.call("add_folder", { folder });
      dialog.close();
      this.problem(reply.ok ? "" : reply.error);
      if (reply.ok) this.look();
    };
    dialog.replaceChildren(folderForm(add, () => dialog.close()));
    dialog.showModal();
  }

  /** Show a photo; gestures on the one before are saved first. */
  async open(id) {
    const turn = ++this.turn;
    this.tool.cancel(this.canvas);
    this.noteSoon.now();
    if (this.edits?.waiting.length) {
      const quiet = this.waiting.begin("Saving first");
      await this.edits.done;
      quiet();
      if (turn !== this.turn) return;
    }
    this.problem("");
    const quiet = this.waiting.begin("Opening the photo");
    const opened = await this.call("open", { photo: id });
    let picture, raster;
    if (opened.ok && turn === this.turn) {
      [picture, raster] = await Promise.all([
        createImageBitmap(new Blob([bytesOf(opened.jpeg)], { type: "image/jpeg" })),
        readIndexPng(opened.labels),
      ]);
    }
    quiet();
    if (turn !== this.turn) return;
    if (!opened.ok) {
      this.queue.mark(id); // so that the next one can be reached from here
      return this.problem(opened.error);
    }
    this.photo = { photo: id, name: opened.name, size: opened.size };
    this.edits = this.editsOf(id, opened.revision);
    this.layers.photo.set(picture);
    this.noted = this.part.note.value = opened.note;
    const viewing = this.modelView !== null;
    this.leaveModel();
    this.setMap(raster);
    this.canvas.setImage(...opened.size);
    this.part.boards.style.setProperty("--shape", `${opened.size[0]} / ${opened.size[1]}`);
    this.queue.change(id, { state: opened.state, revision: opened.revision });
    this.queue.mark(id);
    this.part.labelling.dataset.photo = id;
    if (this.shown) {
      tell("photo", this.photo);
      history.replaceState(null, "", `#label/${id}`);
    }
    this.showSaved();
    this.loadSources();
    this.prepareSoon();
    this.advise();
    if (viewing) this.toggleModel();
  }

  /** Encode this photo and the next one, so that neither has to be waited for. */
  async prepare() {
    const { turn } = this,
      next = this.queue.step(1);
    this.part.encoding.textContent = "Encoding this photo for regions";
    const reply = await this.call("prepare", { photos: [this.photo.photo] });
    if (turn !== this.turn) return;
    this.part.encoding.textContent = reply.ok ? "" : reply.error;
    if (next !== null) await this.call("prepare", { photos: [next] });
  }

  step(by) {
    const to = this.queue.step(by);
    if (to !== null) this.open(to);
    else this.say(by > 0 ? "This is the last photo of the list." : "This is the first photo of the list.");
  }

  /** The photo in hand is done or skipped: on to the next. */
  async finish(state) {
    if (!this.photo) return;
    const { photo } = this.photo;
    const to = this.queue.step(1) ?? this.queue.step(-1);
    await this.edits.done;
    const reply = await this.call("set_state", { photo, state });
    if (!reply.ok) return this.problem(reply.error);
    this.queue.change(photo, { state });
    if (this.queue.step(1) !== null) this.step(1);
    else if (to !== null && this.queue.photos.some((each) => !["done", "skipped"].includes(each.state)))
      this.say("That was the last photo of the list; some before it are still to do.");
    else this.say("Every photo is done.");
  }

  async addPhotos(files) {
    if (!files.length) return;
    const quiet = this.waiting.begin(files.length > 1 ? `Adding ${files.length} photos` : `Adding ${files[0].name}`);
    const added = [],
      problems = [];
    for (const file of files) {
      // One at a time: a torn one does not hold the others up, and Gradio sends an object with `binary` as a form.
      const reply = await this.call("add_photos", { binary: true, data: { file } });
      if (!reply.ok) problems.push(reply.error);
      else {
        added.push(...reply.added);
        problems.push(...reply.failed.map(([, reason]) => reason));
        problems.push(...reply.duplicates.map(([given, there]) => `${given} is in the project already, as ${there}.`));
      }
    }
    quiet();
    this.problem(problems.slice(0, 3).join(" "));
    if (!added.length) return;
    await this.refresh();
    this.say(`${added.length} ${added.length > 1 ? "photos" : "photo"} added.`);
  }

  /** Look at the project again: its queue, its classes, and the photo in hand if somebody else has changed it. */
  async refresh() {
    if (!this.shown) return;
    const { turn } = this;
    const overview = await this.call("overview", {});
    if (!overview.ok || turn !== this.turn) return;
    if (!this.photo && !overview.photos.length) return;
    if (JSON.stringify(overview.photos) !== JSON.stringify(this.queue.photos)) this.queue.show(overview.photos);
    const changed = JSON.stringify(overview.classes) !== JSON.stringify(this.classes);
    if (changed) this.setClasses(overview);
    if (!this.photo) return this.begin(overview.photos);
    const stored = overview.photos.find(({ photo }) => photo === this.photo.photo);
    if (stored && !this.edits.waiting.length && (changed || stored.revision > this.edits.revision)) await this.reload();
  }

  async refreshClasses() {
    const overview = await this.call("overview", {});
    if (overview.ok) this.setClasses(overview);
  }

  // --- the label map ----------------------------------------------------------------------------------------------

  setMap(raster) {
    this.map = new LabelMap(raster);
    this.colour();
    this.measure();
  }

  /** Take the stored label map in place of the one in hand; answers its revision. */
  async reload() {
    const reply = await this.ask("label_map", {});
    if (!reply.ok) {
      this.problem(reply.error);
      return null;
    }
    this.setMap(await readIndexPng(reply.labels));
    this.edits.revision = reply.revision;
    this.showSaved();
    this.sourcesSoon();
    return reply.revision;
  }

  editsOf(photo, revision) {
    const mine = () => this.photo?.photo === photo;
    const edits = new Edits(revision, {
      saved: async (reply, gesture) => {
        if (mine()) await this.takeOver(reply, gesture);
        this.queue.change(photo, { state: reply.state, revision: reply.revision });
      },
      refused: async (reply, dropped) => {
        if (!reply.error.startsWith("stale revision")) {
          this.problem(reply.error);
          return null;
        }
        if (!mine()) return null;
        const lost = dropped.length > 1 ? `${dropped.length} gestures were` : "Your last gesture was";
        const now = await this.reload();
        this.problem(
          `This photo was changed elsewhere meanwhile; this is the newer state. ${lost} not saved: do it again.`,
        );
        return now;
      },
      state: () => {
        if (mine()) this.showSaved();
      },
    });
    return edits;
  }

  /** Put what the server answered in place of what was painted meanwhile. */
  async takeOver({ patch, changed_pixels: changed, warning }, { asked }) {
    if (warning) {
      this.problem(warning);
      await this.refreshClasses();
    }
    if (patch.png) {
      const { ids } = await readIndexPng(patch.png.slice(patch.png.indexOf(",") + 1));
      this.map.patch(patch.box, ids);
      this.canvas.redraw(patch.box);
      this.measureSoon();
      this.under();
    }
    if (["undo", "redo"].includes(asked) && !patch.png && !changed) this.say(`Nothing left to ${asked}.`);
    else if (PAINTING.includes(asked) && !changed) this.say(this.whyNothing());
    else if (asked === "pseudolabel") this.say(changed ? "" : "The model is not sure of anything here.");
    else if (asked === "accept") this.say("Accepted: no later run of a model changes these.");
    else this.say("");
    this.sourcesSoon();
    this.advise();
  }

  /** On a photo without a label: what to do first. */
  advise() {
    const bare = this.edits.revision === 0 && !this.edits.waiting.length;
    this.part["label-this"].classList.toggle("quiet", !bare);
    if (bare && this.taken === "units") this.say(matchMedia("(hover: none)").matches ? FIRST_TOUCH : FIRST);
  }

  whyNothing() {
    if (this.onlyUnlabelled) return "Nothing changed: only unlabelled pixels are painted (O).";
    if (this.locked.size) return "Nothing changed: these pixels have the class already, or theirs is locked.";
    return "Nothing changed: these pixels have the class already.";
  }

  /** A gesture in the words of the HTTP contract; `sketch` shows it until it is saved. */
  paint(operation, sketch) {
    if (!this.edits) return;
    const { photo } = this.photo;
    if (PAINTING.includes(operation.type)) {
      if (this.locked.size) operation.locked = [...this.locked];
      if (this.onlyUnlabelled) operation.only_unlabelled = true;
    }
    this.edits.push({
      send: (revision) => this.send("edit", { photo, base_revision: revision, operation }),
      sketch,
      asked: operation.type,
    });
  }

  undo() {
    // What is not painted yet is taken back first.
    if (!this.tool.undo?.()) this.paint({ type: "undo" }, null);
  }

  redo() {
    this.paint({ type: "redo" }, null);
  }

  showSaved() {
    const { edits, part } = this;
    const waiting = edits.waiting.length;
    part.save.dataset.state = edits.offline ? "offline" : waiting ? "saving" : "saved";
    part.save.textContent = edits.offline
      ? `Not saved yet: the server does not answer; ${waiting} waiting`
      : waiting
        ? "Saving"
        : "Saved";
    part.revision.textContent = `revision ${edits.revision}`;
    part.labelling.dataset.revision = waiting ? "" : edits.revision;
    const sketches = { draw: (context, view) => edits.sketches.forEach((sketch) => sketch.draw(context, view)) };
    this.canvas.above = [sketches, this.tool];
    this.canvas.redrawAbove();
  }

  // --- what is seen -----------------------------------------------------------------------------------------------

  colour() {
    const colours = [""];
    for (const { id, colour } of this.classes) colours[id] = this.hidden.has(id) ? "" : colour;
    this.colours = Array.from(colours, (colour) => colour ?? "");
    this.layers.labels.set(this.map, this.colours);
    if (this.modelView) this.layers.model.set(this.modelView.map, this.colours);
    this.redraw();
  }

  redraw() {
    this.canvas.redraw();
    this.modelCanvas.redraw();
  }

  measure() {
    if (this.map) this.rows.measure((id) => this.map.share(id));
  }

  get opacity() {
    return this.layers.labels.opacity;
  }

  setOpacity(value) {
    const opacity = Math.min(1, Math.max(0, value));
    this.layers.labels.opacity = this.layers.model.opacity = opacity;
    this.part.opacity.value = Math.round(opacity * 100);
    this.redraw();
  }

  toggleOutlines() {
    const on = !this.layers.labels.outlines;
    this.layers.labels.outlines = this.layers.model.outlines = on;
    this.press("outlines", on);
    this.redraw();
  }

  showLabels(visible) {
    this.layers.labels.visible = this.layers.model.visible = visible;
    this.redraw();
  }

  /** The class under the pointer, in the status line; a cross marks the place on the other board. */
  under() {
    if (!this.map) return;
    const image = this.pointed && this.pointed.canvas.point(this.pointed.event).image;
    this.modelCanvas.mark(this.pointed?.canvas === this.canvas ? image : null);
    this.canvas.mark(this.pointed?.canvas === this.modelCanvas ? image : null);
    const id = image ? this.map.at(image) : null;
    if (id === null) return void (this.part.under.textContent = "");
    const name = (id) => (id ? (this.classes.find((each) => each.id === id)?.name ?? "") : "unlabelled");
    const model = this.modelView ? ` · model: ${name(this.modelView.map.at(scaled(image, this.photo.size, this.modelView.map)))}` : "";
    this.part.under.textContent = `${image.map(Math.floor).join(", ")} · ${name(id)}${model}`;
  }

  press(name, on) {
    this.part.labelling.querySelector(`[data-do="${name}"]`).setAttribute("aria-pressed", String(on));
  }

  // --- tools ------------------------------------------------------------------------------------------------------

  take(name) {
    if (this.tool && this.tool !== this.tools[name]) {
      this.tool.drop(this.canvas);
      this.lastTool = this.taken;
    }
    this.taken = name;
    this.tool = this.canvas.tool = this.tools[name];
    for (const button of this.part.tools.querySelectorAll("[data-do]"))
      if (button.dataset.do in this.tools) button.setAttribute("aria-pressed", String(button.dataset.do === name));
    this.part["size-field"].hidden = !["brush", "eraser"].includes(name);
    this.part.board.dataset.tool = name;
    this.say((matchMedia("(hover: none)").matches ? TOUCH_HINTS[name] : HINTS[name]) ?? "");
    if (this.edits) this.showSaved();
  }

  letGo(event) {
    event.target?.blur?.();
    if (!this.tool.cancel(this.canvas)) this.say("");
  }

  /** Take the class under a point in hand. */
  pick(point) {
    const id = this.map.at(point);
    if (id) this.choose(id);
    else this.say("Nothing is labelled here.");
    if (this.taken === "pick") this.take(this.lastTool ?? "brush");
    return null;
  }

  /** A larger (1) or smaller (-1) brush, or unit. */
  resize(by) {
    if (by && this.tool === this.tools.units) return this.tool.step(by);
    const step = Math.max(1, Math.round(this.radius * 0.15));
    this.radius = Math.min(LARGEST, Math.max(0.5, by ? Math.round(this.radius + by * step) : this.radius));
    this.part.size.value = 100 * shareOf(this.radius);
    this.part["size-text"].textContent = `${Math.round(2 * this.radius)} px`;
    this.canvas.redrawAbove();
  }

  toggleUnlabelled() {
    this.onlyUnlabelled = !this.onlyUnlabelled;
    this.press("unlabelled", this.onlyUnlabelled);
    this.say(this.onlyUnlabelled ? "Only unlabelled pixels are painted." : "Everything is painted that is not locked.");
  }

  showKeys() {
    const dialog = this.part["keys-dialog"];
    const close = h("button", { class: "plain", type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
    dialog.replaceChildren(
      h("div", { class: "dialog-head" }, h("h2", {}, "Keys"), close),
      h("table", { class: "keys" }, ...this.actions.rows()),
    );
    dialog.showModal();
  }

  // --- classes ----------------------------------------------------------------------------------------------------

  get classInHand() {
    return this.classes.find(({ id }) => id === this.chosen) ?? null;
  }

  /** @param {{classes: Object[], deleted: {id: number, name: string}[]}} answer */
  setClasses({ classes, deleted }) {
    this.classes = classes;
    const back = ({ id, name }) =>
      h("button", { type: "button", class: "link", title: `Restore ${name}`, onclick: () => this.changeClass("restore_class", { id }) }, name);
    this.part.deleted.hidden = !deleted.length;
    this.part.deleted.replaceChildren("Deleted, click to restore: ", ...deleted.flatMap((one, k) => (k ? [", ", back(one)] : [back(one)])));
    if (!this.classInHand) this.chosen = classes[0]?.id ?? null;
    for (const set of [this.hidden, this.locked])
      for (const id of set) if (!classes.some((each) => each.id === id)) set.delete(id);
    this.rows.show(classes);
    this.markClasses();
    this.colour();
    this.measure();
  }

  markClasses() {
    this.rows.mark(this);
    this.part["accept-class"].lastChild.textContent = this.classInHand ? `Accept ${this.classInHand.name}` : "Accept class";
    this.showSources();
    this.canvas.redrawAbove();
  }

  choose(id) {
    if (id == null || id === this.chosen || !this.classes.some((each) => each.id === id)) return;
    this.before = this.chosen;
    this.chosen = id;
    if (this.taken === "eraser") this.take("brush");
    this.markClasses();
  }

  chooseAt(position) {
    this.choose(this.classes[position]?.id);
  }

  hide(id, alone) {
    const others = this.classes.filter((each) => each.id !== id).map((each) => each.id);
    if (!alone) toggle(this.hidden, id);
    else if (this.hidden.size === others.length && !this.hidden.has(id)) this.hidden.clear();
    else this.hidden = new Set(others);
    this.markClasses();
    this.colour();
  }

  lock(id, others = false) {
    if (id == null) return;
    if (others) this.locked = new Set(this.classes.filter((each) => each.id !== id).map((each) => each.id));
    else toggle(this.locked, id);
    this.markClasses();
  }

  async addClass() {
    const name = this.part["new-name"].value.trim();
    if (!name) return;
    const reply = await this.call("add_class", { name });
    if (!reply.ok) return this.problem(reply.error);
    this.problem("");
    this.part["new-name"].value = "";
    this.setClasses(reply);
    this.choose(reply.id);
  }

  async changeClass(how, message) {
    await this.edits?.done;
    const reply = await this.call(how, message);
    if (!reply.ok) return this.problem(reply.error);
    this.problem("");
    this.setClasses(reply);
    if (how !== "change_class" && this.photo) await this.reload(); // its pixels read as something else now
  }

  // --- the model --------------------------------------------------------------------------------------------------

  /** @param {Object<number, number>} [levels] store the model's view with these thresholds, not its sure regions */
  pseudolabel(levels) {
    if (!this.photo) return;
    const { photo } = this.photo;
    const quiet = this.waiting.begin("The model labels this photo");
    const send = async () => {
      const reply = await this.send("pseudolabel", levels ? { photo, levels } : { photo });
      quiet();
      return reply;
    };
    this.edits.push({ send, sketch: null, asked: "pseudolabel" });
  }

  /** @param {{class?: number, above?: number}} which of the model's regions become a person's decision */
  accept(which) {
    this.paint({ type: "accept", ...which }, null);
  }

  get above() {
    return this.part.above.valueAsNumber / 100;
  }

  async loadSources() {
    const { turn } = this;
    const reply = await this.ask("sources", {});
    if (turn !== this.turn || !reply.ok) return;
    this.sources = reply;
    this.showSources();
  }

  /** What accepting would take, before it is done. */
  showSources() {
    const { part } = this,
      all = this.map?.ids.length ?? 1;
    part["above-text"].textContent = this.above.toFixed(2);
    const { person, model } = this.sources ?? { person: 0, model: [] };
    const sure = model.filter(([, confidence]) => confidence >= part.above.valueAsNumber);
    const regions = (rows) => rows.reduce((sum, [, , count]) => sum + count, 0);
    const share = (rows) => percent(rows.reduce((sum, [, , , pixels]) => sum + pixels, 0) / all);
    const checked = `Checked by a person: ${percent(person / all)}.`;
    part["sure-text"].textContent = model.length
      ? `${regions(sure)} of the model's ${regions(model)} regions, ${share(sure)} of the photo. ${checked}`
      : `Nothing of the model's waits here. ${checked}`;
    part["accept-sure"].disabled = !sure.length;
    part["accept-all"].disabled = !model.length;
    part["accept-class"].disabled = !model.some(([id]) => id === this.chosen);
  }

  /** Show what the model says to the project's classes beside the labels, with thresholds; nothing of it is stored. */
  async toggleModel() {
    if (this.modelView) return this.leaveModel();
    if (!this.photo) return;
    const { turn } = this;
    const quiet = this.waiting.begin("Asking the model");
    const reply = await this.ask("model_view", {});
    const answer = reply.ok ? await readAnswer(reply) : null;
    quiet();
    if (turn !== this.turn) return;
    if (!answer) return this.problem(reply.error);
    this.modelView = { answer, ids: reply.ids };
    this.press("model", true);
    this.part["model-board"].hidden = false;
    this.part.labelling.classList.add("models");
    this.decideModel();
  }

  leaveModel() {
    if (!this.modelView) return;
    this.modelView = null;
    this.press("model", false);
    this.part["model-board"].hidden = true;
    this.part.labelling.classList.remove("models");
  }

  decideModel() {
    const { answer, ids } = this.modelView;
    const decided = decide(
      answer,
      ids.map((id) => this.levels.get(id) ?? 0),
    );
    const table = [0, ...answer.words.map((word, k) => (word.background ? 0 : ids[k]))];
    const { width, height } = answer.labels;
    this.modelView.map = new LabelMap({ width, height, ids: Uint16Array.from(decided, (k) => table[k]) });
    this.layers.model.set(this.modelView.map, this.colours);
    this.modelCanvas.redraw();
  }

  setLevel(id, level) {
    this.levels.set(id, level);
    if (this.modelView) this.decideModel();
  }

  /** Start or cancel the run over all new photos. */
  async run(action) {
    const reply = await this.call("run", { action });
    if (!reply.ok) return this.problem(reply.error);
    this.showRun(reply);
    if (reply.running) setTimeout(() => this.look(), LOOK);
  }

  /** How far the background run is; at the `first` look one may have ended since the photos were listed. */
  async look(first = false) {
    const reply = await this.call("run", { action: "look" });
    if (!reply.ok) return;
    const was = this.running || (first && reply.what);
    this.showRun(reply);
    if (reply.running || was) await this.refresh();
    if (reply.running) setTimeout(() => this.look(), LOOK);
  }

  showRun({ what, running, done, all, failed, cancelled, problem }) {
    const { part } = this;
    part.run.disabled = running;
    part["run-state"].hidden = !running && !failed.length && !problem && !(what && this.running);
    this.running = running;
    const cancel = h("button", { type: "button", class: "link", onclick: () => this.run("cancel") }, "Cancel");
    const bar = h("span", { class: "progress" }, h("i", { "data-state": "done", style: { width: `${(100 * done) / (all || 1)}%` } }));
    if (part["run-state"].hidden) return part["run-state"].replaceChildren();
    const over = cancelled ? `Cancelled after ${done} of ${all}; start again to go on.` : `${what}: ${done} done.`;
    const lost = failed.length ? ` ${failed.length} failed: ${failed[0][1]}` : "";
    part["run-state"].replaceChildren(
      ...(running ? [bar, h("span", { class: "number muted" }, `${what}, ${done} of ${all}`), cancel] : [h("span", { class: "hint" }, problem ?? over + lost)]),
    );
  }

  // --- note, statistics, words to the person ----------------------------------------------------------------------

  async saveNote() {
    if (!this.photo || this.part.note.value === this.noted) return;
    this.noted = this.part.note.value;
    const reply = await this.ask("set_note", { note: this.noted });
    if (!reply.ok) this.problem(reply.error);
  }

  async showStatistics() {
    if (!this.part.statistics.open) return;
    const reply = await this.call("statistics", {});
    if (!reply.ok) return this.problem(reply.error);
    const { photos, classes, unlabelled_pixels: rest } = reply.status;
    const all = classes.reduce((sum, { pixels }) => sum + pixels, rest) || 1;
    const line = (name, text, colour) =>
      h(
        "tr",
        {},
        h("td", {}, colour ? h("span", { class: "swatch", style: { "--class": colour } }) : null, name),
        h("td", { class: "number" }, text),
      );
    this.part["statistics-body"].replaceChildren(
      h(
        "table",
        {},
        ...this.given.states.map((state) => line(state, String(photos[state]))),
        ...classes.map(({ name, colour, pixels }) => line(name, percent(pixels / all), colour)),
        line("unlabelled", percent(rest / all)),
      ),
    );
  }

  /** A short word about the tool in hand, on the board; "" takes it away. */
  say(text) {
    this.part.notice.hidden = !text;
    this.part.notice.textContent = text;
  }

  /** One sentence about what went wrong; "" takes it away. */
  problem(text) {
    this.part.problem.hidden = !text;
    this.part.problem.replaceChildren(...(text ? [icon("warning"), h("span", {}, text)] : []));
  }
}

const HINTS = {
  units: "Point at a thing: a click labels it, the wheel takes a smaller or larger part. Ctrl and wheel zooms.",
  prompts: "Click the thing; right click what is not part of it; or drag a box around it.",
  polygon: "Click the corners, or drag a lasso; the first corner or Enter closes it.",
};

const FIRST = "Press T: the model labels this photo, then you mend it. Or point at a thing: a click labels it.";
const FIRST_TOUCH = "Label this photo lets the model begin. Or tap a thing, and again to label it.";

const TOUCH_HINTS = {
  units: "Tap a thing to see its region; tap again to label it.",
  prompts: "Tap the thing, or drag a box around it.",
  polygon: "Draw around the thing.",
};

/** The photo that the address names, or null. */
function askedPhoto() {
  const [page, id] = location.hash.slice(1).split("/");
  return page === "label" && /^\d+$/.test(id ?? "") ? Number(id) : null;
}

/** Sizes grow by ratio along the slider, so that small ones can be chosen finely. */
const radiusAt = (share) => Math.round(2 * 0.5 * (2 * LARGEST) ** share) / 2;
const shareOf = (radius) => Math.log(2 * radius) / Math.log(2 * LARGEST);

/** A point in image pixels, in the pixels of a raster that covers the photo. */
const scaled = ([x, y], [width, height], map) => [(x * map.width) / width, (y * map.height) / height];

function toggle(set, id) {
  if (!set.delete(id)) set.add(id);
}
