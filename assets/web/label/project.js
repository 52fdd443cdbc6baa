/** Making a project, and opening one: what the Label page shows when there is none, and in a dialog later. */

import { h, icon } from "../shared/dom.js";
import { hear } from "../shared/bus.js";
import { waitElsewhere } from "./save-line.js";
import { visitForm } from "./visit.js";
import { t } from "../shared/language.js";

const KEPT = "textseg-projects"; // folders opened in this browser, newest first
const MOST = 6;

const COMMANDS = `textseg project new my-project --words "cat; kitten, sofa, wall"
textseg project add my-project photos/
textseg serve --project my-project`;

/** The dialog in which another project is made or opened, or a folder of photos is added. */
export class ProjectDialog {
  /** @param {import("./label.js").LabelPage} page */
  constructor(page) {
    this.page = page;
    this.dialog = page.part["project-dialog"];
    page.part.project.addEventListener("click", () => this.change());
    page.part["add-folder"].addEventListener("click", () => this.addFolder());
  }

  /** @param {Object} overview the server's @returns {HTMLElement[]} */
  forms(overview) {
    const { page } = this;
    if (overview.visits) return this.visit();
    const forms = projectForms(overview, {
      make: (message) => page.call("make_project", message),
      open: (message) => page.call("open_project", message),
      done: () => {
        if (page.store.state.photo) history.replaceState(null, "", "#label");
        location.reload(); // nothing of the project before is left in hand
      },
    });
    const waiting = page.saving.counts();
    if (!waiting.length) return forms;
    const forget = () => {
      page.saving.forget();
      note.remove();
    };
    const note = h(
      "p",
      { class: "hint waiting" },
      t("This browser keeps what was not saved before its server stopped: {edits}. Open the project, and it is saved. ", { edits: waitElsewhere(waiting) }),
      h("button", { class: "link", type: "button", onclick: forget }, t("Discard it")),
    );
    return [note, ...forms];
  }

  /** For a visitor of a server where each has a project: the form comes with what the header knows. */
  visit() {
    const place = h("div", {});
    hear("visits", (visits) => place.replaceChildren(...visitForm(visits, () => this.begun())));
    return [place];
  }

  begun() {
    history.replaceState(null, "", "#label");
    location.reload();
  }

  /** The forms, in a dialog; what is drawn is saved first. */
  async change() {
    const { page, dialog } = this;
    await page.saving.rest(page.store.state.photo?.photo);
    const overview = await page.call("overview", {});
    if (!overview.ok) return page.problem(overview.error);
    const close = h("button", { class: "plain", type: "button", "aria-label": t("Close"), onclick: () => dialog.close() }, icon("close"));
    dialog.replaceChildren(h("div", { class: "dialog-head" }, h("span", { class: "hint" }, overview.folder), close), ...this.forms(overview));
    dialog.showModal();
  }

  addFolder() {
    const { page, dialog } = this;
    const add = async (folder) => {
      const reply = await page.call("add_folder", { folder });
      if (!reply.ok) return reply.error; // what was typed stays
      dialog.close();
      page.run.look();
      return "";
    };
    dialog.replaceChildren(folderForm(add, () => dialog.close()));
    dialog.showModal();
  }
}

/**
 * @param {{place: string, local: boolean}} here where a new project would lie, and whether folders may be chosen
 * @param {{make: function(Object): Promise<any>, open: function(Object): Promise<any>, done: function(): void}} listeners
 *   `make` and `open` answer like server functions
 * @returns {HTMLElement[]}
 */
function projectForms({ place, local }, { make, open, done }) {
  if (!local)
    return [
      h("h2", {}, t("Nothing to label yet")),
      h("p", {}, t("A project is one folder with photos, classes and every label. Whoever runs this server opens one with:")),
      h("pre", {}, h("code", {}, COMMANDS)),
      h("p", {}, h("a", { class: "button", href: "#explore" }, t("Try words on a photo first"))),
    ];
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const settle = async (asked, folder) => {
    const reply = await asked;
    tellIn(problem, reply.ok ? "" : reply.error);
    if (!reply.ok) return;
    keep(reply.folder ?? folder);
    done();
  };
  const photos = field({ placeholder: "/home/me/photos", "data-part": "photos-folder" });
  const words = field({ placeholder: "cat; kitten, sofa, wall", required: true, "data-part": "project-words" });
  const folder = field({ value: place, required: true, "data-part": "project-folder" });
  let named = false;
  folder.addEventListener("input", () => (named = true));
  // A project is called like its photos until a person says otherwise.
  photos.addEventListener("input", () => {
    const name = photos.value.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1);
    if (!named) folder.value = name ? place.replace(/[^/\\]+$/, name) : place;
  });
  const create = (event) => {
    event.preventDefault();
    settle(make({ folder: folder.value, words: words.value, photos: photos.value }));
  };
  const there = field({ placeholder: place, required: true, "data-part": "open-folder" });
  const choose = (event) => {
    event.preventDefault();
    settle(open({ folder: there.value }), there.value);
  };
  const recent = kept();
  return [
    problem,
    h(
      "form",
      { class: "project-form", onsubmit: create },
      h("h2", {}, t("Label your photos")),
      h("p", {}, t("Name the things to find. The model marks them, you correct it; every stroke is saved at once.")),
      labelled(t("Words"), words, t("Separated by commas; other names of the same thing after a semicolon")),
      labelled(t("Folder of photos"), photos, t("On this computer; they are copied. Empty: add photos later")),
      labelled(t("Project folder"), folder, t("Where photos and labels are kept")),
      h("div", { class: "row" }, h("button", { class: "button", type: "submit" }, t("Make the project"))),
    ),
    h(
      "form",
      { class: "project-form", onsubmit: choose },
      h("h2", {}, t("Or open one")),
      ...recent.map((path) =>
        h("button", { class: "link path", type: "button", onclick: () => settle(open({ folder: path }), path) }, path),
      ),
      h("div", { class: "row" }, there, h("button", { class: "button quiet", type: "submit" }, t("Open"))),
    ),
  ];
}

/** A form that asks for a folder of photos. @param {function(string): Promise<string>} add answers what is wrong, or "" */
function folderForm(add, cancel) {
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const folder = field({ placeholder: "/home/me/photos", required: true, "data-part": "photos-folder" });
  const go = async (event) => {
    event.preventDefault();
    tellIn(problem, await add(folder.value));
  };
  return h(
    "form",
    { class: "project-form", onsubmit: go },
    h("h2", {}, t("Add a folder of photos")),
    problem,
    labelled(t("Folder"), folder, t("On this computer; its photos are copied into the project")),
    h(
      "div",
      { class: "row" },
      h("button", { class: "button", type: "submit" }, t("Add")),
      h("button", { class: "button quiet", type: "button", onclick: cancel }, t("Cancel")),
    ),
  );
}

function tellIn(problem, text) {
  problem.hidden = !text;
  problem.replaceChildren(...(text ? [icon("warning"), h("span", {}, text)] : []));
}

const field = (attributes) => h("input", { type: "text", autocomplete: "off", spellcheck: "false", ...attributes });

const labelled = (name, input, hint) =>
  h("label", { class: "stacked" }, h("span", {}, name), input, h("span", { class: "hint" }, hint));

function kept() {
  try {
    const paths = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(paths) ? paths.filter((path) => typeof path === "string").slice(0, MOST) : [];
  } catch {
    return []; // storage is forbidden, or somebody else's
  }
}

function keep(folder) {
  try {
    localStorage.setItem(KEPT, JSON.stringify([folder, ...kept().filter((path) => path !== folder)].slice(0, MOST)));
  } catch {
    // nothing is remembered then
  }
}
