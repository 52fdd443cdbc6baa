"""What an evaluation found, for a file, for a person and as pictures."""

import io
from typing import Any

import numpy as np

from trainer.datasets import Dataset
from trainer.evaluate import Result


def summary(result: Result, dataset: Dataset, min_photos: int = 1) -> dict[str, Any]:
    """What `--json` holds; all scores in per cent, `per_class` by name for the classes that count."""
    iou, counted = result.confusion.iou(), result.confusion.counted(min_photos)
    return {
        "miou": _number(result.confusion.miou(min_photos)),
        "pixel_accuracy": _number(result.confusion.pixel_accuracy()),
        "per_class": {entry.name: _number(iou[k]) for k, entry in enumerate(dataset.classes) if counted[k]},
        "ece": _number(result.reliability.ece()),
        "photos": result.photos,
        "seconds": round(result.seconds, 2),
    }


def table(result: Result, dataset: Dataset, min_photos: int = 1) -> str:
    """The same for a person: one line a class, then the totals."""
    iou, counted = result.confusion.iou(), result.confusion.counted(min_photos)
    shown = [(entry.name, result.confusion.photos[k], iou[k]) for k, entry in enumerate(dataset.classes) if counted[k]]
    width = max([len(name) for name, _, _ in shown] + [len("pixel accuracy")])
    lines = [f"{'class':{width}}  photos    IoU"]
    lines += [f"{name:{width}}  {photos:6d}  {value:5.1f}" for name, photos, value in shown]
    lines += [
        "",
        f"{'mIoU':{width}}  {len(shown):6d} classes  {result.confusion.miou(min_photos):5.1f} %",
        f"{'pixel accuracy':{width}}  {result.photos:6d} photos   {result.confusion.pixel_accuracy():5.1f} %",
        f"{'time':{width}}  {result.seconds:6.1f} s",
    ]
    if result.reliability.pixels.any():
        lines.insert(-1, f"{'calibration':{width}}  expected error {result.reliability.ece():.3f}")
    return "\n".join(lines)


def draw_confusion(result: Result, dataset: Dataset, min_photos: int = 1) -> bytes:
    """A PNG: for each class of the ground truth (a row), the share of its pixels that went to each word (columns)."""
    from matplotlib.figure import Figure

    counted = np.flatnonzero(result.confusion.counted(min_photos))
    pixels = result.confusion.pixels[counted]
    share = 100 * pixels / pixels.sum(1, keepdims=True)
    others = 100 - share[:, counted].sum(1, keepdims=True)
    names = [dataset.classes[k].name for k in counted]
    side = 3.5 + 0.17 * len(names)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(np.hstack([share[:, counted], others]), cmap="viridis", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(names) + 1), [*names, "other or none"], rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("word that won")
    axes.set_ylabel("ground truth")
    axes.set_title(f"mIoU {result.confusion.miou(min_photos):.1f} % over {len(names)} classes, {result.photos} photos")
    figure.colorbar(picture, ax=axes, label="% of the class's pixels", shrink=0.6)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def draw_reliability(result: Result) -> bytes:
    """A PNG: of the pixels told a probability, how many are right (above) and how many there are (below)."""
    from matplotlib.figure import Figure

    of = result.reliability
    full = of.pixels > 0
    told, right = of.told[full] / of.pixels[full], of.right[full] / of.pixels[full]
    figure = Figure(figsize=(5, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], linestyle="--", color="grey", linewidth=1)
    above.plot(told, right, marker="o", color="black")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
    above.set_title(f"calibration error {of.ece():.3f}, {result.photos} photos", fontsize=11)
    centres = (np.arange(of.bins) + 0.5) / of.bins
    below.bar(centres, 100 * of.pixels / max(1, of.pixels.sum()), width=0.9 / of.bins, color="grey")
    below.set(xlabel="probability that was told", ylabel="% of pixels")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
