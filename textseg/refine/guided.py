"""`guided`: the guided filter, an edge-preserving smoothing in linear time (He, Sun & Tang, TPAMI 2013).

Around every pixel the scores are explained as a linear function of the photo's colours, so they get an edge where the
photo has one. As in the fast guided filter (He & Sun, arXiv 1505.00996) the coefficients are found on a small copy of
the photo and applied to a larger one. Sizes, radius and epsilon are our choice, for grids of about 30 cells a side.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from textseg import images
from textseg.model import dense
from textseg.model.scene import Scene
from textseg.refine import register
from textseg.registry import Facts

COARSE_SIDE = 160
"""Long side of the copy on which coefficients are found."""

FINE_SIDE = 320
"""Long side of the scores that come out; less where there are so many words that they would exceed MOST_BYTES."""

MOST_BYTES = 64 * 2**20

RADIUS = 8
"""Of the windows, in pixels of the coarse copy: about two grid cells."""

EPSILON = 1e-3
"""Variance of the colours (0..1) below which a window counts as flat."""

WORDS_AT_ONCE = 32


@register("guided", Facts(title="Guided filter", about="Scores follow the colours of the photo (He et al., 2013)."))
def guided(scene: Scene, grid: torch.Tensor) -> torch.Tensor:
    """(K, h, w) -> (K, h', w') scores q = mean(a) . I + mean(b) at each pixel of colour I.

    a = (cov(I) + eps)^-1 cov(I, p) and b = mean(p) - a . mean(I) in the window around each pixel (equations 19 to 21).
    """
    return scene.once("guide", lambda: Guide(scene.photo, grid.device)).filter(grid)


class Guide:
    """A photo as guidance: its colours at both sizes, and their means and inverse covariances in coarse windows."""

    def __init__(self, photo: Image.Image, device: torch.device | None = None) -> None:
        self.fine, self.coarse = (_colours(images.limit(photo, side)).to(device) for side in (FINE_SIDE, COARSE_SIDE))
        self.mean = box_mean(self.coarse)
        covariance = box_mean(self.coarse[:, None] * self.coarse) - self.mean[:, None] * self.mean
        damped = covariance.permute(2, 3, 0, 1) + EPSILON * torch.eye(3, device=device)
        self.inverse = torch.linalg.inv(damped).permute(2, 3, 0, 1).contiguous()

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (self.fine, self.coarse, self.mean, self.inverse))

    def filter(self, grid: torch.Tensor) -> torch.Tensor:
        """The filtered scores, worked out for WORDS_AT_ONCE words at a time."""
        height, width = self.fine.shape[1:]
        shrink = min(1.0, (MOST_BYTES / (4 * len(grid) * height * width)) ** 0.5)
        size = max(1, int(height * shrink)), max(1, int(width * shrink))
        colours = F.interpolate(self.fine[None], size, mode="area")[0]
        filtered = torch.empty(len(grid), *size, device=grid.device)
        for out, scores in zip(filtered.split(WORDS_AT_ONCE), grid.split(WORDS_AT_ONCE), strict=True):
            slope, offset = self._coefficients(dense.upsample(scores, tuple(self.coarse.shape[1:])))
            out.copy_(dense.upsample(offset, size))
            for channel, colour in zip(slope, colours, strict=True):
                out.addcmul_(dense.upsample(channel, size), colour)
        return filtered

    def _coefficients(self, scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(3, K, h, w) mean(a) and (K, h, w) mean(b) for (K, h, w) scores on the coarse copy."""
        mean = box_mean(scores)
        covariance = torch.stack([box_mean(scores * c) - mean * m for c, m in zip(self.coarse, self.mean, strict=True)])
        slope = torch.einsum("cdhw,dkhw->ckhw", self.inverse, covariance)
        offset = mean - torch.einsum("ckhw,chw->khw", slope, self.mean)
        return box_mean(slope), box_mean(offset)


def box_mean(values: torch.Tensor) -> torch.Tensor:
    """(..., h, w) means over the square window of RADIUS around each pixel, of the part that lies within the photo.

    Differences of running sums: the time does not depend on the radius.
    """
    for axis in (-2, -1):
        pixel = torch.arange(values.shape[axis], device=values.device)
        first, last = (pixel - RADIUS).clamp(min=0), (pixel + RADIUS + 1).clamp(max=len(pixel))
        padding = (1, 0) if axis == -1 else (0, 0, 1, 0)
        total = F.pad(values.cumsum(axis), padding)
        count = (last - first).unsqueeze(-1) if axis == -2 else last - first
        values = (total.index_select(axis, last) - total.index_select(axis, first)) / count
    return values


def _colours(photo: Image.Image) -> torch.Tensor:
    """(3, h, w) colours 0..1."""
    return torch.from_numpy(np.asarray(photo, np.float32) / 255).permute(2, 0, 1).contiguous()
