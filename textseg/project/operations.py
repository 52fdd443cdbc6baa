"""What a gesture does to a label map: which pixels it paints, and with which class.

Coordinates are image pixels, origin top left, x to the right; a pixel is painted when its centre, at +0.5, lies inside.
Each operation is checked here before anything is read or written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from textseg import images, rle
from textseg.errors import DatasetError, EditError, brief
from textseg.project.raster import Box
from textseg.project.windows import Window

MAX_POINTS = 20_000

MOST_AT_ONCE = 2**25
"""Pixels around what one gesture paints in a huge photo; memory is bounded by them. A smaller photo has no bound."""


def brush(points: Sequence[Sequence[float]], radius: float, size: tuple[int, int]) -> tuple[Box, np.ndarray]:
    """(box, mask) of the pixels whose centres lie within `radius` of the polyline; a single point paints a disc."""
    line = _points(points, 1)
    if not isinstance(radius, (int, float)) or not 0 < radius <= 2000:  # also for no number, and for 10 ** 400
        raise EditError(f"A brush radius is a number from 0 to 2000 pixels, not {brief(radius)}.")
    box = _clip((*(line.min(0) - radius), *(line.max(0) + radius)), size)
    check_extent(box, size)
    x0, y0, x1, y1 = box
    mask = np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), bool)
    starts, ends = line, line[1:] if len(line) > 1 else line
    for (ax, ay), (bx, by) in zip(starts, ends, strict=False):
        # Only the pixels near this piece are looked at, so a long stroke costs its length and not its box.
        left, top, right, bottom = _clip(
            (min(ax, bx) - radius, min(ay, by) - radius, max(ax, bx) + radius, max(ay, by) + radius), size
        )
        if left >= right or top >= bottom:
            continue
        x, y = np.arange(left, right) + 0.5 - ax, (np.arange(top, bottom) + 0.5 - ay)[:, None]
        dx, dy = bx - ax, by - ay
        length = dx * dx + dy * dy
        along = np.clip((x * dx + y * dy) / length, 0, 1) if length else 0.0
        near = (x - along * dx) ** 2 + (y - along * dy) ** 2 <= radius * radius
        mask[top - y0 : bottom - y0, left - x0 : right - x0] |= near
    return box, mask


def polygon(points: Sequence[Sequence[float]], size: tuple[int, int]) -> tuple[Box, np.ndarray]:
    """(box, mask) of the pixels whose centres lie inside the closed polygon (even-odd rule)."""
    corners = _points(points, 3)
    box = _clip((*corners.min(0), *corners.max(0)), size)
    check_extent(box, size)
    x0, y0, x1, y1 = box
    mask = np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), bool)
    if not mask.size:
        return box, mask
    centres = np.arange(x0, x1) + 0.5
    for row in range(len(mask)):
        y = y0 + row + 0.5
        ax, ay = corners.T
        bx, by = np.roll(corners, -1, axis=0).T
        crossing = (ay <= y) != (by <= y)
        at = np.sort(ax[crossing] + (y - ay[crossing]) * (bx - ax)[crossing] / (by - ay)[crossing])
        mask[row] = np.searchsorted(at, centres, side="right") % 2 == 1
    return box, mask


def fill(point: Sequence[float], ids: np.ndarray, origin: tuple[int, int] = (0, 0)) -> np.ndarray:
    """(H, W) mask of the connected pixels (4-neighbours) that share the id under `point`.

    `origin` is where `ids` begin in the photo: what is connected outside of them does not count.
    """
    from skimage.segmentation import flood

    (px, py), (left, top), (height, width) = _points([point], 1)[0], origin, ids.shape
    x, y = px - left, py - top
    if not (0 <= x < width and 0 <= y < height):
        raise EditError(
            f"The point ({px:g}, {py:g}) lies outside of what is filled, ({left}, {top}) to ({left + width}, "
            f"{top + height})."
        )
    return flood(ids.astype(np.int32), (int(y), int(x)), connectivity=1)


def region(code: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """(H, W) mask of a COCO RLE of a photo of `size` (width, height)."""
    check_extent((0, 0, *size), size)
    return _decoded(code, size)


def region_in(window: Window, code: Mapping[str, Any], size: tuple[int, int]) -> tuple[Box, np.ndarray]:
    """(box, mask) of a COCO RLE of the cells of a window onto a photo of `size` (width, height)."""
    check_extent((0, 0, *window.size), size)
    box, cells = window.around(_decoded(code, window.size))
    check_extent(box, size)
    return box, window.enlarged(cells, box)


def _decoded(code: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    try:
        return rle.decode(code, size, "The region")
    except DatasetError as error:
        raise EditError(f"This is not a COCO run-length code of the photo: {error}") from None


def scope(window: Window | None, size: tuple[int, int]) -> Box:
    """Where a gesture without a shape of its own works: in a window, or the whole of a photo that is not huge."""
    box = (0, 0, *size) if window is None else window.box
    check_extent(box, size)
    return box


def check_extent(box: Box, size: tuple[int, int]) -> None:
    """Raise EditError for more of a huge photo than is changed at once."""
    x0, y0, x1, y1 = box
    if size[0] * size[1] > images.MAX_PIXELS and (x1 - x0) * (y1 - y0) > MOST_AT_ONCE:
        raise EditError(
            f"That reaches over {x1 - x0:,} x {y1 - y0:,} pixels; in a photo of this size about "
            f"{MOST_AT_ONCE // 10**6} megapixels are changed at once: zoom in, or do it in parts."
        )


def _points(points: Any, least: int) -> np.ndarray:
    """(N, 2) float coordinates; raises EditError for anything else."""
    try:
        line = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        line = np.empty(0)
    if line.ndim != 2 or line.shape[1] != 2 or len(line) < least:
        raise EditError(f"A gesture needs at least {least} point(s), each two numbers [x, y].")
    if len(line) > MAX_POINTS:
        raise EditError(f"A gesture has {len(line)} points; the limit is {MAX_POINTS}.")
    if not np.isfinite(line).all() or np.abs(line).max() > 1e7:
        raise EditError("A coordinate of the gesture is not a number within reach of the photo.")
    return line


def _clip(box: tuple[float, float, float, float], size: tuple[int, int]) -> Box:
    """The smallest box of whole pixels around `box` that lies inside the photo; empty when they do not meet."""
    width, height = size
    x0, y0 = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
    return (
        min(x0, width),
        min(y0, height),
        min(max(math.ceil(box[2]), x0), width),
        min(max(math.ceil(box[3]), y0), height),
    )
