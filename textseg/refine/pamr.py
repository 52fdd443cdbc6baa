"""`pamr`: pixel-adaptive mask refinement (Araslanov & Roth, CVPR 2020), with the dilations of TCL.

Scores spread to neighbours of like colour: m_i <- sum_j alpha_ij m_j, repeated, with
alpha_ij = softmax_j(mean over colours of -|I_i - I_j| / (0.1 std_i)). Everything happens on a copy of the photo whose
long side is at most 160, about four pixels a grid cell: there one repetition is one sparse product.

`pamr_full` is what SCLIP and NACLIP do: at the size of the photo, with two far dilations, seconds a photo.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy import sparse

from textseg import images
from textseg.model import dense
from textseg.model.scene import Scene
from textseg.refine import register
from textseg.registry import Facts

WORKING_SIDE = 160
DILATIONS = (1, 2, 4, 8, 12, 24)
FULL_DILATIONS = (8, 16)
REPETITIONS = 10

FULL_SIDE = 1024
"""Longest side that `pamr_full` works at."""

MOST_BYTES = 256 * 2**20
"""Of the scores that `pamr_full` gives; with more words it works on a smaller copy."""

WORDS_AT_ONCE = 16


@register(
    "pamr",
    Facts(
        title="Pixel-adaptive refinement",
        about="Scores spread to neighbours of like colour, again and again (Araslanov and Roth, CVPR 2020).",
    ),
)
def pamr(scene: Scene, grid: torch.Tensor) -> torch.Tensor:
    """(K, h, w) -> (K, h', w') scores, each the weighted mean of those at like colours around."""
    affinity = scene.once("affinity", lambda: Affinity.of(images.limit(scene.photo, WORKING_SIDE), DILATIONS))
    return affinity.spread(grid).to(grid.device)


@register(
    "pamr_full",
    Facts(
        title="Pixel-adaptive refinement, full size",
        about="The same at the size of the photo, as SCLIP and NACLIP have it; seconds a photo.",
        order=1,
    ),
)
def pamr_full(scene: Scene, grid: torch.Tensor) -> torch.Tensor:
    """(K, h, w) -> (K, H, W) scores at the photo's own size, as far as FULL_SIDE and MOST_BYTES allow."""
    longest = max(scene.size)
    side = min(FULL_SIDE, longest)
    needed = 4 * len(grid) * (scene.size[0] * side / longest) * (scene.size[1] * side / longest)
    side = max(1, int(side * min(1.0, (MOST_BYTES / needed) ** 0.5)))
    affinity = scene.once(("affinity", side), lambda: Affinity.of(images.limit(scene.photo, side), FULL_DILATIONS))
    refined = torch.empty(len(grid), *affinity.size)
    for out, scores in zip(refined.split(WORDS_AT_ONCE), grid.split(WORDS_AT_ONCE), strict=True):
        out.copy_(affinity.spread(scores))
    return refined.to(grid.device)


@dataclass
class Affinity:
    """`weights` (N, N) alpha between the N = h w pixels of a photo of `size` (h, w); rows sum to 1."""

    weights: sparse.csr_matrix
    size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        return self.weights.data.nbytes + self.weights.indices.nbytes + self.weights.indptr.nbytes

    def spread(self, grid: torch.Tensor) -> torch.Tensor:
        """(K, h, w) scores on any grid -> (K, *size), spread REPETITIONS times."""
        scores = dense.upsample(grid, self.size).flatten(1).T.contiguous().cpu().numpy()
        for _ in range(REPETITIONS):
            scores = self.weights @ scores
        return torch.from_numpy(scores).T.reshape(len(grid), *self.size)

    @classmethod
    def of(cls, photo: Image.Image, dilations: Sequence[int]) -> "Affinity":
        """Eight neighbours at each dilation; std_i is taken over them and as many times the pixel itself, as in the
        authors' code. Neighbours outside the photo are those on its border."""
        colours = np.asarray(photo, np.float32) / 255
        height, width = colours.shape[:2]
        y, x = np.mgrid[:height, :width].astype(np.int32)
        steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
        neighbours = np.stack(
            [
                (y + d * down).clip(0, height - 1) * width + (x + d * right).clip(0, width - 1)
                for d in dilations
                for down, right in steps
            ],
            axis=2,
        ).reshape(height * width, -1)
        flat = colours.reshape(-1, 3)
        around = flat[neighbours]  # (N, J, 3)
        spread = np.concatenate([around, np.repeat(flat[:, None], len(dilations), 1)], 1).std(1, ddof=1, keepdims=True)
        closeness = -(np.abs(around - flat[:, None]) / (0.1 * spread + 1e-8)).mean(2)
        alpha = np.exp(closeness - closeness.max(1, keepdims=True))
        alpha /= alpha.sum(1, keepdims=True)
        starts = np.arange(0, alpha.size + 1, alpha.shape[1])
        return cls(sparse.csr_matrix((alpha.ravel(), neighbours.ravel(), starts), (len(flat),) * 2), (height, width))
