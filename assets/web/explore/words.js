/** The words in hand as a person types them, and those that might be added. */

import { debounce, h, icon } from "../shared/dom.js";
import { percent } from "../shared/numbers.js";
import { t } from "../shared/language.js";

const TYPING_PAUSE = 300; // milliseconds without a key before words are asked
const AGAIN = 1500; // milliseconds between two looks at nouns that are still being read

export class Words {
  /** @param {import("./explore.js").Explore} page */
  constructor(page) {
    const { part } = page;
    this.page = page;
    this.part = part;
    const askSoon = debounce(() => this.ask(), TYPING_PAUSE);
    part.words.addEventListener("input", () => {
      this.part.replaced.hidden = true;
      askSoon();
    });
    part.words.addEventListener("change", askSoon.now);
  }

  get text() {
    return this.part.words.value;
  }

  get blank() {
    return !this.text.trim();
  }

  ask() {
    this.blank ? this.page.rest() : this.page.ask();
    this.page.photos.mark();
  }

  /**
   * Other words come with a photo.
   * @param {boolean} undoable offer to bring back what stood there
   */
  replace(text, undoable) {
    const before = this.text;
    this.part.replaced.hidden = true;
    this.part.suggestions.replaceChildren();
    if (text === before) return;
    const own = this.page.photos.ownWordsOf(before);
    this.set(text);
    if (!undoable || !before.trim() || (own && text)) return;
    const undo = () => {
      this.part.replaced.hidden = true;
      this.set(before);
      this.ask();
      this.part.words.focus();
    };
    this.part.replaced.hidden = false;
    this.part.replaced.replaceChildren(
      h("span", {}, own ? t("The sample’s words left with it.") : t("The sample brought its own words.")),
      h("button", { type: "button", class: "link", onclick: undo }, own ? t("Bring them back") : t("Back to mine")),
    );
  }

  set(text) {
    this.part.words.value = text;
    this.page.levels.clear();
    this.page.hidden.clear();
  }

  /** Add words at the end. */
  add(...words) {
    this.part.words.value = words.reduce(withWord, this.text);
    this.part.replaced.hidden = true;
    this.ask();
  }

  /** Nouns that would suit the photo, for as long as `current` says so. */
  async suggest(current) {
    const reply = await this.page.connection.call("suggest", { words: this.text, head: this.page.head });
    if (!current() || !reply.ok) return;
    if (!reply.ready) {
      const share = percent(reply.done / reply.all);
      this.part.suggestions.replaceChildren(h("span", { class: "hint" }, t("Suggestions follow; {share} of the nouns are read", { share })));
      setTimeout(() => current() && this.suggest(current), AGAIN);
      return;
    }
    const all = h("button", { type: "button", class: "link", onclick: () => this.add(...reply.words) }, t("Ask all of these"));
    this.part.suggestions.replaceChildren(
      ...reply.words.map((word) =>
        h(
          "button",
          { type: "button", class: "suggestion", "aria-label": t("Add {word}", { word }), onclick: () => this.add(word) },
          icon("plus"),
          word,
        ),
      ),
      ...(this.blank && reply.words.length ? [all] : []),
    );
  }
}

/** Text with one more word at its end. */
export function withWord(text, word) {
  const trimmed = text.replace(/[\s,，、]+$/, "");
  return trimmed ? `${trimmed}, ${word}` : word;
}
