/** What the state line says. It never says "Saved" alone while something of a person's work is not on the server's disk. */

import { t } from "../shared/language.js";
import { number, plural } from "../shared/numbers.js";

/**
 * @param {Object} work
 * @param {number} work.waiting edits on their way
 * @param {"lost"|"away"|"out"|"elsewhere"|null} work.trouble why they are not saved
 * @param {number} work.late edits that came too late: the photo has changed since
 * @param {{project: string, edits: number}[]} work.elsewhere edits kept for projects that are not open here
 * @returns {{state: "offline"|"saving"|"waits"|"saved", text: string}}
 */
export function saveLine({ waiting, trouble, late, elsewhere }) {
  const n = number(waiting);
  if (trouble === "lost") return { state: "offline", text: t("Not saved yet: the server does not answer; {n} waiting", { n }) };
  if (trouble === "away") return { state: "offline", text: t("Not saved yet: the project's database does not answer; {n} waiting", { n }) };
  if (trouble === "out") return { state: "offline", text: t("Not saved yet: {edits} until you sign in again", { edits: waits(waiting) }) };
  if (trouble) return { state: "offline", text: t("Not saved yet: {edits} until this project is open here again", { edits: waits(waiting) }) };
  if (waiting) return { state: "saving", text: t("Saving") };
  if (late) return { state: "offline", text: t("Not saved: {edits}", { edits: edits(late) }) };
  if (elsewhere.length) return { state: "waits", text: t("Saved here; {edits}", { edits: waitElsewhere(elsewhere) }) };
  return { state: "saved", text: t("Saved") };
}

/** @param {{project: string, edits: number}[]} elsewhere */
export function waitElsewhere(elsewhere) {
  return elsewhere.map(({ project, edits: count }) => plural(count, "{n} edit waits for project {project}", "{n} edits wait for project {project}", { project })).join(", ");
}

/** @param {number} count */
export const edits = (count) => plural(count, "{n} edit", "{n} edits");

/** @param {number} count */
const waits = (count) => plural(count, "{n} edit waits", "{n} edits wait");
