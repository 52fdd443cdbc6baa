"""The published ways to run the field's benchmarks: at which size, with which words, and what is background.

`tcl` is the line of GroupViT and TCL (Cha et al., CVPR 2023), with GroupViT's own inference `groupvit`; `sclip` that of
SCLIP (Wang et al., ECCV 2024) and the training-free methods after it, of which `naclip` (Hajimiri et al., WACV 2025)
encodes VOC whole. Numbers of different lines do not compare: state the line with every number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from textseg.registry import Registry
from trainer.datasets import Dataset
from trainer.datasets.published import named


@dataclass(frozen=True)
class Protocol:
    """What a published line fixes; None leaves the model's own choice."""

    short_side: int | None = None
    window: int | None = None
    """Side of the square windows, in pixels of the resized photo; they overlap by half. None beside a `short_side`: the
    photo is encoded whole."""
    templates: str | None = None
    refine: str | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By class name: the word and its aliases asked instead of the plain word; empty: the class is not asked."""
    threshold: float | None = None
    """Pixels whose best similarity is below this are none of the words."""
    min_probability: float | None = None
    """Pixels whose best probability, after a softmax of `scale` x similarity over all names, is below this are none."""
    scale: float | None = None
    min_area: float | None = None
    """Words that cover less than this share of a photo's foreground lose their pixels to the next best."""
    groups: bool = False
    """Each group of a grouping head takes one word (trainer/groupvit.py), with `min_probability` where background is
    scored."""


_registry: Registry[Callable[[Dataset], Protocol]] = Registry("protocol", __name__)
register, names = _registry.register, _registry.names


def get(name: str, dataset: Dataset) -> Protocol:
    """The protocol called `name` as it applies to `dataset`; raises UnknownNameError."""
    return _registry.get(name)(dataset)


@register("tcl")
def tcl(dataset: Dataset) -> Protocol:
    """Short side 448, windows of 448; plain class names, 7 templates; background is what no word is sure of.

    TCL (without PAMR) takes for background what no sigmoid mask gives 0.5. Frozen CLIP's cosines s enter its masks as
    sigmoid(10 (s - 0.25)), so that is a least cosine of 0.25; taking it for other readouts too is our reading.
    """
    line = Protocol(short_side=448, window=448, templates="simple", refine="none")
    if dataset.background is None:
        return line
    return replace(line, words={dataset.classes[dataset.background].name: ()}, threshold=0.25)


@register("groupvit")
def groupvit(dataset: Dataset) -> Protocol:
    """GroupViT's inference for grouping heads, at the sizes of `tcl`; a group below 0.95 is background.

    0.95 is GroupViT's for VOC, and taken for other sets that score a background class too.
    """
    return replace(tcl(dataset), threshold=None, groups=True, min_probability=_scored(dataset, 0.95))


def _scored(dataset: Dataset, value: float) -> float | None:
    return None if dataset.background is None else value


_PERSON = ("person", *(f"person in {worn}" for worn in ("shirt", "jeans", "dress", "sweater", "skirt", "jacket")))
_BEHIND = tuple(
    named("""
    sky, wall, tree, wood, grass, road, sea, river, mountain, sands, desk, bed, building, cloud, lamp, door, window,
    wardrobe, ceiling, shelf, curtain, stair, floor, hill, rail, fence
    """)
)
_VOC_WORDS = {
    "boat": ("ship",),
    "diningtable": ("table",),
    "person": _PERSON,
    "tvmonitor": ("television monitor", "tv monitor", "monitor", "television", "screen"),
}
_SCLIP_WORDS: dict[str, Mapping[str, tuple[str, ...]]] = {
    "voc20": _VOC_WORDS,
    "voc21": {**_VOC_WORDS, "background": _BEHIND},
    "coco_object": {"person": (*_PERSON, "body"), "background": _BEHIND},
}
_SCLIP_SHORT_SIDE = {"coco_stuff171": 448, "cityscapes19": 560}
_SCLIP_SCALE = {"voc21": 65.0, "context60": 50.0, "coco_object": 50.0}


@register("sclip")
def sclip(dataset: Dataset) -> Protocol:
    """Short side 336 (COCO-Stuff 448, Cityscapes 560), windows of 224; 80 templates, aliases and background words.

    Where background is scored, pixels whose best word has a probability below 0.1 are background; on VOC21 words on
    less than a tenth of the foreground are dropped first. Class names that SCLIP's lists run together ("pottedplant")
    are asked with their spaces restored.
    """
    return Protocol(
        short_side=_SCLIP_SHORT_SIDE.get(dataset.layout, 336),
        window=224,
        templates="imagenet",
        refine="none",
        words=_SCLIP_WORDS.get(dataset.layout, {}),
        scale=_SCLIP_SCALE.get(dataset.layout, 40.0),
        min_probability=_scored(dataset, 0.1),
        min_area=0.1 if dataset.layout == "voc21" else None,
    )


@register("naclip")
def naclip(dataset: Dataset) -> Protocol:
    """SCLIP's line, but VOC is encoded whole, at a short side of 336, instead of in windows."""
    line = sclip(dataset)
    return replace(line, window=None) if dataset.layout in ("voc20", "voc21") else line
