/** How the words are answered: by what, with which edges, prompts and head; and what that took. */

import { h } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { decimal } from "../shared/numbers.js";

const MENUS = { by: "methods", refine: "refinements", templates: "templates" };

export class Method {
  /** @param {import("./explore.js").Explore} page */
  constructor(page) {
    const { part, given } = page;
    this.page = page;
    this.part = part;
    for (const [name, list] of Object.entries(MENUS)) {
      part[name].append(...given[list].map(([value, text]) => h("option", { value }, heard(text))));
      part[name].addEventListener("change", () => page.ask());
    }
    part.only.addEventListener("change", () => page.ask());
    part.head.addEventListener("change", () => page.changeHead());
  }

  get head() {
    return this.part.head.value || null;
  }

  /** Which head that is: another one of the project answers to the same value. */
  get answering() {
    return this.head && this.part.head.selectedOptions[0].text;
  }

  /** The heads that may answer; the one of the project is taken when it comes, and let go when it is gone. */
  async loadHeads() {
    const reply = await this.page.connection.server.call("heads");
    if (!reply.ok) return;
    if (reply.by && !this.advised) {
      this.advised = true; // once: what a person chooses afterwards stays
      this.part.by.value = reply.by;
      this.tell();
      if (this.page.answer) this.page.ask();
    }
    const before = JSON.stringify(this.heads ?? []),
      { head } = this.part;
    if (JSON.stringify(reply.heads) === before) return;
    this.heads = reply.heads;
    const kept = this.answering;
    head.replaceChildren(...reply.heads.map(({ value, name }) => h("option", { value }, heard(name))));
    head.value = reply.heads.at(-1).value;
    this.part["head-field"].hidden = reply.heads.length < 2;
    if (this.answering !== kept) this.page.changeHead();
    else this.tell();
  }

  options() {
    const { by, refine, templates } = this.part;
    const fine = ["unit", "slic"].includes(by.value);
    return {
      by: by.value,
      refine: refine.value,
      templates: templates.value,
      ...(this.part.only.checked ? { others: "none" } : {}),
      ...(fine ? { granularity: this.page.units.granularity } : {}),
    };
  }

  /** What answered, beside the folded form. */
  tell() {
    const { by, head } = this.part;
    const named = head.options.length > 1 ? `, ${head.selectedOptions[0].text}` : "";
    this.part["method-line"].textContent = by.selectedOptions[0].text + named;
  }

  /** @param {{encode: number, answer: number}} seconds */
  timing({ encode, answer }) {
    const took = { encode: decimal(encode), answer: decimal(answer) };
    this.part.timing.textContent =
      encode > 0.01 ? t("Encoded in {encode} s, answered in {answer} s.", took) : t("Already encoded; answered in {answer} s.", took);
    this.tell();
  }
}
