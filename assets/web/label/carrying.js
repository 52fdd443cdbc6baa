/** Labels carried from the frame in hand: to the next one, or from frame to frame in the background. */

import { h } from "../shared/dom.js";
import { openable } from "../shared/openable.js";
import { atLeast, plural, progress } from "../shared/numbers.js";
import { t } from "../shared/language.js";

const LOOK = 1000; // milliseconds between two looks at work in the background

export class Carrying {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    this.page = page;
    this.part = page.part;
    this.busy = false; // labels are being carried
    /** What is done in the background, while it goes on, as the server tells it. @type {any} */
    this.job = null;
    this.begun = 0; // the frame at which it was begun here
    this.looked = false; // whether some was going on when the page came
    const { "film-more": more, "film-ways": ways } = this.part;
    openable(more, ways);
    ways.addEventListener("click", () => more.click()); // one is chosen
    page.store.watch(["map"], () => this.told("")); // other labels: they may be carried now
  }

  /** What the strip offers: nothing while something is carried, and nothing on from the last frame. */
  show() {
    const { part, page } = this,
      { place, frames } = page.film,
      shown = this.job !== null;
    part.film.classList.toggle("running", shown);
    part["film-run"].hidden = !shown;
    if (shown)
      part["film-run"].replaceChildren(
        h("span", { class: "number" }, progress(this.job)),
        h("button", { type: "button", class: "link", onclick: () => this.act({ action: "cancel" }) }, t("Stop")),
      );
    const last = place + 1 === frames.length;
    for (const button of part.film.querySelectorAll("[data-do^=carry]"))
      button.disabled = this.busy || (button.dataset.do === "carryBack" ? !place : last);
    if (this.looked) return;
    this.looked = true;
    this.look();
  }

  /** Carry the labels of the frame in hand to the next one, and go there. @param {boolean} right a person says they are right */
  async next(right = false) {
    const { page } = this;
    if (!this.ready()) return;
    const still = page.store.still("photo"),
      { photo } = page.store.state.photo;
    this.begin();
    await page.saving.rest(photo);
    const quiet = page.waiting.begin(t("Carrying the labels to the next frame"));
    const done = right ? await page.call("set_state", { photo, state: "done" }) : null;
    if (done?.ok) page.photos.change(photo, { state: "done" });
    const reply = done && !done.ok ? done : await page.call("carry", { photo, film: page.film.film.id });
    quiet();
    this.busy = false;
    this.show();
    if (!reply.ok) return this.told(reply.error);
    if (!still()) return page.film.load(); // somebody has gone on already
    await page.photos.open(reply.to);
    const share = { share: atLeast(reply.sure) };
    page.announce(reply.stops ? t("Only {share} sure: correct this frame before you go on.", share) : t("Carried: {share} sure.", share));
  }

  /** Carry them from frame to frame. @param {"sure"|"end"|"back"} way */
  async start(way) {
    const { page } = this;
    if (!this.ready()) return;
    const { photo } = page.store.state.photo;
    this.begin();
    this.begun = photo;
    await page.saving.rest(photo);
    await this.act({ action: "start", photo, film: page.film.film.id, way });
  }

  /** Whether something can be carried now; else it is said why not. */
  ready() {
    const { page } = this;
    if (page.film.place < 0) page.announce(t("This photo is no frame of a film."));
    else if (this.busy) page.announce(t("Labels are being carried already."));
    else return true;
    return false;
  }

  /** Why nothing was carried, until something else is done about it. @param {string} problem */
  told(problem) {
    this.page.problem(problem, "carrying");
  }

  begin() {
    this.busy = true;
    this.told("");
    this.show();
  }

  async act(message) {
    const reply = await this.page.call("carry_on", message);
    if (reply.ok) return this.follow(reply);
    this.busy = false;
    this.show();
    this.told(reply.error);
  }

  async look() {
    const reply = await this.page.call("carry_on", {});
    if (!reply.ok) return this.job && this.later(); // the next look may do better
    if (reply.running || this.job) await this.follow(reply);
  }

  later() {
    clearTimeout(this.looking);
    this.looking = setTimeout(() => this.look(), LOOK);
  }

  /** How far it is; frames that are labelled show it. @param {any} job */
  async follow(job) {
    const { page } = this,
      more = job.done !== this.job?.done;
    this.busy = job.running;
    this.job = job.running ? job : null;
    this.show();
    if (more || !job.running) await Promise.all([page.photos.refresh(), page.film.load()]);
    if (!job.running) return this.end(job);
    this.later();
  }

  /** What came of it; where it stopped, and nobody has gone elsewhere, that frame is taken in hand. */
  async end({ problem, report }) {
    const { page } = this;
    if (problem) return this.told(problem);
    if (!report) return;
    const { to, name, sure, stops, kept, frames, stopped } = report,
      low = stops && !kept && !stopped,
      values = { name, share: atLeast(sure) };
    if (low && this.begun === page.store.state.photo?.photo) await page.photos.open(to);
    if (kept) page.announce(plural(frames, "Carried to {n} frame; the labels of {name} are surer already, and stay.", "Carried to {n} frames; the labels of {name} are surer already, and stay.", values));
    else if (stopped) page.announce(plural(frames, "Carried to {n} frame, and stopped at {name}.", "Carried to {n} frames, and stopped at {name}.", values));
    else if (low) page.announce(plural(frames, "Carried to {n} frame; {name} is only {share} sure: correct it before you go on.", "Carried to {n} frames; {name} is only {share} sure: correct it before you go on.", values));
    else page.announce(plural(frames, "Carried to {n} frame: {share} sure at the last.", "Carried to {n} frames: {share} sure at the last.", values));
  }
}
