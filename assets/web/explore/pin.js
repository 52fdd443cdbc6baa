/** A point of the photo: the words there beside the pointer, and why it is what it is once it is pinned. */

import { debounce } from "../shared/dom.js";
import { Turns } from "../shared/turns.js";
import { LookTool } from "./tools.js";
import { bars, placeTip, whyHere } from "./why.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STRIDE = 16; // screen pixels that an arrow key moves the pin
const SETTLE = 60; // milliseconds that the pin rests before the server is asked about it

export class Pin {
  /** @param {import("./explore.js").Explore} page */
  constructor(page) {
    const { part, canvas, view } = page;
    this.page = page;
    this.part = part;
    this.canvas = canvas;
    this.layer = view.pin;
    this.turns = new Turns();
    canvas.tool = new LookTool({
      onhover: (point) => point?.pointer !== "touch" && this.tip(point),
      onpin: (point) => this.set(point),
    });
    canvas.element.addEventListener("keydown", (event) => {
      const move = ARROWS[event.key];
      if (!move || !page.answer) return;
      event.preventDefault();
      this.step(...move);
    });
    this.explainSoon = debounce(() => this.explain(), SETTLE);
  }

  get point() {
    return this.layer.point;
  }

  /** The top words beside a point; null takes them away. */
  tip(point) {
    this.part.tip.hidden = true;
    if (point && this.page.answer)
      placeTip(this.part.tip, point.screen, bars(this.page.answer, ...this.page.share(point.image)));
  }

  set(point) {
    if (!this.page.answer) return;
    this.layer.set(point.image);
    if (this.page.view.name === "masks") this.page.masks.pick(...this.page.share(point.image));
    this.canvas.redraw();
    if (point.pointer !== "mouse") this.tip(point); // a mouse has it already, where it hovers
    this.explainSoon();
  }

  /** Move by arrow keys, from the middle of what is seen. */
  step(dx, dy) {
    const { viewport } = this.canvas,
      stride = STRIDE / viewport.scale;
    const from = this.point ?? viewport.toImage(viewport.screen[0] / 2, viewport.screen[1] / 2);
    const to = [from[0] + dx * stride, from[1] + dy * stride];
    const image = to.map((value, axis) => Math.min(Math.max(value, 0.5), viewport.image[axis] - 0.5));
    this.set({ image, screen: viewport.toScreen(...image), pointer: "keyboard" });
  }

  letGo() {
    this.turns.begin();
    this.layer.set(null);
    this.page.masks.letGo();
    this.part.why.hidden = this.part.tip.hidden = true;
    this.canvas.redraw();
  }

  /** Why here: the words, the label and the nearest nouns at the pin. */
  async explain() {
    const { page, point } = this;
    if (!point || !page.answer) return;
    const current = this.turns.begin();
    const [x, y] = page.share(point);
    const { parts, near } = whyHere({
      pixel: point,
      label: page.labelAt(x, y),
      bars: bars(page.answer, x, y),
      unpin: () => this.letGo(),
    });
    this.part.why.replaceChildren(...parts);
    this.part.why.hidden = false;
    const reply = await page.connection.call("near", { x, y, head: page.head });
    if (current() && reply.ok) near(reply.words);
  }
}
