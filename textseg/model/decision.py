"""From scores to a label map: which word wins each pixel, and whether it may show."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch

from textseg.model import dense
from textseg.model.partition import RegionScores
from textseg.vocabulary import Vocabulary

Scores: TypeAlias = torch.Tensor | RegionScores
"""(K, h, w) on any grid that covers the photo, or by region."""


def decide(
    scores: Scores, vocabulary: Vocabulary, size: tuple[int, int], threshold: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """((H, W) ids, (H, W) uint8 similarity of the winner, 255 = 1.0) of a photo of `size` (H, W).

    The first word wins a tie. Where the winner's similarity is below its own threshold (or `threshold`), or the winner
    is a background word, the id is 0.
    """
    grid = scores if isinstance(scores, torch.Tensor) else scores.table
    shown = torch.tensor([not word.background for word in vocabulary], device=grid.device)
    thresholds = least_similarity(vocabulary, threshold, grid.device)
    if isinstance(scores, torch.Tensor):
        return dense.label(scores, size, thresholds, shown)
    # A partition is a grid of one row: label its regions, then hand each pixel its region's label.
    ids, score = dense.label(scores.table[:, None], (1, scores.partition.count), thresholds, shown)
    return scores.partition.spread(ids[0], size), scores.partition.spread(score[0], size)


def least_similarity(vocabulary: Vocabulary, threshold: float | None, device: Any = None) -> torch.Tensor | None:
    """(K,) the similarity below which each word shows as none, or None when no word has a threshold.

    A threshold of 0 or less means "always show".
    """
    given = [word.threshold if word.threshold is not None else threshold for word in vocabulary]
    if not any(given):
        return None
    return torch.tensor([t if t and t > 0 else -torch.inf for t in given], device=device)
