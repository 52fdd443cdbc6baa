"""Partitions of a photo into regions, and similarity pooled over them.

The mean of bilinearly upsampled scores over a region is linear in the small grid, so each region keeps one sparse row
of grid weights: pooling K words over R regions is a (K, h w) x (h w, R) product and never upsamples anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from scipy import sparse

from textseg import grids, images

WORKING_SIDE = 640
"""Partitions are found on a copy of the photo whose long side is at most this."""
LAYER_SIDE, LAYER_SCALES, LAYER_LEAST = 280, (30, 90, 270), 15
"""The same for partitions that are laid on each other, their scales, and the pixels of the smallest region."""


class Partition:
    """Every pixel belongs to one of R regions. `ids` is (H', W') int32 at a bounded size, 0..R-1 without gaps."""

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = ids.astype(np.int32)
        self.count = int(ids.max()) + 1
        self._weights: dict[tuple[int, int], sparse.csr_matrix] = {}

    @property
    def nbytes(self) -> int:
        return self.ids.nbytes + sum(w.data.nbytes + w.indices.nbytes for w in self._weights.values())

    @cached_property
    def areas(self) -> np.ndarray:
        """(R,) pixels of each region at the partition's own size."""
        return np.bincount(self.ids.ravel(), minlength=self.count)

    def pool(self, grid: torch.Tensor) -> torch.Tensor:
        """(K, h, w) scores -> (K, R): the mean of the upsampled scores over each region."""
        words, height, width = grid.shape
        flat = grid.reshape(words, -1).cpu().numpy()
        return torch.from_numpy((self.weights(height, width) @ flat.T).T.astype(np.float32)).to(grid.device)

    def scores(self, grid: torch.Tensor) -> RegionScores:
        """The pooled (K, h, w) scores together with the regions they belong to."""
        return RegionScores(self, self.pool(grid))

    def weights(self, height: int, width: int) -> sparse.csr_matrix:
        """(R, height * width) rows that sum to 1: how much each grid cell counts in each region."""
        if (height, width) not in self._weights:
            rows, columns = (_ends(n, m) for n, m in zip(self.ids.shape, (height, width), strict=True))
            total = sparse.csr_matrix((self.count, height * width))
            for y, weight_y in rows:
                for x, weight_x in columns:
                    cells = (y[:, None] * width + x[None, :]).ravel()
                    values = (weight_y[:, None] * weight_x[None, :]).ravel()
                    total += sparse.csr_matrix((values, (self.ids.ravel(), cells)), shape=total.shape)
            self._weights[height, width] = sparse.diags(1 / self.areas) @ total
        return self._weights[height, width]

    def spread(self, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """(H, W): the value (R,) of the region under each pixel of a photo of `size` (H, W)."""
        rows, columns = (grids.nearest(n, m) for n, m in zip(size, self.ids.shape, strict=True))
        return values[self.ids[rows[:, None], columns[None, :]]]


class Layers(Partition):
    """Several partitions of one photo at one size, laid on each other: a region's score is its mean over the layers.

    Where scales disagree about what belongs together no single one decides; any of them may draw an edge.
    """

    def __init__(self, layers: Sequence[Partition]) -> None:
        common = layers[0].ids.astype(np.int64)
        for layer in layers[1:]:
            common = common * layer.count + layer.ids
        _, first, ids = np.unique(common, return_index=True, return_inverse=True)
        super().__init__(ids.reshape(common.shape))
        self.layers = list(layers)
        self._parents = [torch.from_numpy(layer.ids.ravel()[first]).long() for layer in layers]

    @property
    def nbytes(self) -> int:
        return super().nbytes + sum(layer.nbytes for layer in self.layers)

    def pool(self, grid: torch.Tensor) -> torch.Tensor:
        """(K, h, w) scores -> (K, R): the mean over the layers of the mean of the upsampled scores in each region."""
        total = torch.zeros(len(grid), self.count, device=grid.device)
        for layer, parents in zip(self.layers, self._parents, strict=True):
            total += layer.pool(grid)[:, parents.to(grid.device)]
        return total / len(self.layers)


@dataclass
class RegionScores:
    """Scores by region: `table` (K, R) over the regions of `partition`."""

    partition: Partition
    table: torch.Tensor


def felzenszwalb(photo: Image.Image, scale: float = 300, side: int = WORKING_SIDE, least: int = 30) -> Partition:
    """Felzenszwalb & Huttenlocher's graph-based regions (IJCV 2004) of a copy whose long side is at most `side`.

    None has fewer than `least` pixels of that copy.
    """
    from skimage.segmentation import felzenszwalb as segment

    return Partition(segment(np.asarray(images.limit(photo, side)), scale=scale, sigma=0.5, min_size=least))


def layers(photo: Image.Image) -> Layers:
    """Felzenszwalb's regions at three scales, together a quarter of what the one of the working size costs."""
    return Layers([felzenszwalb(photo, scale, LAYER_SIDE, LAYER_LEAST) for scale in LAYER_SCALES])


def slic(photo: Image.Image, granularity: float = 0.5) -> Partition:
    """SLIC superpixels (Achanta et al., TPAMI 2012), from about 20 (granularity 0) to about 2,000 (granularity 1)."""
    from skimage.segmentation import slic as segment

    pixels = np.asarray(images.limit(photo, WORKING_SIDE))
    count = min(round(20 * 100**granularity), pixels.shape[0] * pixels.shape[1])
    found = segment(pixels, n_segments=count, compactness=10, start_label=0)
    return Partition(np.unique(found, return_inverse=True)[1].reshape(found.shape))


def _ends(pixels: int, cells: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For one axis: the two grid cells that each pixel reads, with their weights."""
    first, second, share = grids.between(pixels, cells)
    return [(first, 1 - share), (second, share)]
