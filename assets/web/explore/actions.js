/** What the keys do on Explore. */

/**
 * @param {import("./explore.js").Explore} page
 * @returns {Object<string, import("../shared/actions.js").Action>}
 */
export function exploreActions(page) {
  const { part, view, canvas } = page;
  return {
    words: { label: "Type words", keys: ["/"], run: () => part.words.focus() },
    view: { label: "Next layer", keys: ["v"], run: () => view.next() },
    peek: { label: "Hold: the photo alone", keys: ["h"], run: () => view.draw("photo"), release: () => view.draw() },
    outlines: { label: "Outlines", keys: ["o"], run: () => view.toggleOutlines() },
    fainter: { label: "Overlay fainter", keys: [","], run: () => view.fainter() },
    stronger: { label: "Overlay stronger", keys: ["."], run: () => view.stronger() },
    zoomIn: { label: "Zoom in (or turn the wheel)", keys: ["+", "="], run: () => canvas.zoom(1.5) },
    zoomOut: { label: "Zoom out", keys: ["-"], run: () => canvas.zoom(1 / 1.5) },
    fit: { label: "Fit the photo", keys: ["0"], run: () => canvas.fit() },
    heat: {
      label: "Heat map of a word, by its place",
      keys: [..."123456789"],
      run: (event) => page.select(page.order?.[Number(event.key) - 1] ?? Infinity),
    },
    keys: { label: "Help and keys", keys: ["?"], run: () => page.showHelp() },
    back: { label: "Let go of the pin, the heat map", keys: ["Escape"], run: () => page.back() },
  };
}
