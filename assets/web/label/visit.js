/** Beginning a project on a server for strangers: what the Label page shows to a visitor who has none. */

import { h, icon } from "../shared/dom.js";
import { duration } from "../shared/numbers.js";
import { visitorKey } from "../shared/visitor.js";
import { t } from "../shared/language.js";

/**
 * @param {{offer: import("../shell/visit.js").Offer, begin: function(Object): Promise<string>}} visits
 * @param {function(): void} done
 * @returns {HTMLElement[]}
 */
export function visitForm({ offer, begin }, done) {
  const life = duration(offer.life);
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const words = h("textarea", { rows: "3", required: true, spellcheck: "false", autocomplete: "off", "data-part": "project-words" });
  words.value = offer.words;
  const from = (value, title, hint) =>
    h(
      "label",
      {},
      h("input", { type: "radio", name: "visit-photos", value, checked: value === "samples" }),
      h("span", {}, h("b", {}, title), h("small", {}, hint)),
    );
  const photos = h(
    "fieldset",
    { class: "choices" },
    h("legend", {}, t("Photos")),
    from("samples", t("The samples"), t("{count} photos, with words that suit them", { count: offer.samples })),
    from("own", t("My own"), t("up to {photos}, of {megapixels} megapixels in all; add them next", { photos: offer.photos, megapixels: offer.megapixels })),
  );
  const samples = () => photos.querySelector("input:checked").getAttribute("value") === "samples";
  photos.addEventListener("change", () => {
    // A person's own words stay, those of the samples say nothing about other photos.
    if (!samples() && words.value === offer.words) words.value = "";
    if (samples() && !words.value.trim()) words.value = offer.words;
  });
  const button = h("button", { class: "button", type: "submit" }, t("Begin"));
  const go = async (event) => {
    event.preventDefault();
    button.disabled = true;
    const wrong = await begin({ words: words.value, samples: samples() });
    button.disabled = false;
    problem.hidden = !wrong;
    problem.replaceChildren(icon("warning"), h("span", {}, wrong));
    if (!wrong) done();
  };
  const gone = h(
    "p",
    { class: "hint gone" },
    t("Your project is not here any more: it is deleted {life} after it was last worked on, and whenever the server starts again.", { life }),
  );
  return [
    h(
      "form",
      { class: "project-form visit-form", onsubmit: go },
      h("h2", {}, t("A project of your own")),
      ...(visitorKey() ? [gone] : []),
      h(
        "p",
        {},
        t("Name the things to find. The model marks them, you correct it, and it learns from that. "),
        t("Nobody else sees what you do here; it is deleted {life} after you last worked on it. Take it home as a zip before.", { life }),
      ),
      photos,
      h("label", { class: "stacked" }, h("span", {}, t("Words")), words, h("span", { class: "hint" }, t("Separated by commas; other names of the same thing after a semicolon"))),
      problem,
      h("div", { class: "row" }, button),
    ),
  ];
}
