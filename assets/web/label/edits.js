/**
 * Gestures on one photo on their way to the server, one after the other. A gesture is kept until the server has it on
 * disk or has refused it; while no server answers, or one without its database or with another project open, it waits
 * here and is sent again.
 */

const AGAIN = 2000; // milliseconds until a gesture is sent again

/**
 * @typedef {Object} Gesture
 * @property {string} name of the server function, `edit` or `pseudolabel`
 * @property {Object} message to it, without the base revision
 * @property {{draw: function(CanvasRenderingContext2D, Object): void}|null} [sketch] what is painted meanwhile
 * @property {function(): void} [heard] called when the server has answered, whatever it said
 */

/** @typedef {import("../shared/server.js").Reply} Reply */

/**
 * @typedef {Object} Listeners
 * @property {function(Gesture, number): Promise<Reply>} send a gesture on top of a revision
 * @property {function(Reply, Gesture): Promise<void>} saved
 * @property {function(Reply, Gesture[]): Promise<number|null>} refused may answer the revision to go on from
 * @property {function(Reply, Gesture[]): Promise<number|null>} outdated the same, for gestures that had to wait for
 *   their server and lie on an older label map now
 * @property {function(Reply=): void} changed what waits, or why: then with the answer that says so
 * @property {function(number): Promise<void>} [pause] milliseconds
 */

export class Edits {
  /**
   * @param {number} revision of the label map in hand
   * @param {Listeners} listeners
   */
  constructor(revision, { send, saved, refused, outdated, changed, pause: rest = pause }) {
    this.revision = revision;
    this.send = send;
    this.saved = saved;
    this.refused = refused;
    this.outdated = outdated;
    this.changed = changed;
    this.pause = rest;
    /** @type {Gesture[]} */
    this.waiting = [];
    /** Why nothing is saved: no server answers, it has no database, nobody is signed in, or another project is open. @type {"lost"|"away"|"out"|"elsewhere"|null} */
    this.trouble = null;
    this.reason = null; // the same in the words of the answer
    this.delayed = false; // something of what waits had to be sent again
    this.done = Promise.resolve();
  }

  get sketches() {
    return this.waiting.map((gesture) => gesture.sketch).filter(Boolean);
  }

  /** Whether something is on its way, and nothing is in the way. */
  get sending() {
    return this.waiting.length > 0 && !this.trouble;
  }

  /** Send gestures once those before them are saved. @param {...Gesture} gestures */
  push(...gestures) {
    const idle = this.waiting.length === 0;
    this.waiting.push(...gestures);
    this.changed();
    if (idle) this.done = this.drain();
    return this.done;
  }

  async drain() {
    while (this.waiting.length) {
      const [gesture] = this.waiting;
      const reply = await this.send(gesture, this.revision);
      gesture.heard?.();
      const before = this.reason;
      this.trouble = troubleOf(reply);
      this.reason = this.trouble && reply.error;
      if (this.trouble) {
        this.delayed = true;
        if (this.reason !== before) this.changed(reply);
        await this.pause(AGAIN);
        continue;
      }
      if (reply.ok) {
        this.revision = reply.revision;
        await this.saved(reply, gesture);
        this.waiting.shift();
      } else {
        // What was drawn after a refused gesture was drawn on what is not there: only a stale one takes it along.
        const dropped = reply.stale ? this.waiting.splice(0) : [this.waiting.shift()];
        const told = reply.stale && this.delayed ? this.outdated : this.refused;
        this.revision = (await told(reply, dropped)) ?? this.revision;
      }
      this.changed();
    }
    this.delayed = false;
  }
}

/** Why a gesture waits for its server, null when it has been heard. @param {Reply} reply */
function troubleOf(reply) {
  if (reply.lost || reply.expired) return "lost";
  if (reply.signed_out) return "out";
  if (reply.away) return "away";
  return reply.other_project ? "elsewhere" : null;
}

const pause = (wait) => new Promise((resolve) => setTimeout(resolve, wait));
