/** Learn: make the model yours, see that it helped, and label what helps most next. */

import { Compare } from "./compare.js";
import { Heads } from "./heads.js";
import { Next } from "./next.js";
import { Training } from "./training.js";
import { h, parts } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { number, plural, progress } from "../shared/numbers.js";
import { ProjectView } from "../shared/project.js";
import { Server } from "../shared/server.js";

const LOOK = 700; // milliseconds between two looks at what runs

/** The page's markup is in place: bring it to life. */
export function mount(root, server, given) {
  return new LearnPage(parts(root), server, given);
}

export class LearnPage {
  constructor(part, server, given) {
    this.part = part;
    this.given = given;
    this.server = new Server(server);
    this.training = new Training(this);
    this.heads = new Heads(this);
    this.compare = new Compare(this);
    this.next = new Next(this);
    part.relabel.addEventListener("click", () => this.run("relabel"));
    part.look.addEventListener("click", () => this.run("look"));
    this.view = new ProjectView(part, this.server, "learn", this);
  }

  /** A server function's answer; `late` when another project is on the page by the time it comes. */
  async call(name, message) {
    const { project } = this.server;
    const answer = await this.server.call(name, message);
    return project === this.server.project ? answer : { ok: false, error: "", late: true };
  }

  /** Nothing of another project stays on the page. */
  forget() {
    this.compare.forget();
  }

  /**
   * Show what the server told of the project.
   * @param {Object<string, any>} overview
   * @param {import("../shared/project.js").Current} current
   */
  async take(overview, current) {
    this.lesson(overview);
    await this.look(true);
    if (current()) this.next.ask();
  }

  /**
   * What there is to learn from: every class, with what a person made of it.
   * @param {Object<string, any>} overview the server's
   */
  lesson({ classes, corrected, photos, none }) {
    const { part } = this;
    const rows = [...classes, { id: -1, name: t("none of these"), colour: "transparent", counts: none }];
    const some = rows.filter(({ id, counts }) => id > 0 || counts[0]);
    const most = Math.max(1, ...some.map(({ counts }) => counts[1]));
    part.corrected.textContent = t("{corrected} of {photos} photos corrected", { corrected: number(corrected), photos: number(photos) });
    part.nothing.hidden = corrected > 0;
    this.training.enable(corrected > 0);
    part.classes.replaceChildren(
      h(
        "tbody",
        {},
        ...some.map(({ id, name, colour, counts }) =>
          h(
            "tr",
            { "data-class": id, style: { "--class": colour }, title: plural(counts[1], "{n} pixel", "{n} pixels") },
            h("td", {}, h("span", { class: "swatch" })),
            h("th", { scope: "row" }, name),
            h("td", { class: "bar" }, h("i", { style: { width: `${(100 * counts[1]) / most}%` } })),
            h(
              "td",
              { class: "number" },
              counts[0] ? plural(counts[0], "{n} photo", "{n} photos") : h("span", { class: "muted" }, t("none yet")),
            ),
          ),
        ),
      ),
    );
  }

  /** What trains now, and all heads; looks again while something runs. */
  async look(first = false) {
    clearTimeout(this.timer);
    const state = await this.call("state");
    if (state.late) return;
    if (!state.ok) return this.problem(state.error);
    this.part.keep.checked = state.keep;
    this.part.complete.checked = state.complete;
    const was = this.training.running;
    this.training.show(state.training);
    this.heads.show(state.heads);
    this.showRun(state.run);
    const ended = was !== null && this.training.running === null;
    if (state.heads.length && (first || ended)) this.compare.ask(first ? this.compare.shown?.photo : undefined);
    if (ended) this.next.ask();
    const busy = this.training.running !== null || state.run.running;
    if (this.view.front && busy) this.timer = setTimeout(() => this.look(), LOOK);
  }

  /** Begin work on all photos: encode them, or label them anew. */
  async run(name) {
    const answer = await this.call(name, { action: "start" });
    if (answer.late) return;
    answer.ok ? this.look() : this.problem(answer.error);
  }

  showRun(run) {
    const { part } = this;
    part.relabel.disabled = part.look.disabled = run.running;
    const busy = run.running ? progress(run) : null;
    part["relabel-note"].textContent = busy ?? (run.problem && heard(run.problem)) ?? t("with the active head; your corrections stay");
    if (this.worked && !run.running) {
      this.next.ask();
      if (this.compare.shown) this.compare.ask(this.compare.shown.photo);
    }
    this.worked = run.running;
  }

  problem(sentence) {
    this.part.doing.className = "problem-text";
    this.part.doing.textContent = sentence;
  }
}
