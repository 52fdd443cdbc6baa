/** What the state line says. It never says "Saved" alone while something of a person's work is not on the server's disk. */

/**
 * @param {Object} work
 * @param {number} work.waiting edits on their way
 * @param {"lost"|"away"|"out"|"elsewhere"|null} work.trouble why they are not saved
 * @param {number} work.late edits that came too late: the photo has changed since
 * @param {{project: string, edits: number}[]} work.elsewhere edits kept for projects that are not open here
 * @returns {{state: "offline"|"saving"|"waits"|"saved", text: string}}
 */
export function saveLine({ waiting, trouble, late, elsewhere }) {
  const silent = { lost: "the server", away: "the project's database" }[trouble];
  if (silent) return { state: "offline", text: `Not saved yet: ${silent} does not answer; ${waiting} waiting` };
  if (trouble === "out") return { state: "offline", text: `Not saved yet: ${edits(waiting)} until you sign in again` };
  if (trouble) return { state: "offline", text: `Not saved yet: ${edits(waiting)} until this project is open here again` };
  if (waiting) return { state: "saving", text: "Saving" };
  if (late) return { state: "offline", text: `Not saved: ${edits(late, "")}` };
  if (elsewhere.length) return { state: "waits", text: `Saved here; ${waitElsewhere(elsewhere)}` };
  return { state: "saved", text: "Saved" };
}

/** @param {{project: string, edits: number}[]} elsewhere */
export function waitElsewhere(elsewhere) {
  return elsewhere.map(({ project, edits: count }) => `${edits(count)} for project ${project}`).join(", ");
}

/** @param {number} count */
export function edits(count, verb = count === 1 ? " waits" : " wait") {
  return `${count} ${count === 1 ? "edit" : "edits"}${verb}`;
}
