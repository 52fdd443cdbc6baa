/** What the header and the pages tell each other. */

/**
 * @typedef {"page"|"photo"|"project"|"status"|"model"|"reached"|"visits"} Topic the page in front; what it has in hand; how the model
 *   is; that another model answers from now on; whether the server answered last time; how a visitor begins a project, on a server where each has one
 */

const hub = new EventTarget();
const last = {};

/**
 * @param {Topic} topic
 * @param {any} value
 */
export function tell(topic, value) {
  last[topic] = value;
  hub.dispatchEvent(new CustomEvent(topic, { detail: value }));
}

/**
 * Call `listener` with every value told about `topic`, beginning with the last one.
 * @param {Topic} topic
 * @param {function(any): void} listener
 */
export function hear(topic, listener) {
  hub.addEventListener(topic, (event) => listener(/** @type {CustomEvent} */ (event).detail));
  if (topic in last) listener(last[topic]);
}
