"""Refinements bring similarities to the photo's edges; each is chosen by name.

A refinement takes a scene and its (K, h, w) similarities and gives either a finer grid, or scores by region.
"""

from collections.abc import Callable

import torch

from textseg.model import partition
from textseg.model.partition import RegionScores
from textseg.model.scene import Scene
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
    found = scene.once("felzenszwalb", lambda: partition.felzenszwalb(scene.photo))
    return RegionScores(found, found.pool(grid))
