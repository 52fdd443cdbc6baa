/**
 * People on one project: who is on the photo in hand, who is to do it, and what a reviewer says of it. On a server where
 * nobody signs in nothing of this is seen.
 */

import { h, icon } from "../shared/dom.js";
import { showAgreement } from "./agreement.js";
import { heard, t } from "../shared/language.js";
import { listed } from "../shared/numbers.js";
import { upper } from "./sift.js";

const SAY_AGAIN = 20_000; // milliseconds: a third of the time for which the server believes it
const RANKS = ["view", "label", "review", "own"];

/** Controls that would only be refused to somebody of a lower role. */
const CONTROLS = [["add", "own"], ["add-first", "own"], ["run", "own"], ["new-class", "review"], ["label-this", "label"]];

/**
 * @typedef {Object} Told What the server says of the team.
 * @property {string} me
 * @property {string} role
 * @property {{name: string, role: string}[]} people
 * @property {Object<string, {assignee: string|null, review: string|null}>} standing by photo
 * @property {Object<string, string[]>} present by photo
 */

export class Team {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    this.page = page;
    this.part = page.part;
    /** @type {Told|null} */
    this.told = null;
    this.on = null; // the photo that the server knows me on
    /** @type {Object<string, any>} */
    this.look = {};
    page.store.watch(["photo"], () => this.told && this.say());
    setInterval(() => this.told && this.page.shown && this.say(), SAY_AGAIN);
  }

  may(role) {
    return RANKS.indexOf(this.told.role) >= RANKS.indexOf(role);
  }

  get photo() {
    return this.page.store.state.photo?.photo ?? null;
  }

  /** @param {Told|null|undefined} told with an overview of the project */
  take(told) {
    this.told = told ?? null;
    this.part.team.hidden = !told;
    this.page.photos.queue.team = told ?? null;
    if (!told) return;
    this.part.labelling.classList.toggle("only-looking", !this.may("label"));
    for (const [name, role] of CONTROLS) this.part[name].hidden = !this.may(role);
    if (!this.part.filter.querySelector("[value=mine]"))
      this.part.filter.append(
        h("option", { value: "mine" }, t("Assigned to me")),
        h("option", { value: "to review" }, t("To review")),
        h("option", { value: "reviewed" }, t("Reviewed")),
        h("option", { value: "returned" }, t("Returned")),
      );
    this.showSpread();
    this.say();
  }

  /** Say that I am on the photo in hand, and hear who else is. */
  async say() {
    const { photo } = this;
    if (photo === null) return;
    const message = this.on !== null && this.on !== photo ? { photo, left: this.on } : { photo };
    const reply = await this.page.call("look", message);
    if (reply.signed_out) return this.page.problem(reply.error, "server");
    if (!reply.ok || this.photo !== photo) return;
    this.on = photo;
    if (this.look.state === "done" && reply.state !== "done") this.page.problem(""); // what was refused is open again
    this.look = reply;
    this.page.photos.change(photo, { state: reply.state });
    Object.assign(this.told.standing, { [photo]: { assignee: reply.assignee, review: reply.review } });
    this.page.photos.queue.sift();
    this.show();
  }

  /** One thing done to the photo in hand; afterwards everything about it is looked at again. */
  async act(name, message = {}, labels = false) {
    const { page, photo } = this;
    await page.saving.rest(photo);
    const reply = await page.call(name, { photo, ...message });
    page.problem(reply.ok ? "" : reply.error);
    if (reply.stale && this.photo === photo) await page.photos.reload();
    if (!reply.ok) return reply;
    if (labels && this.photo === photo) await page.photos.reload();
    await this.say();
    page.photos.refresh();
    return reply;
  }

  show() {
    const { look, part, told } = this;
    if (!told || this.photo === null) return part.team.replaceChildren();
    part.team.replaceChildren(
      ...this.others(),
      h("div", { class: "row" }, h("span", { class: "heading" }, standing(look)), h("span", { class: "spacer" }), this.assigning()),
      ...(look.note ? [h("blockquote", { class: "returned" }, look.note.note, h("footer", {}, look.note.who))] : []),
      this.buttons(),
    );
    part.labelling.classList.toggle("finished", look.state === "done");
  }

  /** @returns {HTMLElement[]} */
  others() {
    const names = (this.look.others ?? []).map(({ who }) => who);
    if (!names.length) return [];
    const who = listed(names);
    const there = names.length > 1 ? t("{who} are on this photo too.", { who }) : t("{who} is on this photo too.", { who });
    return [h("p", { class: "warn", role: "status" }, icon("warning"), h("span", {}, `${there} ${t("Of two strokes at a time the later one is refused.")}`))];
  }

  assigning() {
    const { look } = this,
      text = look.assignee ? t("for {who}", { who: look.assignee }) : t("for nobody yet");
    if (!this.may("review")) return h("span", { class: "hint" }, text);
    const choose = this.people(t("Assigned to"), t("For nobody yet"), look.assignee);
    choose.addEventListener("change", () => this.act("assign", { photos: [this.photo], whom: choose.value }));
    return choose;
  }

  /** @returns {HTMLSelectElement} of everybody who labels */
  people(label, nobody, chosen = null, but = []) {
    const names = this.told.people.filter(({ name, role }) => role !== "view" && !but.includes(name)).map(({ name }) => name);
    return h(
      "select",
      { "aria-label": label },
      h("option", { value: "" }, nobody),
      ...names.map((name) => h("option", { value: name, selected: name === chosen }, name)),
    );
  }

  buttons() {
    const { look } = this,
      done = look.state === "done",
      row = h("div", { class: "row wrap" });
    const button = (text, run, quiet = true) =>
      row.append(h("button", { class: quiet ? "button quiet" : "button", type: "button", onclick: run }, text));
    if (done && look.review !== "reviewed" && look.by === this.told.me && this.may("label"))
      button(t("Go on with it"), () => this.act("set_state", { state: "in work" }));
    if (done && this.may("review")) {
      if (look.review !== "reviewed") button(t("Reviewed"), () => this.act("review", { verdict: "reviewed", revision: this.page.saving.edits.revision }), false);
      button(t("Return"), () => this.giveBack());
      if (look.opinions?.length === 1) {
        const whom = this.people(t("Second opinion"), t("Second opinion by"), null, look.opinions);
        whom.addEventListener("change", () => whom.value && this.act("second", { whom: whom.value }, true));
        row.append(whom);
      }
    }
    if (look.opinions?.length > 1) button(t("Compare"), () => showAgreement(this));
    return row;
  }

  /** Ask for the words with which a photo is returned. */
  giveBack() {
    const note = h("textarea", { rows: 3, "aria-label": t("What is to be done"), placeholder: t("What is to be done") });
    const go = async () => {
      const reply = await this.act("review", { verdict: "returned", note: note.value });
      if (!reply.ok) this.part.team.append(form);
    };
    const form = h(
      "div",
      { class: "give-back" },
      note,
      h(
        "div",
        { class: "row" },
        h("button", { class: "button", type: "button", onclick: go }, t("Return it")),
        h("button", { class: "button quiet", type: "button", onclick: () => form.remove() }, t("Cancel")),
      ),
    );
    this.part.team.querySelector(".give-back")?.remove();
    this.part.team.append(form);
    note.focus();
  }

  /** Give all photos that are listed to one person. */
  showSpread() {
    const { part } = this;
    part.spread.hidden = !this.may("review");
    if (part.spread.hidden) return;
    const choose = this.people(t("Assign the listed photos"), t("Assign the listed photos to"));
    choose.addEventListener("change", async () => {
      const { queue } = this.page.photos,
        photos = queue.listed.map((place) => queue.photos[place].photo);
      if (choose.value && photos.length) await this.act("assign", { photos, whom: choose.value });
      choose.value = "";
    });
    part.spread.replaceChildren(choose);
  }
}

/** How a photo stands, in words. @param {Object<string, any>} look */
function standing(look) {
  const { state, review, by } = look;
  if (review === "reviewed") return t("Reviewed");
  if (review === "returned") return t("Returned");
  if (state === "done") return by ? t("Done by {who}", { who: by }) : t("Done");
  return state ? upper(heard(state)) : "";
}
