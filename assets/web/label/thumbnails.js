/** Small pictures of photos, asked for in bunches of what is in sight and kept while they are few. */

import { h } from "../shared/dom.js";
import { t } from "../shared/language.js";

const BUNCH = 16;
const MOST = 400; // pictures kept
const PAUSE = 60; // milliseconds that a list rests before its pictures are asked for

export class Thumbnails {
  /**
   * @param {function(number[]): Promise<Object<string, string|null>>} fetch JPEGs in base64 by photo; null: no picture
   * @param {function(number, HTMLElement): void} onpicture
   */
  constructor(fetch, onpicture) {
    this.fetch = fetch;
    this.onpicture = onpicture;
    /** @type {Map<number, HTMLElement>} */
    this.pictures = new Map();
    /** Photos in sight whose picture is not there yet. @type {number[]} */
    this.wanted = [];
    this.timer = 0;
    this.fetching = false;
  }

  /** The picture of a photo, or null while there is none. */
  of(photo) {
    const picture = this.pictures.get(photo);
    if (!picture) return null;
    this.pictures.delete(photo);
    this.pictures.set(photo, picture); // used last
    return picture;
  }

  /** These photos are in sight now; what was asked for before and is not among them is let go. */
  want(photos) {
    this.wanted = photos.filter((photo) => !this.pictures.has(photo));
    clearTimeout(this.timer);
    if (this.wanted.length && !this.fetching) this.timer = setTimeout(() => this.next(), PAUSE);
  }

  async next() {
    this.fetching = true;
    while (this.wanted.length) {
      const asked = this.wanted.splice(0, BUNCH);
      const found = await this.fetch(asked);
      for (const photo of asked) if (photo in found) this.take(photo, found[photo]);
    }
    this.fetching = false;
  }

  take(photo, jpeg) {
    const picture = jpeg
      ? h("img", { src: `data:image/jpeg;base64,${jpeg}`, alt: "" })
      : h("span", { class: "gone", title: t("Its file cannot be read") }, "?");
    this.pictures.set(photo, picture);
    if (this.pictures.size > MOST) this.pictures.delete(this.pictures.keys().next().value);
    this.onpicture(photo, picture);
  }
}
