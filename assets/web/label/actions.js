/** What can be done on the Label page, by name, with its keys: one table for the keyboard, the buttons and the list. */

import { TOOLS } from "./tools/index.js";
import { t } from "../shared/language.js";

/**
 * @param {import("./label.js").LabelPage} page
 * @returns {Object<string, import("../shared/actions.js").Action>}
 */
export function labelActions(page) {
  const tools = TOOLS.map(({ name, label, keys }) => [name, { label, keys, run: () => page.desk.take(name) }]);
  return {
    ...Object.fromEntries(tools),
    grab: {
      label: t("Hold: move the photo with any tool"),
      keys: [" "],
      run: () => page.canvas.grab(true),
      release: () => page.canvas.grab(false),
    },
    smaller: { label: t("Smaller brush (or Ctrl and wheel)"), keys: ["["], run: () => page.desk.resize(-1) },
    larger: { label: t("Larger brush, or larger unit"), keys: ["]"], run: () => page.desk.resize(1) },
    classes: {
      label: t("Class by its number"),
      keys: [..."1234567890"],
      run: (event) => page.classes.chooseAt((Number(event.key) + 9) % 10),
    },
    swap: { label: t("Back to the class before"), keys: ["x"], run: () => page.classes.choose(page.store.state.before) },
    lock: { label: t("Lock the class in hand: nothing paints over it"), keys: ["l"], run: () => page.classes.lock(page.store.state.chosen) },
    unlabelled: { label: t("Paint only what is unlabelled"), keys: ["o"], run: () => page.toggleUnlabelled() },
    undo: { label: t("Undo"), keys: ["ctrl+z"], run: () => page.undo() },
    redo: { label: t("Redo"), keys: ["ctrl+shift+z", "ctrl+y"], run: () => page.redo() },
    enter: { label: t("Label what is drawn or clicked together"), keys: ["Enter"], run: () => page.desk.tool.accept() },
    escape: { label: t("Let go of it"), keys: ["Escape"], run: (event) => page.letGo(event) },
    negative: { label: t("Not this: the next click says what does not belong"), keys: ["n"], run: () => page.desk.tool.negate() },
    corner: { label: t("Take its last corner or click back"), keys: ["Backspace"], run: () => page.desk.tool.undo() },
    hide: {
      label: t("Hold: the photo without labels"),
      keys: ["h"],
      run: () => page.boards.showLabels(false),
      release: () => page.boards.showLabels(true),
    },
    outlines: { label: t("Outlines only"), keys: ["k"], run: () => page.boards.toggleOutlines() },
    fainter: { label: t("Labels fainter"), keys: [","], run: () => page.boards.setOpacity(page.boards.opacity - 0.1) },
    stronger: { label: t("Labels stronger"), keys: ["."], run: () => page.boards.setOpacity(page.boards.opacity + 0.1) },
    model: { label: t("The model's view beside the labels"), keys: ["m"], run: () => page.model.toggle() },
    pseudolabel: { label: t("Let the model label this photo"), keys: ["t"], run: () => page.model.label() },
    accept: { label: t("Accept the model's regions of the class in hand"), keys: ["y"], run: () => page.model.accept({ class: page.store.state.chosen }) },
    zoomIn: { label: t("Zoom in (or turn the wheel)"), keys: ["+", "="], run: () => page.canvas.zoom(1.5) },
    zoomOut: { label: t("Zoom out"), keys: ["-"], run: () => page.canvas.zoom(1 / 1.5) },
    fit: { label: t("Fit the photo"), keys: ["ctrl+0"], run: () => page.canvas.fit() },
    previous: { label: t("Photo before"), keys: ["a"], run: () => page.photos.step(-1) },
    next: { label: t("Next photo"), keys: ["d"], run: () => page.photos.step(1) },
    done: { label: t("Done, next photo"), keys: ["ctrl+Enter"], run: () => page.photos.finish("done") },
    skip: { label: t("Skip, next photo"), keys: ["q"], run: () => page.photos.finish("skipped") },
    frameBefore: { label: t("Frame of the film before"), keys: ["PageUp"], run: () => page.film.step(-1) },
    frameAfter: { label: t("Next frame of the film"), keys: ["PageDown"], run: () => page.film.step(1) },
    carry: { label: t("Carry the labels to the next frame"), keys: ["c"], run: () => page.carrying.next() },
    carryRight: { label: t("Done, and carry the labels to the next frame"), keys: ["ctrl+shift+Enter"], run: () => page.carrying.next(true) },
    carryOn: { label: t("Carry the labels on, to where they are not sure any more"), keys: ["shift+PageDown"], run: () => page.carrying.start("sure") },
    carryEnd: { label: t("Carry the labels on, to the end of the film"), keys: ["shift+End"], run: () => page.carrying.start("end") },
    carryBack: { label: t("Carry the labels back, as far as they are surer"), keys: ["shift+PageUp"], run: () => page.carrying.start("back") },
    find: { label: t("Find a photo"), keys: ["/"], run: () => page.part.search.focus() },
    keys: { label: t("This list"), keys: ["?"], run: () => page.showKeys() },
  };
}
