/** What an import, an export or added photos came to, as a few lines with the long lists folded. */

import { h, icon } from "../shared/dom.js";
import { bytes, plural } from "../shared/numbers.js";

const FIRST = 200; // entries of a list that are shown

/**
 * @param {any} report of what was asked: `add`, `check`, `import`, or `export` with the `download` to fetch
 * @returns {HTMLElement}
 */
export function reportOf(report) {
  const lines = report.check ? checked(report.check) : report.add ? added(report.add) : report.import ? imported(report.import) : exported(report);
  return h("div", { class: "report" }, ...lines.filter(Boolean));
}

function checked({ photos, failed, left }) {
  const readable = `${(photos - failed.length).toLocaleString("en")} of ${plural(photos, "photo")} can be read`;
  return [
    headline(!failed.length, readable),
    fold(`${plural(failed.length, "photo")} cannot be read${left ? "" : ", and nobody is asked to label them"}`, failed, true),
  ];
}

function added({ added, duplicates, failed, stopped, notes: told }) {
  return [
    headline(added.length > 0, `${stopped ? "Stopped: " : ""}${plural(added.length, "photo")} added`),
    fold(`${plural(duplicates.length, "photo")} in the project already`, duplicates.map(pair(" is "))),
    fold(`${plural(failed.length, "file")} not taken in`, failed.map(because), true),
    notes(told),
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
      fact(report.added.length, "photo", dry ? "would be added" : "added"),
      fact(report.recognised.length, "photo", "in the project already"),
      fact(report.labelled.length, "label map", dry ? "would change" : "changed"),
      fact(report.changed_pixels, "pixel", dry ? "would change" : "changed"),
      report.kept.length ? fact(report.kept.length, "photo", "left with the labels they had") : null,
    ),
    fold(`${plural(report.classes_added.length, "class", "classes")} ${dry ? "would be added" : "added"}`, report.classes_added, true),
    fold(
      `${plural(Object.keys(report.classes_matched).length, "class", "classes")} recognised`,
      Object.entries(report.classes_matched).map(([theirs, mine]) => (theirs === mine ? mine : `${theirs} is ${mine}`)),
    ),
    fold(`${plural(report.duplicates.length, "duplicate photo")}`, report.duplicates.map(pair(" is "))),
    fold(`${plural(report.failed.length, "photo")} left out`, report.failed.map(because), true),
    notes([...report.left_out.map(counted), ...report.notes]),
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
      fact(report.photos, "photo", parts.length ? `(${parts.join(", ")})` : ""),
      fact(report.labelled, "labelled photo"),
      fact(report.classes.length, "class", "", "classes"),
    ),
    download
      ? h(
          "p",
          {},
          h(
            "a",
            { class: "button", href: `gradio_api/file=${download.path}`, download: download.name },
            icon("download"),
            `Download ${bytes(download.bytes)}`,
          ),
        )
      : !dry && h("p", {}, "In ", h("code", {}, report.out)),
    fold(`${plural(report.skipped.length, "photo")} left out`, report.skipped.map(because), true),
    fold(`${plural(report.renamed.length, "photo")} under another name`, report.renamed.map(pair(" → "))),
    notes(report.notes),
    h("p", { class: "hint" }, `This format cannot hold ${report.loses.join(", ")}.`),
  ];
}

const headline = (good, text) => h("p", { class: good ? "good" : "partly" }, icon(good ? "check" : "warning"), h("b", {}, text));

/** A number, what it counts, and what is said of it. */
function fact(number, noun, said, many) {
  const [count, ...words] = plural(number, noun, many).split(" ");
  return h("li", {}, h("b", { class: "number" }, count), ` ${words.join(" ")} ${said}`);
}

const counted = ({ reason, count, first }) =>
  `${reason}: ${count.toLocaleString("en")} (${first.join(", ")}${count > first.length ? ", …" : ""})`;
const pair = (between) => (both) => both.join(between);

/** A file and what is the matter with it; a reason that begins with its name does not say it again. */
function because([file, reason]) {
  const name = `${file.split("/").at(-1)} `;
  return `${file}: ${reason.startsWith(name) ? reason.slice(name.length) : reason}`;
}

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
