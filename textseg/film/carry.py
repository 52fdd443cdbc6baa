"""Labels of one frame taken to another, as a proposal with how sure each is.

Two ways lead from frame to frame. Along the *motion* (`motion`) a pixel takes its label with it, to the pixel. Where
nothing reliable moved here, because something turned, was hidden or is new, the *features* of the scene decide: each
grid position takes the labels of the positions nearest to it in feature space, not far from it in the photo, in the
frame before and in the last one that a person confirmed (label propagation as in Jabri et al., NeurIPS 2020, and
DINO). The photo's regions bring both to its edges. A label is as sure as the one that it comes from, times how reliable
the way was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from textseg import grids, refine
from textseg.film import motion
from textseg.model import Scene
from textseg.model.partition import RegionScores
from textseg.project import Region

NEAREST, WITHIN, TEMPERATURE = 5, 0.25, 0.1
"""Grid positions that decide on one, the share of the photo's sides within which they are looked for, and the
difference in cosine at which one counts 1/e of the best."""

FOUND, LOST = 0.9, 0.5
"""Cosines at which a position is the same thing for sure, and at which it is nothing that was there before."""

RELY = 0.1
"""Reliability from which motion alone decides."""

EDGES = 0.4
"""Weight of the regions of the photo beside the labels themselves."""

SIDE = 320
"""Long side of the raster on which both ways are compared."""

MOST_CELLS = 2304
"""Of a grid on which features are compared; a finer one is averaged."""

CAUTION = 1 / 3
"""Power that makes of how reliable a way looks how often what goes it is right (measured: benchmarks/film.py)."""

STEPS = 50
"""Confidences that a proposal tells apart."""


@dataclass(frozen=True)
class Labelled:
    """A frame with its labels."""

    scene: Scene
    ids: np.ndarray
    """(H, W) class ids, 0 unlabelled."""
    sure: np.ndarray
    """(H, W) float32, 0..1: how sure each is."""

    @property
    def overall(self) -> float:
        """How sure the labels are, over the whole photo."""
        return float(self.sure.mean())


def carry(before: Labelled, scene: Scene, confirmed: Labelled | None = None) -> Labelled:
    """The labels of the frame `before` as they lie on the one of `scene`; `confirmed` is one that is surely right.

    A pixel without a label is carried as such: what nobody labelled stays unlabelled.
    """
    size = scene.size[::-1]
    moved = motion.between(scene.photo, before.scene.photo)
    ids, sure = moved.carried(before.ids, size), moved.carried(before.sure, size)
    sources = [before] if confirmed is None or confirmed.scene is before.scene else [before, confirmed]
    classes = np.unique(np.concatenate([np.unique(source.ids) for source in sources]))
    raster = _raster(size)
    likely, alike = propagated(scene, sources, classes)
    along = shares(ids, classes, raster)
    rely = _resized(torch.from_numpy(moved.reliable)[None], raster)
    alone = (rely / RELY).clamp(max=1)
    both = alone * along + (1 - alone) * _resized(likely, raster)
    score, which = (both * (1 - EDGES) + _by_regions(scene, both) * EDGES).max(0)
    # Where regions and features do not object, labels are those that moved, at the photo's full size.
    objects = _spread((which != along.argmax(0)).numpy(), size)
    ids = np.where(objects, classes[_spread(which.numpy(), size)], ids)
    known = ((alike - LOST) / (FOUND - LOST)).clamp(0, 1)[None]
    way = rely[0] * (1 + score) / 2 + (1 - rely[0]) * _resized(known, raster)[0] * score
    return Labelled(scene, ids, sure * _spread((way.clamp(0, 1) ** CAUTION).numpy(), size))


def propagated(scene: Scene, sources: Sequence[Labelled], classes: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """((C, h, w) share of each class at each grid position, (h, w) cosine of the nearest position of the sources)."""
    here = _features(scene)
    height, width = here.shape[1:]
    keys, labels, far = [], [], []
    for source in sources:
        features = _features(source.scene)
        grid = tuple(features.shape[1:])
        keys.append(F.normalize(features.flatten(1), dim=0))
        labels.append(shares(source.ids, classes, grid).flatten(1))
        far.append(torch.cdist(_places(height, width), _places(*grid)) > WITHIN)
    cosine = F.normalize(here.flatten(1), dim=0).T @ torch.cat(keys, 1)
    cosine[torch.cat(far, 1)] = -1
    near, at = cosine.topk(min(NEAREST, cosine.shape[1]), 1)
    weight = ((near - near[:, :1]) / TEMPERATURE).exp()
    likely = (torch.cat(labels, 1)[:, at] * (weight / weight.sum(1, keepdim=True))).sum(-1)
    return likely.view(-1, height, width), near[:, 0].view(height, width)


def shares(ids: np.ndarray, classes: np.ndarray, size: tuple[int, ...]) -> torch.Tensor:
    """(C, h, w) share of each class, one of sorted `classes`, in each cell of a grid over (H, W) ids."""
    height, width = size
    rows = np.arange(len(ids)) * height // len(ids)
    columns = np.arange(ids.shape[1]) * width // ids.shape[1]
    cell = (rows[:, None] * width + columns) * len(classes) + np.searchsorted(classes, ids)
    count = np.bincount(cell.ravel(), minlength=height * width * len(classes)).reshape(height, width, -1)
    share = count / np.maximum(count.sum(2, keepdims=True), 1)
    return torch.from_numpy(share.astype(np.float32)).permute(2, 0, 1)


def proposal(carried: Labelled) -> tuple[np.ndarray, list[Region]]:
    """(index, regions) as `Films.carry` takes them: what is as sure in one class is a region.

    Confidences are means over the photo's regions of like colour, so that a region has one.
    """
    layers = refine.get("regions")(carried.scene, torch.ones(1, 1, 1))
    assert isinstance(layers, RegionScores)
    piece = _spread(layers.partition.ids, carried.ids.shape).astype(np.int64)
    piece = piece * (int(carried.ids.max()) + 1) + carried.ids
    _, piece = np.unique(piece, return_inverse=True)
    piece = piece.reshape(carried.ids.shape)
    mean = np.bincount(piece.ravel(), carried.sure.ravel()) / np.bincount(piece.ravel())
    level = np.rint(mean[piece] * STEPS).astype(np.int64)
    key = np.where(carried.ids > 0, carried.ids.astype(np.int64) * (STEPS + 1) + level, 0)
    found, index = np.unique(key, return_inverse=True)
    index = index.reshape(key.shape) + (found[0] > 0)
    return index, [Region(int(one) // (STEPS + 1), int(one) % (STEPS + 1) / STEPS) for one in found if one]


def _features(scene: Scene) -> torch.Tensor:
    features = scene.features.float().cpu()
    height, width = features.shape[1:]
    if height * width <= MOST_CELLS:
        return features
    shrink = (MOST_CELLS / (height * width)) ** 0.5
    return F.adaptive_avg_pool2d(features, (max(1, int(height * shrink)), max(1, int(width * shrink))))


def _places(height: int, width: int) -> torch.Tensor:
    """(h * w, 2) where the positions of a grid lie, as shares of the sides."""
    y, x = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    return torch.cartesian_prod(y, x)


def _by_regions(scene: Scene, scores: torch.Tensor) -> torch.Tensor:
    """(C, h, w) the mean of the scores in the photo's regions, on their own raster."""
    pooled = refine.get("regions")(scene, scores)
    assert isinstance(pooled, RegionScores)
    size = tuple(scores.shape[1:])
    return torch.from_numpy(np.stack([pooled.partition.spread(row, size) for row in pooled.table.cpu().numpy()]))


def _raster(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resized(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(values[None], size, mode="bilinear", align_corners=False)[0]


def _spread(values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(H, W): of a smaller raster the value under each pixel."""
    rows, columns = (grids.nearest(n, m) for n, m in zip(size, values.shape, strict=True))
    return values[rows[:, None], columns]
