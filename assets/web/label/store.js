/** What the Label page knows, in one place: whoever shows a part of it watches that part and hears whence a change came. */

/** @typedef {"person"|"server"|"browser"} Origin a person here, an answer of the server, or what this browser has kept */

/** @typedef {{photo: number, name: string, state: string, revision: number}} QueuedPhoto */

/** @typedef {{id: number, name: string, aliases: string[], colour: string, background: boolean}} ProjectClass */

/**
 * @typedef {Object} LabelState Values are replaced, never changed within, but for the label map (see `touch`).
 * @property {{key: string, name: string, folder?: string, local: boolean}|null} project
 * @property {QueuedPhoto[]} photos of the project, in its order
 * @property {{photo: number, name: string, size: [number, number]}|null} photo the one in hand
 * @property {import("../canvas/labelmap.js").LabelMap|import("../canvas/windowed.js").WindowedMap|null} map its labels
 * @property {{person: number, model: number[][]}|null} sources who made them
 * @property {ProjectClass[]} classes
 * @property {{id: number, name: string}[]} deleted classes that can be restored
 * @property {number|null} chosen the class in hand
 * @property {number|null} before the class that was in hand before
 * @property {Set<number>} hidden classes
 * @property {Set<number>} locked classes
 * @property {Map<number, number>} levels thresholds of the model's view, in bytes by class
 * @property {{answer: Object, ids: number[], window?: import("../canvas/windowed.js").Window}|null} view what the model says, while
 *   it is shown; of a huge photo, in a window
 */

/** @typedef {{fields: Set<string>, origin: Origin, box: import("../canvas/canvas.js").Box|null}} Change `box`: the part of the label map */

export class Store {
  /** @param {LabelState} state */
  constructor(state) {
    this.state = state;
    this.watchers = [];
  }

  /**
   * @param {Partial<LabelState>} changes
   * @param {Origin} origin
   */
  set(changes, origin) {
    const fields = Object.keys(changes).filter((name) => changes[name] !== this.state[name]);
    Object.assign(this.state, changes);
    if (fields.length) this.tell({ fields: new Set(fields), origin, box: null });
  }

  /**
   * The label map has changed within: in a box of image pixels.
   * @param {import("../canvas/canvas.js").Box} box
   * @param {Origin} origin
   */
  touch(box, origin) {
    this.tell({ fields: new Set(["map"]), origin, box });
  }

  /**
   * Call `listener` after every change of one of the fields.
   * @param {(keyof LabelState)[]} fields
   * @param {function(LabelState, Change): void} listener
   */
  watch(fields, listener) {
    this.watchers.push({ fields, listener });
  }

  /**
   * Remember what some fields are now; the answer tells whether they still are. Ask it after every wait: what comes
   * late must not be shown beside another photo, or read with another list of classes.
   * @param {...keyof LabelState} fields
   * @returns {function(): boolean}
   */
  still(...fields) {
    const then = fields.map((name) => this.state[name]);
    return () => fields.every((name, k) => this.state[name] === then[k]);
  }

  tell(change) {
    for (const { fields, listener } of this.watchers)
      if (fields.some((name) => change.fields.has(name))) listener(this.state, change);
  }
}
