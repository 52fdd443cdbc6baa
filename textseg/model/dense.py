"""From a small similarity grid to every pixel: bilinear upsampling and arg-max, streamed in row blocks.

Logits are upsampled first and compared afterwards (never the other way round, which costs boundaries), as in the
evaluation code of TCL and SCLIP; `align_corners=False` throughout.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

BLOCK_BYTES = 4 * 2**20
"""Upper bound of the float scores held at one time while a photo is labelled."""

ROUNDING = 1e-5
"""More than the rounding of one blend of similarities, which lie within -2..2."""


def upsample(grid: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear upsampling of (K, h, w) scores to (K, *size)."""
    return F.interpolate(grid[None], size=size, mode="bilinear", align_corners=False)[0]


def label(
    grid: torch.Tensor,
    size: tuple[int, int],
    thresholds: torch.Tensor | None = None,
    shown: torch.Tensor | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) the winning word of every pixel, 0 = none, k = k-th word; and (H, W) uint8 its similarity, 255 = 1.0.

    `grid` (K, h, w) are similarities; `thresholds` (K,) the least similarity at which a word may show (-inf: always);
    `shown` (K,) is False for background words, which win pixels but are written as 0. The first word wins a tie.
    """
    words = len(grid)
    ids = np.empty(size, np.uint8 if words <= 255 else np.uint16)
    score = np.empty(size, np.uint8)
    written = torch.arange(1, words + 1, dtype=torch.int32, device=grid.device)
    if shown is not None:
        written = written * shown
    for rows, best, winner in winners(grid, size):
        block = written[winner]
        if thresholds is not None:
            block = block * (best >= thresholds[winner])
        ids[rows] = block.cpu().numpy()
        score[rows] = best.clamp(0, 1).mul(255).round().byte().cpu().numpy()
    return ids, score


def winners(grid: torch.Tensor, size: tuple[int, int]) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
    """Yield (rows, best, winner): maximum and arg-max over K of `upsample(grid, size)`, a block of rows at a time.

    Bilinear upsampling is separable. torch does the columns of two neighbouring grid rows; the pixel rows between them
    are a linear blend, so at every column a word stays between its two ends. A word whose higher end lies below the
    highest of all lower ends wins nowhere there and is left out: on photos a few words of many remain.
    """
    grid_height = grid.shape[1]
    height, width = size
    centre = ((torch.arange(height) + 0.5) * (grid_height / height) - 0.5).clamp(min=0)
    above = centre.floor().long().clamp(max=grid_height - 1)
    share = (centre - above).to(grid)[:, None]
    bounds = [0, *(above.diff().nonzero().flatten() + 1).tolist(), height]
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
        y = int(above[first])
        ends = F.interpolate(
            grid[None, :, y : y + 2], size=(min(2, grid_height - y), width), mode="bilinear", align_corners=False
        )[0]
        upper, lower = ends[:, 0], ends[:, -1]
        least = torch.minimum(upper, lower).amax(0) - ROUNDING
        running = (torch.maximum(upper, lower) >= least).any(1).nonzero().flatten()
        upper, lower = upper[running, None], lower[running, None]
        step = max(1, BLOCK_BYTES // (grid.element_size() * len(running) * width))
        for top in range(first, last, step):
            rows = slice(top, min(top + step, last))
            best, winner = torch.lerp(upper, lower, share[rows]).max(dim=0)
            yield rows, best, running[winner]
