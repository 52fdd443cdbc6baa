"""Convolutional towers: a feature map, and a head that becomes a 1 x 1 convolution over it.

FastViT (MobileCLIP-S) and ConvNeXt pool the mean of the map; CLIP's ResNets pool it by attention, whose value path is
MaskCLIP's first dense readout (Zhou et al., ECCV 2022, arXiv 2112.01071, 3.1).
"""

import torch
from torch import nn

from textseg.model.heads import Head
from textseg.model.towers import register
from textseg.model.towers.plain import HUB_WEIGHTS
from textseg.model.towers.timm_vit import called
from textseg.model.towers.tower import (
    ATTENTION_POOL,
    Block,
    Family,
    Grid,
    Projection,
    Tower,
    attend,
    join_heads,
    positions,
    split_heads,
)
from textseg.registry import Facts

register(
    "mobileclip-s",
    Facts(
        title="MobileCLIP-S",
        about="FastViT, the convolutional towers of MobileCLIP and MobileCLIP 2, made for phones.",
        example="clip:MobileCLIP2-S0/dfndr2b",
        licence="Apple's own",
        size="300 MB",
        weights=("timm/MobileCLIP2-S0-OpenCLIP", HUB_WEIGHTS),
    ),
)(Family(frozenset(), called("fastvit")))
register(
    "convnext",
    Facts(
        title="ConvNeXt",
        about="OpenCLIP's convolutional towers.",
        example="clip:convnext_base/laion400m_s13b_b51k",
        licence="MIT",
        size="607 MB",
        weights=("laion/CLIP-convnext_base-laion400M-s13B-b51K", HUB_WEIGHTS),
    ),
)(Family(frozenset(), called("convnext")))
register(
    "resnet",
    Facts(
        title="CLIP's ResNets",
        about="CLIP's convolutional towers, pooled by attention, as MaskCLIP read them first.",
        example="clip:RN50/openai",
        licence="MIT",
        size="408 MB",
        weights=("timm/resnet50_clip.openai", HUB_WEIGHTS),
    ),
)(Family(frozenset({ATTENTION_POOL}), lambda vision: isinstance(vision.get("layers"), (list, tuple))))


class MapTower(Tower):
    """A convolutional trunk of timm whose head is a mean and layers after it.

    The mean of the features gives the pooled embedding; where no norm stands between (FastViT), the mean of their
    embeddings before they are made unit vectors does so too.
    """

    finer = False

    def __init__(self, visual: nn.Module) -> None:
        self.visual, self.trunk, self.has = visual, visual.trunk, frozenset()
        self.native = min(visual.image_size)
        self.patch = self.trunk.feature_info[-1]["reduction"]
        self.feature_dim = self.trunk.num_features
        self.text_dim = self._steps(torch.zeros(1, self.feature_dim, device=self._device)).shape[1]

    @property
    def _device(self) -> torch.device:
        return next(self.trunk.parameters()).device

    def enter(self, pixels: torch.Tensor, stride: int) -> tuple[list[Block], torch.Tensor, Grid]:
        image = self.trunk.forward_features(pixels)
        return [], image.flatten(2).transpose(1, 2), (image.shape[2], image.shape[3])

    def pool(self, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        return self._steps(x.mean(1))

    @property
    def _steps(self) -> nn.Sequential:
        head = self.trunk.head
        return nn.Sequential(last_axis(getattr(head, "norm", None)), head.fc, *self.visual.head)

    def alignment(self) -> Head:
        return Projection(*self._steps)


class ResNetTower(Tower):
    """CLIP's ModifiedResNet (Radford et al. 2021, 2.4)."""

    finer = False

    def __init__(self, visual: nn.Module) -> None:
        size = visual.image_size
        self.visual, self.patch, self.native = visual, 32, size if isinstance(size, int) else min(size)
        self.has = frozenset({ATTENTION_POOL})
        self.feature_dim, self.text_dim = visual.attnpool.v_proj.in_features, visual.attnpool.c_proj.out_features

    def enter(self, pixels: torch.Tensor, stride: int) -> tuple[list[Block], torch.Tensor, Grid]:
        x = self.visual.stem(pixels)
        for layer in (self.visual.layer1, self.visual.layer2, self.visual.layer3, self.visual.layer4):
            x = layer(x)
        return [], x.flatten(2).transpose(1, 2), (x.shape[2], x.shape[3])

    def pool(self, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        pool, side = self.visual.attnpool, self.native // self.patch
        x = torch.cat([x.mean(1, keepdim=True), x], dim=1)
        x = x + positions(pool.positional_embedding, (side, side), grid)
        query, key, value = pool.q_proj(x[:, :1]), pool.k_proj(x), pool.v_proj(x)
        query, key, value = (split_heads(part, pool.num_heads) for part in (query, key, value))
        return pool.c_proj(join_heads(attend(query, key, value)))[:, 0]

    def alignment(self) -> Head:
        return Projection(self.visual.attnpool.v_proj, self.visual.attnpool.c_proj)


def last_axis(norm: nn.Module | None) -> nn.Module:
    """The layer norm of a map's channels, for channels that come last; it shares the weights."""
    if not isinstance(norm, nn.LayerNorm):
        return nn.Identity() if norm is None else norm
    layer = nn.LayerNorm(norm.normalized_shape, eps=norm.eps, device="meta")
    layer.weight, layer.bias = norm.weight, norm.bias
    return layer
