/** Label map, overlay and facts as files. */

import { bytesOf } from "../canvas/png.js";
import { h } from "../shared/dom.js";
import { t } from "../shared/language.js";

/** @param {import("./explore.js").Explore} page */
export function listenForDownloads(page) {
  page.part.explore.querySelectorAll("[data-download]").forEach((button) => {
    button.addEventListener("click", () => download(page, button));
  });
}

async function download(page, button) {
  if (!page.answer) return;
  button.disabled = true;
  const quiet = page.waiting.begin(t("Making the file"));
  const { answer } = page;
  const file = await page.connection.call("download", {
    ...page.question,
    levels: Object.fromEntries(answer.words.map(({ name }) => [name, page.levels.get(name) ?? 0])),
    what: button.dataset.download,
    opacity: page.view.layers.labels.opacity,
  });
  quiet();
  button.disabled = false;
  if (!file.ok) return answer === page.answer ? page.problem(file.error) : undefined;
  const address = URL.createObjectURL(new Blob([bytesOf(file.data)], { type: file.mime }));
  h("a", { href: address, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
