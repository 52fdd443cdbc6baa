/** Data: photos in, labels out. */

import { ExportForm } from "./export.js";
import { ImportForm } from "./import.js";
import { chosen, dropped } from "./upload.js";
import { Work } from "./work.js";
import { h, parts } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { listenForDrops } from "../shared/intake.js";
import { number, percent, plural } from "../shared/numbers.js";
import { ProjectView } from "../shared/project.js";
import { Server } from "../shared/server.js";

const WORKED = ["done", "skipped", "in work", "pseudo-labelled"]; // states of a photo, from the left of the bar

/** The page's markup is in place: bring it to life. */
export function mount(root, server, given) {
  return new DataPage(parts(root), server, given);
}

export class DataPage {
  constructor(part, server, given) {
    this.part = part;
    this.given = given;
    this.server = new Server(server);
    this.format = "coco"; // that is chosen at first
    this.empty = true; // whether there is no photo to export
    this.work = new Work(this.server, () => this.enable());
    this.import = new ImportForm(this);
    this.export = new ExportForm(this);
    this.listen();
    this.view = new ProjectView(part, this.server, "data", this);
  }

  listen() {
    const { part } = this;
    for (const [button, input] of [
      ["add-photos", "add-files"],
      ["add-folder", "add-directory"],
      ["import-choose", "import-files"],
      ["import-choose-folder", "import-directory"],
    ]) {
      part[button].addEventListener("click", () => part[input].click());
      part[input].addEventListener("change", () => {
        this.bring(chosen(part[input].files), input.startsWith("import"));
        part[input].value = "";
      });
    }
    part.check.addEventListener("click", () => this.check("look"));
    // Files dropped on the import's box are for the import, all others are photos.
    const forImport = (event) => part["import-box"].contains(event.target);
    listenForDrops({
      shown: () => part.data.checkVisibility(),
      over: (event) => {
        part["import-zone"].classList.toggle("over", Boolean(event) && forImport(event));
        part["add-zone"].classList.toggle("over", Boolean(event) && !forImport(event));
      },
      drop: async (transfer, event) => this.bring(await dropped(transfer), forImport(event)),
    });
  }

  /** @param {import("./upload.js").Item[]} items */
  bring(items, forImport) {
    if (items.length) forImport ? this.import.take(items) : this.add(items);
  }

  async add(items) {
    const report = await this.work.run(this.part["add-outcome"], async (tell) => {
      const sent = await this.work.send(items, tell);
      const films = { every: this.part["add-every"].value, film: this.part["add-film"].checked };
      return sent.ok ? this.server.call("add", { upload: sent.upload, ...films }) : sent;
    });
    if (report) this.view.show();
  }

  /**
   * Whether each photo's file is there and as it was.
   * @param {"look"|"skip"|"take"} then what is done with those that are not
   * @param {number[]} photos those that may be skipped: what was seen when it was asked for
   */
  async check(then, photos = []) {
    const place = this.part["check-outcome"];
    const report = await this.work.run(place, () => this.server.call("check", { then, photos }));
    if (!report) return;
    const { left, changed } = report.check;
    const button = (text, next) => h("button", { class: "button quiet", type: "button", onclick: () => this.check(next, left) }, text);
    if (left.length || changed)
      place.firstElementChild.append(
        h(
          "div",
          { class: "row wrap" },
          left.length ? button(t("Skip these"), "skip") : null,
          changed ? button(t("Take changed ones as they are now"), "take") : null,
        ),
      );
    this.view.show();
  }

  /** What may be pressed now. */
  enable() {
    const { part } = this,
      { busy } = this.work;
    const disable = (off, ...names) => names.forEach((name) => (part[name].disabled = off));
    disable(busy || this.empty, "check");
    disable(busy, "add-photos", "add-folder", "import-choose", "import-choose-folder");
    disable(busy || !this.import?.ready, "import-check", "import-go");
    disable(busy || this.empty, "export-check", "export-go");
  }

  /** The value of a group of radio buttons. */
  picked(name) {
    return this.part.data.querySelector(`input[name="${name}"]:checked`).value;
  }

  // --- the project --------------------------------------------------------------------------------------------------

  /**
   * Show what the server told of the project.
   * @param {Object<string, any>} overview
   * @param {import("../shared/project.js").Current} current
   */
  async take(overview, current) {
    const { part, server } = this;
    part.project.textContent = overview.project;
    part.folder.hidden = !overview.folder;
    part.folder.textContent = overview.folder ?? "";
    for (const field of ["import-place-field", "export-place-field"]) part[field].hidden = !overview.local;
    this.states(overview.photos);
    this.classes(overview.classes);
    const statistics = await server.call("statistics");
    if (current() && statistics.ok) this.pixels(statistics);
  }

  /** Nothing of another project stays on the page. */
  forget() {
    this.part["add-outcome"].replaceChildren();
    this.part["check-outcome"].replaceChildren();
    this.import.forget();
    this.export.forget();
  }

  states(photos) {
    const { part, given } = this;
    part.total.textContent = plural(photos.total, "{n} photo", "{n} photos");
    const width = (state) => `${(100 * photos[state]) / (photos.total || 1)}%`;
    part.progress.replaceChildren(
      ...WORKED.map((state) => h("i", { "data-state": state, style: { width: width(state) } })),
    );
    part.progress.setAttribute("aria-label", given.states.map((state) => `${number(photos[state])} ${heard(state)}`).join(", "));
    part.states.replaceChildren(
      ...given.states.map((state) =>
        h(
          "li",
          { "data-state": state },
          h("i", {}),
          h("b", { class: "number" }, number(photos[state])),
          ` ${heard(state)}`,
        ),
      ),
    );
    this.empty = photos.total === 0;
    this.enable();
  }

  classes(classes) {
    this.part.classes.replaceChildren(h("tbody", {}, ...classes.map(classRow)));
    this.export.classes(classes);
  }

  /** @param {Object<string, any>} statistics the server's */
  pixels({ pixels, unlabelled }) {
    const all = Object.values(pixels).reduce((sum, n) => sum + n, unlabelled);
    const most = Math.max(1, ...Object.values(pixels));
    for (const row of this.part.classes.querySelectorAll("tr")) {
      const n = pixels[row.dataset.class] ?? 0;
      row.querySelector(".bar i").style.width = `${(100 * n) / most}%`;
      row.lastElementChild.textContent = n ? percent(n / all) : "–";
      row.title = plural(n, "{n} pixel", "{n} pixels");
    }
    this.part["pixels-note"].textContent = all ? t("share of all pixels; {share} unlabelled", { share: percent(unlabelled / all) }) : "";
  }
}

function classRow({ id, name, aliases, colour, background }) {
  return h(
    "tr",
    { "data-class": id, style: { "--class": colour } },
    h("td", { class: "number muted" }, String(id)),
    h("td", {}, h("span", { class: "swatch" })),
    h(
      "th",
      { scope: "row" },
      name,
      aliases.length ? h("span", { class: "muted" }, ` ${aliases.join(", ")}`) : null,
      background ? h("span", { class: "tag" }, t("background word")) : null,
    ),
    h("td", { class: "bar" }, h("i", {})),
    h("td", { class: "number" }, "…"),
  );
}
