/** What the page says: a word about the tool in hand, news that fade, and problems that stay until their cause is gone. */

import { h, icon } from "../shared/dom.js";
import { t } from "../shared/language.js";

/** @typedef {{label: string, run: function(): void}} Remedy what can be done about it */
/** @typedef {"photo"|"adding"|"class"|"server"|"work"|"carrying"} About what a problem is about */

const READ = 6000; // milliseconds that news stay

export class Notices {
  /** @param {Object<string, HTMLElement>} part notice, problem */
  constructor(part) {
    this.part = part;
    /** What is said while there are no news. @type {{text: string, remedy?: Remedy}} */
    this.hint = { text: "" };
    this.timer = 0;
    /** By what they are about, oldest first. @type {Map<About, {text: string, remedy?: Remedy}>} */
    this.problems = new Map();
  }

  /**
   * A word about the tool in hand, on the board, until another one; "" takes it away.
   * @param {string} text
   * @param {Remedy} [remedy] what can be done at once
   */
  say(text, remedy) {
    this.hint = { text, remedy };
    clearTimeout(this.timer);
    this.show(this.hint);
  }

  /** Something that has happened: said for a while, on the board. */
  announce(text) {
    if (!text) return this.say("");
    clearTimeout(this.timer);
    this.show({ text });
    this.timer = setTimeout(() => this.show(this.hint), READ);
  }

  /** @param {{text: string, remedy?: Remedy}} told */
  show({ text, remedy }) {
    this.part.notice.hidden = !text;
    this.part.notice.replaceChildren(text);
    if (remedy) this.part.notice.append(" ", h("button", { class: "button", type: "button", onclick: remedy.run }, remedy.label));
  }

  /**
   * One sentence about what went wrong, in place of the one before about the same thing; "" takes that one away.
   * @param {string} text
   * @param {About} about whatever is done next about it takes the sentence away
   * @param {Remedy} [remedy]
   */
  problem(text, about, remedy) {
    if (!this.problems.delete(about) && !text) return;
    if (text) this.problems.set(about, { text, remedy });
    const { problem } = this.part;
    problem.hidden = !this.problems.size;
    problem.replaceChildren(...[...this.problems].map(([of, told]) => this.line(of, told)));
  }

  /** @param {About} about @param {{text: string, remedy?: Remedy}} told */
  line(about, { text, remedy }) {
    const close = h(
      "button",
      { class: "plain", type: "button", "aria-label": t("Dismiss"), onclick: () => this.problem("", about) },
      icon("close"),
    );
    const sentence = h("span", {}, text);
    if (remedy) sentence.append(" ", h("button", { class: "link", type: "button", onclick: remedy.run }, remedy.label));
    return h("div", { class: "problem-line" }, icon("warning"), sentence, close);
  }
}
