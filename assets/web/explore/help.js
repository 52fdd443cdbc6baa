/** Explore explains itself: what each layer means, in one line over the photo, and all of it in a dialog with the keys. */

import { h, icon } from "../shared/dom.js";
import { t } from "../shared/language.js";

/** What is seen, by the layer in front. */
export const EXPLAINED = {
  labels: t("Every pixel has the colour of the word that fits it best. Where something else fits better, it stays free."),
  heat: t("How well one word fits, place by place: bright fits well, dark does not. Click a word or a small map for another one."),
  units: t("Parts that look like one thing to the model; no word was needed for them. Point at one to see the words that fit."),
  masks: t("Outlines of things, found without words, and then named by the word that fits best. Click one for its words."),
  photo: t("The photo as it is. V goes on to the labels."),
};

/**
 * @param {HTMLDialogElement} dialog
 * @param {import("../shared/actions.js").Actions} actions
 */
export function showHelp(dialog, actions) {
  const close = { class: "plain", type: "button", "aria-label": t("Close"), onclick: () => dialog.close() };
  const told = (terms) => h("dl", {}, ...terms.flatMap(([term, text]) => [h("dt", {}, term), h("dd", {}, text)]));
  dialog.replaceChildren(
    h("div", { class: "dialog-head" }, h("h2", {}, t("Help")), h("button", close, icon("close"))),
    h(
      "div",
      { class: "help" },
      h("h3", {}, t("What you see")),
      told([
        [t("Labels"), EXPLAINED.labels],
        [t("Heat"), EXPLAINED.heat],
        [t("Units"), EXPLAINED.units],
        [t("Masks"), EXPLAINED.masks],
        [t("Photo"), EXPLAINED.photo],
        [
          t("Confidence and presence"),
          t("The slider of a word hides what is less confident. A word that is not found says how likely it is in the photo at all."),
        ],
        [
          t("Something else"),
          t("A thousand everyday words that nobody typed compete with yours. Open the row to see which of them win, and click one to ask for it."),
        ],
        [t("Why here"), t("A click on the photo says why: the five words that fit best there, and the nearest of all nouns.")],
        [t("Going on"), t("Label makes a project of photos and corrects what is wrong here; Learn makes the model better at it.")],
      ]),
      h("h3", {}, t("Keys")),
      h("table", {}, ...actions.rows()),
    ),
  );
  dialog.showModal();
}
