"""Image towers of the image-text models that the field uses, one file a way of making and pooling features."""

from torch import nn

from textseg.errors import WeightsError
from textseg.model.towers.tower import (
    ATTENTION_POOL,
    BLOCKS,
    CLASS_TOKEN,
    Block,
    Grid,
    Projection,
    Tower,
    attend,
    through,
)

__all__ = [
    "ATTENTION_POOL", "BLOCKS", "CLASS_TOKEN", "Block", "Grid", "Projection", "Tower", "attend", "of", "through"
]  # fmt: skip


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
    kind = type(getattr(visual, "trunk", visual)).__name__
    raise WeightsError(
        f"The image tower of '{wanted}' is timm's or open_clip's {kind} with parts that have no dense readout here; "
        "`textseg models` lists the families that have one."
    )
