"""Majority vote within masks: works on the label map of any readout (a step of CorrCLIP, arXiv 2411.10086)."""

from collections.abc import Iterable

import numpy as np


def mask_vote(ids: np.ndarray, masks: Iterable[np.ndarray]) -> np.ndarray:
    """The (H, W) label map in which every mask shows the class that most of its pixels had.

    `masks` are (H, W) bool arrays, in any order, read one at a time. Where masks overlap the smallest decides; pixels
    of no mask keep their class; of classes with equal votes the lower id wins; 0 (none) votes too.
    """
    result = ids.copy()
    decided_by = np.full(ids.shape, ids.size + 1, np.int64)
    for mask in masks:
        votes = ids[mask]
        if votes.size:
            here = mask & (votes.size < decided_by)
            result[here] = np.bincount(votes).argmax()
            decided_by[here] = votes.size
    return result
