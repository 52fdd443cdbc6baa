/** A visitor's project on a server for strangers: a chip that says it is theirs, and a panel with what can be done. */

import { hear, tell } from "../shared/bus.js";
import { h, icon } from "../shared/dom.js";
import { bytes, duration } from "../shared/numbers.js";
import { openable } from "../shared/openable.js";
import { atShared, keepVisitorKey, showShared, visitorKey } from "../shared/visitor.js";
import { t } from "../shared/language.js";

/**
 * What the server says of visits before there is a project: words and number of the samples, what a visitor may have,
 * `life` in seconds, the Space's name, and the project that its owner shares.
 * @typedef {{words: string, samples: number, photos: number, megapixels: number, trainings: number, life: number,
 *   space: string|null, shared: {name: string, for: "looking"|"signed-in"}|null}} Offer
 */

export class Visit {
  /**
   * @param {Object<string, any>} part the header's parts: visit, visit-text, visit-panel
   * @param {import("../shared/server.js").Server} server
   * @param {Offer} offer
   */
  constructor(part, server, offer) {
    this.part = part;
    this.server = server;
    this.offer = offer;
    this.shown = ""; // what the panel was drawn from
    openable(part.visit, part["visit-panel"]);
    hear("status", ({ visit }) => this.show(visit));
    tell("visits", { offer, begin: (message) => this.begin(message), shared: () => this.shared });
  }

  /** Make a project; answers what is wrong, or "". */
  async begin(message) {
    const reply = await this.server.call("begin", message);
    if (!reply.ok) return reply.error;
    if (keepVisitorKey(reply.visitor)) return "";
    return t("This browser keeps nothing for a page in a frame, so it could not find the project again; open this page in a tab of its own.");
  }

  show(visit) {
    if (!visit) return;
    const { part, offer } = this;
    const mine = visit.photos != null;
    this.shared = visit.sees_shared;
    part.visit.hidden = !mine && !offer.shared;
    part["visit-text"].textContent = atShared() ? (offer.shared?.name ?? "") : mine ? t("Your project") : t("Projects here");
    part["visit-left"].textContent = mine && !atShared() ? t(" · {time} left", { time: duration(visit.left) }) : "";
    part.visit.setAttribute("aria-label", part.visit.textContent.trim());
    const drawn = JSON.stringify([{ ...visit, left: 0 }, atShared()]);
    if (drawn !== this.shown) {
      this.shown = drawn; // a button under the pointer stays the same
      part["visit-panel"].replaceChildren(...(mine && !atShared() ? this.own(visit) : []), ...this.others(visit));
    }
    if (this.until) this.until.textContent = at(visit.left);
  }

  /** The visitor's own project: what it is, how much there is of it, its ways out. */
  own(visit) {
    const { offer } = this;
    const row = (term, have, most) => [h("dt", {}, term), h("dd", { class: "number" }, t("{have} of {most}", { have, most }))];
    this.until = h("b", { class: "number" }, at(visit.left));
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    return [
      h("h2", {}, t("Your project on this server")),
      h(
        "p",
        {},
        t("Nobody else sees it. It is deleted {life} after you last worked on it, which is at ", { life: duration(offer.life) }),
        this.until,
        t(" if you stop now, and whenever the server starts again."),
      ),
      h(
        "dl",
        {},
        ...row(t("Photos"), visit.photos, offer.photos),
        ...row(t("Megapixels"), visit.megapixels, offer.megapixels),
        ...row(t("Trainings"), visit.trainings, offer.trainings),
      ),
      h(
        "div",
        { class: "row wrap" },
        this.button("download", t("Download all of it"), () => this.takeHome()),
        this.button("close", t("Delete it now"), ({ currentTarget }) => this.leave(currentTarget), "button quiet"),
      ),
      this.problem,
      h("details", {}, h("summary", {}, t("Continue on your computer"), icon("chevron")), ...this.home()),
      h("details", {}, h("summary", {}, t("From a program"), icon("chevron")), ...this.programs()),
    ];
  }

  home() {
    const source = this.offer.space ? `git+https://huggingface.co/spaces/${this.offer.space}` : "textseg";
    return [
      h(
        "ol",
        {},
        h("li", {}, t("Download all of it, and unpack the zip: photos, classes, every stroke with its undo, and what was learnt are in it.")),
        h("li", {}, t("Then say, in the folder where you unpacked it (Python 3.11 or newer; the first command takes a few minutes):")),
      ),
      h("pre", { tabindex: "0" }, h("code", {}, `pip install ${source}\ntextseg serve --project my-project`)),
      h("p", { class: "hint" }, t("There it has no limit and no end, and no photo leaves your computer.")),
    ];
  }

  programs() {
    return [
      h("p", {}, t("The named endpoints take this key where they ask for a project. Whoever has it can do everything here, so keep it to yourself.")),
      h("pre", { tabindex: "0" }, h("code", { "data-part": "visitor-key" }, visitorKey())),
    ];
  }

  /** The project that the owner shares, or the way back from it. */
  others({ sees_shared: sees, signed_in: name }) {
    const { shared } = this.offer;
    if (!shared) return [];
    const go = (there) => () => {
      showShared(there);
      location.hash = "#label";
      location.reload();
    };
    if (atShared())
      return [
        h("h2", {}, shared.name),
        h("p", {}, shared.for === "looking" ? t("The owner of this server shows it to everyone; nobody can change it here.") : t("Everyone who is signed in works on it together; you are {name}.", { name: name ?? t("not signed in") })),
        h("div", { class: "row wrap" }, this.button("back", t("Back to my own"), go(false))),
      ];
    const sign = h("a", { class: "button quiet", href: "login/huggingface", target: "_blank", rel: "noopener" }, t("Sign in with Hugging Face"));
    return [
      h("h2", {}, shared.name),
      h("p", {}, shared.for === "looking" ? t("A project that the owner of this server shows: look around in it.") : t("A project that everyone who is signed in works on together.")),
      h("div", { class: "row wrap" }, sees ? this.button("open", t("Open it"), go(true), "button quiet") : sign),
    ];
  }

  async takeHome() {
    this.say(t("Packing…"));
    const reply = await this.server.call("take_home");
    this.say(reply.ok ? "" : reply.error);
    if (!reply.ok) return;
    const { path, name, bytes: size } = reply.download;
    const link = h("a", { href: `gradio_api/file=${path}`, download: name }, `${name} (${bytes(size)})`);
    link.click();
    this.problem.hidden = false;
    this.problem.className = "hint";
    this.problem.replaceChildren(t("Packed: "), link);
  }

  /** @param {HTMLButtonElement} button */
  async leave(button) {
    // Frames may not ask with a dialog of the browser's own: the button itself asks.
    if (!button.dataset.sure) {
      button.dataset.sure = "yes";
      button.lastChild.textContent = t("Delete for good?");
      return;
    }
    const reply = await this.server.call("leave");
    if (!reply.ok) return this.say(reply.error);
    keepVisitorKey("");
    location.hash = "#label";
    location.reload();
  }

  say(text) {
    this.problem.className = text === t("Packing…") ? "hint" : "problem";
    this.problem.hidden = !text;
    this.problem.textContent = text;
  }

  button(image, text, onclick, kind = "button") {
    return h("button", { class: kind, type: "button", onclick }, icon(image), text);
  }
}

/** The time of day in so many seconds. */
const at = (seconds) => new Date(Date.now() + 1000 * seconds).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
