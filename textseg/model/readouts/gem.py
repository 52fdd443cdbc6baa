"""GEM: grounding by self-self attention in the last blocks (Bousselham et al., CVPR 2024, arXiv 2312.00878)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from textseg.model.readouts import patch_map, register
from textseg.model.towers import Block, Grid, attend, through
from textseg.registry import Facts

DEPTH = 6
"""Blocks with a second path: the authors' code, whose setting of 7 changes the last six."""


@register(
    "gem",
    Facts(
        title="GEM",
        about="A second path of self-self attention through the last six blocks (Bousselham et al., CVPR 2024).",
    ),
)
def gem(blocks: Sequence[Block], x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """A path without FFN beside CLIP's own: Z <- Z + O(mean over p in {q, k, v} of ensemble(p)), block by block.

    q, k, v come from CLIP's own path X, which runs on unchanged; both start from the same tokens.
    """
    x = through(blocks[:-DEPTH], x)
    z = x
    for block in blocks[-DEPTH:]:
        query, key, value = block.project(x)
        # Inverse temperature: the mean token norm of each image times d^-1/2.
        sharpness = block.normed(x).norm(dim=2).mean(1)[:, None, None, None] * key.shape[-1] ** -0.5
        z = z + block.merge(sum(self_self(p, value, sharpness) for p in (query, key, value)) / 3)
        x = block(x)
    return patch_map(z, grid)


def self_self(p: torch.Tensor, value: torch.Tensor, sharpness: torch.Tensor) -> torch.Tensor:
    """(B, heads, N, d): normalise p, let it gather itself once, normalise again, then gather the values."""
    p = F.normalize(p, dim=-1)
    p = F.normalize(attend(p * sharpness, p, p, scale=1.0), dim=-1)
    return attend(p * sharpness, p, value, scale=1.0)
