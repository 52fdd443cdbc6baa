/** The queue: every photo of the project with its state, filtered and searched, and how far the project is. */

import { h } from "../shared/dom.js";

const OVER = ["done", "skipped"];

export class Queue {
  /**
   * @param {Object<string, HTMLElement>} part photos, search, filter, progress, progress-text
   * @param {string[]} states
   * @param {{onopen: function(number): void, thumbs: function(number[]): Promise<Object<string, string|null>>}} listeners
   */
  constructor(part, states, listeners) {
    Object.assign(this, { part, states, ...listeners });
    /** @type {{photo: number, name: string, size: number[], state: string, revision: number}[]} */
    this.photos = [];
    this.rows = new Map();
    this.thumbnails = new Map();
    this.wanted = new Set();
    this.current = null;
    part.filter.append(
      h("option", { value: "" }, "All states"),
      h("option", { value: "open" }, "Still to do"),
      ...states.map((state) => h("option", { value: state }, upper(state))),
    );
    part.filter.addEventListener("change", () => this.sift());
    part.search.addEventListener("input", () => this.sift());
    this.seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) this.want(target);
    });
  }

  show(photos) {
    this.photos = photos;
    this.seen.disconnect();
    this.rows = new Map(photos.map((photo) => [photo.photo, this.row(photo)]));
    this.part.photos.replaceChildren(...this.rows.values());
    this.sift();
    this.mark(this.current);
  }

  row(photo) {
    const picture = h("span", { class: "thumb" });
    const row = h(
      "li",
      { "data-photo": photo.photo },
      h(
        "button",
        { type: "button", onclick: () => this.onopen(photo.photo) },
        picture,
        h("span", { class: "label", title: photo.name }, photo.name),
        h("span", { class: "state" }),
      ),
    );
    if (this.thumbnails.has(photo.photo)) picture.append(this.thumbnails.get(photo.photo));
    else this.seen.observe(row);
    this.paint(row, photo);
    return row;
  }

  paint(row, { state }) {
    row.dataset.state = state;
    row.querySelector(".state").textContent = state;
  }

  /** What changed about one photo. */
  change(id, facts) {
    const photo = this.photos.find((each) => each.photo === id);
    if (!photo) return;
    Object.assign(photo, facts);
    this.paint(this.rows.get(id), photo);
    this.sift();
  }

  matches({ name, state }) {
    const { filter, search } = this.part;
    const wanted = !filter.value || (filter.value === "open" ? !OVER.includes(state) : state === filter.value);
    return wanted && name.toLowerCase().includes(search.value.trim().toLowerCase());
  }

  sift() {
    for (const photo of this.photos) {
      // The photo in hand stays in sight although its state no longer matches.
      this.rows.get(photo.photo).hidden = photo.photo !== this.current && !this.matches(photo);
    }
    const over = this.photos.filter(({ state }) => OVER.includes(state)).length,
      all = this.photos.length;
    this.part["progress-text"].textContent = `${over} / ${all} done`;
    const share = (state) => `${(100 * this.photos.filter((photo) => photo.state === state).length) / (all || 1)}%`;
    this.part.progress.replaceChildren(
      ...["done", "skipped", "in work", "pseudo-labelled"].map((state) =>
        h("i", { "data-state": state, style: { width: share(state) } }),
      ),
    );
    this.part.progress.setAttribute("aria-label", `${over} of ${all} photos done or skipped`);
  }

  mark(id) {
    this.current = id;
    for (const [key, row] of this.rows) row.classList.toggle("current", key === id);
    const row = this.rows.get(id);
    if (!row) return;
    row.hidden = false;
    const list = this.part.photos; // only the list scrolls: on a phone it lies below the canvas
    const [box, frame] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
    const off = (from, to, first, last) => (from < first ? from - first : to > last ? to - last : 0);
    list.scrollBy(off(box.left, box.right, frame.left, frame.right), off(box.top, box.bottom, frame.top, frame.bottom));
  }

  /** The photo `by` places on from the one in hand among those that the filter shows, or null. */
  step(by) {
    const at = this.photos.findIndex(({ photo }) => photo === this.current);
    for (let i = at + by; i >= 0 && i < this.photos.length; i += by)
      if (this.matches(this.photos[i])) return this.photos[i].photo;
    return null;
  }

  /** Thumbnails come in bunches of what is in sight. */
  want(row) {
    this.seen.unobserve(row);
    this.wanted.add(Number(row.dataset.photo));
    this.fetching ||= setTimeout(() => this.fetch(), 60);
  }

  async fetch() {
    const photos = [...this.wanted].slice(0, 16);
    photos.forEach((photo) => this.wanted.delete(photo));
    const thumbs = await this.thumbs(photos);
    for (const [id, jpeg] of Object.entries(thumbs)) {
      const picture = jpeg
        ? h("img", { src: `data:image/jpeg;base64,${jpeg}`, alt: "" })
        : h("span", { class: "gone", title: "Its file cannot be read" }, "?");
      this.thumbnails.set(Number(id), picture);
      this.rows.get(Number(id))?.querySelector(".thumb").replaceChildren(picture);
    }
    this.fetching = this.wanted.size ? setTimeout(() => this.fetch(), 0) : 0;
  }
}

const upper = (text) => text[0].toUpperCase() + text.slice(1);
