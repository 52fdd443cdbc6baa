/** Elements without markup strings: whatever a person typed becomes text, never HTML. */

import { ICONS } from "./icons.js";
import { translate } from "./language.js";

/**
 * An element with attributes, listeners (`onclick`) and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Object<string, any>} [attributes] a value of false or null leaves the attribute out
 * @param {...(Node|string|null)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([key, v]) => element.style.setProperty(key, v));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/**
 * One icon of the set, hidden from screen readers: the control around it has the name.
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const holder = document.createElement("span");
  holder.innerHTML = `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${ICONS[name]}</svg>`;
  return /** @type {SVGElement} */ (holder.firstElementChild);
}

/**
 * The elements of a page's markup by their `data-part`; `data-icon` places are filled, its words are in the language chosen.
 * @param {HTMLElement} root
 * @returns {Object<string, any>} each an element of the kind that the markup says
 */
export function parts(root) {
  translate(root);
  /** @type {NodeListOf<HTMLElement>} */
  const places = root.querySelectorAll("[data-icon]");
  places.forEach((place) => place.prepend(icon(place.dataset.icon)));
  /** @type {NodeListOf<HTMLElement>} */
  const named = root.querySelectorAll("[data-part]");
  return Object.fromEntries([...named].map((part) => [part.dataset.part, part]));
}

/**
 * Run `callback` once the calls have paused for `wait` milliseconds; `.now()` runs it at once.
 * @param {function(): void} callback
 * @param {number} wait
 */
export function debounce(callback, wait) {
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(callback, wait);
  };
  later.now = () => {
    clearTimeout(timer);
    callback();
  };
  return later;
}
