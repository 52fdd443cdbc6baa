/** The project's classes: the one in hand, what is hidden and locked, and changes that the whole project sees. */

import { ClassRows } from "./class-rows.js";
import { debounce, h } from "../shared/dom.js";
import { t } from "../shared/language.js";

const OFTEN = 60; // milliseconds between two counts of the photo's shares

export class Classes {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    const { part, store } = page;
    this.page = page;
    this.part = part;
    this.store = store;
    this.rows = new ClassRows(part.classes, part["class-dialog"], {
      onselect: (id) => this.choose(id),
      onhide: (id, alone) => this.hide(id, alone),
      onlock: (id, others) => this.lock(id, others),
      onlevel: (id, level) => store.set({ levels: new Map(store.state.levels).set(id, level) }, "person"),
      onchange: (id, changes) => this.change("change_class", { id, ...changes }),
      ondelete: (id, into) => this.change("delete_class", { id, into }),
    });
    /** The newest change, once it is answered. @type {Promise<any>} */
    this.changed = Promise.resolve();
    store.watch(["locked"], ({ project, locked }, { origin }) => origin === "person" && keepLocks(project.key, locked));
    this.measureSoon = debounce(() => this.measure(), OFTEN);
    part["new-class"].addEventListener("submit", (event) => {
      event.preventDefault();
      this.add();
    });
    store.watch(["classes", "deleted"], ({ classes, deleted }) => {
      this.rows.show(classes);
      this.showDeleted(deleted);
      this.measure();
      this.warn();
    });
    store.watch(["classes", "chosen", "hidden", "locked"], (state) => this.rows.mark(state));
    store.watch(["map"], (state, { box }) => (box ? this.measureSoon() : this.measure()));
  }

  get state() {
    return this.store.state;
  }

  get inHand() {
    return this.state.classes.find(({ id }) => id === this.state.chosen) ?? null;
  }

  /** Take the locks over that this browser has kept for the project. */
  recall() {
    this.store.set({ locked: new Set(keptLocks(this.state.project.key)) }, "browser");
  }

  /** @param {import("../shared/server.js").Reply} answer with the project's classes as they are now */
  take({ classes, deleted }) {
    const known = (id) => classes.some((each) => each.id === id);
    const { chosen, hidden, locked } = this.state;
    this.store.set(
      {
        classes,
        deleted,
        chosen: known(chosen) ? chosen : (classes[0]?.id ?? null),
        hidden: new Set([...hidden].filter(known)),
        locked: new Set([...locked].filter(known)),
      },
      "server",
    );
  }

  showDeleted(deleted) {
    const back = ({ id, name }) =>
      h("button", { type: "button", class: "link", title: t("Restore {name}", { name }), onclick: () => this.restore(id) }, name);
    this.part.deleted.hidden = !deleted.length;
    this.part.deleted.replaceChildren(t("Deleted, click to restore: "), ...deleted.flatMap((one, k) => (k ? [", ", back(one)] : [back(one)])));
  }

  /** Say which names the model does not know, when it has been loaded. */
  async warn() {
    if (!this.state.classes.length) return;
    const still = this.store.still("classes");
    const reply = await this.page.call("unknown", {});
    if (reply.ok && still()) this.rows.warn(new Set(reply.words));
  }

  measure() {
    const { map } = this.state;
    if (map) this.rows.measure((id) => map.share(id));
  }

  choose(id) {
    const { chosen, classes } = this.state;
    if (id == null || id === chosen || !classes.some((each) => each.id === id)) return;
    this.store.set({ before: chosen, chosen: id }, "person");
  }

  chooseAt(position) {
    this.choose(this.state.classes[position]?.id);
  }

  hide(id, alone) {
    const { hidden } = this.state,
      others = this.others(id);
    if (!alone) this.store.set({ hidden: toggled(hidden, id) }, "person");
    else this.store.set({ hidden: hidden.size === others.length && !hidden.has(id) ? new Set() : new Set(others) }, "person");
  }

  lock(id, others = false) {
    if (id == null) return;
    this.store.set({ locked: others ? new Set(this.others(id)) : toggled(this.state.locked, id) }, "person");
  }

  others(id) {
    return this.state.classes.map((each) => each.id).filter((each) => each !== id);
  }

  async add() {
    const name = this.part["new-name"].value.trim();
    if (!name) return;
    const reply = await this.ask("add_class", { name });
    this.page.problem(reply.ok ? "" : reply.error, "class");
    if (!reply.ok) return;
    this.part["new-name"].value = "";
    this.take(reply);
    this.choose(reply.id);
  }

  /** Answers what is wrong with the change, or "" once it is made. */
  async change(how, message) {
    await this.page.saving.rest(this.state.photo?.photo);
    const reply = await this.ask(how, message);
    if (!reply.ok) return reply.error;
    this.take(reply);
    if (how !== "change_class" && this.state.photo) this.page.photos.reload(); // its pixels read as something else now
    return "";
  }

  async restore(id) {
    this.page.problem(await this.change("restore_class", { id }), "class");
  }

  /** One change at a time: each answer is the whole list, and the last one must be the newest. */
  ask(how, message) {
    this.changed = this.changed.then(() => this.page.call(how, message));
    return this.changed;
  }

  async refresh() {
    const still = this.store.still("classes");
    const overview = await this.page.call("overview", {});
    if (overview.ok && overview.project !== null && still()) this.take(overview);
  }
}

const LOCKS = "textseg-locks-"; // and the project's key: class ids

function keptLocks(key) {
  try {
    const ids = JSON.parse(localStorage.getItem(LOCKS + key) ?? "[]");
    return Array.isArray(ids) ? ids.filter(Number.isInteger) : [];
  } catch {
    return []; // storage is forbidden, or somebody else's
  }
}

function keepLocks(key, ids) {
  try {
    if (ids.size) localStorage.setItem(LOCKS + key, JSON.stringify([...ids]));
    else localStorage.removeItem(LOCKS + key);
  } catch {
    // locks last as long as the page then
  }
}

const toggled = (set, id) => (set.has(id) ? new Set([...set].filter((each) => each !== id)) : new Set([...set, id]));
