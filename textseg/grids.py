"""Which pixel of one raster lies under which of another that covers the same photo: the rules, once.

Pixel i of n covers [i / n, (i + 1) / n) of a side and has its centre at (i + 0.5) / n.
"""

import numpy as np


def nearest(pixels: int, source: int) -> np.ndarray:
    """(pixels,) for each of `pixels` along a side: the one of `source` that lies under its centre.

    >>> nearest(4, 2)
    array([0, 0, 1, 1])
    """
    return np.minimum((np.arange(pixels) + 0.5) * source / pixels, source - 1).astype(np.intp)


def cells(pixels: int, count: int) -> np.ndarray:
    """(pixels,) for each of `pixels` along a side: the one of `count` cells that its first edge lies in."""
    return np.arange(pixels) * count // pixels


def cell_numbers(size: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """(H, W) for each pixel of a raster of `size` the number of its cell, counted row by row in a `grid` (h, w)."""
    return cells(size[0], grid[0])[:, None] * grid[1] + cells(size[1], grid[1])


def between(pixels: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `pixels` along a side: the two of `count` cells whose centres it lies between, and its share of the
    second. What bilinear interpolation reads (align_corners=False); at the borders both are the same cell.
    """
    centre = np.maximum((np.arange(pixels) + 0.5) * count / pixels - 0.5, 0)
    first = np.minimum(centre.astype(np.intp), count - 1)
    return first, np.minimum(first + 1, count - 1), centre - first
