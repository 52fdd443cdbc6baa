/** What the header and the pages tell each other. */

const hub = new EventTarget();
const last = {};

/**
 * @param {"status"|"photo"|"page"} topic
 * @param {any} value
 */
export function tell(topic, value) {
  last[topic] = value;
  hub.dispatchEvent(new CustomEvent(topic, { detail: value }));
}

/**
 * Call `listener` with every value told about `topic`, beginning with the last one.
 * @param {"status"|"photo"|"page"} topic
 * @param {function(any): void} listener
 */
export function hear(topic, listener) {
  hub.addEventListener(topic, (event) => listener(/** @type {CustomEvent} */ (event).detail));
  if (topic in last) listener(last[topic]);
}
