/** The dialog in which a class is renamed, recoloured, merged or deleted. */

import { h, icon } from "../shared/dom.js";
import { t } from "../shared/language.js";

/**
 * @param {HTMLDialogElement} dialog
 * @param {import("./store.js").ProjectClass} one
 * @param {import("./store.js").ProjectClass[]} others that its pixels may go to
 * @param {{onchange: function({name: string, colour: string}): Promise<string>, onclose: function(): void,
 *   ondelete: function(number|null): Promise<string>}} listeners the first two answer what is wrong, or ""; `ondelete`
 *   is told the class that the pixels go to
 */
export function changeClass(dialog, one, others, { onchange, ondelete, onclose }) {
  const name = h("input", { type: "text", value: [one.name, ...one.aliases].join("; "), autocomplete: "off" });
  const colour = h("input", { type: "color", value: one.colour });
  const into = h(
    "select",
    {},
    h("option", { value: "" }, t("unlabelled")),
    ...others.map(({ id, name }) => h("option", { value: id }, name)),
  );
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const settle = async (asked) => {
    const wrong = await asked;
    problem.hidden = !wrong;
    problem.replaceChildren(...(wrong ? [icon("warning"), h("span", {}, wrong)] : []));
    if (!wrong) dialog.close();
  };
  const save = (event) => {
    event.preventDefault();
    settle(onchange({ name: name.value, colour: colour.value }));
  };
  const remove = () => settle(ondelete(into.value ? Number(into.value) : null));
  dialog.replaceChildren(
    h(
      "form",
      { class: "class-form", onsubmit: save },
      h("h2", {}, t("Class {id}: {name}", { id: one.id, name: one.name })),
      problem,
      h("label", { class: "field" }, h("span", {}, t("Name")), name),
      h("label", { class: "field" }, h("span", {}, t("Colour")), colour),
      h("p", { class: "hint" }, t("What is labelled already keeps this class, whatever its name.")),
      h(
        "div",
        { class: "row" },
        h("button", { class: "button", type: "submit" }, t("Save")),
        h("button", { class: "button quiet", type: "button", onclick: () => dialog.close() }, t("Cancel")),
      ),
      h("hr", {}),
      h("label", { class: "field" }, h("span", {}, t("Its pixels become")), into),
      h(
        "div",
        { class: "row" },
        h("button", { class: "button quiet danger", type: "button", onclick: remove }, t("Delete this class")),
      ),
    ),
  );
  dialog.addEventListener("close", onclose, { once: true });
  dialog.showModal();
  name.select();
}
