/** Which photos of the queue are listed, the way from one to the next, and how far the project is. */

/** @typedef {import("./store.js").QueuedPhoto} QueuedPhoto */

const OVER = ["done", "skipped"];

/**
 * The queue as the server sends it.
 * @param {[number, string, number, number][]} rows id, name, place of its state in `states`, revision
 * @param {string[]} states
 * @returns {QueuedPhoto[]}
 */
export const queued = (rows, states) =>
  rows.map(([photo, name, state, revision]) => ({ photo, name, state: states[state], revision }));

/** Whether a photo needs no more work. @param {{state: string}} photo */
export const isOver = ({ state }) => OVER.includes(state);

/**
 * The photos that match, as places in `photos`. The one in hand stays listed although it no longer matches.
 * @param {QueuedPhoto[]} photos
 * @param {{text?: string, filter?: string, current?: number|null, team?: import("./team.js").Told|null}} asked `text` is in the name, whatever the case;
 *   `filter` is a state, "open" for what is still to do, "" for all, or in a team "mine" or what a review said
 * @returns {number[]}
 */
export function sift(photos, { text = "", filter = "", current = null, team = null }) {
  const wanted = text.trim().toLowerCase();
  const places = [];
  for (let place = 0; place < photos.length; place++) {
    const one = photos[place];
    const state = !filter || (filter === "open" ? !isOver(one) : one.state === filter || inTeam(one, filter, team));
    if ((state && (!wanted || one.name.toLowerCase().includes(wanted))) || one.photo === current) places.push(place);
  }
  return places;
}

/** What is said of a photo in a team. @param {import("./team.js").Told|null} team */
export const standingOf = (team, photo) => team?.standing[photo];

/** @param {QueuedPhoto} one @param {string} filter @param {import("./team.js").Told|null} team */
function inTeam({ photo, state }, filter, team) {
  const said = standingOf(team, photo);
  if (!team) return false;
  if (filter === "mine") return said?.assignee === team.me;
  return filter === "to review" ? state === "done" && said?.review !== "reviewed" : said?.review === filter;
}

/** Photos by state. @param {QueuedPhoto[]} photos @returns {Map<string, number>} */
export function counted(photos) {
  const counts = new Map();
  for (const { state } of photos) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

/**
 * The rows to draw of a list of equal rows: those in sight and a few around them.
 * @param {{offset: number, room: number, length: number, count: number, around?: number}} list scrolled by `offset`
 *   pixels in a frame of `room` pixels; a row takes `length` pixels
 * @returns {[number, number]} the first, and the one after the last
 */
export function inSight({ offset, room, length, count, around = 4 }) {
  const first = Math.floor(offset / length) - around,
    last = Math.ceil((offset + room) / length) + around;
  return [Math.min(Math.max(first, 0), count), Math.min(Math.max(last, 0), count)];
}

/**
 * How far a list has to be scrolled so that a row lies in sight; where it does already, not at all.
 * @param {{offset: number, room: number, length: number}} list
 * @param {number} row
 */
export function reaching({ offset, room, length }, row) {
  if (row * length < offset) return row * length;
  return Math.max(offset, (row + 1) * length - room);
}

/** A word as it stands at the beginning of a line. @param {string} text */
export const upper = (text) => text[0].toUpperCase() + text.slice(1);
