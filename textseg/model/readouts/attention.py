"""Readouts that change the attention of the last block alone.

X enters the last block; q, k, v come from ln_1(X); O is the output projection; A(M) = softmax(M / sqrt(d)).
"""

from collections.abc import Sequence

import torch

from textseg.model.readouts import patch_map, plain_tokens, register
from textseg.model.towers import Block, Grid, attend, through
from textseg.registry import Facts


@register(
    "maskclip",
    Facts(
        title="MaskCLIP",
        about="Each patch keeps its own value in the last attention, a block's or a pool's (Zhou et al., ECCV 2022).",
    ),
    of_pool=plain_tokens,
)
def maskclip(blocks: Sequence[Block], x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Y = X + O(v), Z = Y + FFN(Y): every patch attends to itself alone (Zhou et al., ECCV 2022, arXiv 2112.01071).

    Where a pool attends last, the blocks stay as they are and the pool's values are taken (`towers/values.py`).
    """
    x = through(blocks[:-1], x)
    _, _, value = blocks[-1].project(x)
    return patch_map(blocks[-1].feed_forward(x + blocks[-1].merge(value)), grid)


@register("sclip", Facts(title="SCLIP", about="Patches attend to like queries and like keys (Wang et al., ECCV 2024)."))
def sclip(blocks: Sequence[Block], x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Y = X + O((A(q q^T) + A(k k^T)) v), Z = Y + FFN(Y) (Wang et al., ECCV 2024, arXiv 2312.01597)."""
    x = through(blocks[:-1], x)
    query, key, value = blocks[-1].project(x)
    mixed = attend(query, query, value) + attend(key, key, value)
    return patch_map(blocks[-1].feed_forward(x + blocks[-1].merge(mixed)), grid)


@register(
    "clearclip",
    Facts(
        title="ClearCLIP",
        about="Query-query attention without residual and feed-forward (Lan et al., ECCV 2024).",
    ),
)
def clearclip(blocks: Sequence[Block], x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Z = O(A(q q^T) v): neither residual nor FFN (Lan et al., ECCV 2024, arXiv 2407.12442)."""
    x = through(blocks[:-1], x)
    query, _, value = blocks[-1].project(x)
    return patch_map(blocks[-1].merge(attend(query, query, value)), grid)


@register(
    "naclip",
    Facts(
        title="NACLIP",
        about="Key-key attention that favours neighbours (Hajimiri et al., WACV 2025).",
    ),
)
def naclip(blocks: Sequence[Block], x: torch.Tensor, grid: Grid, sigma: float = 5.0) -> torch.Tensor:
    """Z = O(softmax(k k^T / sqrt(d) + omega) v), omega(p, p') = exp(-|p - p'|^2 / (2 sigma^2)) between patches.

    Neighbours attend to each other more; the class token's row and column of omega are 0 (Hajimiri et al., WACV 2025,
    arXiv 2404.08181, the "reduced" architecture; sigma in patches, 5 in the paper's code).
    """
    x = through(blocks[:-1], x)
    _, key, value = blocks[-1].project(x)
    omega = neighbourhood(grid, sigma, x.shape[1] - grid[0] * grid[1])
    return patch_map(blocks[-1].merge(attend(key, key, value, bias=omega.to(key))), grid)


def neighbourhood(grid: Grid, sigma: float, first: int) -> torch.Tensor:
    """(P + h*w, P + h*w) Gaussian of the distance between patches, 0 for the P = `first` tokens without a place."""
    height, width = grid
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], dim=1).float()
    omega = torch.zeros(first + height * width, first + height * width)
    omega[first:, first:] = torch.exp(-torch.cdist(places, places).square() / (2 * sigma**2))
    return omega
