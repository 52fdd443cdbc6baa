"""Label maps of huge photos as files, written by windows: tiled GeoTIFF, and PNG made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textseg.files import in_place_of
from textseg.labelmap import rgb
from textseg.pyramids import Box
from textseg.pyramids.gdal import driver, gdal

SIDE, BLOCK = 512, 2048
"""Sides of a tile of the file, and of what is written at a time, in pixels."""

Read = Callable[[Box], np.ndarray]
"""Gives the (h, w) class ids of a box in full pixels."""


def write_tiff(path: Path, size: tuple[int, int], read: Read, colours: Sequence[str], like: Path | None) -> None:
    """Write the class ids of a photo of `size` (width, height) as a tiled GeoTIFF with overviews.

    `colours[k - 1]` is that of id k; above 255 classes the ids have 16 bits and no colours. It lies on earth where
    `like`, the file of its photo, says. Each pixel is read once. Raises PhotoError where GDAL is missing, OSError where
    the disk is full.
    """
    wide = len(colours) > 255
    with gdal("A label map of this size is written") as rasterio, in_place_of(path) as partial:
        profile: dict[str, Any] = {
            "driver": "GTiff", "width": size[0], "height": size[1], "count": 1, "dtype": "uint16" if wide else "uint8",
            "tiled": True, "blockxsize": SIDE, "blockysize": SIDE, "compress": "deflate", "bigtiff": "if_safer",
            **_place(rasterio, like),
        }  # fmt: skip
        try:
            with rasterio.open(partial, "w", **profile) as file:
                if not wide:
                    file.write_colormap(1, {0: (0, 0, 0), **{k: rgb(c) for k, c in enumerate(colours, start=1)}})
                for left, top, right, bottom in _blocks(size):
                    window = rasterio.windows.Window(left, top, right - left, bottom - top)
                    file.write(read((left, top, right, bottom)).astype(profile["dtype"]), 1, window=window)
            factors = [2**k for k in range(1, 16) if max(size) >> k >= SIDE]
            if factors:
                with rasterio.open(partial, "r+") as file:
                    file.build_overviews(factors, rasterio.enums.Resampling.nearest)
        except rasterio.errors.RasterioError as error:
            raise OSError(f"{path.name} could not be written ({error})") from error


def write_png(path: Path, tiff: Path) -> None:
    """Write what `write_tiff` wrote as an index PNG, row by row; raises as it does."""
    with gdal("A label map of this size is written") as rasterio, in_place_of(path) as partial:
        try:
            rasterio.shutil.copy(tiff, partial, driver="PNG")
        except rasterio.errors.RasterioError as error:
            raise OSError(f"{path.name} could not be written ({error})") from error


def _blocks(size: tuple[int, int]) -> Iterator[Box]:
    for top in range(0, size[1], BLOCK):
        for left in range(0, size[0], BLOCK):
            yield left, top, min(left + BLOCK, size[0]), min(top + BLOCK, size[1])


def _place(rasterio: Any, like: Path | None) -> dict[str, Any]:
    """Where on earth a photo lies, as GDAL is told it; nothing where it does not say, or is a slide."""
    if like is None:
        return {}
    try:
        with rasterio.open(like, driver=driver(like)) as file:
            return {} if file.crs is None else {"crs": file.crs, "transform": file.transform}
    except rasterio.errors.RasterioError:
        return {}
