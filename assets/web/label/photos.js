/** The photo in hand and the way from one to the next; photos that come in; the project looked at again. */

import { bytesOf, readIndexPng } from "../canvas/png.js";
import { debounce } from "../shared/dom.js";
import { isOver, queued } from "./sift.js";
import { LabelMap } from "../canvas/labelmap.js";
import { Queue } from "./queue.js";
import { tell } from "../shared/bus.js";
import { heard, t } from "../shared/language.js";
import { number, plural } from "../shared/numbers.js";

const SETTLE = 250; // milliseconds on a photo before it and the next one are encoded
const MOST_SENT = 64e6; // bytes of a file that travels in one message
const PAUSE = 500; // milliseconds without typing before a note is saved

export class Photos {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    const { part, store, given } = page;
    this.page = page;
    this.part = part;
    this.store = store;
    this.states = given.states;
    this.turn = 0; // of openings: an older one that comes late is dropped
    /** The photo that was to be opened and cannot be shown, null while one is in hand. @type {number|null} */
    this.unread = null;
    this.queue = new Queue(part, given.states, {
      onopen: (photo) => this.open(photo),
      thumbs: async (photos) => (await page.call("thumbs", { photos })).thumbs ?? {},
    });
    this.prepareSoon = debounce(() => this.prepare(), SETTLE);
    this.noteSoon = debounce(() => this.saveNote(), PAUSE);
    part.note.addEventListener("input", this.noteSoon);
    window.addEventListener("hashchange", () => {
      const asked = askedPhoto();
      if (asked && asked !== this.state.photo?.photo) this.open(asked);
    });
  }

  get state() {
    return this.store.state;
  }

  /**
   * Take the photo that the address names, or else the first that is not done, in hand.
   * @param {[number, string, number, number][]} rows as the server sends the queue
   */
  async begin(rows) {
    const photos = queued(rows, this.states);
    this.store.set({ photos }, "server");
    this.queue.show(photos);
    this.part["no-photos"].hidden = photos.length > 0;
    this.page.statistics.soon();
    const first = photos.find((each) => !isOver(each)) ?? photos[0];
    const asked = photos.find(({ photo }) => photo === askedPhoto());
    if (photos.length) await this.open((asked ?? first).photo);
  }

  /** What changed about one photo. */
  change(id, facts) {
    this.queue.change(id, facts);
    this.page.statistics.soon();
  }

  /** Show a photo; gestures on the one before are saved first. */
  async open(id) {
    const { page } = this,
      turn = ++this.turn;
    page.desk.tool.cancel();
    this.noteSoon.now();
    const saved = page.waiting.begin(t("Saving first"));
    await page.saving.rest(this.state.photo?.photo, id);
    saved();
    if (turn !== this.turn) return;
    page.problem("");
    const quiet = page.waiting.begin(t("Opening the photo"));
    const opened = await page.call("open", { photo: id });
    let picture, map;
    if (opened.ok && turn === this.turn) {
      [picture, map] = await Promise.all([
        createImageBitmap(new Blob([bytesOf(opened.jpeg)], { type: "image/jpeg" })),
        this.mapOf(opened.size, opened, opened.whole && [opened.whole]),
      ]);
    }
    quiet();
    if (turn !== this.turn) return;
    this.unread = opened.ok ? null : id;
    page.enable();
    if (!opened.ok) {
      this.queue.mark(id); // so that the next one can be reached from here
      return this.unreadable(opened.error);
    }
    this.show(id, opened, picture, map);
    if (opened.problem) this.unreadable(opened.problem);
  }

  /** Say why the photo cannot be read, with a way on. */
  unreadable(reason) {
    this.page.problem(reason, "photo", { label: t("Skip this photo"), run: () => this.finish("skipped") });
  }

  /**
   * The label map that the server has sent; of a huge photo there is a raster for each of the windows.
   * @param {[number, number]} size of the photo
   * @param {import("../shared/server.js").Reply} reply
   * @param {import("../canvas/windowed.js").Window[]} [windows]
   */
  async mapOf(size, { labels, revision }, windows) {
    if (!windows) return new LabelMap(await readIndexPng(labels));
    return this.page.windows.mapOf(size, windows, labels, revision);
  }

  show(id, opened, picture, map) {
    const { page, part } = this,
      viewing = this.state.view !== null;
    const photo = { photo: id, name: opened.name, size: opened.size };
    page.saving.begin(photo, opened.revision);
    this.noted = part.note.value = opened.note;
    this.store.set({ photo, map, view: null, sources: null }, "server");
    page.desk.forget(); // what was begun on the photo before, while this one was opened
    page.windows.begin(opened);
    page.boards.show(picture, opened.size);
    this.change(id, { state: opened.state, revision: opened.revision });
    this.queue.mark(id);
    part.labelling.dataset.photo = id;
    if (page.shown) {
      tell("photo", photo);
      history.replaceState(null, "", `#label/${id}`);
    }
    page.saving.show();
    if (page.saving.edits.revision > opened.revision) this.reload(); // something was saved while it was opened
    page.model.loadSources();
    this.prepareSoon();
    page.advise();
    if (viewing) page.model.toggle();
  }

  /** Take the stored label map in place of the one in hand; answers its revision. */
  async reload() {
    const { page } = this,
      { photo } = this.state,
      still = this.store.still("photo"),
      { windows } = page.windows.shown;
    const reply = await page.ask("label_map", { windows });
    const map = reply.ok ? await this.mapOf(photo.size, reply, windows) : null;
    if (!still()) return null;
    if (!map) {
      page.problem(reply.error);
      return null;
    }
    this.store.set({ map }, "server");
    page.windows.follow(); // it may have moved on meanwhile
    page.saving.edits.revision = reply.revision;
    page.saving.show();
    page.model.sourcesSoon();
    return reply.revision;
  }

  /** Encode this photo and the next one, so that neither has to be waited for. */
  async prepare() {
    const { page, part } = this,
      still = this.store.still("photo"),
      next = this.queue.step(1);
    part.encoding.textContent = t("Encoding this photo for regions");
    const reply = await page.call("prepare", { photos: [this.state.photo.photo] });
    if (!still()) return;
    part.encoding.textContent = reply.ok ? "" : reply.error;
    if (next !== null) await page.call("prepare", { photos: [next] });
  }

  step(by) {
    const to = this.queue.step(by);
    if (to !== null) this.open(to);
    else if (this.state.photo) this.page.announce(by > 0 ? t("This is the last photo of the list.") : t("This is the first photo of the list."));
  }

  /** The photo in hand is done or skipped: on to the next. */
  async finish(state) {
    const { page } = this;
    const still = this.store.still("photo"),
      photo = this.unread ?? this.state.photo?.photo;
    if (photo === undefined) return;
    if (this.unread !== null && state !== "skipped") return page.announce(t("This photo cannot be shown; skip it, or go on to another one."));
    const to = this.queue.step(1) ?? this.queue.step(-1);
    await page.saving.rest(photo);
    const reply = await page.call("set_state", { photo, state });
    if (!reply.ok) return page.problem(reply.error);
    this.change(photo, { state });
    if (page.team.told) delete page.team.told.standing[photo];
    if (!still()) return; // somebody has gone on already
    if (this.unread === photo) page.problem("");
    if (this.queue.step(1) !== null) this.step(1);
    else if (to !== null && !this.state.photos.every(isOver))
      page.announce(t("That was the last photo of the list; some before it are still to do."));
    else page.announce(t("Every photo is done."));
  }

  async add(files) {
    const { page } = this;
    if (!files.length) return;
    const quiet = page.waiting.begin(files.length > 1 ? t("Adding {n} photos", { n: number(files.length) }) : t("Adding {name}", { name: files[0].name }));
    const added = [],
      problems = [];
    for (const file of files) {
      if (file.size > MOST_SENT) {
        problems.push(t("{name} is too large to be added here; the Data page takes files of any size.", { name: file.name }));
        continue;
      }
      // One at a time: a torn one does not hold the others up.
      const reply = await page.call("add_photos", { file, name: file.name });
      if (!reply.ok) problems.push(reply.error);
      else {
        added.push(...reply.added);
        problems.push(...reply.failed.map(([, reason]) => heard(reason)));
        problems.push(...reply.duplicates.map(([given, there]) => t("{given} is in the project already, as {there}.", { given, there })));
      }
    }
    quiet();
    page.problem([...problems.slice(0, 3), ...(problems.length > 3 ? [t("And {n} more.", { n: number(problems.length - 3) })] : [])].join(" "), "adding");
    if (!added.length) return;
    await this.refresh();
    this.queue.reveal(this.state.photos.findLast(({ name }) => added.includes(name))?.photo);
    page.announce(plural(added.length, "{n} photo added.", "{n} photos added."));
  }

  /** Look at the project again: its queue, its classes, and the photo in hand if somebody else has changed it. */
  async refresh() {
    const { page } = this;
    if (!page.shown) return;
    const still = this.store.still("photo", "classes"),
      { turn } = this;
    const overview = await page.call("overview", {});
    // Where every visitor has a project its time may be over; the next edit is then told so.
    if (!overview.ok || overview.project === null || turn !== this.turn || !still()) return;
    const { photo, photos, classes } = this.state;
    if (!photo && !overview.photos.length) return;
    const now = queued(overview.photos, this.states);
    if (JSON.stringify(now) !== JSON.stringify(photos)) {
      this.store.set({ photos: now }, "server");
      this.queue.show(now);
      this.page.statistics.soon();
    }
    page.team.take(overview.team);
    const changed = JSON.stringify(overview.classes) !== JSON.stringify(classes);
    if (changed) page.classes.take(overview);
    if (!photo) return this.begin(overview.photos);
    const stored = now.find((each) => each.photo === photo.photo),
      { edits } = page.saving;
    if (stored && !page.saving.busy && (changed || stored.revision > edits.revision)) await this.reload();
  }

  async saveNote() {
    const { note } = this.part;
    if (!this.state.photo || note.value === this.noted) return;
    this.noted = note.value;
    const reply = await this.page.ask("set_note", { note: this.noted });
    if (reply.ok || reply.late) return;
    this.noted = null; // it is sent again with the next change, or on the way to the next photo
    this.page.problem(reply.error);
  }
}

/** The photo that the address names, or null. */
function askedPhoto() {
  const [page, id] = location.hash.slice(1).split("/");
  return page === "label" && /^\d+$/.test(id ?? "") ? Number(id) : null;
}
