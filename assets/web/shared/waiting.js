/** Says what is going on, if it lasts: what, for how long, and a way out. */

import { h } from "./dom.js";
import { t } from "./language.js";

const PATIENCE = 300; // milliseconds before anything is said
const LONG = 2; // seconds after which the time and a way out are shown

export class Waiting {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.current = null;
  }

  /**
   * @param {string|function(): string} text
   * @param {(function(): void)|null} [giveUp] what "Stop waiting" does
   * @returns {function(): void} call it when the wait is over
   */
  begin(text, giveUp = null) {
    const wait = { began: performance.now(), text, giveUp };
    this.current = wait;
    wait.timer = setTimeout(() => {
      this.tell(wait);
      wait.timer = setInterval(() => this.tell(wait), 500);
    }, PATIENCE);
    return () => this.end(wait);
  }

  tell(wait) {
    if (this.current !== wait) return;
    const seconds = Math.floor((performance.now() - wait.began) / 1000),
      long = seconds >= LONG;
    const stop = () => {
      this.end(wait);
      wait.giveUp();
    };
    this.place.hidden = false;
    this.place.replaceChildren(
      h("span", { class: "spinner" }),
      h("span", {}, typeof wait.text === "string" ? wait.text : wait.text()),
      long ? h("span", { class: "number muted" }, `${seconds} s`) : "",
      long && wait.giveUp
        ? h("button", { type: "button", class: "link", onclick: stop }, t("Stop waiting"))
        : "",
    );
  }

  end(wait) {
    clearTimeout(wait.timer);
    clearInterval(wait.timer);
    if (this.current !== wait) return;
    this.current = null;
    this.place.hidden = true;
  }
}
