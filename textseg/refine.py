"""Refinements bring similarities to the photo's edges; each is chosen by name.

A refinement takes a scene and its (K, h, w) similarities and gives either a finer grid, or scores by region.
"""

from collections.abc import Callable

import numpy as np
import torch

from textseg.model import partition
from textseg.model.partition import Partition, RegionScores
from textseg.model.scene import Scene
from textseg.proposals import load_proposer
from textseg.registry import Registry

Refinement = Callable[[Scene, torch.Tensor], torch.Tensor | RegionScores]
_registry: Registry[Refinement] = Registry("refinement", __name__)
register, names, get = _registry.register, _registry.names, _registry.get

DEFAULT = "regions"


@register("none")
def none(scene: Scene, grid: torch.Tensor) -> torch.Tensor:
    """The similarities as they are."""
    return grid


@register("regions")
def regions(scene: Scene, grid: torch.Tensor) -> RegionScores:
    """The mean score inside each felzenszwalb region of the photo."""
    found = _felzenszwalb(scene)
    return RegionScores(found, found.pool(grid))


@register("proposals")
def proposals(scene: Scene, grid: torch.Tensor) -> RegionScores:
    """The mean score inside each proposal, small over large; felzenszwalb regions where no proposal lies."""
    found = scene.once("proposals", lambda: _stacked(scene))
    return RegionScores(found, found.pool(grid))


def _felzenszwalb(scene: Scene) -> Partition:
    return scene.once("felzenszwalb", lambda: partition.felzenszwalb(scene.photo))


def _stacked(scene: Scene) -> Partition:
    """Everything-masks laid on each other, the smallest on top, over the felzenszwalb regions."""
    below = _felzenszwalb(scene)
    rows, columns = (
        ((np.arange(n) + 0.5) * side / n).astype(np.intp)
        for n, side in zip(below.ids.shape, (scene.photo.height, scene.photo.width), strict=True)
    )
    top = below.ids.copy()
    masks = sorted(load_proposer("regions").open(scene.photo, scene).everything(), key=lambda mask: -mask.area)
    for number, mask in enumerate(masks, start=below.count):
        top[mask.to_array()[rows[:, None], columns]] = number
    return Partition(np.unique(top, return_inverse=True)[1].reshape(top.shape))
