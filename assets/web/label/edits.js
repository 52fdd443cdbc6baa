/**
 * Gestures on their way to the server, one after the other. A gesture is kept until the server has it on disk or has
 * refused it; while the server does not answer it waits here and is sent again.
 */

const AGAIN = 2000; // milliseconds until a gesture is sent again

/**
 * @typedef {Object} Gesture
 * @property {function(number): Promise<any>} send given the base revision; answers as `Server.call`
 * @property {Object|null} sketch what is painted meanwhile
 */

export class Edits {
  /**
   * @param {number} revision of the label map in hand
   * @param {{saved: function(any, Gesture): Promise<void>, refused: function(any, Gesture[]): Promise<number|null>,
   *   state: function(): void}} listeners `refused` may answer the revision to go on from
   */
  constructor(revision, listeners) {
    Object.assign(this, { revision, ...listeners });
    /** @type {Gesture[]} */
    this.waiting = [];
    this.offline = false;
    this.done = Promise.resolve();
  }

  get sketches() {
    return this.waiting.map((gesture) => gesture.sketch).filter(Boolean);
  }

  /** Send a gesture once those before it are saved. @param {Gesture} gesture */
  push(gesture) {
    this.waiting.push(gesture);
    this.state();
    if (this.waiting.length === 1) this.done = this.drain();
    return this.done;
  }

  async drain() {
    while (this.waiting.length) {
      const [gesture] = this.waiting;
      const reply = await gesture.send(this.revision);
      if (reply.lost) {
        this.offline = true;
        this.state();
        await new Promise((resolve) => setTimeout(resolve, AGAIN));
        continue;
      }
      this.offline = false;
      if (reply.ok) {
        this.revision = reply.revision;
        await this.saved(reply, gesture);
        this.waiting.shift();
      } else {
        // What was drawn after a refused gesture was drawn on what is not there: only a stale one takes it along.
        const dropped = reply.stale ? this.waiting.splice(0) : [this.waiting.shift()];
        this.revision = (await this.refused(reply, dropped)) ?? this.revision;
      }
      this.state();
    }
  }
}
