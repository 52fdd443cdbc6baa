/** Work that the server does in the background: one piece at a time, how far it is, a way to stop it, what came of it. */

import { h, icon } from "../shared/dom.js";
import { reportOf } from "./report.js";
import { upload } from "./upload.js";
import { heard, t } from "../shared/language.js";
import { bytes, progress } from "../shared/numbers.js";

const LOOK = 400; // milliseconds between two looks at it

/** @typedef {function(string, number): void} Tell what is going on, and how far it is, 0..1 */

export class Work {
  /**
   * @param {import("../shared/server.js").Server} server
   * @param {function(): void} onchange work began or ended
   */
  constructor(server, onchange) {
    this.server = server;
    this.onchange = onchange;
    this.busy = false;
    this.stopped = false;
  }

  /**
   * Begin work, show how far it is, and then what came of it.
   * @param {HTMLElement} place
   * @param {function(Tell): Promise<import("../shared/server.js").Reply>} begin answers like the server's `work`
   * @returns {Promise<Object|null>} the report; null where there is none, or where it is about another project
   */
  async run(place, begin) {
    if (this.busy) return null;
    const { project } = this.server;
    this.busy = true;
    this.stopped = false;
    this.onchange();
    const text = h("span", {}, t("Starting")),
      bar = h("i", {});
    const stop = () => {
      this.stopped = true;
      this.server.call("work", { action: "cancel" });
    };
    place.replaceChildren(
      h(
        "div",
        { class: "working" },
        h("span", { class: "spinner" }),
        text,
        h("span", { class: "spacer" }),
        h("button", { type: "button", class: "link", onclick: stop }, t("Stop")),
        h("div", { class: "progress" }, bar),
      ),
    );
    const tell = (what, share) => {
      text.textContent = what;
      bar.style.width = `${100 * share}%`;
    };
    let state = await begin(tell);
    while (state.ok && state.running && project === this.server.project) {
      tell(progress(/** @type {any} */ (state)), state.all ? state.done / state.all : 0);
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      state = await this.server.call("work", { action: "look" });
    }
    this.busy = false;
    this.onchange();
    if (project !== this.server.project) return null;
    const problem = state.ok ? state.problem && heard(state.problem) : state.error;
    place.replaceChildren(
      problem
        ? h("p", { class: "problem", role: "alert" }, icon("warning"), h("span", {}, problem))
        : reportOf(state.report),
    );
    place.scrollIntoView({ block: "nearest" });
    return problem ? null : state.report;
  }

  /** Send files; answers `{ok: true, upload}` or what was refused. */
  send(items, tell) {
    const sending = (sent, all) => tell(t("Sending {sent} of {all}", { sent: bytes(sent), all: bytes(all) }), sent / (all || 1));
    return upload((piece) => this.server.call("stage", piece), items, sending, () => this.stopped);
  }
}
