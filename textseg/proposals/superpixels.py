"""Superpixels: small even patches of like colour, found on a copy of half the size and brought to the photo's edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from textseg import images
from textseg.model.partition import WORKING_SIDE

SUPERPIXELS = 1500
HALVED = WORKING_SIDE // 2
"""Where the working copy's long side is larger than this, superpixels are found on half of it: a fifth of the time."""
COMPACTNESS = 0.15
"""Of the watershed at the working size; at half of it the gradient is twice as steep and ways are half as long."""
STAY = 0.8
"""A pixel changes to the superpixel beside it when it is so much nearer to that one's colour than to its own's."""


@dataclass(frozen=True)
class Superpixels:
    """R superpixels of a copy of the photo whose long side is at most 640."""

    ids: np.ndarray
    """(h, w) int32 at the working size, 0..R-1 without gaps."""
    coarse: np.ndarray
    """(h', w') the same at the size they were found at: that of `ids`, or half of it."""
    lab: np.ndarray
    """(h', w', 3) float32 CIELAB colours."""

    @classmethod
    def of(cls, photo: Image.Image) -> Superpixels:
        from skimage.color import rgb2lab

        working = images.limit(photo, WORKING_SIDE)
        small = working.reduce(2) if max(working.size) > HALVED else working
        pixels = np.asarray(small)
        lab = rgb2lab(pixels.astype(np.float32) / 255).astype(np.float32)
        coarse = _watershed(lab, step=1 if small is working else 2)
        ids = coarse if small is working else sharpened(coarse, pixels, np.asarray(working))
        return cls(ids, coarse, lab)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """(R, C) mean of (h', w', C) values over each superpixel as it was found."""
        flat = self.coarse.ravel()
        pixels = np.bincount(flat)
        return np.stack([np.bincount(flat, values[..., k].ravel()) / pixels for k in range(values.shape[2])], 1)

    def centres(self) -> np.ndarray:
        """(R, 2) mean x, y in pixels of the working size."""
        flat, (rows, columns) = self.coarse.ravel(), self.coarse.shape
        x, y = np.tile(np.arange(columns) + 0.5, rows), np.repeat(np.arange(rows) + 0.5, columns)
        step = 1 if self.ids is self.coarse else 2
        return step * np.stack([np.bincount(flat, x), np.bincount(flat, y)], 1) / np.bincount(flat)[:, None]


def _watershed(lab: np.ndarray, step: int) -> np.ndarray:
    """(h, w) compact watershed (Neubert & Protzel, ICPR 2014) of the gradient: SLIC's evenness, sharper borders.

    `step` is how many pixels of the working size one of `lab` stands for, along a side.
    """
    from skimage.segmentation import watershed

    gradient = np.sqrt(sum(ndimage.gaussian_gradient_magnitude(lab[..., i], 1 / step) ** 2 for i in range(3)))
    markers = max(1, min(SUPERPIXELS, lab.shape[0] * lab.shape[1] // 16))
    found = watershed(gradient, markers=markers, compactness=COMPACTNESS * step**2).ravel()
    used = np.bincount(found) > 0
    return (used.cumsum(dtype=np.int32) - 1)[found].reshape(lab.shape[:2])


def sharpened(coarse: np.ndarray, small: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(h, w) superpixels of `pixels` (h, w, 3) from those of `small`, the same photo at half the size.

    A pixel may change to the superpixel that its own side touches, above or beside it, whose mean colour it is nearer
    to. Of those that have no pixel inside none leaves, so that no superpixel is lost.
    """
    height, width = pixels.shape[:2]
    fine = coarse.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    around = np.pad(coarse, 1, mode="edge")
    rows, columns = coarse.shape
    near = {step: around[1 + step : 1 + step + rows, 1:-1] for step in (-1, 1)}
    beside = {step: around[1:-1, 1 + step : 1 + step + columns] for step in (-1, 1)}
    rim = np.logical_or.reduce([other != coarse for other in (*near.values(), *beside.values())])
    flat, count = coarse.ravel(), int(coarse.max()) + 1
    free = rim & (np.bincount(coarse[~rim], minlength=count) > 0)[coarse]
    colours = np.stack([np.bincount(flat, small[..., k].ravel(), count) for k in range(3)], 1)
    colours = (colours / np.bincount(flat)[:, None]).astype(np.float32)
    for down, other in near.items():
        for right, side in beside.items():
            y, x = np.nonzero(free & ((other != coarse) | (side != coarse)))
            at = 2 * y + (down > 0), 2 * x + (right > 0)
            if height % 2 or width % 2:
                within = (at[0] < height) & (at[1] < width)
                y, x, at = y[within], x[within], (at[0][within], at[1][within])
            colour = pixels[at].astype(np.float32)
            best = coarse[y, x]
            least = STAY * _apart(colour, colours[best])
            for choice in (other[y, x], side[y, x]):
                far = _apart(colour, colours[choice])
                nearer = far < least
                best, least = np.where(nearer, choice, best), np.where(nearer, far, least)
            fine[at] = best
    return fine


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(N,) the sum of the differences of (N, 3) colours."""
    gap = np.abs(one - other)
    return gap[:, 0] + gap[:, 1] + gap[:, 2]
