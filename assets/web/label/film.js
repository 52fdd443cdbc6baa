/** The film strip: the frames around the one in hand, and how sure their labels are. */

import { h } from "../shared/dom.js";
import { atLeast, decimal, number } from "../shared/numbers.js";
import { Thumbnails } from "./thumbnails.js";
import { heard, t } from "../shared/language.js";

const CELL = 76; // pixels from one frame of the strip to the next
const HEIGHT = 24; // of the line over it
const LEAST = 0.7; // what its lower end says; what is less sure lies there too
const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {{photo: number, at: number, state: string, sure: number|null, carried: boolean}} Still `sure`: 0..1, null
 *   without labels; `carried`: whether any of them were, else a person drew them
 */

export class FilmStrip {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    this.page = page;
    this.part = page.part;
    /** The film of the photo in hand. @type {{id: number, name: string, timed: boolean}|null} */
    this.film = null;
    /** @type {Still[]} */
    this.frames = [];
    this.stop = 0; // less sure than that: a person should look
    /** @type {Map<number, HTMLElement>} */
    this.cells = new Map();
    this.thumbnails = new Thumbnails(
      async (photos) => (await page.call("thumbs", { photos })).thumbs ?? {},
      (photo, picture) => this.cells.get(photo)?.querySelector(".thumb").replaceChildren(picture),
    );
    page.store.watch(["photo"], () => this.draw());
    page.store.watch(["sources"], ({ sources }) => sources && this.load()); // they are counted for each photo, and after gestures
    new ResizeObserver(() => this.draw()).observe(this.part.frames);
  }

  /** The place of the photo in hand among the frames; -1 where it is none. */
  get place() {
    const photo = this.page.store.state.photo?.photo;
    return this.frames.findIndex((each) => each.photo === photo);
  }

  /** Look at the film of the photo in hand. */
  async load() {
    const { page } = this;
    if (!page.store.state.photo) return;
    const reply = await page.ask("film", { film: this.film?.id }); // a photo of several films is in the one before
    if (!reply.ok) return; // the next look may do better
    this.film = reply.film;
    this.stop = reply.stop ?? 0;
    this.frames = (reply.frames ?? []).map(([photo, at, state, sure, carried]) => ({ photo, at, state: page.given.states[state], sure, carried }));
    this.draw();
  }

  /** Show the frames around the one in hand, as many as there is room for. */
  draw() {
    const { part, frames, film, place } = this;
    part.film.hidden = place < 0;
    if (place < 0 || !part.frames.clientWidth) return;
    const room = Math.max(1, Math.floor(part.frames.clientWidth / CELL));
    const first = Math.max(0, Math.min(place - Math.floor(room / 2), frames.length - room));
    const shown = frames.slice(first, first + room);
    const still = frames[place],
      low = still.sure !== null && still.sure < this.stop;
    const lies = [t("frame {n} of {all}", { n: number(place + 1), all: number(frames.length) }), ...(film.timed ? [`${decimal(still.at)} s`] : [])];
    part["film-name"].textContent = part["film-name"].title = film.name;
    part["film-place"].textContent = lies.join(" · ");
    part["film-sure"].textContent = low ? t("{share} sure: correct it", { share: atLeast(still.sure) }) : still.sure === null ? "" : told(still);
    part["film-sure"].classList.toggle("low", low);
    this.page.carrying.show();
    this.cells = new Map(shown.map((still) => [still.photo, this.cell(still)]));
    part.frames.replaceChildren(this.line(shown), h("ol", {}, ...this.cells.values()));
    this.thumbnails.want(shown.map(({ photo }) => photo));
  }

  /** @param {Still} still */
  cell(still) {
    const { photo, at } = still,
      current = photo === this.page.store.state.photo?.photo,
      where = this.film.timed ? `${decimal(at)} s` : t("number {n}", { n: at }),
      known = told(still);
    return h(
      "li",
      { "data-frame": photo, class: current ? "current" : null },
      h(
        "button",
        { type: "button", title: `${where}, ${known}`, "aria-label": t("Frame at {where}, {told}", { where, told: known }), "aria-current": current ? "true" : null, onclick: () => this.page.photos.open(photo) },
        h("span", { class: "thumb" }, this.thumbnails.of(photo)),
      ),
    );
  }

  /** How sure the labels of these frames are, as a line: 1 is its top, the dashes are where to stop. @param {Still[]} shown */
  line(shown) {
    const x = (k) => (k + 0.5) * CELL - 2,
      y = (sure) => 4 + ((1 - Math.max(sure, LEAST)) / (1 - LEAST)) * (HEIGHT - 8);
    const picture = document.createElementNS(SVG, "svg");
    const draw = (tag, attributes) => {
      const element = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
      picture.append(element);
    };
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", t("How sure the labels of these frames are"));
    picture.style.width = `${shown.length * CELL}px`;
    draw("line", { class: "stop", x1: 0, x2: shown.length * CELL, y1: y(this.stop), y2: y(this.stop) });
    shown.forEach(({ sure, state }, k) => {
      if (sure === null) return;
      const before = shown[k - 1]?.sure ?? null;
      if (before !== null) draw("line", { class: sure < this.stop ? "sure low" : "sure", x1: x(k - 1), y1: y(before), x2: x(k), y2: y(sure) });
      draw("circle", { class: sure < this.stop ? "low" : state, cx: x(k), cy: y(sure), r: 3 });
    });
    return picture;
  }

  /** Take the frame before (-1) or after (1) in hand. */
  step(by) {
    const { page, place, frames } = this;
    if (place < 0) return page.announce(t("This photo is no frame of a film."));
    const to = frames[place + by];
    if (to) page.photos.open(to.photo);
    else page.announce(by > 0 ? t("This is the last frame.") : t("This is the first frame."));
  }
}

/** What is known of a frame's labels. @param {Still} still */
function told({ state, sure, carried }) {
  if (state === "done") return heard(state);
  if (sure === null) return t("no labels");
  return carried ? t("{share} sure", { share: atLeast(sure) }) : t("drawn by hand");
}
