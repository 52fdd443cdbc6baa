/** Another model: backbone, readout, head and proposer from lists with what each costs, and the switch to it. */

import { h } from "../shared/dom.js";
import { bytes, duration } from "../shared/numbers.js";

const WINDOW = 8; // looks by which rate and time left are judged

export class Chooser {
  /**
   * @param {HTMLElement} live where it is said how a switch goes
   * @param {HTMLElement} choice where the lists are
   * @param {import("../shared/server.js").Server} server
   * @param {function(): void} look asks how the model is, now
   */
  constructor(live, choice, server, look) {
    this.server = server;
    this.look = look;
    this.list = null; // what the server offers
    this.status = null;
    this.looks = []; // [milliseconds, bytes] of the download that runs, newest last
    this.touched = 0; // how often a person marked something
    this.wanted = null; // what a person asked for last
    this.notes = h("div", { class: "model-notes" });
    this.backbones = new Rows("Backbone", "backbone", "owner/name, clip:MODEL/TAG, or a folder", () => this.touch());
    this.proposers = new Rows("Masks by", "proposals", "hf:owner/name, or a folder", () => this.touch());
    this.readout = h("select", { name: "readout" });
    this.head = h("select", { name: "head" });
    this.readoutField = h("label", { class: "field" }, h("span", {}, "Readout"), this.readout);
    this.button = h("button", { class: "button", type: "submit" }, "Switch");
    this.form = h(
      "form",
      { class: "choose", onsubmit: (event) => this.submit(event) },
      h("h3", {}, "Another model"),
      this.backbones.element,
      this.readoutField,
      h("label", { class: "field" }, h("span", {}, "Head"), this.head),
      this.proposers.element,
      this.button,
    );
    this.running = h("div", { class: "switching", role: "status", hidden: true });
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    live.append(this.notes, this.running, this.problem);
    choice.append(this.form);
    this.form.hidden = true;
  }

  /** The panel was opened: what can be chosen now. */
  async open() {
    const touched = this.touched;
    const list = await this.server.call("models");
    if (!list.ok) return this.tell(list.error);
    this.list = list;
    this.form.hidden = !list.may;
    // What a person marked meanwhile stays, and what was asked for and did not come can be asked for again.
    const chosen = touched !== this.touched ? this.marked : (this.wanted ?? list.chosen);
    this.backbones.show(list.backbones, chosen.backbone, list.anything);
    this.proposers.show(list.proposers, chosen.proposals, list.anything);
    this.fit(chosen);
  }

  /** Readouts and heads that go with the backbone that is marked. */
  fit(chosen = { readout: this.readout.value, head: this.head.value }) {
    const row = this.backbones.row;
    const names = row?.readouts ?? [];
    const own = names.length ? `its own (${names[0]})` : "its own";
    const options = names.map((name) => h("option", { value: name }, name));
    this.readout.replaceChildren(h("option", { value: "" }, own), ...options);
    this.readout.value = names.includes(chosen.readout) ? chosen.readout : "";
    this.readoutField.hidden = !names.length;
    const fits = (head) => head.backbone.split("?")[0] === (row?.name ?? "") || head.backbone.startsWith(`${row?.name}+`);
    const heads = (this.list?.heads ?? []).map((head) =>
      h("option", { value: head.id, disabled: !fits(head) }, `head ${head.id} of the project, for ${head.backbone}`),
    );
    this.head.replaceChildren(
      h("option", { value: "default" }, row?.needs_head ? "default (this backbone needs a trained one)" : "default"),
      h("option", { value: "none" }, "none: the backbone’s own alignment"),
      ...heads,
    );
    const active = this.list?.heads.find((head) => head.active && fits(head));
    const kept = active && chosen.proposals ? String(active.id) : chosen.head;
    this.head.value = kept;
    if (this.head.selectedIndex < 0 || this.head.selectedOptions[0].disabled) this.head.value = "default";
  }

  touch() {
    this.touched += 1;
    this.fit();
  }

  get marked() {
    return {
      backbone: this.backbones.value,
      readout: this.readout.value || null,
      head: this.head.value,
      proposals: this.proposers.value,
    };
  }

  submit(event) {
    event.preventDefault();
    this.switch(this.marked);
  }

  async switch(wanted) {
    this.tell("");
    this.looks = [];
    this.button.disabled = true;
    const reply = await this.server.call("switch", wanted);
    this.button.disabled = false;
    if (!reply.ok) return this.tell(reply.error);
    this.wanted = wanted;
    this.show({ ...this.status, switch: reply.switch });
    this.look();
  }

  async stop() {
    const reply = await this.server.call("stop");
    if (!reply.ok) this.tell(reply.error);
    this.look();
  }

  /** How it is: a switch that runs or has ended, and what is to be said about the project. */
  show(status) {
    const before = this.status?.switch;
    this.status = status;
    const run = status.switch;
    this.button.disabled = Boolean(run?.running);
    this.note(status);
    this.running.hidden = !run?.running;
    if (run?.running) this.follow(run);
    const ended = run && before?.running && !run.running;
    if (ended && run.problem) this.tell(run.problem);
    if (!ended || run.state !== "done") return;
    this.wanted = null;
    if (!this.form.hidden) this.open();
  }

  follow({ what, done, all }) {
    this.looks = [...this.looks, [performance.now(), done]].slice(-WINDOW);
    const [[then, had], [now, has]] = [this.looks[0], this.looks.at(-1)];
    const rate = has > had ? (1000 * (has - had)) / (now - then) : 0;
    const left = rate && all > done ? `, ${duration((all - done) / rate)} left` : "";
    const speed = rate ? `, ${bytes(rate)}/s` : "";
    const far = all > done ? `Fetching ${bytes(done)} of ${bytes(all)}${speed}${left}` : "Looking for its files, and loading them";
    const bar = h("progress", { max: all || 1, "aria-label": what });
    if (all > done) bar.value = done;
    if (!this.stopper) {
      this.line = h("p", {});
      this.bar = h("div", {});
      this.doing = h("p", { class: "hint number" });
      this.stopper = h("button", { class: "button quiet", type: "button", onclick: () => this.stop() }, "Cancel");
      this.running.append(this.line, this.bar, this.doing, this.stopper);
    }
    this.line.textContent = `${what}; the model in use goes on meanwhile`;
    this.bar.replaceChildren(bar);
    this.doing.textContent = far;
  }

  /** What project and model have to do with each other. */
  note({ differs, remembers, switch: run }) {
    const text = JSON.stringify([differs, remembers, run?.running]);
    if (text === this.noted) return; // a button under the pointer stays the same
    this.noted = text;
    const back = () => this.switch({ ...remembers, head: ["default", "none"].includes(remembers.head) ? remembers.head : "default" });
    this.notes.replaceChildren(
      ...(differs ? [h("p", {}, differs)] : []),
      ...(remembers && !run?.running
        ? [
            h(
              "p",
              {},
              `This project was last worked on with ${remembers.backbone}, and masks by ${remembers.proposals}. `,
              h("button", { class: "link", type: "button", onclick: back }, "Switch to them"),
            ),
          ]
        : []),
    );
  }

  tell(text) {
    this.problem.hidden = !text;
    this.problem.textContent = text;
  }
}

/** A list to choose one from, each with its facts; on this machine the last row takes any name. */
class Rows {
  constructor(title, name, hint, onchange) {
    this.name = name;
    this.rows = [];
    this.list = h("div", { class: "rows" });
    this.own = h("input", { type: "radio", name, value: "", "aria-label": "Another one" });
    this.other = h("input", { type: "text", placeholder: hint, "aria-label": `${title}: repository or folder`, spellcheck: "false" });
    this.typed = h("div", { class: "check typed" }, this.own, this.other);
    this.element = h("fieldset", { class: "models" }, h("legend", {}, title), this.list, this.typed);
    this.other.addEventListener("input", () => {
      this.own.checked = true;
      onchange();
    });
    this.element.addEventListener("change", () => onchange());
  }

  show(rows, chosen, anything) {
    this.rows = rows;
    const choice = (value, ...content) =>
      h("label", { class: "check" }, h("input", { type: "radio", name: this.name, value, checked: value === chosen }), ...content);
    const first = rows.filter((row) => row.name === chosen);
    this.list.replaceChildren(
      ...[...first, ...rows.filter((row) => row.name !== chosen)].map((row) =>
        choice(row.name, h("span", {}, h("b", {}, row.title === row.name ? "" : `${row.title} `), row.name, h("span", { class: "hint" }, facts(row)))),
      ),
    );
    this.typed.hidden = !anything;
    if (!first.length) this.other.value = chosen;
    this.own.checked = !first.length;
  }

  get value() {
    /** @type {HTMLInputElement|null} */
    const marked = this.element.querySelector("input:checked");
    return marked?.value || this.other.value.trim();
  }

  /** What is known of the one that is marked. */
  get row() {
    return this.rows.find((row) => row.name === this.value);
  }
}

/** Licence, size, whether the weights are here, and what it costs on this machine. */
function facts({ licence, size, here, bytes: held, cost }) {
  const built = here && held === 0;
  const place = built ? "nothing to fetch" : here ? `on this machine${held ? ` (${bytes(held)})` : ""}` : `${size || "size not known"}, to be fetched`;
  const costs = [
    cost?.load != null && `loads in ${seconds(cost.load)}`,
    cost?.photo != null && `${seconds(cost.photo)} a photo`,
    cost?.memory > 0 && `${Math.round(cost.memory).toLocaleString("en")} MB of memory`,
  ].filter(Boolean);
  return [licence, place, costs.length ? `${costs.join(", ")} here` : "not measured here yet"].filter(Boolean).join(" · ");
}

const seconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
