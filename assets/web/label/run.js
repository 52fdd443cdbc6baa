/** Work of the server in the background: labelling all new photos, adding a folder; how far it is, and its end. */

import { h, icon } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { number } from "../shared/numbers.js";

const LOOK = 1000; // milliseconds between two looks at a background run
const READ = 10_000; // milliseconds that the end of one which went well stays

export class Run {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    this.page = page;
    this.part = page.part;
    this.running = false;
    this.part.run.addEventListener("click", () => this.act("start"));
  }

  /** @param {"start"|"cancel"} action */
  async act(action) {
    const reply = await this.page.call("run", { action });
    this.page.problem(reply.ok ? "" : reply.error, "work");
    if (!reply.ok) return;
    this.show(reply);
    if (reply.running) setTimeout(() => this.look(), LOOK);
  }

  /** How far it is; at the `first` look one may have ended since the photos were listed. */
  async look(first = false) {
    const reply = await this.page.call("run", { action: "look" });
    if (!reply.ok) return;
    const was = this.running || (first && reply.what);
    this.show(reply);
    if (reply.running || was) await this.page.photos.refresh();
    if (reply.running) setTimeout(() => this.look(), LOOK);
  }

  /** @param {import("../shared/server.js").Reply} job */
  show({ what, running, done, all, failed, duplicates, notes, cancelled, problem }) {
    const { run, "run-state": place } = this.part;
    run.disabled = running || !this.page.store.state.photo;
    place.hidden = !running && !failed.length && !problem && !(what && this.running);
    this.running = running;
    clearTimeout(this.leaving);
    if (!running && !failed.length && !duplicates.length && !notes.length && !problem) this.leaving = setTimeout(() => (place.hidden = true), READ);
    const cancel = h("button", { type: "button", class: "link", onclick: () => this.act("cancel") }, t("Cancel"));
    const bar = h("span", { class: "progress" }, h("i", { "data-state": "done", style: { width: `${(100 * done) / (all || 1)}%` } }));
    if (place.hidden) return place.replaceChildren();
    const far = { what: heard(what), done: number(done), all: number(all) };
    const over = cancelled ? t("Cancelled after {done} of {all}; start again to go on.", far) : t("{what}: {done} done.", far);
    const [given, there] = duplicates[0] ?? [];
    const more = duplicates.length > 1 ? ", …" : ".";
    const known = t("{n} in the project already: {given}, as {there}{more}", { n: number(duplicates.length), given, there, more });
    const lost = () => t("{n} failed: {reason}", { n: number(failed.length), reason: heard(failed[0][1]) });
    const told = [over, ...(duplicates.length ? [known] : []), ...(failed.length ? [lost()] : []), ...notes.map(heard)];
    const dismiss = h("button", { type: "button", class: "plain", "aria-label": t("Dismiss"), onclick: () => (place.hidden = true) }, icon("close"));
    place.replaceChildren(
      ...(running
        ? [bar, h("span", { class: "number muted" }, t("{what}: {done} of {all}", far)), cancel]
        : [h("span", { class: "hint" }, problem ? heard(problem) : told.join(" ")), h("span", { class: "spacer" }), dismiss]),
    );
  }
}
