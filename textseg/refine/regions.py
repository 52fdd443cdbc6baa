"""`regions` and `units`: scores are averaged over what belongs together in the photo."""

import torch

from textseg.model import partition
from textseg.model.partition import RegionScores
from textseg.model.scene import Scene
from textseg.refine import register


@register("regions")
def regions(scene: Scene, grid: torch.Tensor) -> RegionScores:
    """The mean score inside felzenszwalb's regions of the photo, averaged over three scales."""
    return scene.once("layers", lambda: partition.layers(scene.photo)).scores(grid)


@register("units")
def units(scene: Scene, grid: torch.Tensor) -> RegionScores:
    """Each adaptive unit's mean score, given back to its cells; then the mean in each region."""
    return regions(scene, scene.units().smooth(grid))
