/** Learn: make the model yours, see that it helped, and label what helps most next. */

import { h, icon, parts } from "../shared/dom.js";
import { paint } from "../canvas/labels.js";
import { readPng } from "../canvas/png.js";
import { hear } from "../shared/bus.js";
import { Server } from "../shared/server.js";

const LOOK = 700; // milliseconds between two looks at a training that runs
const WHY = {
  rarity: "words corrected least",
  diversity: "unlike the corrected",
  margin: "two words close",
  entropy: "many words unsure",
  disagreement: "heads differ",
  random: "by lot",
};

/** The page's markup is in place: bring it to life. */
export function mount(root, server, given) {
  return new LearnPage(parts(root), server, given);
}

class LearnPage {
  constructor(part, server, given) {
    Object.assign(this, { part, given, server: new Server(server) });
    this.front = false;
    this.running = null; // the training that is watched
    this.shown = null; // what the before/after view shows
    part.rule.append(...given.rules.map((rule) => h("option", { value: rule }, `${rule}: ${WHY[rule] ?? rule}`)));
    part.rule.value = given.rule;
    part.rule.addEventListener("change", () => this.suggest());
    part.train.addEventListener("click", () => this.train());
    part.cancel.addEventListener("click", () => this.cancel());
    part.keep.addEventListener("change", () => this.keep());
    part.relabel.addEventListener("click", () => this.work("relabel"));
    part.look.addEventListener("click", () => this.work("look"));
    part.slide.addEventListener("input", () => this.slide());
    part["only-changed"].addEventListener("change", () => this.draw());
    part.photo.addEventListener("change", () => this.compare(Number(part.photo.value)));
    part.back.addEventListener("click", () => this.step(-1));
    part.forward.addEventListener("click", () => this.step(1));
    hear("page", (page) => {
      this.front = page === "learn";
      if (this.front) this.show();
    });
  }

  call(name, message) {
    return this.server.call(name, message);
  }

  async show() {
    const { part } = this;
    const overview = await this.call("overview");
    if (!overview.ok) return this.tell(overview.error);
    part.without.hidden = overview.project !== null;
    part.learn.hidden = overview.project === null;
    if (overview.project === null) return;
    if (this.server.project !== overview.key) this.shown = null;
    this.server.project = overview.key;
    this.classes(overview);
    await this.look(true);
    this.suggest();
  }

  // --- what there is to learn from ----------------------------------------------------------------------------------

  classes({ classes, corrected, photos, none }) {
    const { part } = this;
    const rows = [...classes, { id: -1, name: "none of these", colour: "transparent", counts: none }];
    const some = rows.filter(({ id, counts }) => id > 0 || counts[0]);
    const most = Math.max(1, ...some.map(({ counts }) => counts[1]));
    part.corrected.textContent = `${corrected} of ${photos} photos corrected`;
    part.nothing.hidden = corrected > 0;
    this.able = corrected > 0;
    this.enable();
    part.classes.replaceChildren(
      h(
        "tbody",
        {},
        ...some.map(({ id, name, colour, counts }) =>
          h(
            "tr",
            { "data-class": id, style: { "--class": colour }, title: `${counts[1].toLocaleString("en")} pixels` },
            h("td", {}, h("span", { class: "swatch" })),
            h("th", { scope: "row" }, name),
            h("td", { class: "bar" }, h("i", { style: { width: `${(100 * counts[1]) / most}%` } })),
            h(
              "td",
              { class: "number" },
              counts[0] ? plural(counts[0], "photo") : h("span", { class: "muted" }, "none yet"),
            ),
          ),
        ),
      ),
    );
  }

  enable() {
    const running = this.running !== null;
    this.part.train.disabled = running || !this.able;
    this.part.cancel.hidden = !running;
  }

  // --- trainings ----------------------------------------------------------------------------------------------------

  async train() {
    this.part.train.disabled = true;
    this.part.doing.textContent = "Starting";
    const answer = await this.call("train");
    if (!answer.ok) {
      this.tell(answer.error);
      return this.enable();
    }
    this.look();
  }

  async cancel() {
    this.part.cancel.disabled = true;
    await this.call("cancel", { training: this.running });
    this.part.cancel.disabled = false;
    this.part.doing.textContent = "Stopping at the next step";
  }

  async keep() {
    const { keep } = this.part;
    const answer = await this.call("keep", { on: keep.checked });
    if (answer.ok) return;
    keep.checked = !keep.checked;
    this.tell(answer.error);
  }

  /** What trains now, and all heads; looks again while something runs. */
  async look(first = false) {
    clearTimeout(this.timer);
    const state = await this.call("state");
    if (!state.ok) return this.tell(state.error);
    const { training, heads } = state;
    this.part.keep.checked = state.keep;
    const was = this.running;
    this.running = training?.state === "running" ? training.id : null;
    this.showTraining(training);
    this.showHeads(heads);
    this.showRun(state.run);
    this.enable();
    if (heads.length && (first || (was !== null && this.running === null))) this.compare(first ? this.shown?.photo : undefined);
    if (was !== null && this.running === null) this.suggest();
    if (this.front && (this.running !== null || state.run.running)) this.timer = setTimeout(() => this.look(), LOOK);
  }

  showTraining(training) {
    const { part } = this;
    const running = training?.state === "running";
    part.progress.hidden = !running;
    part.took.textContent = training ? `${Math.round(training.seconds)} s` : "";
    part.doing.classList.toggle("problem-text", Boolean(training?.problem));
    if (!training) {
      part.doing.textContent = "Takes seconds to a few minutes; you can go on labelling, or close this page. With “Keep learning” each photo that you mark as done begins one by itself.";
      part.doing.className = "hint";
      return;
    }
    part.doing.classList.remove("hint");
    const done = { done: "Done.", cancelled: "Cancelled.", failed: "Failed.", killed: "Ended unexpectedly." };
    part.doing.textContent = running ? training.doing : (training.problem ?? done[training.state]);
    part.progress.firstElementChild.style.width = `${100 * training.done}%`;
    part.progress.setAttribute("aria-valuenow", String(Math.round(100 * training.done)));
    part.log.replaceChildren(...training.log.map((line) => h("li", {}, short(line))));
    this.curve(training.curve);
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
    curve.innerHTML =
      `<path class="axis" d="M8 8V106H272"/><path class="loss" d="${path}"/><circle cx="${x(end[0])}" cy="${y(end[1])}" r="3"/>` +
      `<text x="278" y="${y(end[1]) + 4}">${end[1].toFixed(2)}</text><text x="14" y="16">loss ${losses[0].toFixed(2)}</text>` +
      `<text x="272" y="118" text-anchor="end">step ${end[0]}</text>`;
    curve.setAttribute("aria-label", `Loss from ${losses[0].toFixed(2)} to ${end[1].toFixed(2)} at step ${end[0]}`);
  }

  // --- heads --------------------------------------------------------------------------------------------------------

  showHeads(heads) {
    const { part } = this;
    const active = heads.some((head) => head.active);
    part["relabel-row"].hidden = !heads.length;
    part.heads.replaceChildren(
      ...heads.map((head) => this.head(head)),
      h(
        "li",
        { class: active ? "" : "active", "data-head": "start" },
        h("div", { class: "row" }, h("b", {}, "The head it began with"), h("span", { class: "spacer" }), active ? null : badge()),
        active ? h("div", { class: "row wrap" }, this.button("Go back to it", () => this.activate(null))) : null,
      ),
    );
  }

  head(head) {
    const { before, after } = head.scores;
    const gain = before && after ? after.miou - before.miou : null;
    return h(
      "li",
      { class: head.active ? "active" : "", "data-head": head.id },
      h(
        "div",
        { class: "row" },
        h("b", {}, `Head ${head.id}`),
        h("span", { class: "muted" }, ` ${when(head.created)}`),
        h("span", { class: "spacer" }),
        head.active ? badge() : null,
      ),
      h(
        "p",
        { class: "number" },
        gain === null
          ? "There is no corrected photo yet that it has not seen, so no score."
          : h(
              "span",
              {},
              `mIoU ${before.miou.toFixed(1)} → `,
              h("b", {}, after.miou.toFixed(1)),
              h("span", { class: gain >= 0 ? "gain" : "loss" }, ` ${gain >= 0 ? "+" : "−"}${Math.abs(gain).toFixed(1)}`),
              ` on ${plural(after.photos, "photo")} ${head.scores.photos ?? "held back"}`,
            ),
      ),
      h("p", { class: "hint" }, `${plural(head.data.photos, "photo")}, ${plural(head.classes.length, "class", "classes")}: ${head.classes.map(([name]) => name).join(", ")}`),
      h(
        "div",
        { class: "row wrap" },
        head.active || !head.there ? null : this.button("Activate", () => this.activate(head.id)),
        this.button("Compare", () => this.compare(undefined, head.id)),
        head.there ? this.button("Download", () => this.download(head.id)) : h("span", { class: "hint" }, "its file is gone"),
      ),
    );
  }

  button(text, onclick) {
    return h("button", { class: "button quiet small", type: "button", onclick }, text);
  }

  async activate(head) {
    const answer = await this.call("activate", { head });
    if (!answer.ok) this.tell(answer.error);
    await this.look();
    this.suggest();
  }

  async download(head) {
    const answer = await this.call("download", { head });
    if (!answer.ok) return this.tell(answer.error);
    h("a", { href: answer.url, download: `head-${head}.safetensors` }).click();
  }

  // --- before and after ---------------------------------------------------------------------------------------------

  async compare(photo, head = photo === undefined ? undefined : this.shown?.head) {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    this.part.changed.textContent = "Asking both heads";
    const answer = await this.call("compare", { photo, head });
    if (asked !== this.asked) return;
    if (!answer.ok) {
      this.part.changed.textContent = answer.error;
      return;
    }
    const rasters = await Promise.all(answer.maps.map(readIds));
    const picture = new Image();
    picture.src = `data:image/jpeg;base64,${answer.jpeg}`;
    await picture.decode();
    this.shown = { ...answer, rasters, picture };
    const { part } = this;
    part["no-compare"].hidden = true;
    part.compare.hidden = false;
    part.photo.replaceChildren(...answer.photos.map((one) => h("option", { value: one.photo }, one.name)));
    part.photo.value = String(answer.photo);
    part["before-name"].textContent = `Before: ${answer.names[0]}`;
    part["after-name"].textContent = `After: ${answer.names[1]}`;
    const held = answer.held_back ? "held back, " : "";
    part.changed.textContent = `${held}${(100 * answer.changed).toFixed(0)} % of the pixels changed`;
    this.draw();
    this.table(answer.classes);
  }

  draw() {
    if (!this.shown) return;
    const { part } = this,
      { shown, rasters, picture, classes } = this.shown;
    const colours = [];
    for (const { id, colour } of classes) colours[id] = colour;
    const [before, after] = rasters;
    const only = part["only-changed"].checked;
    for (const [name, ids] of [
      ["before-canvas", before],
      ["after-canvas", after],
    ]) {
      const canvas = part[name];
      [canvas.width, canvas.height] = shown;
      const context = canvas.getContext("2d");
      context.drawImage(picture, 0, 0, ...shown);
      const kept = only ? ids.map((id, i) => (before[i] === after[i] ? 0 : id)) : ids;
      const layer = h("canvas", { width: shown[0], height: shown[1] });
      const most = Math.max(0, ...classes.map(({ id }) => id));
      layer.getContext("2d").putImageData(
        paint(kept, ...shown, Array.from({ length: most + 1 }, (_, id) => colours[id] ?? "")), 0, 0,
      );
      context.globalAlpha = 0.55;
      context.drawImage(layer, 0, 0);
    }
    this.slide();
  }

  slide() {
    const at = Number(this.part.slide.value);
    this.part["after-canvas"].style.clipPath = `inset(0 0 0 ${at}%)`;
    this.part.line.style.left = `${at}%`;
  }

  table(classes) {
    const known = classes.some(({ iou }) => iou[0] !== null);
    const pair = (values, text) =>
      h("td", { class: "number" }, values.every((one) => one === null) ? "–" : values.map(text).join(" → "));
    const share = (one) => (one ? `${(100 * one).toFixed(one < 0.1 ? 1 : 0)} %` : "0");
    this.part.scores.replaceChildren(
      h(
        "thead",
        {},
        h("tr", {}, h("th", { scope: "col" }, "Class"), h("th", { scope: "col" }, "Share of the photo"), known ? h("th", { scope: "col" }, "IoU with yours") : null),
      ),
      h(
        "tbody",
        {},
        ...classes.map(({ name, colour, area, iou }) =>
          h(
            "tr",
            { style: { "--class": colour } },
            h("th", { scope: "row" }, h("span", { class: "swatch" }), ` ${name}`),
            pair(area, share),
            known ? pair(iou, (one) => one.toFixed(0)) : null,
          ),
        ),
      ),
    );
  }

  step(by) {
    const { photo } = this.part;
    const next = photo.options[photo.selectedIndex + by];
    if (next) this.compare(Number(next.value));
  }

  // --- what to label next -------------------------------------------------------------------------------------------

  async suggest() {
    const { part } = this;
    const asked = (this.ordering = (this.ordering ?? 0) + 1);
    const answer = await this.call("suggest", { rule: part.rule.value });
    if (asked !== this.ordering) return;
    if (!answer.ok) return part.next.replaceChildren(h("li", { class: "hint" }, answer.error));
    part.next.replaceChildren(...answer.photos.map((one) => this.suggested(one)));
    if (!answer.left) part.next.replaceChildren(h("li", { class: "hint" }, "Every photo is corrected, done or skipped."));
    part["waiting-row"].hidden = !answer.waiting;
    part.waiting.textContent = `${plural(answer.waiting, "photo")} not encoded yet, so not in the order (about a second each)`;
  }

  suggested({ photo, name, reason, click, jpeg }) {
    const picture = h("span", { class: "thumb" }, h("img", { src: `data:image/jpeg;base64,${jpeg}`, alt: "" }));
    if (click) {
      const [x0, y0, x1, y1] = click.box.map((n) => `${100 * n}%`);
      picture.append(
        h("i", { class: "click", title: `Click here first: ${click.reason}`, style: { left: x0, top: y0, right: `calc(100% - ${x1})`, bottom: `calc(100% - ${y1})` } }),
      );
    }
    return h(
      "li",
      { "data-photo": photo },
      h(
        "a",
        { href: `#label/${photo}` },
        picture,
        h("span", { class: "why" }, h("b", {}, name), h("span", {}, reason), click ? h("span", { class: "hint" }, `Click first in ${click.reason}`) : null),
      ),
    );
  }

  async work(name) {
    const answer = await this.call(name, { action: "start" });
    if (!answer.ok) return this.tell(answer.error);
    this.look();
  }

  showRun(run) {
    const { part } = this;
    part.relabel.disabled = part.look.disabled = run.running;
    const busy = run.running ? `${run.what}: ${run.done} of ${run.all}` : null;
    part["relabel-note"].textContent = busy ?? run.problem ?? "with the active head; your corrections stay";
    if (this.worked && !run.running) {
      this.suggest();
      if (this.shown) this.compare(this.shown.photo);
    }
    this.worked = run.running;
  }

  tell(sentence) {
    this.part.doing.className = "problem-text";
    this.part.doing.textContent = sentence;
  }
}

async function readIds(base64) {
  const { width, height, channels, bytes } = await readPng(base64);
  if (channels === 1) return bytes;
  return Uint16Array.from({ length: width * height }, (_, i) => (bytes[channels * i] << 8) | bytes[channels * i + 1]);
}

const badge = () => h("span", { class: "tag in-use" }, icon("check"), "active");
const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
const short = (line) => line.replace(/^\S*[\\/]([^\\/]+\.safetensors)/, "$1");
const when = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
