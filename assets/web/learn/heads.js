/** The heads that a project has learnt, and the one it began with: scores, which is active, back and forth. */

import { h, icon } from "../shared/dom.js";
import { heard, language, t } from "../shared/language.js";
import { number, plural } from "../shared/numbers.js";

export class Heads {
  /** @param {import("./learn.js").LearnPage} page */
  constructor(page) {
    this.page = page;
    this.part = page.part;
  }

  show(heads) {
    const { part } = this;
    const active = heads.some((head) => head.active);
    part["relabel-row"].hidden = !heads.length;
    part.heads.replaceChildren(
      ...heads.map((head) => this.head(head)),
      h(
        "li",
        { class: active ? "" : "active", "data-head": "start" },
        h("div", { class: "row" }, h("b", {}, t("The head it began with")), h("span", { class: "spacer" }), active ? null : badge()),
        active ? h("div", { class: "row wrap" }, this.button(t("Go back to it"), () => this.activate(null))) : null,
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
        h("b", {}, t("Head {id}", { id: head.id })),
        h("span", { class: "muted" }, ` ${when(head.created)}`),
        h("span", { class: "spacer" }),
        head.active ? badge() : null,
      ),
      h(
        "p",
        { class: "number" },
        gain === null
          ? t("There is no corrected photo yet that it has not seen, so no score.")
          : h(
              "span",
              {},
              `mIoU ${number(before.miou, 1)} → `,
              h("b", {}, number(after.miou, 1)),
              h("span", { class: gain >= 0 ? "gain" : "loss" }, ` ${gain >= 0 ? "+" : "−"}${number(Math.abs(gain), 1)}`),
              ` ${scored(after, head.scores.photos)}`,
            ),
      ),
      h("p", { class: "hint" }, [plural(head.data.photos, "{n} photo", "{n} photos"), `${plural(head.classes.length, "{n} class", "{n} classes")}: ${head.classes.map(([name]) => name).join(", ")}`].join(", ")),
      h(
        "div",
        { class: "row wrap" },
        head.active || !head.there ? null : this.button(t("Activate"), () => this.activate(head.id)),
        this.button(t("Compare"), () => this.page.compare.ask(undefined, head.id)),
        head.there ? this.button(t("Download"), () => this.download(head.id)) : h("span", { class: "hint" }, t("its file is gone")),
      ),
    );
  }

  button(text, onclick) {
    return h("button", { class: "button quiet small", type: "button", onclick }, text);
  }

  async activate(head) {
    const answer = await this.page.call("activate", { head });
    if (answer.late) return;
    if (!answer.ok) this.page.problem(answer.error);
    await this.page.look();
    this.page.next.ask();
  }

  async download(head) {
    const answer = await this.page.call("download", { head });
    if (answer.late) return;
    if (!answer.ok) return this.page.problem(answer.error);
    h("a", { href: answer.url, download: `head-${head}.safetensors` }).click();
  }
}

const badge = () => h("span", { class: "tag in-use" }, icon("check"), t("active"));
const when = (text) => new Date(text).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
const scored = ({ on, photos }, which) =>
  t("on {where} {which}", { where: on ? heard(on) : plural(photos, "{n} photo", "{n} photos"), which: which ? heard(which) : t("held back") });
