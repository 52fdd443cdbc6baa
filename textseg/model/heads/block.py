"""AFSS's head: a single transformer block and a linear layer (arXiv 2403.09307, stage 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from textseg.model.heads import Head, register
from textseg.model.transformer import Enter, TransformerLayer

if TYPE_CHECKING:
    from textseg.model.backbones import Backbone

WIDEST = 768
"""Features wider than this are first brought to NARROW: attention at 1280 channels would outgrow the backbone."""
NARROW = 384


@register("block")
class BlockHead(Head):
    """z_p = normalise(Linear(Block(F)))_p.

    One transformer block is the paper's; the linear layer to the text width, the norms, the position code and the
    narrower width for wide features are our reading.
    """

    kind = "block"

    def __init__(self, feature_dim: int, text_dim: int, width: int, heads: int) -> None:
        super().__init__()
        self.config = {"width": width, "heads": heads}
        self.enter = Enter(feature_dim, width)
        self.block = TransformerLayer(width, heads)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, text_dim))

    @classmethod
    def build(cls, backbone: Backbone, width: int | None = None, heads: int = 6) -> BlockHead:  # type: ignore[override]
        """`width` of the block (default: the features' own up to 768, else 384), a multiple of `heads`."""
        return cls(backbone.feature_dim, backbone.text_dim, width or default_width(backbone.feature_dim), heads)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        z = self.out(self.block(self.enter(features)))
        return F.normalize(z, dim=-1).movedim(1, -1).unflatten(-1, features.shape[-2:])


def default_width(feature_dim: int) -> int:
    """The width of a transformer over features of `feature_dim` channels."""
    return feature_dim if feature_dim <= WIDEST else NARROW
