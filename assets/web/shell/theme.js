/** Light or dark: the system's choice, unless a person chose here. */

const KEY = "textseg-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

/** @returns {"light"|"dark"} */
export function theme() {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

/** Follow the system, or what was chosen before; call `onchange` at each change. Returns the switch. */
export function followTheme(onchange) {
  let chosen = stored();
  const apply = () => {
    const dark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.body.classList.toggle("dark", dark); // what Gradio's own parts look at
    onchange(theme());
  };
  system.addEventListener("change", apply);
  apply();
  return () => {
    chosen = theme() === "dark" ? "light" : "dark";
    store(chosen);
    apply();
  };
}

// Storage may be forbidden: then a choice lasts as long as the page.

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    return;
  }
}
