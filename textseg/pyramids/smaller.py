"""The smaller levels of a photo that has none: made once, in a file beside, so that seeing it whole is quick.

The file begins at a quarter of the photo's side (a sixteenth of its pixels) and has its own overviews. It is as lossy
as a JPEG of high quality; whatever is looked at more closely is read from the photo itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textseg.files import in_place_of
from textseg.pyramids.gdal import gdal

if TYPE_CHECKING:
    from textseg.pyramids import Pyramid

FACTOR = 4
SIDE, BLOCK = 256, 1024
"""Sides of a tile of the file, and of what is made at a time, in its pixels."""
QUALITY = 92


def lacks_levels(pyramid: Pyramid) -> bool:
    """Whether the photo's file has no level that is read in the place of one much larger."""
    sides = [max(size) for size in pyramid.own_levels]
    gaps = [larger / smaller for larger, smaller in zip(sides, sides[1:], strict=False)]
    return sides[-1] > 8 * BLOCK or max(gaps, default=1) > 2 * FACTOR


def make(pyramid: Pyramid, path: Path) -> None:
    """Write the levels to `path`, a block at a time; raises PhotoError, OSError."""
    width, height = (-(-side // FACTOR) for side in pyramid.size)
    profile: dict[str, Any] = {
        "driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8", "tiled": True,
        "blockxsize": SIDE, "blockysize": SIDE, "compress": "jpeg", "photometric": "ycbcr", "jpeg_quality": QUALITY,
        "interleave": "pixel", "bigtiff": "if_safer",
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with gdal(f"{pyramid.name} is read") as rasterio, in_place_of(path) as partial:
        with rasterio.open(partial, "w", **profile) as file:
            for top in range(0, height, BLOCK):
                for left in range(0, width, BLOCK):
                    size = min(BLOCK, width - left), min(BLOCK, height - top)
                    cut = rasterio.windows.Window(left, top, *size)
                    file.write(np.moveaxis(reduced(pyramid, (left, top), size, FACTOR), 2, 0), window=cut)
        factors = [2**k for k in range(1, 16) if max(width, height) >> k >= SIDE]
        if factors:
            with rasterio.open(partial, "r+") as file:
                file.build_overviews(factors, rasterio.enums.Resampling.average)


def reduced(pyramid: Pyramid, corner: tuple[int, int], size: tuple[int, int], by: int) -> np.ndarray:
    """(h, w, 3) of `size` (w, h) pixels from `corner` (x, y) on, of the photo made `by` times smaller.

    Each pixel is the mean of the same `by` x `by` pixels of the photo, whichever piece it is read with; where these
    reach over the photo's edge, or lie beside it, the pixel is that of its neighbour inside.
    """
    left, top = corner[0] * by, corner[1] * by
    within = min(size[0] * by, pyramid.width - left), min(size[1] * by, pyramid.height - top)
    whole = max(1, within[0] // by), max(1, within[1] // by)
    pixels = pyramid.read((left, top, left + whole[0] * by, top + whole[1] * by), whole)
    return np.pad(pixels, ((0, size[1] - whole[1]), (0, size[0] - whole[0]), (0, 0)), "edge")
