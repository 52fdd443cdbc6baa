"""`regions` and `units`: scores are averaged over what belongs together in the photo."""

import torch

from textseg.model import partition
from textseg.model.partition import RegionScores
from textseg.model.scene import Scene
from textseg.refine import register
from textseg.registry import Facts


@register(
    "regions",
    Facts(
        title="Regions",
        about="The mean score in regions of like colour, at three sizes.",
    ),
)
def regions(scene: Scene, grid: torch.Tensor) -> RegionScores:
    """The mean score inside felzenszwalb's regions of the photo, averaged over three scales."""
    return scene.once("layers", lambda: partition.layers(scene.photo)).scores(grid)


@register(
    "units",
    Facts(
        title="Units, then regions",
        about="Adaptive units share their mean score; then the mean in each region.",
    ),
)
def units(scene: Scene, grid: torch.Tensor) -> RegionScores:
    """Each adaptive unit's mean score, given back to its cells; then the mean in each region."""
    return regions(scene, scene.units().smooth(grid))
