/** Server functions about the photo in hand; one that the server has let go is sent again by itself. */

import { Server } from "../shared/server.js";

/** @typedef {import("./photos.js").Source} Source */

export class Connection {
  /** @param {Object<string, function(any): Promise<any>>} functions Gradio's, by name */
  constructor(functions) {
    this.server = new Server(functions);
    this.token = null;
    /** @type {Source|null} */
    this.source = null;
  }

  /** @param {Source} source */
  open(source) {
    return this.server.call("open", source.file ? { ...source, name: source.file.name } : source);
  }

  /** What `open` answered is the photo in hand from now on. */
  hold(opened, source) {
    this.token = opened.photo;
    this.source = source;
  }

  /** Call a server function about the photo in hand; one that the server has let go is sent again first. */
  async call(name, message) {
    const { source } = this;
    const reply = await this.server.call(name, { photo: this.token, ...message });
    if (!reply.gone || source !== this.source) return reply;
    const again = await this.open(source);
    if (!again.ok || source !== this.source) return again;
    this.token = again.photo;
    return this.server.call(name, { photo: this.token, ...message });
  }
}
