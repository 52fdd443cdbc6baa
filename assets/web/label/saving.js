/**
 * Gestures on their way to disk: sent, painted in a tint meanwhile, and what the server answered put in their place.
 * Until then this browser keeps them, so that they outlive a server that dies and a tab that is closed.
 */

import { edits as counted, saveLine } from "./save-line.js";
import { Edits } from "./edits.js";
import { h } from "../shared/dom.js";
import { Outbox } from "./outbox.js";
import { readIndexPng } from "../canvas/png.js";
import { heard, t } from "../shared/language.js";
import { number, plural } from "../shared/numbers.js";

const PAINTING = ["brush", "polygon", "fill", "region", "relabel"];

/** @typedef {import("./edits.js").Gesture} Gesture */
/** @typedef {import("./outbox.js").Parcel} Parcel */

export class Saving {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    this.page = page;
    this.part = page.part;
    this.store = page.store;
    this.outbox = new Outbox();
    /** Of the photo in hand, and of those that still have something waiting. @type {Map<number, Edits>} */
    this.byPhoto = new Map();
    /** What had to wait for a server and lies on an older label map now. @type {Map<number, Parcel>} */
    this.late = new Map();
    /** What this browser keeps for projects that are not open here. @type {Parcel[]} */
    this.elsewhere = [];
    this.resting = []; // who waits until nothing is sent
    this.away = false; // something waits, and the server has another project open
    this.onlyUnlabelled = false;
    window.addEventListener("beforeunload", (event) => {
      if (this.waiting && !this.outbox.works) event.preventDefault();
    });
  }

  /** Of the photo in hand. */
  get edits() {
    return this.byPhoto.get(this.store.state.photo?.photo) ?? null;
  }

  /** Whether the photo in hand has something waiting. */
  get busy() {
    return Boolean(this.edits?.waiting.length);
  }

  get waiting() {
    return [...this.byPhoto.values()].reduce((sum, { waiting }) => sum + waiting.length, 0);
  }

  /** Resolves when nothing is being sent: all is saved, or waits for its server. @param {...number} photos */
  async rest(...photos) {
    const sending = () => photos.some((photo) => this.byPhoto.get(photo)?.sending);
    while (sending()) await new Promise((resolve) => this.resting.push(resolve));
  }

  // --- what an earlier page left -----------------------------------------------------------------------------------

  /** Send what earlier pages left for the project that is open here. @param {string|null} key of it */
  async resume(key) {
    const left = await this.outbox.left();
    this.elsewhere = left.filter(({ project }) => project !== key);
    for (const parcel of left) if (parcel.project === key) this.adopt(parcel);
  }

  /** @param {Parcel} parcel */
  async adopt(parcel) {
    await this.byPhoto.get(parcel.photo)?.done; // two tabs had left something on one photo
    const edits = this.editsOf({ photo: parcel.photo, name: parcel.photoName }, parcel.revision);
    edits.delayed = true;
    edits.push(...parcel.gestures);
    if (parcel.tab !== this.outbox.tab) this.outbox.drop(parcel.id);
  }

  /** Edits kept for other projects. @returns {{project: string, edits: number}[]} */
  counts() {
    const counts = new Map();
    for (const { projectName, gestures } of this.elsewhere)
      counts.set(projectName, (counts.get(projectName) ?? 0) + gestures.length);
    return [...counts].map(([project, edits]) => ({ project, edits }));
  }

  /** Let go of what this browser keeps for other projects. */
  forget() {
    for (const { id } of this.elsewhere.splice(0)) this.outbox.drop(id);
    this.show();
  }

  // --- sending -----------------------------------------------------------------------------------------------------

  /** Another photo is in hand, with its label map at a revision. @param {{photo: number, name: string}} photo */
  begin(photo, revision) {
    for (const [other, { waiting }] of this.byPhoto) if (!waiting.length && other !== photo.photo) this.byPhoto.delete(other);
    const edits = this.byPhoto.get(photo.photo);
    if (!edits) this.byPhoto.set(photo.photo, this.editsOf(photo, revision));
    else if (!edits.waiting.length) edits.revision = revision;
  }

  /** @param {{photo: number, name: string}} photo */
  editsOf(photo, revision) {
    const { page } = this,
      mine = () => this.store.state.photo?.photo === photo.photo;
    /** @type {{windows?: import("../canvas/windowed.js").Window[]}} */
    let sent = {};
    const keep = (gestures) =>
      this.outbox.keep(this.outbox.parcel(this.store.state.project, photo, edits.revision, gestures));
    const edits = new Edits(revision, {
      send: ({ name, message }, base) => {
        sent = mine() ? page.windows.shown : {};
        return page.call(name, { ...message, ...sent, ...(name === "edit" ? { base_revision: base } : {}) });
      },
      saved: async (reply, gesture) => {
        keep(edits.waiting.slice(1));
        if (mine()) await this.takeOver(reply, gesture, sent.windows);
        page.photos.change(photo.photo, { state: reply.state, revision: reply.revision });
      },
      refused: (reply, dropped) => this.refused(reply, dropped, mine),
      outdated: async (reply, dropped) => {
        this.offer(photo, edits.revision, dropped);
        return mine() ? page.photos.reload() : null;
      },
      changed: (trouble) => {
        if (!trouble) keep(edits.waiting);
        if (!edits.waiting.length && !mine()) this.byPhoto.delete(photo.photo);
        this.resting.splice(0).forEach((resolve) => resolve());
        this.tellElsewhere(trouble);
        this.show();
      },
    });
    this.byPhoto.set(photo.photo, edits);
    return edits;
  }

  /** Say that another project is open where this one was, as long as something waits for this one. */
  tellElsewhere(reply) {
    const before = this.away;
    this.away = [...this.byPhoto.values()].some(({ trouble }) => trouble === "elsewhere");
    if (reply?.other_project) this.page.problem(reply.error, "server");
    else if (before && !this.away) this.page.problem("", "server");
  }

  async refused(reply, dropped, mine) {
    if (!reply.stale) {
      this.page.problem(reply.error);
      return null;
    }
    if (!mine()) return null;
    const now = await this.page.photos.reload();
    const newer = t("This photo was changed elsewhere meanwhile; this is the newer state.");
    const lost = plural(dropped.length, "Your last gesture was not saved: do it again.", "{n} gestures were not saved: do them again.");
    this.page.problem(`${newer} ${lost}`);
    return now;
  }

  /**
   * Put what the server answered in place of what was painted meanwhile.
   * @param {import("../shared/server.js").Reply} reply
   * @param {Gesture} gesture
   * @param {import("../canvas/windowed.js").Window[]} [windows] of a huge photo, to which the answer is cut
   */
  async takeOver(reply, { name, message }, windows) {
    const { page, store } = this,
      { patch, box = patch?.box, changed_pixels: changed, warning } = reply,
      still = store.still("photo", "map"),
      asked = name === "edit" ? message.operation.type : name;
    if (warning) {
      page.problem(heard(warning));
      await page.classes.refresh();
    }
    if (windows) {
      await page.windows.takeOver(reply, windows);
      if (!still()) return;
    } else if (patch?.png) {
      const { ids } = await readIndexPng(patch.png.slice(patch.png.indexOf(",") + 1));
      if (!still()) return; // the map in hand was read after this gesture
      /** @type {import("../canvas/labelmap.js").LabelMap} */ (store.state.map).patch(patch.box, ids);
      store.touch(patch.box, "server");
    }
    const nothing = box[0] === box[2];
    if (["undo", "redo"].includes(asked) && nothing && !changed) page.announce(asked === "undo" ? t("Nothing left to undo.") : t("Nothing left to redo."));
    else if (windows && !nothing && !page.windows.sees(box)) page.announce(t("That was at {x}, {y}, outside of what is seen.", { x: box[0], y: box[1] }));
    else if (PAINTING.includes(asked) && !changed) page.announce(this.whyNothing());
    else if (asked === "pseudolabel") page.announce(changed ? "" : t("The model found nothing here that it is sure of."));
    else if (asked === "accept") page.announce(t("Accepted: no later run of a model changes these."));
    else page.say("");
    page.model.sourcesSoon();
    page.advise();
  }

  whyNothing() {
    if (this.onlyUnlabelled) return t("Nothing changed: only unlabelled pixels are painted (O).");
    if (this.store.state.locked.size) return t("Nothing changed: these pixels have the class already, or theirs is locked.");
    return t("Nothing changed: these pixels have the class already.");
  }

  /** A gesture in the words of the HTTP contract; `sketch` shows it until it is saved. */
  paint(operation, sketch) {
    const { page } = this,
      { photo, locked } = this.store.state;
    if (!photo) return;
    if (PAINTING.includes(operation.type)) {
      if (locked.size) operation.locked = [...locked];
      if (this.onlyUnlabelled) operation.only_unlabelled = true;
    }
    const { seen } = page.windows;
    if (operation.type === "fill" && seen) operation.window = seen; // of a huge photo, what is seen is filled
    this.push({ name: "edit", message: { photo: photo.photo, operation }, sketch });
  }

  /** @param {...Gesture} gestures on the photo in hand */
  push(...gestures) {
    this.edits?.push(...gestures);
  }

  // --- what came too late ------------------------------------------------------------------------------------------

  /** Ask what becomes of gestures that waited for a server while the photo changed. */
  offer(photo, revision, gestures) {
    const before = this.late.get(photo.photo)?.gestures ?? [];
    const parcel = this.outbox.parcel(this.store.state.project, photo, revision, [...before, ...gestures]);
    parcel.id += "/late";
    this.late.set(photo.photo, parcel);
    this.outbox.keep(parcel);
  }

  /** Send them on top of the label map in hand. @param {Parcel} parcel */
  apply(parcel) {
    this.push(...parcel.gestures);
    this.discard(parcel);
  }

  /** @param {Parcel} parcel */
  discard(parcel) {
    this.late.delete(parcel.photo);
    this.outbox.drop(parcel.id);
    this.show();
  }

  showOffers() {
    const { page, part } = this,
      inHand = this.store.state.photo?.photo;
    part.offers.hidden = !this.late.size;
    part.offers.replaceChildren(...[...this.late.values()].map((parcel) => {
      const there = parcel.photo === inHand;
      const [what, run] = there ? [t("Apply"), () => this.apply(parcel)] : [t("Show the photo"), () => page.photos.open(parcel.photo)];
      return h(
        "div",
        { class: "offer" },
        h("p", {}, t("{edits} made on {photo} while the server was away: the photo has changed since.", { edits: counted(parcel.gestures.length), photo: parcel.photoName })),
        h("div", { class: "row" },
          h("button", { class: "button", type: "button", onclick: run }, what),
          h("button", { class: "button quiet", type: "button", onclick: () => this.discard(parcel) }, t("Discard")),
        ),
      );
    }));
  }

  // --- what is seen ------------------------------------------------------------------------------------------------

  /** The state line, what waits for a decision, and what is painted meanwhile. */
  show() {
    const { edits, part, page } = this;
    const sending = [...this.byPhoto.values()];
    const { state, text } = saveLine({
      waiting: this.waiting,
      trouble: sending.find(({ trouble }) => trouble)?.trouble ?? null,
      late: [...this.late.values()].reduce((sum, { gestures }) => sum + gestures.length, 0),
      elsewhere: this.counts(),
    });
    part.save.dataset.state = state;
    part.save.textContent = text;
    this.showOffers();
    if (!edits) return;
    part.revision.textContent = t("revision {n}", { n: number(edits.revision) });
    part.labelling.dataset.revision = this.busy ? "" : edits.revision;
    page.canvas.above = [{ draw: (context, view) => edits.sketches.forEach((sketch) => sketch.draw(context, view)) }];
    page.canvas.redrawAbove();
  }
}
