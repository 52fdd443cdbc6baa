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

    `refine` is the name of a refinement, "none", or None for the best default: superpixels and proposals lie on edges
    already and take none. A word shows where it wins and its similarity is at least `threshold` (0..1) or its own;
    background words win pixels but are written as 0. Raises UnknownNameError for an unknown `by`, `refine` or
    `templates`.
    """
    if by not in BY:
        raise UnknownNameError(f"A photo is labelled by {', '.join(BY)}, not by '{by}'.")
    to_edges = refinements.get(refine or refinements.DEFAULT)
    grid = torch.from_numpy(scene.similarity(vocabulary, templates=templates))
    scores: torch.Tensor | RegionScores = grid
    if by == "unit":
        scores = scene.units(granularity).smooth(grid)
    elif by == "slic":
        scores = scene.once(("slic", granularity), lambda: partition.slic(scene.photo, granularity)).scores(grid)
    elif by == "proposal":
        scores = refinements.get("proposals")(scene, grid)
    if isinstance(scores, torch.Tensor):
        scores = to_edges(scene, scores)
    elif refine not in (None, "none"):
        raise UnknownNameError(f"Labels by {by} lie on image edges already; use the refinement 'none' with them.")
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
