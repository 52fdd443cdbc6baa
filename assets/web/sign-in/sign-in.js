/** Signing in: name and password for a session, and back to the page that was asked for. */

import { followTheme } from "../shell/theme.js";

followTheme(() => {});
const form = /** @type {HTMLFormElement} */ (document.querySelector("[data-part=form]")),
  problem = /** @type {HTMLElement} */ (document.querySelector("[data-part=problem]")),
  button = form.querySelector("button");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = Object.fromEntries(new FormData(form));
  button.disabled = true;
  const answer = await fetch(location.pathname, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(told),
  })
    .then((reply) => reply.json())
    .catch(() => ({ ok: false, error: "The server does not answer; try again in a moment." }));
  button.disabled = false;
  if (answer.ok) return location.replace(`./${location.hash}`); // the address keeps its photo through the redirect
  problem.textContent = answer.error;
  problem.hidden = false;
  /** @type {HTMLInputElement} */ (form.elements.namedItem("password")).select();
});
