"""From a small similarity grid to every pixel: bilinear upsampling and arg-max, streamed in row blocks.

Logits are upsampled first and compared afterwards (never the other way round, which costs boundaries), as in the
evaluation code of TCL and SCLIP; `align_corners=False` throughout.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

BLOCK_BYTES = 48 * 2**20
"""Upper bound of the float scores held at one time while a photo is labelled."""


def upsample(grid: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear upsampling of (K, h, w) scores to (K, *size)."""
    return F.interpolate(grid[None], size=size, mode="bilinear", align_corners=False)[0]


def upsampled_rows(grid: torch.Tensor, size: tuple[int, int]) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield (rows, scores) with scores (K, rows, W): the rows of `upsample(grid, size)`, never more than a block.

    Bilinear upsampling is separable: the columns are done by torch, on the few grid rows that a block needs, and the
    rows here. The result equals `upsample` to float rounding.
    """
    words, grid_height, _ = grid.shape
    height, width = size
    centre = ((torch.arange(height, device=grid.device) + 0.5) * (grid_height / height) - 0.5).clamp(min=0)
    above = centre.floor().long().clamp(max=grid_height - 1)
    below = (above + 1).clamp(max=grid_height - 1)
    weight = (centre - above).to(grid.dtype)[:, None]
    block = max(1, BLOCK_BYTES // (3 * grid.element_size() * words * width))
    for top in range(0, height, block):
        rows = slice(top, min(top + block, height))
        first, last = int(above[rows][0]), int(below[rows][-1])
        near = grid[:, first : last + 1]
        near = F.interpolate(near[None], size=(near.shape[1], width), mode="bilinear", align_corners=False)[0]
        yield rows, torch.lerp(near[:, above[rows] - first], near[:, below[rows] - first], weight[rows])


def label(
    grid: torch.Tensor,
    size: tuple[int, int],
    thresholds: torch.Tensor | None = None,
    shown: torch.Tensor | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) the winning word of every pixel, 0 = none, k = k-th word; and (H, W) uint8 its similarity, 255 = 1.0.

    `grid` (K, h, w) are similarities; `thresholds` (K,) is the least similarity at which a word may show (-inf: always);
    `shown` (K,) is False for background words, which win pixels but are written as 0. The first word wins a tie.
    """
    words = len(grid)
    ids = np.empty(size, np.uint8 if words <= 255 else np.uint16)
    score = np.empty(size, np.uint8)
    written = torch.arange(1, words + 1, dtype=torch.int32, device=grid.device)
    if shown is not None:
        written = written * shown
    for rows, scores in upsampled_rows(grid, size):
        best, winner = scores.max(dim=0)
        block = written[winner]
        if thresholds is not None:
            block = block * (best >= thresholds[winner])
        ids[rows] = block.cpu().numpy()
        score[rows] = best.clamp(0, 1).mul(255).round().byte().cpu().numpy()
    return ids, score
