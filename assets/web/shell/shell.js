/** The header of every page: name, photo in hand, model chip and its panel, light and dark. */

import { h, icon, parts } from "../shared/dom.js";
import { hear, tell } from "../shared/bus.js";
import { Server } from "../shared/server.js";
import { followTheme } from "./theme.js";

const POLL = 700; // milliseconds between two looks at a model that is still loading

export function mount(root, functions, given) {
  const part = parts(root),
    server = new Server(functions);
  const toggle = followTheme((theme) => {
    part.theme.replaceChildren(icon(theme === "dark" ? "sun" : "moon"));
    part.theme.setAttribute("aria-label", theme === "dark" ? "Light theme" : "Dark theme");
  });
  part.theme.addEventListener("click", toggle);
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--chrome", `${root.getBoundingClientRect().height}px`);
  }).observe(root); // a banner makes the header taller; pages fill what is left
  openable(part.chip, part.panel);
  turnPages(part, given.project ? "label" : "explore");
  hear("photo", ({ name, size }) => {
    part.photo.replaceChildren(h("b", {}, name), h("span", { class: "number" }, ` ${size[0]} × ${size[1]}`));
  });
  hear("status", (status) => show(part, status, given));
  part.chip.addEventListener("click", () => look(server));
  watch(server);
}

/** The page in front is the one that the address names: `#explore`, or `#label` with a photo's id after a slash. */
function turnPages({ pages, title }, first) {
  const turn = () => {
    const named = location.hash.slice(1).split("/")[0];
    const links = [...pages.children];
    const shown = links.find((link) => link.hash === `#${named}`) ?? links.find((link) => link.hash === `#${first}`);
    const page = shown.hash.slice(1);
    document.body.dataset.page = page;
    for (const link of links) {
      if (link === shown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    title.textContent = shown.textContent;
    document.title = `${shown.textContent} · textseg`;
    tell("page", page);
  };
  window.addEventListener("hashchange", turn);
  turn();
}

/** Ask for the status until the model has settled. */
async function watch(server) {
  const status = await look(server);
  if (!status.ok || status.state === "loading") setTimeout(() => watch(server), POLL);
}

async function look(server) {
  const status = await server.call("status");
  if (status.ok) tell("status", status);
  return status;
}

function show(part, status, given) {
  const { state, name } = status;
  part.dot.className = `dot ${state}`;
  const note = {
    loading: "loading",
    ready: name === "lite" ? "offline" : status.readout || status.head,
    fallback: "fallback",
    failed: "failed",
  };
  part.model.replaceChildren(short(name), h("span", { class: "note" }, ` · ${note[state]}`));
  part.chip.title = {
    loading: "The model is loading",
    ready: "The model is ready",
    fallback: "Another model had to be used",
    failed: "No model could be loaded",
  }[state];
  part.banner.hidden = !status.notice;
  part.banner.replaceChildren();
  if (status.notice) {
    const used = state === "fallback" ? ` The built-in model ${name} is used instead.` : "";
    part.banner.append(icon("warning"), h("span", {}, status.notice + used));
  }
  const rows = [
    ["Backbone", name],
    ["Readout", status.readout ?? "its own"],
    ["Head", status.head],
    ["Needs", name === "lite" ? "nothing: it came with the program" : "its weights, once"],
    [
      "Runs on",
      { cpu: "CPU", cuda: "GPU (CUDA)", mps: "GPU (MPS)" }[status.device?.split(":")[0]] ?? status.device,
    ],
    ["Loading took", seconds(status.seconds)],
    ["One photo takes", status.encode_seconds ? seconds(status.encode_seconds) : "not measured yet"],
    ["Memory, at most", status.memory_mb && `${status.memory_mb.toLocaleString("en")} MB`],
    ["Photos kept encoded", status.scenes != null && `${status.scenes} (${status.scenes_mb} MB)`],
    ["Works at", status.short_side && `${status.short_side} px, one answer every ${status.patch_stride} px`],
    ["Licence", status.licence],
    ["Program", `textseg ${given.version}`],
  ];
  part.panel.replaceChildren(
    h("h2", {}, state === "loading" ? `Loading ${name} (${Math.round(status.seconds)} s)` : short(name)),
    h("p", {}, ABOUT[name.split(":")[0]] ?? ""),
    h(
      "dl",
      {},
      ...rows
        .filter(([, value]) => value)
        .flatMap(([term, value]) => [h("dt", {}, term), h("dd", { class: "number" }, String(value))]),
    ),
    h("p", { class: "hint" }, "Another model: ", h("code", {}, "textseg serve --backbone NAME --head FILE")),
  );
}

const ABOUT = {
  lite: "EfficientNet-Lite2 with MiniLM words. Small, and works with no network at all.",
  clip: "An open_clip vision transformer, read out densely.",
  dinov2: "DINOv2 features with a trained head.",
  dinov3: "DINOv3 features with a trained head.",
};

const short = (name) => name.replace(/^clip:/, "CLIP ").replace(/\/\/.*$/, " (file)");
const seconds = (value) => (value == null ? null : `${value < 10 ? value.toFixed(1) : Math.round(value)} s`);

/** A button that opens a panel; Escape and a click elsewhere close it. */
function openable(button, panel) {
  const set = (open) => {
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  };
  button.addEventListener("click", () => set(panel.hidden));
  document.addEventListener("pointerdown", (event) => {
    if (!panel.hidden && !panel.contains(event.target) && !button.contains(event.target)) set(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) {
      set(false);
      button.focus();
    }
  });
}
