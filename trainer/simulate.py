"""Simulated people: clicks placed where a mask is most wrong, and how many it takes (NoC)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from textseg.proposals import Point

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
