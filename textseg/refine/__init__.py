"""Refinements bring similarities to the photo's edges; each module registers some by name.

A refinement takes a scene and its (K, h, w) similarities, and gives either a finer grid or scores by region. Its memory
and time are bounded at any size of photo, and what depends on the photo alone is computed once a scene.
`docs/refinement.md` says what each gains and costs.
"""

from collections.abc import Callable

import torch

from textseg.model.partition import RegionScores
from textseg.model.scene import Scene
from textseg.registry import Facts, Registry

Refinement = Callable[[Scene, torch.Tensor], torch.Tensor | RegionScores]
_registry: Registry[Refinement] = Registry("refinement", __name__)
register, names, get, facts = _registry.register, _registry.names, _registry.get, _registry.facts

DEFAULT = "regions"


@register("none", Facts(title="Nothing", about="The similarities as they are."))
def none(scene: Scene, grid: torch.Tensor) -> torch.Tensor:
    """The similarities as they are."""
    return grid
