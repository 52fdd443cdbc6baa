"""Simulated people: clicks placed where a mask is most wrong (NoC), and a label map corrected gesture by gesture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from textseg.project.operations import brush
from textseg.proposals import Point, Proposals

MOST_CLICKS = 20

Answer = Callable[[Sequence[Point]], np.ndarray]
"""All clicks so far -> (H, W) bool mask."""


@dataclass(frozen=True)
class Target:
    """One object to be clicked: `truth` (H, W) bool, scored where `valid` is True."""

    truth: np.ndarray
    valid: np.ndarray

    def iou(self, mask: np.ndarray) -> float:
        """Intersection over union of a mask with the object, over valid pixels."""
        union = (mask | self.truth) & self.valid
        return float((mask & self.truth & self.valid).sum() / max(union.sum(), 1))


def targets(
    ids: np.ndarray, classes: Sequence[int], ignored: Sequence[int] = (), least: float = 0.005
) -> Iterator[Target]:
    """The objects of a label map: connected parts of a class that cover at least the share `least` of it."""
    valid = ~np.isin(ids, list(ignored))
    for k in classes:
        parts, count = ndimage.label(ids == k)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        for part in range(1, count + 1):
            if sizes[part] >= least * ids.size:
                # The class's other parts are neither right nor wrong: objects may touch behind an ignored line.
                truth = parts == part
                yield Target(truth, valid)


def next_click(
    mask: np.ndarray, target: Target, taken: Sequence[Point] = (), jitter: np.random.Generator | None = None
) -> Point | None:
    """Where a person would click next, None when nothing is wrong.

    As in RITM's clicker (Sofiiuk et al., arXiv 2102.06583): of the missed and the false pixels, the side whose distance
    transform has the larger maximum gets a click at that maximum; clicked pixels are left out and the photo's border
    counts as an edge. With `jitter` the click falls anywhere in the largest disc that fits there, not at its centre.
    """
    free = target.valid.copy()
    for at_x, at_y, _ in taken:
        free[int(at_y), int(at_x)] = False
    depth = [_depth(target.truth & ~mask & free), _depth(mask & ~target.truth & free)]
    missed = depth[0].max() >= depth[1].max()
    inner = depth[0] if missed else depth[1]
    radius = float(inner.max())
    if radius <= 0:
        return None
    y, x = np.unravel_index(inner.argmax(), inner.shape)
    if jitter is not None:
        rows, columns = np.nonzero(inner > 0)
        near = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        chosen = jitter.integers(near.sum())
        y, x = rows[near][chosen], columns[near][chosen]
    return int(x), int(y), 1 if missed else -1


def click_through(
    answer: Answer,
    target: Target,
    clicks: int = MOST_CLICKS,
    goal: float = 1.0,
    jitter: np.random.Generator | None = None,
    least: int = 1,
) -> list[float]:
    """The IoU after each click, until `goal` (but at least `least` clicks, while any is left to place) or `clicks`."""
    points: list[Point] = []
    mask = np.zeros_like(target.truth)
    ious: list[float] = []
    while len(points) < clicks and (len(points) < least or ious[-1] < goal):
        click = next_click(mask, target, points, jitter)
        if click is None:
            break
        points.append(click)
        mask = answer(points)
        ious.append(target.iou(mask))
    return ious


def iou_after(ious: Sequence[float], clicks: int) -> float:
    """The IoU after `clicks` clicks; one who stopped earlier had nothing left to click."""
    return ious[min(clicks, len(ious)) - 1]


def clicks_to(ious: Sequence[float], goal: float, most: int = MOST_CLICKS) -> int | None:
    """How many clicks it took to reach `goal`, None when `most` did not suffice (NoC counts it as `most`)."""
    return next((i for i, iou in enumerate(ious[:most], start=1) if iou >= goal), None)


def _depth(region: np.ndarray) -> np.ndarray:
    """Distance of each pixel of `region` to its edge; the photo's border is an edge."""
    return ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]


@dataclass(frozen=True)
class Action:
    """One gesture of a simulated annotator."""

    tool: str
    """"unit", "box", "fill", "relabel" (a click or a drag each), or "brush" (a stroke)."""
    agreement: float
    """Share of the scored pixels that are right after it."""
    length: float = 0.0
    """How far a stroke goes, in pixels."""


def agreement(labels: np.ndarray, truth: np.ndarray) -> float:
    """Share (0..1) of the scored pixels, `truth` (H, W) >= 0, where `labels` says the same."""
    scored = truth >= 0
    return float((labels == truth)[scored].mean()) if scored.any() else 1.0


def correct(
    start: np.ndarray,
    truth: np.ndarray,
    proposals: Proposals | None = None,
    goal: float = 0.9,
    most: int = 100,
) -> Iterator[Action]:
    """What a person does to bring a label map to `goal` agreement with `truth` (H, W), -1 where it is not scored.

    Greedy: at the middle of the widest wrong place of one class (as in `next_click`), whichever gesture makes the most
    pixels right, less those that it makes wrong: with `proposals`, one of the masks under the pointer (the wheel shows
    each before the click), the mask of a box around the place, a fill, or a relabel; always a brush stroke. A stroke is
    one straight drag through the place, of the best of three widths and eight directions, as far as the class goes: it
    never spills over, which is a steadier hand than people have. So each gesture is one aimed movement.
    """
    labels = start.copy()
    for _ in range(most):
        if agreement(labels, truth) >= goal:
            return
        place = _widest(labels, truth)
        if place is None:
            return
        (x, y), wrong = place
        class_id = int(truth[y, x])
        candidates, worth = list(_strokes(truth, class_id, (x, y))), _worth(class_id, labels, truth)
        if proposals is not None:
            candidates += _clicks(proposals, labels, (x, y), wrong, worth)
        tool, mask, length = max(candidates, key=lambda one: int(worth[one[1]].sum()))
        labels[mask] = class_id
        yield Action(tool, agreement(labels, truth), length)


def _widest(labels: np.ndarray, truth: np.ndarray) -> tuple[tuple[int, int], np.ndarray] | None:
    """((x, y), (H, W) mask) of the deepest point of what is wrong, class by class; None when nothing is."""
    wrong = (labels != truth) & (truth >= 0)
    deepest, found = 0.0, None
    ids, pixels = np.unique(truth[wrong], return_counts=True)
    for class_id, area in sorted(zip(ids, pixels, strict=True), key=lambda one: -one[1]):
        if area < 2 * deepest**2:  # a disc that deep has more pixels
            break
        missed = wrong & (truth == class_id)
        depth = _depth(missed)
        if depth.max() > deepest:
            deepest = float(depth.max())
            y, x = np.unravel_index(depth.argmax(), depth.shape)
            found = (int(x), int(y)), missed
    if found is None:
        return None
    (at_x, at_y), missed = found
    parts, _ = ndimage.label(missed)
    return (at_x, at_y), parts == parts[at_y, at_x]


Gesture = tuple[str, np.ndarray, float]
"""(tool, (H, W) bool mask, length of the stroke)."""


def _strokes(truth: np.ndarray, class_id: int, at: tuple[int, int]) -> Iterator[Gesture]:
    """Straight drags through a pixel that stay within the class (unscored pixels may be painted)."""
    room = _depth((truth == class_id) | (truth < 0))
    (x, y), (height, width) = at, truth.shape
    for radius in {max(0.5, float(room[y, x]) / share) for share in (1, 2, 4)}:
        ends = []
        for angle in np.arange(16) * np.pi / 8:
            steps = np.arange(1, height + width)
            columns = np.rint(x + steps * np.cos(angle)).astype(int)
            rows = np.rint(y + steps * np.sin(angle)).astype(int)
            inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
            fits = np.zeros(len(steps), bool)
            fits[inside] = room[rows[inside], columns[inside]] >= radius
            reach = len(steps) if fits.all() else int(np.argmin(fits))
            ends.append((columns[reach - 1] + 0.5, rows[reach - 1] + 0.5) if reach else (x + 0.5, y + 0.5))
        for one, other in zip(ends[:8], ends[8:], strict=True):
            (x0, y0, x1, y1), inner = brush([one, other], radius, (width, height))
            mask = np.zeros(truth.shape, bool)
            mask[y0:y1, x0:x1] = inner
            yield "brush", mask, float(np.hypot(other[0] - one[0], other[1] - one[1]))


def _clicks(
    proposals: Proposals, labels: np.ndarray, at: tuple[int, int], wrong: np.ndarray, worth: np.ndarray
) -> Iterator[Gesture]:
    """What one click or drag at a pixel could label, for a place (H, W) that is `wrong`."""
    x, y = at
    found = 0
    for mask in proposals.hierarchy(x, y):
        unit = mask.to_array()
        found = max(found, int(worth[unit].sum()))
        yield "unit", unit, 0.0
    same = labels == labels[y, x]
    parts, _ = ndimage.label(same)
    yield "fill", parts == parts[y, x], 0.0
    yield "relabel", same, 0.0
    if 2 * found > wrong.sum():  # who sees a unit that does most of it draws no box
        return
    rows, columns = np.flatnonzero(wrong.any(1)), np.flatnonzero(wrong.any(0))
    box = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
    for mask in proposals.prompt(box=box)[:1]:
        yield "box", mask.to_array(), 0.0


def _worth(class_id: int, labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(H, W) int32: 1 where giving a pixel to the class makes it right, -1 where it makes it wrong, else 0."""
    right = (truth == class_id) & (labels != class_id)
    wrong = (labels == truth) & (truth != class_id) & (truth >= 0)
    return right.astype(np.int32) - wrong
