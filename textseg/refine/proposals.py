"""`proposals` and `mask_vote`: every proposed mask shows one word, small masks over large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from textseg import grids, images
from textseg.model import dense, partition
from textseg.model.partition import Partition, RegionScores
from textseg.model.scene import Scene
from textseg.proposals import Proposals, opened
from textseg.refine import register
from textseg.registry import Facts


@register("proposals", Facts(title="Masks", about="The mean score in each proposed mask, small masks over large."))
def proposals(scene: Scene, grid: torch.Tensor, proposals: Proposals | None = None) -> RegionScores:
    """The mean score inside each proposal, small over large; felzenszwalb regions where no proposal lies."""
    return _stack(scene, proposals).scores(grid)


@register(
    "mask_vote",
    Facts(
        title="Vote in masks",
        about="Each proposed mask shows the word that wins most of its pixels, as in CorrCLIP.",
    ),
)
def mask_vote(scene: Scene, grid: torch.Tensor, proposals: Proposals | None = None) -> RegionScores:
    """The word that wins most pixels of each proposal, small over large; its similarity is the mean of what it shows.

    The last step of CorrCLIP (arXiv 2411.10086). Pixels of no proposal keep their word.
    """
    masks = _masks(scene, proposals)
    ids = vote(dense.label(grid, masks.size)[0], masks)
    # Regions of one word each: what is seen of a proposal, or of a felzenszwalb region where none lies.
    seen = _stack(scene, proposals).ids.astype(np.int64)
    pairs, cells = np.unique(seen * (len(grid) + 1) + ids, return_inverse=True)
    scores = Partition(cells.reshape(ids.shape)).scores(grid)
    losers = torch.arange(1, len(grid) + 1)[:, None] != torch.from_numpy(pairs % (len(grid) + 1))
    scores.table[losers.to(grid.device)] = scores.table.min() - 1
    return scores


def vote(ids: np.ndarray, masks: Iterable[np.ndarray]) -> np.ndarray:
    """The (H, W) label map in which every mask shows the class that most of its pixels had.

    `masks` are (H, W) bool arrays, in any order, read one at a time. Where masks overlap the smallest decides; pixels
    of no mask keep their class; of classes with equal votes the lower id wins; 0 (none) votes too.
    """
    result = ids.copy()
    decided_by = np.full(ids.shape, ids.size + 1, np.int32)
    for mask in masks:
        votes = ids[mask]
        if votes.size:
            here = mask & (votes.size < decided_by)
            result[here] = np.bincount(votes).argmax()
            decided_by[here] = votes.size
    return result


@dataclass
class Masks:
    """Proposals at a bounded size (H', W'), one bit a pixel, from large to small."""

    size: tuple[int, int]
    packed: np.ndarray

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes

    def __iter__(self) -> Iterator[np.ndarray]:
        height, width = self.size
        for bits in self.packed:
            yield np.unpackbits(bits, count=height * width).reshape(self.size).view(bool)


def _masks(scene: Scene, proposals: Proposals | None) -> Masks:
    return scene.once(("masks", proposals), lambda: _find(scene, proposals))


def _find(scene: Scene, proposals: Proposals | None) -> Masks:
    """Everything-masks, read at the pixels of the size that partitions have."""
    width, height = images.limit(scene.photo, partition.WORKING_SIDE).size
    rows, columns = grids.nearest(height, scene.photo.height), grids.nearest(width, scene.photo.width)
    found = (proposals or opened(scene)).everything()
    masks = sorted(found, key=lambda mask: -mask.area)
    packed = [np.packbits(mask.to_array()[rows[:, None], columns]) for mask in masks]
    return Masks((height, width), np.array(packed, np.uint8).reshape(len(masks), -(-height * width // 8)))


def _stack(scene: Scene, proposals: Proposals | None) -> Partition:
    """The masks laid on each other, the smallest on top, over the felzenszwalb regions."""
    return scene.once(("stack", proposals), lambda: _laid(scene, _masks(scene, proposals)))


def _laid(scene: Scene, masks: Masks) -> Partition:
    below = scene.once("felzenszwalb", lambda: partition.felzenszwalb(scene.photo))
    top = below.ids.copy()
    for number, mask in enumerate(masks, start=below.count):
        top[mask] = number
    return Partition(np.unique(top, return_inverse=True)[1].reshape(top.shape))
