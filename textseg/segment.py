"""The whole answer: scene x vocabulary -> label map, with the best defaults. What page, commands and API call."""

from textseg.labelmap import LabelMap
from textseg.model.scene import Scene
from textseg.refine import refine as refine_by_name
from textseg.vocabulary import Vocabulary

BY = ("pixel", "unit", "slic", "proposal")
DEFAULT_REFINE = "regions"


def segment(
    scene: Scene,
    vocabulary: Vocabulary,
    by: str = "pixel",
    refine: str | None = None,
    threshold: float | None = None,
    templates: str | None = None,
) -> LabelMap:
    """Label `scene`: by pixel, adaptive unit, SLIC superpixel or proposal; then bring the map to image edges.

    `refine` is the name of a refinement, "none", or None for the best default (superpixels and proposals lie on image
    edges already and get none).
    """
    raise NotImplementedError
