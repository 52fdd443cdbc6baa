/** Another model: backbone, readout, head and proposer from lists with what each costs, and the switch to it. */

import { h } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { bytes, duration, number } from "../shared/numbers.js";

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
    this.backbones = new Rows(t("Backbone"), "backbone", t("owner/name, clip:MODEL/TAG, or a folder"), () => this.touch());
    this.proposers = new Rows(t("Masks by"), "proposals", t("hf:owner/name, or a folder"), () => this.touch());
    this.readout = h("select", { name: "readout" });
    this.head = h("select", { name: "head" });
    this.readoutField = h("label", { class: "field" }, h("span", {}, t("Readout")), this.readout);
    this.button = h("button", { class: "button", type: "submit" }, t("Switch"));
    this.form = h(
      "form",
      { class: "choose", onsubmit: (event) => this.submit(event) },
      h("h3", {}, t("Another model")),
      this.backbones.element,
      this.readoutField,
      h("label", { class: "field" }, h("span", {}, t("Head")), this.head),
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
    const own = names.length ? t("its own ({name})", { name: names[0] }) : t("its own");
    const options = names.map((name) => h("option", { value: name }, name));
    this.readout.replaceChildren(h("option", { value: "" }, own), ...options);
    this.readout.value = names.includes(chosen.readout) ? chosen.readout : "";
    this.readoutField.hidden = !names.length;
    const fits = (head) => head.backbone.split("?")[0] === (row?.name ?? "") || head.backbone.startsWith(`${row?.name}+`);
    const heads = (this.list?.heads ?? []).map((head) =>
      h("option", { value: head.id, disabled: !fits(head) }, t("head {id} of the project, for {backbone}", { id: head.id, backbone: head.backbone })),
    );
    this.head.replaceChildren(
      h("option", { value: "default" }, row?.needs_head ? t("default (this backbone needs a trained one)") : t("default")),
      h("option", { value: "none" }, t("none: the backbone’s own alignment")),
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
    if (ended && run.problem) this.tell(heard(run.problem));
    if (!ended || run.state !== "done") return;
    this.wanted = null;
    if (!this.form.hidden) this.open();
  }

  follow({ what, done, all }) {
    this.looks = [...this.looks, [performance.now(), done]].slice(-WINDOW);
    const [[then, had], [now, has]] = [this.looks[0], this.looks.at(-1)];
    const rate = has > had ? (1000 * (has - had)) / (now - then) : 0;
    const pace = rate ? [`${bytes(rate)}/s`, ...(all > done ? [t("{time} left", { time: duration((all - done) / rate) })] : [])] : [];
    const far = all > done ? [t("Fetching {done} of {all}", { done: bytes(done), all: bytes(all) }), ...pace].join(", ") : t("Looking for its files, and loading them");
    const bar = h("progress", { max: all || 1, "aria-label": what });
    if (all > done) bar.value = done;
    if (!this.stopper) {
      this.line = h("p", {});
      this.bar = h("div", {});
      this.doing = h("p", { class: "hint number" });
      this.stopper = h("button", { class: "button quiet", type: "button", onclick: () => this.stop() }, t("Cancel"));
      this.running.append(this.line, this.bar, this.doing, this.stopper);
    }
    this.line.textContent = t("{what}; the model in use goes on meanwhile", { what: heard(what) });
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
      ...(differs ? [h("p", {}, heard(differs))] : []),
      ...(remembers && !run?.running
        ? [
            h(
              "p",
              {},
              t("This project was last worked on with {backbone}, and masks by {proposals}. ", remembers),
              h("button", { class: "link", type: "button", onclick: back }, t("Switch to them")),
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
    this.own = h("input", { type: "radio", name, value: "", "aria-label": t("Another one") });
    this.other = h("input", { type: "text", placeholder: hint, "aria-label": t("{title}: repository or folder", { title }), spellcheck: "false" });
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
  const place = built ? t("nothing to fetch") : here ? held ? t("on this machine ({size})", { size: bytes(held) }) : t("on this machine") : t("{size}, to be fetched", { size: size || t("size not known") });
  const costs = [
    cost?.load != null && t("loads in {time}", { time: seconds(cost.load) }),
    cost?.photo != null && t("{time} a photo", { time: seconds(cost.photo) }),
    cost?.memory > 0 && t("{n} MB of memory", { n: number(cost.memory) }),
  ].filter(Boolean);
  return [licence && heard(licence), place, costs.length ? t("{costs} here", { costs: costs.join(", ") }) : t("not measured here yet")].filter(Boolean).join(" · ");
}

const seconds = (value) => `${number(value, value < 10 ? 1 : 0)} s`;
