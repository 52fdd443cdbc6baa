"""Outlines that reach beyond their photo, cut along its edge: not one pixel inside changes."""

from __future__ import annotations

import numpy as np

SLACK = 1.0
"""Pixels by which an outline may lie beyond the edge by rounding."""


def beyond(corners: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether one of the (N, 2) corners lies more than a pixel beyond a photo of `size` (width, height)."""
    return bool((corners < -SLACK).any() or (corners > np.add(size, SLACK)).any())


def length(corners: np.ndarray) -> float:
    """How many pixels a closed outline of (N, 2) corners passes, along the longer side of each stretch."""
    return float(np.abs(corners - np.roll(corners, 1, axis=0)).max(1).sum()) if len(corners) else 0.0


def clipped(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The (M, 2) corners of what of an outline lies in the photo of `size`, with a pixel around it; M = 0 for nothing.

    Cut along one side after the other (Sutherland and Hodgman, Reentrant Polygon Clipping, 1974).
    """
    if not beyond(corners, size):
        return corners
    for axis in (0, 1):
        for sign, bound in ((1.0, -SLACK), (-1.0, size[axis] + SLACK)):
            corners = _cut(corners, axis, sign, bound)
    return corners


def _cut(corners: np.ndarray, axis: int, sign: float, bound: float) -> np.ndarray:
    """What lies on the side of `bound` where `sign` times the coordinate is larger."""
    if not len(corners):
        return corners
    before = np.roll(corners, 1, axis=0)
    inside = sign * (corners[:, axis] - bound) >= 0
    crosses = inside != np.roll(inside, 1)
    step = np.where(crosses, corners[:, axis] - before[:, axis], 1.0)
    at = before + (corners - before) * ((bound - before[:, axis]) / step)[:, None]
    at[:, axis] = bound
    both = np.stack([at, corners], axis=1).reshape(-1, 2)
    return both[np.stack([crosses, inside], axis=1).ravel()]
