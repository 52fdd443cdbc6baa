"""Image towers of the image-text models that the field uses, one file a way of making and pooling features.

Each file registers the families that it reads, with their facts: `textseg models` and docs/models.md are made of them.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from textseg.errors import WeightsError
from textseg.model.towers.tower import (
    ATTENTION_POOL,
    BLOCKS,
    CLASS_TOKEN,
    Block,
    Family,
    Grid,
    Projection,
    Tower,
    attend,
    through,
)
from textseg.registry import Registry

__all__ = [
    "ATTENTION_POOL", "BLOCKS", "CLASS_TOKEN", "Block", "Family", "Grid", "Projection", "Tower", "attend", "facts",
    "family", "get", "names", "of", "register", "through",
]  # fmt: skip

_registry: Registry[Family] = Registry("tower family", __name__)
register, names, get, facts = _registry.register, _registry.names, _registry.get, _registry.facts


def family(vision: Mapping[str, Any]) -> str | None:
    """The family that a `vision_cfg` of open_clip's is one of; None for what has no dense readout here."""
    for name in names():
        belongs = get(name).of_open_clip
        if belongs is not None and belongs(vision):
            return name
    return None


def of(visual: nn.Module, wanted: str) -> Tower:
    """The tower that open_clip's `visual` is; raises WeightsError for the few that have no dense readout here."""
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

    from textseg.model.towers.maps import MapTower, ResNetTower
    from textseg.model.towers.plain import PlainTower
    from textseg.model.towers.timm_vit import TimmTower

    if isinstance(visual, ModifiedResNet):
        return ResNetTower(visual)
    if isinstance(visual, VisionTransformer):
        if type(visual.transformer.resblocks[0]) is ResidualAttentionBlock and not getattr(
            visual, "attn_pool_type", ""
        ):
            return PlainTower(visual)
    elif isinstance(visual, TimmModel):
        from timm.models.convnext import ConvNeXt
        from timm.models.eva import Eva
        from timm.models.fastvit import FastVit
        from timm.models.vision_transformer import VisionTransformer as TimmTransformer

        if isinstance(visual.trunk, (TimmTransformer, Eva)):
            return TimmTower(visual)
        if isinstance(visual.trunk, (ConvNeXt, FastVit)):
            return MapTower(visual)
    raise no_readout(type(getattr(visual, "trunk", visual)).__name__, wanted)


def no_readout(kind: str, wanted: str) -> WeightsError:
    return WeightsError(
        f"The image tower of '{wanted}' is {kind}, which has no dense readout here; `textseg models` lists the "
        "families that have one."
    )
