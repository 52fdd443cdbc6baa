/** A training: begin it, see how far it is and how long it will take, stop it. */

import { h } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { decimal, duration } from "../shared/numbers.js";

const PACE = 20; // looks by which the time left is judged
const ENDS = { done: t("Done."), cancelled: t("Cancelled."), failed: t("Failed."), killed: t("Ended unexpectedly.") };
const HINT = [
  t("Takes seconds to a few minutes; you can go on labelling, or close this page."),
  t("With “Keep learning” each photo that you mark as done begins one by itself."),
].join(" ");

export class Training {
  /** @param {import("./learn.js").LearnPage} page */
  constructor(page) {
    const { part } = page;
    this.page = page;
    this.part = part;
    this.running = null; // the training that is watched
    this.able = false; // whether there is something to learn from
    this.looks = []; // [seconds, share done] of the one that runs, newest last
    part.train.addEventListener("click", () => this.begin());
    part.cancel.addEventListener("click", () => this.cancel());
    for (const switched of ["keep", "complete"]) part[switched].addEventListener("change", () => this.remember(switched));
  }

  enable(able = this.able) {
    this.able = able;
    this.part.train.disabled = this.running !== null || !able;
    this.part.cancel.hidden = this.running === null;
  }

  async begin() {
    this.part.train.disabled = true;
    this.part.doing.textContent = t("Starting");
    const answer = await this.page.call("train");
    if (answer.late) return;
    if (answer.ok) return this.page.look();
    this.page.problem(answer.error);
    this.enable();
  }

  async cancel() {
    this.part.cancel.disabled = true;
    const answer = await this.page.call("cancel", { training: this.running });
    this.part.cancel.disabled = false;
    if (answer.late) return;
    this.part.doing.textContent = answer.ok ? t("Stopping at the next step") : answer.error;
  }

  /** A switch that the project remembers; its server function has its name. */
  async remember(name) {
    const box = this.part[name];
    const answer = await this.page.call(name, { on: box.checked });
    if (answer.ok || answer.late) return;
    box.checked = !box.checked;
    this.page.problem(answer.error);
  }

  /** @param {Object|null} training the newest, as the server tells it */
  show(training) {
    const { part } = this;
    const running = training?.state === "running";
    if (this.running !== training?.id) this.looks = [];
    this.running = running ? training.id : null;
    this.enable();
    part.progress.hidden = !running;
    part.doing.className = !training ? "hint" : training.problem ? "problem-text" : "";
    part.took.textContent = !training ? "" : running ? this.left(training) : t("took {time}", { time: duration(training.seconds) });
    if (!training) return (part.doing.textContent = HINT);
    part.doing.textContent = running ? heard(training.doing) : ((training.problem && heard(training.problem)) ?? ENDS[training.state]);
    part.progress.firstElementChild.style.width = `${100 * training.done}%`;
    part.progress.setAttribute("aria-valuenow", String(Math.round(100 * training.done)));
    part.log.replaceChildren(...training.log.map((line) => h("li", {}, heard(short(line)))));
    this.curve(training.curve);
  }

  /** How long it has run, and by its pace of late how long it will. */
  left({ seconds, done }) {
    this.looks = [...this.looks.slice(1 - PACE), [seconds, done]];
    const [[then, had]] = this.looks;
    const ran = `${Math.round(seconds)} s`;
    if (done - had < 0.01) return ran;
    return t("{ran}, about {left} left", { ran, left: duration(((1 - done) * (seconds - then)) / (done - had)) });
  }

  /** The loss by step, with its first and last value. */
  curve(points) {
    const { curve } = this.part;
    curve.toggleAttribute("hidden", points.length < 2);
    if (points.length < 2) return;
    const steps = points.map(([step]) => step),
      losses = points.map(([, loss]) => loss);
    const [last, top, low] = [Math.max(...steps), Math.max(...losses), Math.min(...losses, 0)];
    const x = (step) => 8 + (264 * step) / last,
      y = (loss) => 106 - (92 * (loss - low)) / (top - low || 1);
    const path = points.map(([step, loss], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join("");
    const end = points[points.length - 1];
    const [from, to] = [losses[0], end[1]].map(decimal);
    curve.innerHTML =
      `<path class="axis" d="M8 8V106H272"/><path class="loss" d="${path}"/><circle cx="${x(end[0])}" cy="${y(end[1])}" r="3"/>` +
      `<text x="278" y="${y(end[1]) + 4}">${to}</text><text x="14" y="16">${t("loss")} ${from}</text>` +
      `<text x="272" y="118" text-anchor="end">${t("step")} ${end[0]}</text>`;
    curve.setAttribute("aria-label", t("Loss from {from} to {to} at step {step}", { from, to, step: end[0] }));
  }
}

/** A line of the log without the folders of a head's file. */
const short = (line) => line.replace(/^\S*[\\/]([^\\/]+\.safetensors)/, "$1");
