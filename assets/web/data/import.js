/** Labels in: a zip, a file or a folder in one of the formats, checked first. */

import { Options } from "./options.js";
import { h, icon } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { bytes, number } from "../shared/numbers.js";

export class ImportForm {
  /** @param {import("./data.js").DataPage} page */
  constructor(page) {
    const { part, given, work } = page;
    this.page = page;
    this.part = part;
    this.given = given;
    this.work = work;
    this.source = null; // {items, name, upload}
    this.options = new Options(part["import-options"]);
    const choices = given.formats.map(({ name, title }) => h("option", { value: name }, title));
    part["import-format"].append(h("option", { value: "" }, t("Find out by itself")), ...choices);
    part["import-format"].addEventListener("change", () => {
      this.showFormat();
      part["import-outcome"].replaceChildren();
      this.lead(false);
      page.enable();
    });
    part["import-place"].addEventListener("input", () => page.enable());
    part["import-check"].addEventListener("click", () => this.run(true));
    part["import-go"].addEventListener("click", () => this.run(false));
    this.showFormat();
  }

  showFormat() {
    const { part } = this;
    const format = this.given.formats.find(({ name }) => name === part["import-format"].value);
    part["import-layout"].textContent = format ? t("Looks for {layout}", { layout: heard(format.layout) }) : t("Looks which format it is, and says so");
    this.options.show(format?.import_options ?? []);
  }

  /** Whether there is something to import. */
  get ready() {
    return Boolean(this.source || this.part["import-place"].value.trim());
  }

  forget() {
    this.source = null;
    this.part["import-outcome"].replaceChildren();
    this.showSource();
  }

  /** @param {import("./upload.js").Item[]} items */
  take(items) {
    const folder = items[0].path.split("/")[0];
    const size = bytes(items.reduce((sum, { file }) => sum + file.size, 0));
    const many = items.length > 1 ? t("{n} files, ", { n: number(items.length) }) : "";
    this.source = { items, name: `${folder} (${many}${size})`, upload: null };
    this.lead(false);
    this.part["import-outcome"].replaceChildren();
    this.showSource();
  }

  showSource() {
    const text = this.source ? this.source.name : t("Drop a zip or a folder here");
    this.part["import-source"].replaceChildren(...(this.source ? [icon("box")] : []), h("b", {}, text));
    this.page.enable();
  }

  /** The button that comes next stands out: check, then import. */
  lead(checked) {
    this.part["import-check"].classList.toggle("quiet", checked);
    this.part["import-go"].classList.toggle("quiet", !checked);
  }

  async run(dry) {
    const { part, work, source } = this;
    const message = {
      format: part["import-format"].value,
      merge: this.page.picked("merge"),
      as: part["import-as"].value,
      ...this.options.values(),
      strict: part["import-strict"].checked,
      dry_run: dry,
    };
    const report = await work.run(part["import-outcome"], async (tell) => {
      if (!source) return work.server.call("take", { ...message, folder: part["import-place"].value.trim() });
      if (!source.upload) {
        const sent = await work.send(source.items, tell);
        if (!sent.ok) return sent;
        source.upload = sent.upload;
      }
      return work.server.call("take", { ...message, upload: source.upload });
    });
    if (!dry && source) source.upload = null; // the server keeps no copy of what it took in
    this.lead(Boolean(report?.import.dry_run));
    this.page.enable();
    if (report) this.page.view.show();
  }
}
