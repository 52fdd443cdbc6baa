/** A page that shows the project which is open, and is told anew what is in it each time it comes to the front. */

import { hear, tell } from "./bus.js";
import { Turns } from "./turns.js";

/** @typedef {function(): boolean} Current whether what was begun is still wanted */

export class ProjectView {
  /**
   * @param {Object<string, any>} part without, unreached, and the page's own, by `name`
   * @param {import("./server.js").Server} server whose `overview` says which project is open
   * @param {string} name the page's
   * @param {{forget: function(): void, take: function(Object<string, any>, Current): void}} page what to do where another
   *   project is open than before, and with what the server told of it
   */
  constructor(part, server, name, page) {
    this.part = part;
    this.server = server;
    this.name = name;
    this.page = page;
    this.turns = new Turns(); // looks at the project
    this.front = false; // whether this is the page in front
    hear("page", (shown) => {
      this.front = shown === name;
      this.turns.begin(); // what was asked for this page is late on another one
      if (this.front) this.show();
    });
  }

  /** Look at the project, and show it; or say why there is none. */
  async show() {
    const { part, server, page } = this,
      current = this.turns.begin();
    const overview = await server.call("overview");
    if (!current()) return;
    part.unreached.hidden = overview.ok;
    if (!overview.ok) return (part.unreached.textContent = overview.error);
    const { project, key } = overview;
    part.without.hidden = project !== null;
    part[this.name].hidden = project === null;
    if (project === null) return;
    if (server.project !== key) page.forget();
    server.project = key;
    tell("project", project);
    page.take(overview, current);
  }
}
