"""Transformer layers over the patches of any backbone, for heads that look at more than one patch at a time."""

import torch
import torch.nn.functional as F
from torch import nn

from textseg.errors import HeadError


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
