/** What an import, an export or added photos came to, as a few lines with the long lists folded. */

import { h, icon } from "../shared/dom.js";

const FIRST = 200; // entries of a list that are shown

/**
 * @param {{add?: any, import?: any, export?: any, download?: {path: string, name: string, bytes: number}}} report
 * @returns {HTMLElement}
 */
export function reportOf(report) {
  const lines = report.add ? added(report.add) : report.import ? imported(report.import) : exported(report);
  return h("div", { class: "report" }, ...lines.filter(Boolean));
}

function added({ added, duplicates, failed, stopped }) {
  return [
    headline(added.length > 0, `${stopped ? "Stopped: " : ""}${count(added.length, "photo")} added`),
    fold(`${count(duplicates.length, "photo")} in the project already`, duplicates.map(pair(" is "))),
    fold(`${count(failed.length, "file")} not taken in`, failed.map(pair(": ")), true),
  ];
}

function imported(report) {
  const dry = report.dry_run;
  const changes = report.added.length + report.labelled.length + report.classes_added.length;
  return [
    headline(true, dry ? (changes ? "Everything fits; nothing was changed yet" : "There is nothing new in it") : "Imported"),
    h(
      "ul",
      { class: "facts" },
      fact(report.added.length, dry ? "photos would be added" : "photos added"),
      fact(report.recognised.length, "photos in the project already"),
      fact(report.labelled.length, dry ? "label maps would change" : "label maps changed"),
      fact(report.changed_pixels, dry ? "pixels would change" : "pixels changed"),
      report.kept.length ? fact(report.kept.length, "photos keep their labels") : null,
    ),
    fold(`${count(report.classes_added.length, "class", "classes")} ${dry ? "would be added" : "added"}`, report.classes_added, true),
    fold(
      `${count(Object.keys(report.classes_matched).length, "class", "classes")} recognised`,
      Object.entries(report.classes_matched).map(([theirs, mine]) => (theirs === mine ? mine : `${theirs} is ${mine}`)),
    ),
    fold(`${count(report.duplicates.length, "duplicate photo")}`, report.duplicates.map(pair(" is "))),
    notes(report.notes),
  ];
}

function exported({ export: report, download }) {
  const dry = report.dry_run;
  const parts = Object.entries(report.splits).map(([name, photos]) => `${photos.toLocaleString("en")} ${name}`);
  return [
    headline(!report.skipped.length, dry ? "This would be written" : report.skipped.length ? "Written in part" : "Written"),
    h(
      "ul",
      { class: "facts" },
      fact(report.photos, parts.length ? `photos: ${parts.join(", ")}` : "photos"),
      fact(report.labelled, "of them labelled"),
      fact(report.classes.length, report.classes.length === 1 ? "class" : "classes"),
    ),
    download
      ? h(
          "p",
          {},
          h(
            "a",
            { class: "button", href: `gradio_api/file=${download.path}`, download: download.name },
            icon("download"),
            `Download ${size(download.bytes)}`,
          ),
        )
      : !dry && h("p", {}, "In ", h("code", {}, report.out)),
    fold(`${count(report.skipped.length, "photo")} left out`, report.skipped.map(pair(": ")), true),
    fold(`${count(report.renamed.length, "photo")} under another name`, report.renamed.map(pair(" → "))),
    notes(report.notes),
    h("p", { class: "hint" }, `This format cannot hold ${report.loses.join(", ")}.`),
  ];
}

const headline = (good, text) => h("p", { class: good ? "good" : "partly" }, icon(good ? "check" : "warning"), h("b", {}, text));
const fact = (number, what) => h("li", {}, h("b", { class: "number" }, number.toLocaleString("en")), ` ${what}`);
const pair = (between) => (both) => both.join(between);
const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
const notes = (sentences) => sentences.length && h("ul", { class: "notes" }, ...sentences.map((text) => h("li", {}, text)));

/** A list behind its title; nothing when it is empty. */
function fold(title, entries, open = false) {
  if (!entries.length) return null;
  const more = entries.length - FIRST;
  return h(
    "details",
    { class: "fold", open: open && entries.length < 12 },
    h("summary", {}, title),
    h("ul", {}, ...entries.slice(0, FIRST).map((text) => h("li", {}, text)), more > 0 ? h("li", {}, `… and ${more} more`) : null),
  );
}

/** Bytes as a person reads them. */
export function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let k = 0;
  while (bytes >= 1000 && k < units.length - 1) {
    bytes /= 1000;
    k += 1;
  }
  return `${bytes < 10 && k ? bytes.toFixed(1) : Math.round(bytes)} ${units[k]}`;
}
