/** What was painted and is not saved yet, in a tint of its class. */

const TINT = 0.35;

/** A brush stroke. */
export class Stroke {
  /** @param {{id: number, colour: string}} paint @param {number} radius @param {[number, number][]} points */
  constructor(paint, radius, points) {
    this.paint = paint;
    this.radius = radius;
    this.points = points;
  }

  draw(context) {
    context.globalAlpha = TINT;
    context.lineWidth = 2 * this.radius;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = this.paint.colour;
    context.beginPath();
    context.moveTo(...this.points[0]);
    for (const point of this.points) context.lineTo(...point);
    context.stroke();
    context.globalAlpha = 1;
  }
}

/** A polygon. */
export class Outline {
  /** @param {{id: number, colour: string}} paint @param {[number, number][]} points */
  constructor(paint, points) {
    this.paint = paint;
    this.points = points;
  }

  draw(context) {
    context.globalAlpha = TINT;
    context.fillStyle = this.paint.colour;
    context.beginPath();
    for (const point of this.points) context.lineTo(...point);
    context.fill("evenodd");
    context.globalAlpha = 1;
  }
}

/** A mask. */
export class MaskSketch {
  /** @param {import("../../canvas/mask.js").RegionMask} mask @param {{id: number, colour: string}} paint */
  constructor(mask, paint) {
    this.mask = mask;
    this.paint = paint;
  }

  draw(context, view) {
    this.mask.draw(context, view, this.paint.colour, TINT);
  }
}

/** Stroke the context's path in a colour over a dark line, so that it is seen on any photo. */
export function twice(context, scale, colour, width, draw) {
  for (const [line, style] of [
    [width + 2, "rgb(0 0 0 / 60%)"],
    [width, colour],
  ]) {
    context.lineWidth = line / scale;
    context.strokeStyle = style;
    context.beginPath();
    draw();
    context.stroke();
  }
}
