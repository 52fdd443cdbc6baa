/** Gestures on their way to disk: sent, painted in a tint meanwhile, and what the server answered put in their place. */

import { Edits } from "./edits.js";
import { readIndexPng } from "../canvas/png.js";

const PAINTING = ["brush", "polygon", "fill", "region", "relabel"];

export class Saving {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    Object.assign(this, { page, part: page.part, store: page.store });
    /** Of the photo in hand. @type {Edits|null} */
    this.edits = null;
    this.onlyUnlabelled = false;
    window.addEventListener("beforeunload", (event) => {
      if (this.busy) event.preventDefault();
    });
  }

  get busy() {
    return Boolean(this.edits?.waiting.length);
  }

  /** Resolves when nothing of the photo in hand waits any more. */
  get done() {
    return this.edits?.done ?? Promise.resolve();
  }

  /** Another photo is in hand. */
  begin(photo, revision) {
    const mine = () => this.store.state.photo?.photo === photo;
    this.edits = new Edits(revision, {
      saved: async (reply, gesture) => {
        if (mine()) await this.takeOver(reply, gesture);
        this.page.photos.change(photo, { state: reply.state, revision: reply.revision });
      },
      refused: (reply, dropped) => this.refused(reply, dropped, mine),
      state: () => {
        if (mine()) this.show();
      },
    });
  }

  async refused(reply, dropped, mine) {
    if (!reply.stale) {
      this.page.problem(reply.error);
      return null;
    }
    if (!mine()) return null;
    const lost = dropped.length > 1 ? `${dropped.length} gestures were` : "Your last gesture was";
    const now = await this.page.photos.reload();
    this.page.problem(`This photo was changed elsewhere meanwhile; this is the newer state. ${lost} not saved: do it again.`);
    return now;
  }

  /** Put what the server answered in place of what was painted meanwhile. */
  async takeOver({ patch, changed_pixels: changed, warning }, { asked }) {
    const { page, store } = this,
      still = store.still("photo", "map");
    if (warning) {
      page.problem(warning);
      await page.classes.refresh();
    }
    if (patch.png) {
      const { ids } = await readIndexPng(patch.png.slice(patch.png.indexOf(",") + 1));
      if (!still()) return; // the map in hand was read after this gesture
      store.state.map.patch(patch.box, ids);
      store.touch(patch.box, "server");
    }
    if (["undo", "redo"].includes(asked) && !patch.png && !changed) page.say(`Nothing left to ${asked}.`);
    else if (PAINTING.includes(asked) && !changed) page.say(this.whyNothing());
    else if (asked === "pseudolabel") page.say(changed ? "" : "The model is not sure of anything here.");
    else if (asked === "accept") page.say("Accepted: no later run of a model changes these.");
    else page.say("");
    page.model.sourcesSoon();
    page.advise();
  }

  whyNothing() {
    if (this.onlyUnlabelled) return "Nothing changed: only unlabelled pixels are painted (O).";
    if (this.store.state.locked.size) return "Nothing changed: these pixels have the class already, or theirs is locked.";
    return "Nothing changed: these pixels have the class already.";
  }

  /** A gesture in the words of the HTTP contract; `sketch` shows it until it is saved. */
  paint(operation, sketch) {
    if (!this.edits) return;
    const { photo, locked } = this.store.state;
    if (PAINTING.includes(operation.type)) {
      if (locked.size) operation.locked = [...locked];
      if (this.onlyUnlabelled) operation.only_unlabelled = true;
    }
    this.edits.push({
      send: (revision) => this.page.call("edit", { photo: photo.photo, base_revision: revision, operation }),
      sketch,
      asked: operation.type,
    });
  }

  /** The state line, and what is painted meanwhile. */
  show() {
    const { edits, part, page } = this;
    const waiting = edits.waiting.length;
    part.save.dataset.state = edits.offline ? "offline" : waiting ? "saving" : "saved";
    part.save.textContent = edits.offline
      ? `Not saved yet: the server does not answer; ${waiting} waiting`
      : waiting
        ? "Saving"
        : "Saved";
    part.revision.textContent = `revision ${edits.revision}`;
    part.labelling.dataset.revision = waiting ? "" : edits.revision;
    page.canvas.above = [{ draw: (context, view) => edits.sketches.forEach((sketch) => sketch.draw(context, view)) }];
    page.canvas.redrawAbove();
  }
}
