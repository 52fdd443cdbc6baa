/**
 * The queue: every photo of the project with its state, filtered and searched, and how far the project is. Only the
 * rows in sight are elements, so that ten thousand photos cost what a dozen do.
 */

import { counted, inSight, reaching, sift, standingOf, upper } from "./sift.js";
import { h } from "../shared/dom.js";
import { Thumbnails } from "./thumbnails.js";
import { heard, t } from "../shared/language.js";
import { number } from "../shared/numbers.js";

const TAIL = 9; // letters at the end of a name that are always seen: numbered photos differ there
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity };

export class Queue {
  /**
   * @param {Object<string, any>} part photos, rows, search, filter, found, progress, progress-text
   * @param {string[]} states
   * @param {{onopen: function(number): void, thumbs: function(number[]): Promise<Object<string, string|null>>}} listeners
   */
  constructor(part, states, { onopen, thumbs }) {
    this.part = part;
    this.states = states;
    this.onopen = onopen;
    /** @type {import("./store.js").QueuedPhoto[]} */
    this.photos = [];
    /** Places of the photos that are listed. @type {number[]} */
    this.listed = [];
    /** Rows that are elements now, by photo. @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    this.current = null; // the photo in hand
    /** @type {import("./team.js").Told|null} */
    this.team = null;
    this.reachable = null; // the photo whose row has the tab stop
    this.thumbnails = new Thumbnails(thumbs, (photo, picture) => this.rows.get(photo)?.querySelector(".thumb").replaceChildren(picture));
    this.list = part.rows;
    part.filter.append(
      h("option", { value: "" }, t("All states")),
      h("option", { value: "open" }, t("Still to do")),
      ...states.map((state) => h("option", { value: state }, upper(heard(state)))),
    );
    part.filter.addEventListener("change", () => this.sift());
    part.search.addEventListener("input", () => this.sift());
    part.photos.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(part.photos);
    this.list.addEventListener("keydown", (event) => this.walk(event));
  }

  /** @param {import("./store.js").QueuedPhoto[]} photos */
  show(photos) {
    this.photos = photos;
    this.places = new Map(photos.map(({ photo }, place) => [photo, place]));
    this.sift();
  }

  /** What changed about one photo. */
  change(id, facts) {
    const photo = this.photos[this.places?.get(id)];
    if (!photo || Object.keys(facts).every((name) => photo[name] === facts[name])) return;
    Object.assign(photo, facts);
    this.sift();
  }

  /** List what matches, and say how far the project is. */
  sift() {
    const { photos, part, current } = this;
    this.listed = sift(photos, { text: part.search.value, filter: part.filter.value, current, team: this.team });
    this.draw();
    const counts = counted(photos),
      of = (state) => counts.get(state) ?? 0,
      over = of("done") + of("skipped");
    part["progress-text"].textContent = t("{over} / {all} done", { over: number(over), all: number(photos.length) });
    part.progress.replaceChildren(
      ...["done", "skipped", "in work", "pseudo-labelled"].map((state) =>
        h("i", { "data-state": state, style: { width: `${(100 * of(state)) / (photos.length || 1)}%` } }),
      ),
    );
    part.progress.setAttribute("aria-label", t("{over} of {all} photos done or skipped", { over: number(over), all: number(photos.length) }));
    const sifted = part.search.value.trim() || part.filter.value;
    part.found.textContent = sifted ? t("{some} of {all} photos listed", { some: number(this.listed.length), all: number(photos.length) }) : "";
  }

  /** Where the list is scrolled to: from left to right on a phone, from top to bottom elsewhere. */
  get frame() {
    const frame = this.part.photos,
      style = getComputedStyle(this.list),
      across = style.getPropertyValue("--across").trim() === "1";
    return {
      across,
      offset: across ? frame.scrollLeft : frame.scrollTop,
      room: across ? frame.clientWidth : frame.clientHeight,
      length: parseFloat(style.getPropertyValue("--row")),
      count: this.listed.length,
    };
  }

  /** Make the rows in sight elements, and only those; one that has the focus stays. */
  draw() {
    const { length, count } = this.frame;
    // First of all: a list that has become shorter scrolls, and other rows come in sight.
    this.list.style.setProperty("--length", `${count * length}px`);
    const frame = this.frame;
    if (!frame.room) return; // not shown
    const [first, end] = inSight(frame);
    const wanted = new Map(this.listed.slice(first, end).map((place, k) => [this.photos[place].photo, first + k]));
    for (const [photo, row] of this.rows) {
      const at = row.contains(document.activeElement) ? this.listed.indexOf(this.places.get(photo)) : -1;
      if (wanted.has(photo)) continue;
      if (at >= 0) this.put(row, at, frame); // the focus stays where it is, in sight or not
      else {
        row.remove();
        this.rows.delete(photo);
      }
    }
    let before = null;
    for (const [photo, at] of wanted) {
      const row = this.rows.get(photo) ?? this.row(photo);
      this.put(row, at, frame);
      this.paint(row, photo);
      if (!row.isConnected) {
        if (before) before.after(row);
        else this.list.prepend(row);
      }
      before = row;
    }
    this.setTabStop();
    this.thumbnails.want([...wanted.keys()]);
  }

  row(photo) {
    const { name } = this.photos[this.places.get(photo)];
    const row = h(
      "li",
      { "data-photo": photo },
      h(
        "button",
        { type: "button", tabindex: -1, onclick: () => this.onopen(photo), onfocus: () => this.reach(photo) },
        h("span", { class: "thumb" }, this.thumbnails.of(photo)),
        h("span", { class: "label", title: name }, h("span", {}, name.slice(0, -TAIL)), name.slice(-TAIL)),
        h("span", { class: "state" }),
      ),
    );
    this.rows.set(photo, row);
    return row;
  }

  put(row, at, { across, length, count }) {
    row.style.transform = across ? `translateX(${at * length}px)` : `translateY(${at * length}px)`;
    row.setAttribute("aria-posinset", String(at + 1));
    row.setAttribute("aria-setsize", String(count));
  }

  paint(row, photo) {
    const { state } = this.photos[this.places.get(photo)],
      current = photo === this.current;
    row.dataset.state = state;
    row.querySelector(".state").textContent = [heard(standingOf(this.team, photo)?.review ?? state), ...this.people(photo)].join(" · ");
    row.classList.toggle("current", current);
    if (current) row.firstElementChild.setAttribute("aria-current", "true");
    else row.firstElementChild.removeAttribute("aria-current");
  }

  /** Whose it is, and who is on it. @returns {string[]} */
  people(photo) {
    if (!this.team) return [];
    const assignee = standingOf(this.team, photo)?.assignee;
    const there = (this.team.present[photo] ?? []).filter((who) => who !== this.team.me);
    return [...(assignee ? [assignee] : []), ...there.map((who) => t("{who} is there", { who }))];
  }

  /** The list is one stop of the Tab key: the row that had the focus last, the photo in hand, or the first in sight. */
  setTabStop() {
    const stop = [this.reachable, this.current].find((photo) => this.rows.has(photo)) ?? this.rows.keys().next().value;
    for (const [photo, row] of this.rows) buttonOf(row).tabIndex = photo === stop ? 0 : -1;
  }

  reach(photo) {
    this.reachable = photo;
    this.setTabStop();
  }

  /** Arrow keys go from row to row; Enter opens one, as on any button. */
  walk(event) {
    const by = STEPS[event.key];
    if (!by || event.ctrlKey || event.altKey || event.metaKey) return;
    const id = Number(event.target.closest("[data-photo]").dataset.photo);
    const from = this.listed.indexOf(this.places.get(id));
    const to = Math.min(Math.max(from + by, 0), this.listed.length - 1);
    event.preventDefault();
    event.stopPropagation();
    this.scrollTo(to);
    const row = this.rows.get(this.photos[this.listed[to]].photo);
    if (row) buttonOf(row).focus({ preventScroll: true });
  }

  scrollTo(row) {
    const { frame } = this,
      offset = reaching(frame, row);
    if (offset !== frame.offset) this.part.photos[frame.across ? "scrollLeft" : "scrollTop"] = offset;
    this.draw();
  }

  /** The photo in hand is another one. */
  mark(id) {
    this.current = this.reachable = id;
    this.sift();
    this.reveal(id);
  }

  /** Scroll to a photo, if it is listed. */
  reveal(id) {
    const row = this.listed.indexOf(this.places?.get(id));
    if (row >= 0) this.scrollTo(row);
  }

  /** The photo `by` places on from the one in hand among those that the filter shows, or null. */
  step(by) {
    const at = this.listed.indexOf(this.places?.get(this.current));
    const place = at < 0 ? undefined : this.listed[at + by];
    return place === undefined ? null : this.photos[place].photo;
  }
}

/** @returns {HTMLElement} what a person clicks of a row */
const buttonOf = (row) => row.firstElementChild;
