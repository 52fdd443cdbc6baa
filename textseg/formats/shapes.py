"""Shapes laid one over the other into a label map: what outline formats have in common. Needs `textseg[formats]`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from textseg.errors import DatasetError, brief
from textseg.formats import clipping, polygons
from textseg.formats.incoming import Incoming
from textseg.formats.source import Source
from textseg.formats.tally import CLIPPED, EMPTY, OUTSIDE, BadAnnotation

Size = tuple[int, int]


@dataclass(frozen=True)
class Rings:
    """A closed outline, (N, 2) corners in pixels, and the outlines of its holes."""

    outline: np.ndarray
    holes: tuple[np.ndarray, ...] = ()


def rectangle(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """(4, 2) corners of a box."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def ellipse(x: float, y: float, across: float, down: float) -> np.ndarray:
    """(360, 2) corners of an ellipse about (x, y) with these half axes."""
    turn = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    return np.column_stack([x + across * np.cos(turn), y + down * np.sin(turn)])


@dataclass(frozen=True)
class Patch:
    """A mask, (h, w) bool, whose upper left pixel lies at column `x` and row `y` of the photo."""

    mask: np.ndarray
    x: int = 0
    y: int = 0


@dataclass(frozen=True)
class Shape:
    where: str
    """File and field, for messages."""
    number: int
    """The class, or 0: what lies there is erased."""
    draw: Callable[[Size], Rings | Patch]
    """(width, height) of the upright photo -> what is painted; raises BadAnnotation or DatasetError."""


def painter(
    source: Source, incoming: Incoming, shapes: Sequence[Shape], size_told: Size | None = None, where: str = ""
) -> Callable[[Size], np.ndarray]:
    """A function (width, height) -> (H, W) class numbers: the shapes in their order, the later one seen.

    Bad ones are left out, what reaches over the edge is clipped. `size_told` is what the file says of the photo.
    """

    def labels(size: Size) -> np.ndarray:
        if size_told is not None and size_told != size:
            raise DatasetError(f"{where} says {size_told[0]} x {size_told[1]} but the photo is {size[0]} x {size[1]}.")
        ids = np.zeros(size[::-1], np.int32)
        outlines: list[tuple[Sequence[np.ndarray], int]] = []
        covered = 0
        for shape in shapes:
            with source.sparing():
                drawn = shape.draw(size)
                if isinstance(drawn, Patch):
                    covered += polygons.paint_rings(ids, outlines)
                    outlines = []
                    covered += _paste(source, ids, drawn, shape)
                else:
                    if len(drawn.outline) < 3:
                        sentence = f"{shape.where} has {len(drawn.outline)} points; at least 3 are needed."
                        raise BadAnnotation(EMPTY, shape.where, sentence)
                    if clipping.beyond(drawn.outline, size):
                        source.tally.add(CLIPPED, shape.where)
                    outlines.append(((drawn.outline, *(hole for hole in drawn.holes if len(hole) > 2)), shape.number))
        covered += polygons.paint_rings(ids, outlines)
        if covered:
            incoming.note("Shapes overlap; a label map holds one class a pixel, and the later one is seen.")
        return ids

    return labels


def _paste(source: Source, ids: np.ndarray, patch: Patch, shape: Shape) -> int:
    """Lay a mask into the map as far as it lies in it; returns how many pixels of other classes it covers."""
    height, width = ids.shape
    x, y, mask = patch.x, patch.y, patch.mask
    right, bottom = x + mask.shape[1], y + mask.shape[0]
    if x < 0 or y < 0 or right > width or bottom > height:
        leaves = f"{shape.where} lies at {brief([x, y, right, bottom])}, which leaves the photo of {width} x {height}."
        if right <= 0 or bottom <= 0 or x >= width or y >= height:
            raise BadAnnotation(OUTSIDE, shape.where, leaves)
        source.mend(CLIPPED, shape.where, leaves)
    mask = mask[max(0, -y) : height - y, max(0, -x) : width - x]
    under = ids[max(0, y) : bottom, max(0, x) : right]
    covered = int(np.count_nonzero(mask & (under != 0) & (under != shape.number)))
    under[mask] = shape.number
    return covered
