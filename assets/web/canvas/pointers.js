/** Pointers on a canvas: one is the tool's; two zoom and move the photo, whatever the tool. */

/**
 * Give the tool in hand of a canvas its pointers; two fingers are the canvas's own, and the wheel if the tool leaves it.
 * @param {import("./canvas.js").Canvas} canvas
 */
export function listen(canvas) {
  const { element, pointers } = canvas;
  let pinched = false;
  element.addEventListener("pointerdown", (event) => {
    if (!canvas.accepts(event)) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, canvas.point(event).screen);
    if (pointers.size === 1) canvas.tool?.press(canvas, canvas.point(event));
    else canvas.tool?.cancel?.(canvas); // a second finger: this is a pinch
  });
  element.addEventListener("pointermove", (event) => {
    const point = canvas.point(event);
    if (pointers.size === 2 && pointers.has(event.pointerId)) {
      pinched = true;
      pinch(canvas, event.pointerId, point.screen);
    } else if (pointers.has(event.pointerId)) canvas.tool?.drag(canvas, point);
    else canvas.tool?.hover(canvas, point);
  });
  const up = (event) => {
    const alone = pointers.size === 1;
    if (!pointers.delete(event.pointerId)) return;
    if (event.type === "pointercancel") canvas.tool?.cancel?.(canvas);
    else if (alone && !pinched) canvas.tool?.release(canvas, canvas.point(event));
    if (pointers.size === 0) pinched = false;
  };
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") canvas.tool?.leave(canvas); // a finger leaves at the end of every tap
  });
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (canvas.tool?.wheel?.(canvas, canvas.point(event))) return;
      const lines = event.deltaMode === 1 ? 16 : 1;
      canvas.zoom(Math.exp(-event.deltaY * lines * 0.002), ...canvas.point(event).screen);
    },
    { passive: false },
  );
}

/** Two fingers: zoom about their middle, and move with it. */
function pinch(canvas, id, to) {
  const [first, second] = [...canvas.pointers.entries()];
  const other = first[0] === id ? second[1] : first[1];
  const from = canvas.pointers.get(id);
  const distance = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
  canvas.viewport.pan((to[0] - from[0]) / 2, (to[1] - from[1]) / 2);
  canvas.pointers.set(id, to);
  canvas.zoom(distance(to, other) / distance(from, other), (to[0] + other[0]) / 2, (to[1] + other[1]) / 2);
}
