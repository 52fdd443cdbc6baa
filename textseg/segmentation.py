"""The whole answer: scene x vocabulary -> label map, with the best defaults. What page, commands and API call."""

import numpy as np
import torch

from textseg import refine as refinements
from textseg.errors import UnknownNameError
from textseg.labelmap import LabelMap
from textseg.model import dense, partition
from textseg.model.partition import RegionScores
from textseg.model.scene import Scene, least_similarity
from textseg.vocabulary import Vocabulary

BY = ("pixel", "unit", "slic", "proposal")


def segment(
    scene: Scene,
    vocabulary: Vocabulary,
    by: str = "pixel",
    refine: str | None = None,
    threshold: float | None = None,
    templates: str | None = None,
    granularity: float = 0.5,
) -> LabelMap:
    """Label `scene`: by pixel, adaptive unit, SLIC superpixel or proposal; then bring the map to image edges.

    `refine` is the name of a refinement, "none", or None for the best default. A word shows where it wins and its
    similarity is at least `threshold` (0..1) or its own; background words win pixels but are written as 0.
    Raises UnknownNameError for an unknown `by`, `refine` or `templates`.
    """
    grid = torch.from_numpy(scene.similarity(vocabulary, templates=templates))
    scores: torch.Tensor | RegionScores = grid
    if by == "slic":
        found = scene.once(("slic", granularity), lambda: partition.slic(scene.photo, granularity))
        scores = RegionScores(found, found.pool(grid))
        refine = refine or "none"
    elif by == "proposal":
        scores = refinements.proposals(scene, grid)
        refine = refine or "none"
    elif by == "unit":
        scores = scene.units(granularity).smooth(grid)
    elif by != "pixel":
        raise UnknownNameError(f"A photo is labelled by {', '.join(BY)}, not by '{by}'.")
    refine = refine or refinements.DEFAULT
    if refine != "none":
        if isinstance(scores, RegionScores):
            raise UnknownNameError(f"Labels by {by} lie on image edges already; use the refinement 'none' with them.")
        scores = refinements.get(refine)(scene, scores)
    ids, score = decide(scene, scores, vocabulary, threshold)
    return LabelMap(ids, vocabulary, scene.confidence(grid, ids), score)


def decide(
    scene: Scene, scores: torch.Tensor | RegionScores, vocabulary: Vocabulary, threshold: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """((H, W) ids, (H, W) uint8 similarity of the winner, 255 = 1.0) of grid or region scores at the photo's size."""
    size = (scene.photo.height, scene.photo.width)
    shown = torch.tensor([not word.background for word in vocabulary])
    thresholds = least_similarity(vocabulary, threshold)
    if isinstance(scores, torch.Tensor):
        return dense.label(scores, size, thresholds, shown)
    # A partition is a grid of one row: label its regions, then hand each pixel its region's label.
    ids, score = dense.label(scores.table[:, None], (1, scores.partition.count), thresholds, shown)
    return scores.partition.spread(ids[0], size), scores.partition.spread(score[0], size)
