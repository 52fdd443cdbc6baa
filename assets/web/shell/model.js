/** The model behind the pages: a chip that says how it is, and a panel with what it is and costs. */

import { hear, tell } from "../shared/bus.js";
import { h, icon } from "../shared/dom.js";
import { Chooser } from "./choose.js";
import { heard, t } from "../shared/language.js";
import { number } from "../shared/numbers.js";

/** @typedef {import("../shared/server.js").Server} Server */

const EAGER = 700; // milliseconds between two looks at a model that is loading, or a server that is away
const CALM = 5000; // and at one that is ready

/**
 * Look at the model again and again, and show how it is.
 * @param {Object<string, any>} part the header's parts: chip, dot, model, panel, banner
 * @param {Server} server
 * @param {string} version the program's
 */
export function watchModel(part, server, version) {
  let timer = 0,
    answers = null;
  const [live, choice] = [h("div", { class: "live" }), h("div")];
  [part.about, part.facts] = [h("div", { class: "about" }), h("dl")];
  part.panel.append(part.about, live, part.facts, choice);
  const look = async () => {
    const status = await server.call("status");
    if (status.ok) tell("status", status);
    clearTimeout(timer); // a click looks too
    const busy = !status.ok || status.state === "loading" || status.switch.running;
    timer = setTimeout(look, busy ? EAGER : CALM);
  };
  const chooser = new Chooser(live, choice, server, look);
  hear("status", (status) => {
    show(part, status, version);
    chooser.show(status);
    const by = status.key && `${status.key} ${status.proposals}`;
    if (answers && by && by !== answers) tell("model", status.name);
    answers = by ?? answers;
  });
  part.chip.addEventListener("click", () => part.panel.hidden || chooser.open());
  hear("reached", (reached) => {
    if (reached === !part.chip.classList.contains("away")) return;
    part.chip.classList.toggle("away", !reached);
    if (reached) return look();
    part.dot.className = "dot away";
    part.model.textContent = t("server away");
    part.chip.title = t("The server does not answer; what is on the page stays, and is tried again by itself");
  });
  part.chip.addEventListener("click", look);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  look();
}

function show(part, status, version) {
  const { state, name } = status;
  part.dot.className = `dot ${state}`;
  const note = {
    loading: t("loading"),
    ready: name === "lite" ? t("built in") : status.readout || heard(status.head ?? ""),
    fallback: t("fallback"),
    failed: t("failed"),
  };
  const does = status.switch?.running ? t("switching") : note[state];
  part.model.replaceChildren(short(name), h("span", { class: "note" }, ` · ${does}`));
  part.chip.title = {
    loading: t("The model is loading"),
    ready: t("The model is ready"),
    fallback: t("Another model had to be used"),
    failed: t("No model could be loaded"),
  }[state];
  part.banner.hidden = !status.notice;
  part.banner.replaceChildren();
  if (status.notice) {
    const used = state === "fallback" ? [t("The built-in model {name} is used instead.", { name })] : [];
    part.banner.append(icon("warning"), h("span", {}, [heard(status.notice), ...used].join(" ")));
  }
  const rows = [
    [t("Backbone"), name],
    [t("Readout"), status.readout ?? t("its own")],
    [t("Head"), status.head && heard(status.head)],
    [t("Masks by"), status.proposals],
    [t("Needs"), name === "lite" ? t("nothing: it came with the program") : t("its weights, once")],
    [
      t("Runs on"),
      { cpu: "CPU", cuda: "GPU (CUDA)", mps: "GPU (MPS)" }[status.device?.split(":")[0]] ?? status.device,
    ],
    [t("Loading took"), seconds(status.seconds)],
    [t("One photo takes"), status.encode_seconds ? seconds(status.encode_seconds) : t("not measured yet")],
    [t("Memory, at most"), status.memory_mb && `${number(status.memory_mb)} MB`],
    [t("Photos kept encoded"), status.scenes != null && `${status.scenes} (${status.scenes_mb} MB)`],
    [t("Works at"), status.short_side && t("{side} px, one answer every {step} px", { side: status.short_side, step: status.patch_stride })],
    [t("Licence"), status.licence && heard(status.licence)],
    [t("Program"), `textseg ${version}`],
  ];
  part.about.replaceChildren(
    h("h2", {}, state === "loading" ? t("Loading {name} ({seconds} s)", { name, seconds: Math.round(status.seconds) }) : short(name)),
    h("p", {}, ABOUT[name.split(":")[0]] ?? ""),
  );
  part.facts.replaceChildren(
    ...rows
      .filter(([, value]) => value)
      .flatMap(([term, value]) => [h("dt", {}, term), h("dd", { class: "number" }, String(value))]),
  );
}

const ABOUT = {
  lite: t("EfficientNet-Lite2 with MiniLM words. Small, and works with no network at all."),
  clip: t("An image-text model of open_clip, read out patch by patch."),
  hf: t("An image-text model of transformers, read out patch by patch."),
  dinov2: t("DINOv2 features with a trained head."),
  dinov3: t("DINOv3 features with a trained head."),
};

const short = (name) => name.replace(/^clip:/, "CLIP ").replace(/\/\/.*$/, " (file)");
const seconds = (value) => (value == null ? null : `${number(value, value < 10 ? 1 : 0)} s`);

