/** What can be done about a gesture that was begun, as buttons on the board: a finger, or a mouse alone, has no keys. */

import { h, icon } from "../shared/dom.js";

/**
 * @typedef {Object} Step
 * @property {string} name
 * @property {string} icon
 * @property {string} label its whole name
 * @property {string} [text] beside the icon; without it the icon stands alone
 * @property {boolean} [pressed] of a step that stays on
 * @property {function(): void} run
 */

export class Steps {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.names = "";
  }

  /** @param {Step[]} steps in order; none takes the buttons away */
  show(steps) {
    const names = steps.map(({ name }) => name).join();
    if (names !== this.names) this.place.replaceChildren(...steps.map((step) => this.button(step)));
    this.names = names;
    this.steps = Object.fromEntries(steps.map((step) => [step.name, step]));
    this.place.hidden = !steps.length;
    for (const { name, pressed } of steps)
      if (pressed !== undefined) this.place.querySelector(`[data-step="${name}"]`).setAttribute("aria-pressed", String(pressed));
  }

  /** @param {Step} step */
  button({ name, icon: picture, label, text }) {
    const kind = name === "accept" ? "button" : text ? "button quiet" : "plain";
    const run = () => this.steps[name]?.run();
    return h(
      "button",
      { type: "button", class: kind, "data-step": name, title: label, "aria-label": text ? null : label, onclick: run },
      icon(picture),
      text ?? null,
    );
  }
}
