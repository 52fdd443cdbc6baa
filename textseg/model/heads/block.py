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

    One transformer block is the paper's; the linear layer to the text width, the norms, the position code, the
    narrower width for wide features and further blocks (`depth`) are our reading.
    """

    kind = "block"

    def __init__(self, feature_dim: int, text_dim: int, width: int, heads: int, depth: int = 1) -> None:
        super().__init__()
        self.config = {"width": width, "heads": heads} | ({"depth": depth} if depth > 1 else {})
        self.width = width
        self.enter = Enter(feature_dim, width)
        self.block = TransformerLayer(width, heads)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(depth - 1))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, text_dim))

    @classmethod
    def build(  # type: ignore[override]
        cls, backbone: Backbone, width: int | None = None, heads: int = 6, depth: int = 1
    ) -> BlockHead:
        """`width` of the blocks (default: the features' own up to 768, else 384), a multiple of `heads`."""
        width = width or default_width(backbone.feature_dim)
        return cls(backbone.feature_dim, backbone.text_dim, width, heads, depth)

    def context(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, T, width) tokens after the first block, which is all that AFSS has."""
        return self.block(self.enter(features))

    def tokens(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) outputs, not normalised."""
        x = self.context(features)
        for layer in self.layers:
            x = layer(x)
        return self.out(x).mT.unflatten(-1, features.shape[-2:])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        return F.normalize(self.tokens(features), dim=1)

    def silence(self) -> None:
        """Make all outputs zero, until training changes that."""
        for parameter in self.out[1].parameters():
            nn.init.zeros_(parameter)


def default_width(feature_dim: int) -> int:
    """The width of a transformer over features of `feature_dim` channels."""
    return feature_dim if feature_dim <= WIDEST else NARROW
