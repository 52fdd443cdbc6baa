"""MGCA's adaptive semantic units (arXiv 2403.03707, inference): pixels grouped by affinity to a few meta-points.

The paper's sampling rule is not public; meta-points by farthest-point sampling in embedding space is our reading.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from textseg.model import dense

TEMPERATURE = 0.03
ROUNDS = 3


@dataclass
class Units:
    """K soft units: `affinity` (K, h, w) says how much each grid cell belongs to each unit and sums to 1 over units."""

    affinity: torch.Tensor

    def __len__(self) -> int:
        return len(self.affinity)

    @property
    def nbytes(self) -> int:
        return self.affinity.nbytes

    def smooth(self, grid: torch.Tensor) -> torch.Tensor:
        """(C, h, w) scores -> (C, h, w): each unit's mean score, given back to its cells by affinity.

        With u_k = sum_p a_pk P_p / sum_p a_pk and z_kc = u_k . e_c, the logit of cell p is sum_k a_pk z_kc.
        """
        a = self.affinity.flatten(1).to(grid)
        unit_scores = grid.flatten(1) @ a.T / a.sum(1)
        return (unit_scores @ a).reshape(grid.shape)

    def map(self, size: tuple[int, int]) -> np.ndarray:
        """(H, W) the unit (0..K-1) that each pixel of a photo of `size` (H, W) belongs to most."""
        return dense.label(self.affinity, size)[0] - 1


def adaptive_units(embedding: torch.Tensor, granularity: float = 0.5) -> Units:
    """Units of one photo from its (E, h, w) pixel embeddings.

    `granularity` goes from 0 (two units: under-segmentation) to 1 (one unit a few cells: over-segmentation).
    a_pk = softmax_k(cos(P_p, m_k) / tau);  m_k <- sum_p a_pk P_p, three rounds.
    """
    dim, height, width = embedding.shape
    # Centred, so that cosines tell parts of one photo apart even when all of it lies in a narrow cone.
    pixels = embedding.flatten(1).T
    pixels = F.normalize(pixels - pixels.mean(0), dim=1)
    count = unit_count(height * width, granularity)
    centres = pixels[farthest_points(pixels, count)]
    for _ in range(ROUNDS):
        affinity = (pixels @ centres.T / TEMPERATURE).softmax(1)
        centres = F.normalize(affinity.T @ pixels, dim=1)
    affinity = (pixels @ centres.T / TEMPERATURE).softmax(1)
    return Units(affinity.T.reshape(count, height, width))


def unit_count(cells: int, granularity: float) -> int:
    """2 units at granularity 0, a quarter of the cells at 1, geometric between."""
    most = max(2, cells // 4)
    return min(cells, round(2 * (most / 2) ** min(max(granularity, 0.0), 1.0)))


def farthest_points(points: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of `count` unit vectors of (N, D), each the least similar to those before; the most central one first."""
    chosen = [int((points @ points.mean(0)).argmax())]
    nearest = points @ points[chosen[0]]
    for _ in range(count - 1):
        chosen.append(int(nearest.argmin()))
        nearest = torch.maximum(nearest, points @ points[chosen[-1]])
    return torch.tensor(chosen, device=points.device)
