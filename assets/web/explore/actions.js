/** What the keys do on Explore. */

import { t } from "../shared/language.js";

/**
 * @param {import("./explore.js").Explore} page
 * @returns {Object<string, import("../shared/actions.js").Action>}
 */
export function exploreActions(page) {
  const { part, view, canvas } = page;
  return {
    words: { label: t("Type words"), keys: ["/"], run: () => part.words.focus() },
    view: { label: t("Next layer"), keys: ["v"], run: () => view.next() },
    peek: { label: t("Hold: the photo alone"), keys: ["h"], run: () => view.draw("photo"), release: () => view.draw() },
    outlines: { label: t("Outlines"), keys: ["o"], run: () => view.toggleOutlines() },
    fainter: { label: t("Overlay fainter"), keys: [","], run: () => view.fainter() },
    stronger: { label: t("Overlay stronger"), keys: ["."], run: () => view.stronger() },
    zoomIn: { label: t("Zoom in (or turn the wheel)"), keys: ["+", "="], run: () => canvas.zoom(1.5) },
    zoomOut: { label: t("Zoom out"), keys: ["-"], run: () => canvas.zoom(1 / 1.5) },
    fit: { label: t("Fit the photo"), keys: ["0"], run: () => canvas.fit() },
    heat: {
      label: t("Heat map of a word, by its place"),
      keys: [..."123456789"],
      run: (event) => page.select(page.order?.[Number(event.key) - 1] ?? Infinity),
    },
    keys: { label: t("Help and keys"), keys: ["?"], run: () => page.showHelp() },
    back: { label: t("Let go of the pin, the heat map"), keys: ["Escape"], run: () => page.back() },
  };
}
