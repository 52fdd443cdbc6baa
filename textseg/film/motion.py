"""What moved where between two frames: for each pixel the place it comes from, and how far that can be relied on.

Two optical flows compete in each place: iterative Lucas-Kanade (Le Besnerais & Champagnat, ICIP 2005), which follows
large motions of all, and TV-L1 (Zach, Pock & Bischof, DAGM 2007), which keeps the edges of small things; both are
scikit-image's. The one that leads back, and to what looks alike, wins. Both at a small size: what is asked is which
label a pixel takes along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

from textseg import grids

SIDE = 160
"""Long side of the copies that are compared."""

ASTRAY, UNLIKE = 1.4, 1.0
"""Pixels of those copies that the way forth and back may miss by, and standard deviations of brightness that what is
found there may differ by, for a reliability of 1/e."""

NEAR = 2.0
"""Pixels over which the flows are compared."""

ROWS = 512
"""Of the photo, that are carried at a time."""


@dataclass(frozen=True)
class Motion:
    """Where the pixels of a frame come from in another one."""

    flow: np.ndarray
    """(2, h, w): how far down and to the right, as shares of the height and the width."""
    reliable: np.ndarray
    """(h, w) float32, 0..1; 0 for what comes from outside."""

    def carried(self, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """What of (H', W') values of the other frame comes to each pixel of this one, which is (H, W) = `size`."""
        height, width = size
        carried = np.empty(size, values.dtype)
        columns = (np.arange(width) + 0.5) / width
        for rows, (down, right) in self._enlarged(size):
            y = (np.arange(rows.start, rows.stop)[:, None] + 0.5) / height + down
            x = columns + right
            carried[rows] = values[_at(y, len(values)), _at(x, values.shape[1])]
        return carried

    def _enlarged(self, size: tuple[int, int]) -> Iterator[tuple[slice, np.ndarray]]:
        """The flow at (H, W), some rows at a time."""
        height, width = size
        left, right, across = grids.between(width, self.flow.shape[2])
        above, below, share = grids.between(height, self.flow.shape[1])
        wide = self.flow[:, :, left] * (1 - across) + self.flow[:, :, right] * across
        for first in range(0, height, ROWS):
            rows = slice(first, min(first + ROWS, height))
            part = share[rows][:, None]
            yield rows, (wide[:, above[rows]] * (1 - part) + wide[:, below[rows]] * part).astype(np.float32)


def between(frame: Image.Image, other: Image.Image) -> Motion:
    """The motion from `other` to `frame`, which may differ in size but show the same."""
    from skimage.registration import optical_flow_ilk, optical_flow_tvl1

    scale = SIDE / max(frame.size)
    size = max(16, round(frame.width * scale)), max(16, round(frame.height * scale))
    here, there = _brightness(frame, size), _brightness(other, size)
    flow, reliable = _guessed(here, there, optical_flow_ilk, radius=5, num_warp=5)
    guess, trust = _guessed(here, there, optical_flow_tvl1, num_warp=3, num_iter=8)
    better = gaussian_filter(trust, NEAR) > gaussian_filter(reliable, NEAR)
    flow, reliable = np.where(better, guess, flow), np.where(better, trust, reliable)
    shares = flow / np.array(here.shape, np.float32)[:, None, None]
    return Motion(shares.astype(np.float32), reliable.astype(np.float32))


def _brightness(photo: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """(h, w) brightness with mean 0 and deviation 1: a camera that opens its iris moves nothing."""
    grey = np.asarray(photo.convert("L").resize(size, Image.Resampling.BOX), np.float32) / 255
    return (grey - grey.mean()) / (grey.std() + 1e-3)


def _guessed(
    here: np.ndarray, there: np.ndarray, find: Callable[..., np.ndarray], **how: Any
) -> tuple[np.ndarray, np.ndarray]:
    """((2, h, w) a flow in pixels, (h, w) how far it can be relied on): it leads back, and to what looks alike."""
    flow, back = find(here, there, **how), find(there, here, **how)
    height, width = here.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    place = np.stack([y + flow[0], x + flow[1]])
    found = [map_coordinates(values, place, order=1, mode="nearest") for values in (there, back[0], back[1])]
    astray = np.hypot(flow[0] + found[1], flow[1] + found[2])
    unlike = np.sqrt(uniform_filter((here - found[0]) ** 2, 5))
    inside = (place[0] > -0.5) & (place[0] < height - 0.5) & (place[1] > -0.5) & (place[1] < width - 0.5)
    return flow, np.exp(-((astray / ASTRAY) ** 2) - (unlike / UNLIKE) ** 2) * inside


def _at(shares: np.ndarray, count: int) -> np.ndarray:
    """The pixel of `count` that lies at each share of a side."""
    return np.clip(np.floor(shares * count), 0, count - 1).astype(np.intp)
