/** What an import, an export or added photos came to, as a few lines with the long lists folded. */

import { h, icon } from "../shared/dom.js";
import { heard, t } from "../shared/language.js";
import { bytes, listed, number, plural } from "../shared/numbers.js";

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
  const readable = number(photos - failed.length);
  const lost = left.length
    ? plural(failed.length, "{n} photo cannot be read", "{n} photos cannot be read")
    : plural(failed.length, "{n} photo cannot be read, and nobody is asked to label it", "{n} photos cannot be read, and nobody is asked to label them");
  return [
    headline(!failed.length, plural(photos, "{readable} of {n} photo can be read", "{readable} of {n} photos can be read", { readable })),
    fold(lost, failed.map(heard), true),
  ];
}

function added({ added, duplicates, failed, stopped, notes: told }) {
  return [
    headline(added.length > 0, stopped ? plural(added.length, "Stopped: {n} photo added", "Stopped: {n} photos added") : plural(added.length, "{n} photo added", "{n} photos added")),
    fold(plural(duplicates.length, "{n} photo in the project already", "{n} photos in the project already"), duplicates.map(same)),
    fold(plural(failed.length, "{n} file not taken in", "{n} files not taken in"), failed.map(because), true),
    notes(told),
  ];
}

function imported(report) {
  const dry = report.dry_run;
  const changes = report.added.length + report.labelled.length + report.classes_added.length;
  return [
    headline(true, !dry ? t("Imported") : changes ? t("Everything fits; nothing was changed yet") : t("There is nothing new in it")),
    h(
      "ul",
      { class: "facts" },
      dry
        ? fact(report.added.length, "{n} photo would be added", "{n} photos would be added")
        : fact(report.added.length, "{n} photo added", "{n} photos added"),
      fact(report.recognised.length, "{n} photo in the project already", "{n} photos in the project already"),
      dry
        ? fact(report.labelled.length, "{n} label map would change", "{n} label maps would change")
        : fact(report.labelled.length, "{n} label map changed", "{n} label maps changed"),
      dry
        ? fact(report.changed_pixels, "{n} pixel would change", "{n} pixels would change")
        : fact(report.changed_pixels, "{n} pixel changed", "{n} pixels changed"),
      report.kept.length ? fact(report.kept.length, "{n} photo left with the labels it had", "{n} photos left with the labels they had") : null,
    ),
    fold(
      dry
        ? plural(report.classes_added.length, "{n} class would be added", "{n} classes would be added")
        : plural(report.classes_added.length, "{n} class added", "{n} classes added"),
      report.classes_added,
      true,
    ),
    fold(
      plural(Object.keys(report.classes_matched).length, "{n} class recognised", "{n} classes recognised"),
      Object.entries(report.classes_matched).map(([theirs, mine]) => (theirs === mine ? mine : same([theirs, mine]))),
    ),
    fold(plural(report.duplicates.length, "{n} duplicate photo", "{n} duplicate photos"), report.duplicates.map(same)),
    fold(plural(report.failed.length, "{n} photo left out", "{n} photos left out"), report.failed.map(because), true),
    notes([...report.left_out.map(counted), ...report.notes]),
  ];
}

function exported({ export: report, download }) {
  const dry = report.dry_run;
  const parts = Object.entries(report.splits).map(([name, photos]) => `${number(photos)} ${name}`);
  return [
    headline(!report.skipped.length, dry ? t("This would be written") : report.skipped.length ? t("Written in part") : t("Written")),
    h(
      "ul",
      { class: "facts" },
      parts.length
        ? fact(report.photos, "{n} photo ({parts})", "{n} photos ({parts})", { parts: parts.join(", ") })
        : fact(report.photos, "{n} photo", "{n} photos"),
      fact(report.labelled, "{n} labelled photo", "{n} labelled photos"),
      fact(report.classes.length, "{n} class", "{n} classes"),
    ),
    download
      ? h(
          "p",
          {},
          h(
            "a",
            { class: "button", href: `gradio_api/file=${download.path}`, download: download.name },
            icon("download"),
            t("Download {size}", { size: bytes(download.bytes) }),
          ),
        )
      : !dry && h("p", {}, t("In "), h("code", {}, report.out)),
    fold(plural(report.skipped.length, "{n} photo left out", "{n} photos left out"), report.skipped.map(because), true),
    fold(plural(report.renamed.length, "{n} photo under another name", "{n} photos under another name"), report.renamed.map((both) => both.join(" → "))),
    notes(report.notes),
    h("p", { class: "hint" }, t("This format cannot hold {parts}.", { parts: listed(report.loses.map(heard)) })),
  ];
}

const headline = (good, text) => h("p", { class: good ? "good" : "partly" }, icon(good ? "check" : "warning"), h("b", {}, text));

/** What is counted, its number in bold. @returns {HTMLElement} */
function fact(n, one, many, values = {}) {
  const [before, after] = t(n === 1 ? one : many, values).split("{n}");
  return h("li", {}, before, h("b", { class: "number" }, number(n)), after);
}

const counted = ({ reason, count, first }) =>
  `${heard(reason)}: ${number(count)} (${first.join(", ")}${count > first.length ? ", …" : ""})`;
const same = ([given, there]) => t("{given} is {there}", { given, there });

/** A file and what is the matter with it; a reason that begins with its name does not say it again. */
function because([file, problem]) {
  const name = `${file.split("/").at(-1)} `,
    reason = heard(problem);
  return `${file}: ${reason.startsWith(name) ? reason.slice(name.length) : reason}`;
}

const notes = (sentences) => sentences.length && h("ul", { class: "notes" }, ...sentences.map((text) => h("li", {}, heard(text))));

/** A list behind its title; nothing when it is empty. */
function fold(title, entries, open = false) {
  if (!entries.length) return null;
  const more = entries.length - FIRST;
  return h(
    "details",
    { class: "fold", open: open && entries.length < 12 },
    h("summary", {}, title),
    h("ul", {}, ...entries.slice(0, FIRST).map((text) => h("li", {}, text)), more > 0 ? h("li", {}, t("… and {n} more", { n: number(more) })) : null),
  );
}
