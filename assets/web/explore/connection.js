/** Server functions about the photo in hand. They always answer with an object: `{ok: true, ...}` or `{ok: false, error}`. */

const NO_ANSWER = { ok: false, error: "The server does not answer; see that it still runs, then try again." };

/** @typedef {{sample: string}|{file: File}} Source how a photo can be sent, and sent again */

export class Connection {
  /** @param {Object<string, function(any): Promise<any>>} server Gradio's server functions */
  constructor(server) {
    this.server = server;
    this.token = null;
    /** @type {Source|null} */
    this.source = null;
  }

  /** @param {Source} source */
  async open(source) {
    // Gradio sends an object with `binary` as a form, so that a file needs no encoding.
    const message = source.sample ? source : { binary: true, data: { file: source.file } };
    return (await this.server.open(message)) ?? NO_ANSWER;
  }

  /** What `open` answered is the photo in hand from now on. */
  hold(opened, source) {
    Object.assign(this, { token: opened.photo, source });
  }

  /** Call a server function about the photo in hand; one that the server has let go is sent again first. */
  async call(name, message) {
    const { source } = this;
    const reply = (await this.server[name]({ photo: this.token, ...message })) ?? NO_ANSWER;
    if (!reply.gone || source !== this.source) return reply;
    const again = await this.open(source);
    if (!again.ok || source !== this.source) return again;
    this.token = again.photo;
    return (await this.server[name]({ photo: this.token, ...message })) ?? NO_ANSWER;
  }
}
