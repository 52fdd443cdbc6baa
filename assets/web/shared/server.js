/** The server functions of a page: one way to call them, one kind of answer. */

import { heard, t } from "./language.js";
import { tell } from "./bus.js";
import { visitor } from "./visitor.js";

/**
 * What every call answers. Beside `error`, one sentence for the person, a mark says what the page can do about it:
 * `lost` nothing was heard from the server, so it is not known whether the message arrived; `gone` the server no longer
 * holds the photo; `stale` the gesture was made on an older label map; `other_project` the message is about a project
 * that is not the one open there; `expired` the server was started again since the page was opened; `away` the server
 * lost its database, so it is not known whether the change is in it; `signed_out` the person has to sign in again.
 * @typedef {{ok: boolean, error?: string, lost?: boolean, gone?: boolean, stale?: boolean, other_project?: boolean,
 *   expired?: boolean, away?: boolean, signed_out?: boolean, [fact: string]: any}} Reply
 */

const SILENCE = t("The server does not answer; see that it still runs, then try again.");

/** Tells the server that a page of its own speaks. Made anew at each start, so it can expire. */
let token = document.querySelector("meta[name=textseg-token]")?.getAttribute("content") ?? "";

/**
 * Take the token from the page as it is served now, unless that has been done since `old` was sent.
 * @returns {Promise<boolean>} whether there is another one
 */
async function renew(old) {
  if (token !== old) return true;
  const answer = await fetch(location.pathname + location.search, { cache: "no-store" }).catch(() => null);
  // Gradio keeps the page's head as text in a script, so that there is no element to look for.
  const found = answer?.ok && tokenIn(await answer.text());
  if (found) token = found;
  return token !== old;
}

/**
 * The token that a page as it is served holds; one may begin with a dash.
 * @param {string} page
 */
export function tokenIn(page) {
  return /textseg-token[\\"']+\s+content=[\\"']+([\w-]+)/.exec(page)?.[1];
}

export class Server {
  /** @param {Object<string, function(any): Promise<any>>} functions Gradio's, by name */
  constructor(functions) {
    this.functions = functions;
    /** @type {string|null} key of the project that this page shows; every message carries it */
    this.project = null;
  }

  /**
   * Call a server function. It never throws, and always answers with an object.
   * @param {string} name
   * @param {Object<string, any>} [message] a File or Blob in it travels as it is, and every other field as text then
   * @returns {Promise<Reply>}
   */
  async call(name, message = {}) {
    const sent = token;
    const reply = await this.send(name, message);
    if (!reply.expired || !(await renew(sent))) return reply;
    return this.send(name, message); // it was not taken: a message without this start's token does nothing
  }

  async send(name, message) {
    const packed = pack({ token, visitor: visitor(), project: this.project, ...message });
    const reply = await this.functions[name](packed).catch(() => null);
    tell("reached", reply != null); // Gradio answers undefined where nothing was heard
    if (!reply) return { ok: false, lost: true, error: SILENCE };
    return reply.error ? { ...reply, error: heard(reply.error) } : reply;
  }
}

/**
 * A message as Gradio wants it: one that holds a file is marked `binary` and goes as a form, which has no null.
 * @param {Object<string, any>} message
 */
export function pack(message) {
  const fields = Object.entries(message);
  if (!fields.some(([, value]) => value instanceof Blob)) return message;
  return { binary: true, data: Object.fromEntries(fields.filter(([, value]) => value != null)) };
}
