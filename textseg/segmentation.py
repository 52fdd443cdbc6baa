"""The whole answer: scene x vocabulary -> label map, with the best defaults. What page, commands and API call."""

import torch

from textseg import refine as refinements
from textseg.errors import UnknownNameError
from textseg.labelmap import LabelMap
from textseg.model import partition
from textseg.model.decision import Scores, decide
from textseg.model.scene import Scene
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
    grid = scene.scores(vocabulary, templates)
    ids, score = decide(pooled(scene, grid, by, refine, granularity), vocabulary, scene.size[::-1], threshold)
    return LabelMap(ids, vocabulary, scene.confidence(grid, ids), score)


def pooled(
    scene: Scene, grid: torch.Tensor, by: str = "pixel", refine: str | None = None, granularity: float = 0.5
) -> Scores:
    """(K, h, w) similarities averaged over what `by` and `refine` say belongs together; arguments as in `segment`."""
    if by not in BY:
        raise UnknownNameError(f"A photo is labelled by {', '.join(BY)}, not by '{by}'.")
    to_edges = refinements.get(refine or refinements.DEFAULT)
    if by in ("slic", "proposal") and refine not in (None, "none"):
        raise UnknownNameError(f"Labels by {by} lie on image edges already; use the refinement 'none' with them.")
    if by == "slic":
        return scene.once(("slic", granularity), lambda: partition.slic(scene.photo, granularity)).scores(grid)
    if by == "proposal":
        return refinements.get("proposals")(scene, grid)
    return to_edges(scene, scene.units(granularity).smooth(grid) if by == "unit" else grid)
