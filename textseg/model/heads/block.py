"""AFSS's head: a single transformer block and a linear layer (arXiv 2403.09307, stage 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from textseg.errors import HeadError
from textseg.model.heads import Head, register

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


class Enter(nn.Module):
    """(B, D, h, w) features of any backbone and grid -> (B, h*w, width) tokens that know where they lie.

    Features are normalised (no two backbones share a scale) and projected when `width` differs from D. The position
    code is sin and cos of the position as a share of the photo's height and width, through a linear layer that starts
    at zero: it fits every grid, and an untrained head ignores it.
    """

    octaves = 4

    def __init__(self, feature_dim: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_dim, elementwise_affine=False)
        self.project = nn.Identity() if width == feature_dim else nn.Linear(feature_dim, width)
        self.position = nn.Linear(4 * self.octaves, width, bias=False)
        nn.init.zeros_(self.position.weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        tokens = self.project(self.norm(features.flatten(2).movedim(1, -1)))
        return tokens + self.position(self.code(*features.shape[-2:]).to(tokens))

    def code(self, height: int, width: int) -> torch.Tensor:
        """(height * width, 4 * octaves) sines and cosines of the patch centres."""
        frequencies = torch.pi * 2.0 ** torch.arange(self.octaves)
        y, x = (((torch.arange(side) + 0.5) / side)[:, None] * frequencies for side in (height, width))
        y, x = y[:, None].expand(-1, width, -1), x[None].expand(height, -1, -1)
        return torch.cat([y.sin(), y.cos(), x.sin(), x.cos()], dim=-1).flatten(0, 1)


class TransformerLayer(nn.Module):
    """The usual pre-norm block: x + attention(norm x), then x + MLP(norm x), at four times the width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, T, width) -> the same."""
        y = self.norm1(x)
        x = x + self.attention(y, y)
        return x + self.mlp(self.norm2(x))


class Attention(nn.Module):
    """Multi-head attention of x (B, T, width) to y (B, S, width), never with a T x S matrix in memory."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise HeadError(f"A width of {width} cannot be shared by {heads} attention heads; give a multiple of them.")
        self.heads = heads
        self.query, self.key_value, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """(B, T, width)."""
        parts = (self.query(x), *self.key_value(y).chunk(2, dim=-1))
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
