/** The photo in hand: samples and a person's own, and the way back to those before. */

import { bytesOf } from "../canvas/png.js";
import { h } from "../shared/dom.js";
import { listenForPhotos } from "../shared/intake.js";
import { fileOf, keepFile, recall, remember } from "./memory.js";
import { t } from "../shared/language.js";

const MOST_LINKED = 5000; // characters of words in a link

/** A part of a huge photo of the project, in the address: its id, and left, top, right, bottom. */
const PART = /^huge-(\d+)-(\d+)-(\d+)-(\d+)-(\d+)$/;

/** @typedef {{sample?: string, file?: File, huge?: number, box?: number[]}} Source how a photo can be sent, and sent again */

export class Photos {
  /** @param {import("./explore.js").Explore} page */
  constructor(page) {
    const { part, given } = page;
    this.page = page;
    this.part = part;
    this.given = given;
    this.key = null; // of the photo in hand, in the address
    /** Files of this visit by key, for a browser that keeps none. */
    this.files = new Map();
    listenForPhotos(
      part,
      (file) => this.openFile(file),
      (text) => page.problem(text),
      () => page.shown,
    );
    part.samples.replaceChildren(...given.samples.map((sample) => this.button(sample)));
  }

  button(sample) {
    return h(
      "button",
      {
        type: "button",
        class: "sample",
        "aria-label": t("Sample photo: {name}", { name: sample.name }),
        "aria-pressed": "false",
        title: sample.name,
        onclick: () => this.openSample(sample),
      },
      h("img", { src: sample.picture, alt: "", width: 56, height: 56 }),
    );
  }

  /** The photo of this entry of the history, or that the address names, or that was in hand last, or the first sample. */
  async begin() {
    const [{ name, words }] = this.given.samples;
    const there = entry(),
      linked = linkedTo(this.given.samples);
    const found = there?.words === undefined ? [linked, there] : [there];
    for (const kept of [...found, recall(), { key: name, words }]) if (kept && (await this.reopen(kept))) return;
  }

  /** Back and Forward: the photo of that entry, with the words it had. */
  arrive() {
    const there = entry();
    if (!there) return this.mark("replaceState");
    if (there.key !== this.key) this.reopen(there);
  }

  /** Take a photo of before in hand again; answers whether it is still there. */
  async reopen({ key, words }) {
    const part = PART.exec(key)?.slice(1).map(Number);
    if (part) return this.open({ huge: part[0], box: part.slice(1) }, { key, words });
    const sample = this.given.samples.find(({ name }) => name === key);
    const file = sample ? null : (this.files.get(key) ?? (await fileOf(key)));
    if (!sample && !file) return false;
    this.open(sample ? { sample: key } : { file }, { key, words: words ?? sample?.words ?? "" });
    return true;
  }

  /** A part of a huge photo of the project. @param {number} photo its id @param {number[]} box */
  openPart(photo, box) {
    const key = `huge-${photo}-${box.join("-")}`;
    this.open({ huge: photo, box }, { key, words: this.page.words.text, chosen: true });
  }

  openSample(sample) {
    this.open({ sample: sample.name }, { key: sample.name, words: sample.words, chosen: true });
  }

  openFile(file) {
    const limit = this.given.max_file_mb;
    if (file.size > limit * 2 ** 20)
      return this.page.problem(
        t("{name} has {size} MB; a photo may have at most {limit} MB.", { name: file.name, size: Math.round(file.size / 2 ** 20), limit }),
      );
    if (file.size === 0) return this.page.problem(t("{name} is empty (0 bytes).", { name: file.name }));
    const key = `photo-${Math.random().toString(36).slice(2, 10)}`;
    this.files.set(key, file);
    keepFile(key, file);
    // A sample's words say nothing about another photo; what a person typed may.
    const words = this.ownWordsOf(this.page.words.text) ? "" : this.page.words.text;
    this.open({ file }, { key, words, chosen: true });
  }

  /** Whether a text is what came with a sample, untouched. */
  ownWordsOf(text) {
    return this.given.samples.some(({ words }) => words === text);
  }

  /**
   * Send a photo, show it, and ask its words.
   * @param {Source} source
   * @param {{key: string, words?: string, chosen?: boolean}} as `chosen` by a person now: the address follows; without
   *   words a person's own are asked, or those of the project
   * @returns {Promise<boolean>} whether it could be opened
   */
  async open(source, { key, words, chosen = false }) {
    const { page } = this;
    const current = page.turns.begin();
    page.problem("");
    this.part.explore.classList.add("stale");
    const quiet = page.waiting.begin(source.file ? t("Sending {name}", { name: source.file.name }) : t("Opening the photo"), () =>
      page.giveUp(current),
    );
    const opened = await page.connection.open(source);
    quiet();
    if (!current()) return true;
    if (!opened.ok) {
      page.asked = null;
      if (page.answer || page.words.blank) this.part.explore.classList.remove("stale");
      else page.ask(); // the question that this photo interrupted
      page.problem(opened.error);
      return false;
    }
    words ??= this.ownWordsOf(page.words.text) || page.words.blank ? opened.huge?.words ?? "" : page.words.text;
    const picture = await createImageBitmap(new Blob([bytesOf(opened.jpeg)], { type: "image/jpeg" }));
    if (!current()) return true;
    const moved = this.key !== null && this.key !== key;
    this.key = key;
    page.connection.hold(opened, source);
    page.take(opened, picture, source);
    page.words.replace(words, chosen);
    if (chosen || !moved) this.mark(chosen && moved ? "pushState" : "replaceState");
    this.part.samples.querySelectorAll(".sample").forEach((button, i) => {
      button.setAttribute("aria-pressed", String(this.given.samples[i].name === source.sample));
    });
    page.words.blank ? page.rest() : page.ask();
    return true;
  }

  /** The photo and its words in the address and the tab's memory. */
  mark(how = "replaceState") {
    if (this.key === null) return;
    const kept = { key: this.key, words: this.page.words.text };
    remember(kept);
    if (this.page.shown) history[how](kept, "", `#explore/${this.key}`);
  }
}

/**
 * What a link asks for: `?sample=coffee&words=cup, table`; either may be left out.
 * @param {{name: string}[]} samples
 */
export function linkedTo(samples, search = location.search) {
  const asked = new URLSearchParams(search);
  const words = asked.get("words")?.slice(0, MOST_LINKED);
  const sample = samples.find(({ name }) => name === asked.get("sample"));
  return sample || words !== undefined ? { key: (sample ?? samples[0]).name, words } : null;
}

/** The photo of the address, with the words that its entry in the history has. */
function entry() {
  const [page, key] = location.hash.slice(1).split("/");
  if (page !== "explore" || !key) return null;
  return { key, words: history.state?.key === key ? history.state.words : undefined };
}
