/** The heads that a project has learnt, and the one it began with: scores, which is active, back and forth. */

import { h, icon } from "../shared/dom.js";
import { plural } from "../shared/numbers.js";

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
              ` on ${after.on ?? plural(after.photos, "photo")} ${head.scores.photos ?? "held back"}`,
            ),
      ),
      h("p", { class: "hint" }, `${plural(head.data.photos, "photo")}, ${plural(head.classes.length, "class", "classes")}: ${head.classes.map(([name]) => name).join(", ")}`),
      h(
        "div",
        { class: "row wrap" },
        head.active || !head.there ? null : this.button("Activate", () => this.activate(head.id)),
        this.button("Compare", () => this.page.compare.ask(undefined, head.id)),
        head.there ? this.button("Download", () => this.download(head.id)) : h("span", { class: "hint" }, "its file is gone"),
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

const badge = () => h("span", { class: "tag in-use" }, icon("check"), "active");
const when = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
