/** Answers that come late: what was asked before the page went on to something else is not shown any more. */

export class Turns {
  constructor() {
    this.count = 0;
  }

  /**
   * Something is asked, or the page goes on: what was asked before is late from now on.
   * @returns {function(): boolean} whether this is still the newest
   */
  begin() {
    const mine = ++this.count;
    return () => mine === this.count;
  }
}
