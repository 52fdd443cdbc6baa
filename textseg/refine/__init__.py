"""Refinements bring similarities to the photo's edges; each module registers some by name.

A refinement takes a scene and its (K, h, w) similarities, and gives either a finer grid or scores by region; one that
works on masks takes the photo's `proposals` as a third argument, None for those of `regions`. Its memory and time are
bounded at any size of photo, and what depends on the photo alone is computed once a scene.
`docs/refinement.md` says what each gains and costs.
"""

import inspect
from collections.abc import Callable
from functools import partial

import torch

from textseg.model.partition import RegionScores
from textseg.model.scene import Scene
from textseg.proposals import Proposals
from textseg.registry import Facts, Registry

Refinement = Callable[[Scene, torch.Tensor], torch.Tensor | RegionScores]
_registry: Registry[Refinement] = Registry("refinement", __name__)
register, names, facts = _registry.register, _registry.names, _registry.facts

DEFAULT = "regions"


def get(name: str, proposals: Proposals | None = None) -> Refinement:
    """The refinement called `name`, on the masks of `proposals` if it works on masks; raises UnknownNameError."""
    found = _registry.get(name)
    return partial(found, **{"proposals": proposals}) if takes_masks(name) else found


def takes_masks(name: str) -> bool:
    """Whether the refinement called `name` works on proposed masks."""
    return "proposals" in inspect.signature(_registry.get(name)).parameters


@register("none", Facts(title="Nothing", about="The similarities as they are."))
def none(scene: Scene, grid: torch.Tensor) -> torch.Tensor:
    """The similarities as they are."""
    return grid
