/** Two people's labels of one photo beside each other: how far they agree, where they do not, and the decision. */

import { h, icon } from "../shared/dom.js";
import { t } from "../shared/language.js";
import { listed, percent } from "../shared/numbers.js";

/** @param {import("./team.js").Team} team */
export async function showAgreement(team) {
  const { page } = team,
    dialog = page.part["project-dialog"];
  const told = await page.call("agreement", { photo: team.photo });
  if (!told.ok) return page.problem(told.error);
  const classes = new Map(page.store.state.classes.map((each) => [each.id, each]));
  const decide = (choice, text) =>
    h(
      "button",
      {
        class: "button quiet",
        type: "button",
        onclick: async () => {
          dialog.close();
          const reply = await team.act("adjudicate", { choice }, true);
          if (reply.ok) page.announce(t("Decided; correct what is left, then call it done."));
        },
      },
      text,
    );
  dialog.setAttribute("aria-label", t("Two opinions"));
  dialog.replaceChildren(
    h(
      "div",
      { class: "dialog-head" },
      h("h2", {}, listed(told.people)),
      h("button", { class: "plain", type: "button", "aria-label": t("Close"), onclick: () => dialog.close() }, icon("close")),
    ),
    h("p", {}, t("They agree on {share} of what either labelled. Where they do not, the photo is coloured.", { share: percent(told.pixels) })),
    h("img", { class: "differs", alt: t("Where the two do not say the same"), src: `data:image/jpeg;base64,${told.differs}` }),
    h(
      "table",
      { class: "agreement" },
      h("tr", {}, h("th", {}, t("Class")), h("th", { class: "number" }, "IoU")),
      ...told.iou.map(([id, share]) =>
        h(
          "tr",
          {},
          h("td", {}, h("span", { class: "swatch", style: { background: classes.get(id)?.colour ?? "#808080" } }), classes.get(id)?.name ?? t("class {id}", { id })),
          h("td", { class: "number" }, percent(share)),
        ),
      ),
    ),
    team.may("review")
      ? h(
          "div",
          { class: "row wrap" },
          ...told.people.map((who) => decide(who, t("Take {who}’s", { who }))),
          decide("agreed", t("Keep what both say")),
        )
      : null,
  );
  dialog.showModal();
}
