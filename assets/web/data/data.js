/** Data: photos in, labels out. */

import { chosen, dropped, upload } from "./upload.js";
import { reportOf, size } from "./report.js";
import { h, icon, parts } from "../shared/dom.js";
import { hear } from "../shared/bus.js";
import { Server } from "../shared/server.js";
import { percent } from "../explore/words.js";

const LOOK = 400; // milliseconds between two looks at work in the background
const MADE_BY = { person: "a person drew", accepted: "a person accepted", model: "a model labelled" };
const SPLITS = ["train", "val", "test"];

/** The page's markup is in place: bring it to life. */
export function mount(root, server, given) {
  return new DataPage(parts(root), server, given);
}

class DataPage {
  constructor(part, server, given) {
    Object.assign(this, { part, given, server: new Server(server) });
    this.format = "coco"; // of the export
    this.source = null; // of the import: {items} or {upload}, with a name
    this.busy = false;
    this.stopped = false;
    this.formats();
    this.choices();
    this.listen();
    hear("page", (page) => page === "data" && this.show());
  }

  call(name, message) {
    return this.server.call(name, message);
  }

  // --- the project --------------------------------------------------------------------------------------------------

  async show() {
    const { part } = this;
    const overview = await this.call("overview");
    if (!overview.ok) return;
    part.without.hidden = overview.project !== null;
    part.data.hidden = overview.project === null;
    if (overview.project === null) return;
    if (this.server.project !== overview.key) this.forget();
    this.server.project = overview.key;
    part.project.textContent = overview.project;
    part.folder.hidden = !overview.folder;
    part.folder.textContent = overview.folder ?? "";
    for (const field of ["import-place-field", "export-place-field"]) part[field].hidden = !overview.local;
    this.states(overview.photos);
    this.classes(overview.classes);
    const statistics = await this.call("statistics");
    if (statistics.ok && this.server.project === overview.key) this.pixels(statistics);
  }

  /** Nothing of another project stays on the page. */
  forget() {
    this.source = null;
    for (const name of ["add", "import", "export"]) this.part[`${name}-outcome`].replaceChildren();
    this.showSource();
  }

  states(photos) {
    const { part } = this;
    part.total.textContent = `${photos.total.toLocaleString("en")} ${photos.total === 1 ? "photo" : "photos"}`;
    const share = (state) => `${(100 * photos[state]) / (photos.total || 1)}%`;
    part.progress.replaceChildren(
      ...["done", "skipped", "in work", "pseudo-labelled"].map((state) =>
        h("i", { "data-state": state, style: { width: share(state) } }),
      ),
    );
    part.progress.setAttribute("aria-label", this.given.states.map((state) => `${photos[state]} ${state}`).join(", "));
    part.states.replaceChildren(
      ...this.given.states.map((state) =>
        h(
          "li",
          { "data-state": state },
          h("i", {}),
          h("b", { class: "number" }, photos[state].toLocaleString("en")),
          ` ${state}`,
        ),
      ),
    );
    this.empty = photos.total === 0;
    this.enable();
  }

  classes(classes) {
    const { part } = this;
    const rows = classes.map((one) =>
      h(
        "tr",
        { "data-class": one.id, style: { "--class": one.colour } },
        h("td", { class: "number muted" }, String(one.id)),
        h("td", {}, h("span", { class: "swatch" })),
        h(
          "th",
          { scope: "row" },
          one.name,
          one.aliases.length ? h("span", { class: "muted" }, ` ${one.aliases.join(", ")}`) : null,
          one.background ? h("span", { class: "tag" }, "background word") : null,
        ),
        h("td", { class: "bar" }, h("i", {})),
        h("td", { class: "number" }, "…"),
      ),
    );
    part.classes.replaceChildren(h("tbody", {}, ...rows));
    const wanted = new Set(this.checked("export-classes"));
    const before = part["export-classes"].childElementCount > 0;
    part["export-classes"].replaceChildren(
      ...classes.map((one) => check(one.name, one.name, !before || wanted.has(one.name), one.colour)),
    );
    this.say();
  }

  pixels({ pixels, unlabelled }) {
    const all = Object.values(pixels).reduce((sum, n) => sum + n, unlabelled);
    const most = Math.max(1, ...Object.values(pixels));
    for (const row of this.part.classes.querySelectorAll("tr")) {
      const n = pixels[row.dataset.class] ?? 0;
      row.querySelector(".bar i").style.width = `${(100 * n) / most}%`;
      row.lastElementChild.textContent = n ? percent(n / all) : "–";
      row.title = `${n.toLocaleString("en")} pixels`;
    }
    this.part["pixels-note"].textContent = all ? `share of all pixels; ${percent(unlabelled / all)} unlabelled` : "";
  }

  // --- forms --------------------------------------------------------------------------------------------------------

  formats() {
    const { part, given } = this;
    part["export-formats"].replaceChildren(
      ...given.formats.map(({ name, title }) =>
        h(
          "label",
          {},
          h("input", { type: "radio", name: "export-format", value: name, checked: name === this.format }),
          h("span", {}, title),
        ),
      ),
    );
    part["import-format"].append(...given.formats.map(({ name, title }) => h("option", { value: name }, title)));
    part["import-format"].value = this.format;
    this.showFormats();
  }

  showFormats() {
    const { part } = this;
    const facts = (name) => this.given.formats.find((format) => format.name === name);
    const out = facts(this.format);
    part["export-layout"].textContent = out.layout;
    part["export-shapes"].hidden = !out.export_options.some(({ name }) => name === "polygons");
    const into = facts(part["import-format"].value);
    part["import-layout"].textContent = `Looks for ${into.layout}`;
    part["import-background-field"].hidden = !into.import_options.some(({ name }) => name === "background");
    part["import-background"].placeholder = into.background ?? "unlabelled";
  }

  choices() {
    const { part, given } = this;
    part["export-states"].replaceChildren(...given.states.map((state) => check(state, state, true)));
    part["export-provenance"].replaceChildren(...given.provenance.map((kind) => check(kind, MADE_BY[kind], true)));
  }

  checked(name) {
    return [...this.part[name].querySelectorAll("input:checked")].map((box) => box.value);
  }

  /** What was chosen of the photos and pixels, beside the folded form. */
  say() {
    const less = ["states", "provenance", "classes"].filter(
      (name) => this.part[`export-${name}`].querySelectorAll("input:not(:checked)").length,
    );
    this.part.chosen.textContent = less.length ? `not all ${less.join(", ")}` : "all";
  }

  picked(name) {
    return this.part.data.querySelector(`input[name="${name}"]:checked`).value;
  }

  options() {
    const { part } = this;
    const all = (name) => part[name].querySelectorAll("input").length === this.checked(name).length;
    const shares = Object.fromEntries(SPLITS.map((name) => [name, part[`share-${name}`].valueAsNumber / 100 || 0]));
    return {
      polygons: !part["export-shapes"].hidden && this.picked("shapes") === "polygons",
      split: this.picked("split") === "yes" ? shares : null,
      seed: part.seed.valueAsNumber || 0,
      states: this.checked("export-states"),
      provenance: this.checked("export-provenance"),
      classes: all("export-classes") ? null : this.checked("export-classes"),
    };
  }

  listen() {
    const { part } = this;
    part["export-formats"].addEventListener("change", (event) => {
      this.format = event.target.value;
      this.showFormats();
      part["export-outcome"].replaceChildren();
    });
    part["import-format"].addEventListener("change", () => {
      this.showFormats();
      part["import-outcome"].replaceChildren();
      this.lead(false);
      this.enable();
    });
    part["import-place"].addEventListener("input", () => this.enable());
    part["export-box"].addEventListener("change", () => {
      part.shares.hidden = this.picked("split") === "no";
      this.say();
    });
    part["add-photos"].addEventListener("click", () => part["add-files"].click());
    part["add-folder"].addEventListener("click", () => part["add-directory"].click());
    part["import-choose"].addEventListener("click", () => part["import-files"].click());
    part["import-choose-folder"].addEventListener("click", () => part["import-directory"].click());
    for (const name of ["add-files", "add-directory", "import-files", "import-directory"])
      part[name].addEventListener("change", () => {
        const items = chosen(part[name].files);
        if (items.length) name.startsWith("add") ? this.add(items) : this.take(items);
        part[name].value = "";
      });
    part["import-check"].addEventListener("click", () => this.importFrom(true));
    part["import-go"].addEventListener("click", () => this.importFrom(false));
    part["export-check"].addEventListener("click", () => this.export(true));
    part["export-go"].addEventListener("click", () => this.export(false));
    this.listenForDrops();
  }

  /** Files dropped on the import's zone are for the import, all others are photos. */
  listenForDrops() {
    const { part } = this;
    const ours = (event) => part.data.checkVisibility() && event.dataTransfer?.types.includes("Files");
    const zone = (event) => (part["import-box"].contains(event.target) ? part["import-zone"] : part["add-zone"]);
    let leaving = 0;
    const calm = () => [part["add-zone"], part["import-zone"]].forEach((each) => each.classList.remove("over"));
    document.addEventListener("dragover", (event) => {
      if (!ours(event)) return;
      event.preventDefault();
      calm();
      zone(event).classList.add("over");
      clearTimeout(leaving);
      leaving = setTimeout(calm, 300); // dragover comes again and again while a file hovers
    });
    document.addEventListener("drop", async (event) => {
      if (!ours(event)) return;
      event.preventDefault();
      calm();
      const into = zone(event);
      const items = await dropped(event.dataTransfer);
      if (items.length) into === part["import-zone"] ? this.take(items) : this.add(items);
    });
  }

  enable() {
    const { part, busy } = this;
    const ready = Boolean(this.source || part["import-place"].value.trim());
    for (const name of ["import-check", "import-go"]) part[name].disabled = busy || !ready;
    for (const name of ["export-check", "export-go"]) part[name].disabled = busy || this.empty;
    for (const name of ["add-photos", "add-folder", "import-choose", "import-choose-folder"]) part[name].disabled = busy;
  }

  // --- work ---------------------------------------------------------------------------------------------------------

  async add(items) {
    await this.during("add", async (tell) => {
      const sent = await this.send(items, tell);
      return sent.ok ? this.call("add", { upload: sent.upload }) : sent;
    });
  }

  take(items) {
    const folder = items[0].path.includes("/") ? items[0].path.split("/")[0] : items[0].path;
    const bytes = items.reduce((sum, { file }) => sum + file.size, 0);
    const many = items.length > 1 ? `${items.length.toLocaleString("en")} files, ` : "";
    this.source = { items, name: `${folder} (${many}${size(bytes)})`, upload: null };
    this.lead(false);
    this.part["import-outcome"].replaceChildren();
    this.showSource();
  }

  showSource() {
    const text = this.source ? this.source.name : "Drop a zip or a folder here";
    this.part["import-source"].replaceChildren(...(this.source ? [icon("box")] : []), h("b", {}, text));
    this.enable();
  }

  async importFrom(dry) {
    const { part } = this;
    const place = part["import-place"].value.trim();
    await this.during("import", async (tell) => {
      const message = {
        format: part["import-format"].value,
        merge: this.picked("merge"),
        as: part["import-as"].value,
        background: part["import-background-field"].hidden ? "" : part["import-background"].value,
        strict: part["import-strict"].checked,
        dry_run: dry,
      };
      if (!this.source) return this.call("take", { ...message, folder: place });
      if (!this.source.upload) {
        const sent = await this.send(this.source.items, tell);
        if (!sent.ok) return sent;
        this.source.upload = sent.upload;
      }
      return this.call("take", { ...message, upload: this.source.upload });
    });
    if (!dry && this.source) {
      this.source.upload = null; // the server keeps no copy of what it took in
      this.showSource();
    }
  }

  async export(dry) {
    const folder = this.part["export-place"].value.trim();
    await this.during("export", () =>
      this.call("export", { format: this.format, options: this.options(), dry_run: dry, folder: folder || null }),
    );
  }

  send(items, tell) {
    const progress = (sent, all) => tell(`Sending ${size(sent)} of ${size(all)}`, sent / (all || 1));
    return upload((piece) => this.call("stage", piece), items, progress, () => this.stopped);
  }

  /** The button that comes next stands out: check, then import. */
  lead(checked) {
    this.part["import-check"].classList.toggle("quiet", checked);
    this.part["import-go"].classList.toggle("quiet", !checked);
  }

  /** Begin work in the background, show how far it is under its form, and then what came of it. */
  async during(name, begin) {
    if (this.busy) return;
    const place = this.part[`${name}-outcome`];
    this.busy = true;
    this.stopped = false;
    this.enable();
    const text = h("span", {}, "Starting"),
      bar = h("i", {});
    const stop = () => {
      this.stopped = true;
      this.call("work", { action: "cancel" });
    };
    place.replaceChildren(
      h(
        "div",
        { class: "working" },
        h("span", { class: "spinner" }),
        text,
        h("span", { class: "spacer" }),
        h("button", { type: "button", class: "link", onclick: stop }, "Stop"),
        h("div", { class: "progress" }, bar),
      ),
    );
    const tell = (what, share) => {
      text.textContent = what;
      bar.style.width = `${100 * share}%`;
    };
    let state = await begin(tell);
    while (state.ok && state.running) {
      const { what, done, all } = state;
      tell(all ? `${what}: ${done.toLocaleString("en")} of ${all.toLocaleString("en")}` : what, all ? done / all : 0);
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      state = await this.call("work", { action: "look" });
    }
    this.busy = false;
    const problem = state.ok ? state.problem : state.error;
    place.replaceChildren(
      problem
        ? h("p", { class: "problem", role: "alert" }, icon("warning"), h("span", {}, problem))
        : reportOf(state.report),
    );
    if (name === "import") this.lead(!problem && state.report.import.dry_run);
    this.enable();
    place.scrollIntoView({ block: "nearest" });
    if (!problem && (state.report.add || state.report.import)) await this.show();
  }
}

function check(value, text, checked, colour = null) {
  return h(
    "label",
    { class: "check", style: colour ? { "--class": colour } : {} },
    h("input", { type: "checkbox", value, checked }),
    colour ? h("span", { class: "swatch" }) : null,
    h("span", {}, text),
  );
}
