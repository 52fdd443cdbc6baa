"""Labelled photo sets on disk: which photo goes with which label, and what the ids in the labels mean.

A layout is a named way of laying out such a set. `folder` is the plain one (`images/`, `labels/`, `classes.txt`,
`ignore.txt`); the others are the field's benchmarks as their authors publish them. Ids are read as they lie on disk and
looked up in a table, so nothing is shifted: what segmentation libraries call `reduce_zero_label` is here the id 0
missing from the classes.

Words that the benchmarks run together or decorate ("tvmonitor", "wall-brick", "sky-other") are asked in plain English
("tv monitor", "brick wall", "sky"); results keep the published names.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from textseg import images
from textseg.errors import DatasetError
from textseg.formats.published import ADE20K_150
from textseg.labelmap import read_index_png
from textseg.registry import Registry

UNSCORED = -1
"""In a truth map: the pixel is not scored."""

MAX_ID = 65535


@dataclass(frozen=True)
class Class:
    """One class of a set: its published name, the word that is asked for it, and its ids in the label files."""

    name: str
    word: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Dataset:
    """A labelled photo set; `pairs` are (photo, label) files, `ignored` the label ids that are not scored.

    `background` is the index of the class that stands for "none of the words", where the set scores one.
    """

    layout: str
    classes: tuple[Class, ...]
    pairs: tuple[tuple[Path, Path], ...]
    ignored: frozenset[int]
    background: int | None = None

    def truth(self, label: Path, size: tuple[int, int]) -> np.ndarray:
        """(H, W) int32, for each pixel the index of its class in `classes`, or UNSCORED.

        `size` is the photo's (width, height); the label is never resized. Raises DatasetError when the label is
        missing, has another size, or holds an id that the set does not know.
        """
        if not label.is_file():
            raise DatasetError(f"{label} does not exist; every photo needs a label file of the same stem.")
        ids = read_index_png(label)
        if ids.shape != size[::-1]:
            raise DatasetError(
                f"{label} is {ids.shape[1]} x {ids.shape[0]} pixels but its photo is {size[0]} x {size[1]}; "
                "a label has the size of its photo."
            )
        truth = self._index_of_id[ids]
        if truth.min(initial=UNSCORED) < UNSCORED:
            unknown = int(ids[truth < UNSCORED][0])
            raise DatasetError(f"{label} holds the id {unknown}, which is neither a class of the set nor ignored.")
        return truth

    @cached_property
    def _index_of_id(self) -> np.ndarray:
        table = np.full(MAX_ID + 1, UNSCORED - 1, np.int32)
        table[list(self.ignored)] = UNSCORED
        for index, entry in enumerate(self.classes):
            table[list(entry.ids)] = index
        return table


Layout = Callable[[Path], Dataset]
_registry: Registry[Layout] = Registry("layout", __name__)
register, names = _registry.register, _registry.names


def open(path: Path, layout: str = "folder") -> Dataset:  # noqa: A001 (read as datasets.open)
    """The set under `path`; raises DatasetError (what is missing, and where) or UnknownNameError for the layout."""
    read = _registry.get(layout)
    if not path.is_dir():
        raise DatasetError(f"{path} is not a folder; give the folder of a labelled photo set.")
    dataset = read(path)
    if not dataset.pairs:
        raise DatasetError(f"{path} has no photos where the layout '{layout}' looks for them.")
    return replace(dataset, layout=layout)


# The plain layout


@register("folder")
def folder(path: Path) -> Dataset:
    """`images/`, `labels/` (index PNG, same stems), `classes.txt` and perhaps `ignore.txt`.

    Ids neither scored nor asked: those in `ignore.txt`; without that file 255. The ids 0 and 255 are also left out
    wherever `classes.txt` does not name them. A scored class 0 called background means "none of the words".
    """
    photos, labels = _folder(path / "images"), _folder(path / "labels")
    listed = read_classes(path / "classes.txt")
    known = {id for entry in listed for id in entry.ids}
    file = path / "ignore.txt"
    ignored = (_read_ids(file) if file.is_file() else {255}) | ({0, 255} - known)
    classes = tuple(entry for entry in listed if entry.ids[0] not in ignored)
    if not classes:
        raise DatasetError(f"{path / 'classes.txt'} names no class that is scored.")
    label_of = {label.stem: label for label in sorted(labels.iterdir()) if label.suffix.lower() == ".png"}
    found = images.find([photos])
    pairs = [(photo, label_of.get(photo.stem, labels / f"{photo.stem}.png")) for photo in found]
    # A label without its photo is not passed over in silence: opening the photo will say that it is missing.
    alone = label_of.keys() - {photo.stem for photo in found}
    pairs = sorted(pairs + [(photos / f"{stem}.jpg", label_of[stem]) for stem in alone])
    background = next((k for k, entry in enumerate(classes) if _means_none(entry)), None)
    return Dataset("folder", classes, tuple(pairs), frozenset(ignored), background)


def read_classes(file: Path) -> list[Class]:
    """The classes of a `classes.txt`: `id<TAB>name` or `id<TAB>name<TAB>prompt` a line; the word asked comes last."""
    classes: list[Class] = []
    seen: set[int] = set()
    taken: set[str] = set()
    for number, line in _lines(file):
        id, *columns = [column.strip() for column in line.split("\t")]
        if not columns or not columns[0]:
            raise DatasetError(f"{file} line {number} has no name; a line is id<TAB>name or id<TAB>name<TAB>prompt.")
        value = _id(id, file, number)
        if value in seen:
            raise DatasetError(f"{file} line {number} names the id {value} a second time.")
        seen.add(value)
        # Results are kept by name, so a name that two ids share is told apart by its id.
        name = columns[0] if columns[0] not in taken else f"{columns[0]} ({value})"
        taken.add(name)
        word = columns[1] if len(columns) > 1 and columns[1] else columns[0]
        classes.append(Class(name, word, (value,)))
    return classes


def _means_none(entry: Class) -> bool:
    return entry.ids == (0,) and "background" in (entry.name + entry.word).casefold()


def _read_ids(file: Path) -> set[int]:
    return {_id(line.split()[0], file, number) for number, line in _lines(file)}


def _id(text: str, file: Path, number: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_ID):
        raise DatasetError(f"{file} line {number} begins with '{text[:40]}', which is not an id from 0 to {MAX_ID}.")
    return int(text)


def _lines(file: Path) -> Iterable[tuple[int, str]]:
    """The non-empty lines with their numbers, from 1."""
    if not file.is_file():
        raise DatasetError(f"{file} does not exist.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DatasetError(f"{file} is not UTF-8 text.") from None
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise DatasetError(f"The folder {path} does not exist.")
    return path


# The field's benchmarks


def named(text: str) -> list[str]:
    """Names separated by commas, over any number of lines."""
    return [" ".join(name.split()) for name in text.split(",")]


VOC = named("""
    aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, motorbike, person,
    pottedplant, sheep, sofa, train, tvmonitor
""")

CONTEXT = named("""
    aeroplane, bag, bed, bedclothes, bench, bicycle, bird, boat, book, bottle, building, bus, cabinet, car, cat,
    ceiling, chair, cloth, computer, cow, cup, curtain, dog, door, fence, floor, flower, food, grass, ground, horse,
    keyboard, light, motorbike, mountain, mouse, person, plate, platform, pottedplant, road, rock, sheep, shelves,
    sidewalk, sign, sky, snow, sofa, table, track, train, tree, truck, tvmonitor, wall, water, window, wood
""")

CITYSCAPES = named("""
    road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, terrain, sky, person, rider,
    car, truck, bus, train, motorcycle, bicycle
""")

COCO_OBJECTS = named("""
    person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign,
    parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella,
    handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
    surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
    broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
    mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors,
    teddy bear, hair drier, toothbrush
""")

COCO_STUFF = named("""
    banner, blanket, branch, bridge, building-other, bush, cabinet, cage, cardboard, carpet, ceiling-other,
    ceiling-tile, cloth, clothes, clouds, counter, cupboard, curtain, desk-stuff, dirt, door-stuff, fence,
    floor-marble, floor-other, floor-stone, floor-tile, floor-wood, flower, fog, food-other, fruit, furniture-other,
    grass, gravel, ground-other, hill, house, leaves, light, mat, metal, mirror-stuff, moss, mountain, mud, napkin,
    net, paper, pavement, pillow, plant-other, plastic, platform, playingfield, railing, railroad, river, road, rock,
    roof, rug, salad, sand, sea, shelf, sky-other, skyscraper, snow, solid-other, stairs, stone, straw,
    structural-other, table, tent, textile-other, towel, tree, vegetable, wall-brick, wall-concrete, wall-other,
    wall-panel, wall-stone, wall-tile, wall-wood, water-other, waterdrops, window-blind, window-other, wood
""")

_PLAIN = {
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
    "playingfield": "playing field",
    "waterdrops": "water drops",
    "window-blind": "window blind",
}

# COCO's label files number things 0..89 with gaps, then stuff 91..181 (0-based).
_COCO_GAPS = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82}
_COCO_OBJECT_IDS = [id for id in range(90) if id not in _COCO_GAPS]
_COCO_STUFF_IDS = list(range(91, 182))

# `labelIds` of the 19 classes that Cityscapes scores; every other one is ignored.
_CITYSCAPES_IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]


def plain(name: str) -> str:
    """The word asked for a published class name: "tvmonitor" -> "tv monitor", "wall-brick" -> "brick wall"."""
    thing, _, kind = name.partition("-")
    return _PLAIN.get(name) or (thing if kind in ("", "other", "stuff") else f"{kind} {thing}")


def _classes(names: Iterable[str], ids: Iterable[int]) -> tuple[Class, ...]:
    return tuple(Class(name, plain(name), (id,)) for name, id in zip(names, ids, strict=True))


@register("voc21")
def voc21(path: Path) -> Dataset:
    """PASCAL VOC 2012 val: `VOC2012/{JPEGImages,SegmentationClass,ImageSets/Segmentation/val.txt}`."""
    root = _root(path, "VOC2012")
    pairs = _val(root, "SegmentationClass", "ImageSets/Segmentation/val.txt")
    return Dataset("voc21", _classes(["background", *VOC], range(21)), pairs, frozenset({255}), background=0)


@register("voc20")
def voc20(path: Path) -> Dataset:
    """PASCAL VOC 2012 val, object pixels alone."""
    return _without_background(voc21(path))


@register("context60")
def context60(path: Path) -> Dataset:
    """PASCAL Context val: `VOC2010/{JPEGImages,SegmentationClassContext,ImageSets/SegmentationContext/val.txt}`."""
    root = _root(path, "VOC2010")
    pairs = _val(root, "SegmentationClassContext", "ImageSets/SegmentationContext/val.txt")
    return Dataset("context60", _classes(["background", *CONTEXT], range(60)), pairs, frozenset({255}), background=0)


@register("context59")
def context59(path: Path) -> Dataset:
    """PASCAL Context val without its background class."""
    return _without_background(context60(path))


@register("coco_stuff171")
def coco_stuff171(path: Path) -> Dataset:
    """COCO-Stuff val: `coco_stuff164k/{images,annotations}/val2017`, `*_labelTrainIds.png` or else the raw `*.png`."""
    pairs, converted = _coco(path, "_labelTrainIds")
    ids = range(171) if converted else _COCO_OBJECT_IDS + _COCO_STUFF_IDS
    return Dataset("coco_stuff171", _classes([*COCO_OBJECTS, *COCO_STUFF], ids), pairs, frozenset({255}))


@register("coco_object")
def coco_object(path: Path) -> Dataset:
    """COCO-Object: the same photos, 80 things; all stuff and unlabelled pixels are background, and all are scored.

    Reads `*_instanceTrainIds.png` (0 background, 1..80), else makes the same of the raw `*.png`.
    """
    pairs, converted = _coco(path, "_instanceTrainIds")
    things = _classes(COCO_OBJECTS, range(1, 81) if converted else _COCO_OBJECT_IDS)
    rest = (0,) if converted else tuple(sorted({*range(256)} - {*_COCO_OBJECT_IDS}))
    background = Class("background", "background", rest)
    ignored = frozenset({255}) if converted else frozenset()
    return Dataset("coco_object", (background, *things), pairs, ignored, background=0)


@register("ade150")
def ade150(path: Path) -> Dataset:
    """ADE20K val: `ADEChallengeData2016/{images,annotations}/validation`, 0 = other, 1..150."""
    root = _root(path, "ADEChallengeData2016")
    photos, labels = _folder(root / "images/validation"), _folder(root / "annotations/validation")
    pairs = tuple((photo, labels / f"{photo.stem}.png") for photo in images.find([photos]))
    return Dataset("ade150", _classes(ADE20K_150, range(1, 151)), pairs, frozenset({0, 255}))


@register("cityscapes19")
def cityscapes19(path: Path) -> Dataset:
    """Cityscapes val: `leftImg8bit/val/<city>`, `gtFine/val/<city>/*_labelTrainIds.png`, else `*_labelIds.png`."""
    root = _root(path, "cityscapes")
    photos, labels = _folder(root / "leftImg8bit/val"), _folder(root / "gtFine/val")
    converted = any(labels.glob("*/*_gtFine_labelTrainIds.png"))
    kind, ids = ("labelTrainIds", range(19)) if converted else ("labelIds", _CITYSCAPES_IDS)
    pairs = tuple(
        (photo, labels / photo.parent.name / photo.name.replace("_leftImg8bit.png", f"_gtFine_{kind}.png"))
        for photo in sorted(photos.glob("*/*_leftImg8bit.png"))
    )
    return Dataset("cityscapes19", _classes(CITYSCAPES, ids), pairs, frozenset({*range(256)} - {*ids}))


def _without_background(dataset: Dataset) -> Dataset:
    """Class 0 is neither scored nor asked (`reduce_zero_label`)."""
    return replace(dataset, classes=dataset.classes[1:], ignored=dataset.ignored | {0}, background=None)


def _root(path: Path, name: str) -> Path:
    """`path` itself, or the published folder `name` in it."""
    return path / name if (path / name).is_dir() else path


def _val(root: Path, labels: str, list_file: str) -> tuple[tuple[Path, Path], ...]:
    """The VOC way: stems in a list file."""
    photos, labels_folder = _folder(root / "JPEGImages"), _folder(root / labels)
    stems = [line.strip() for _, line in _lines(root / list_file)]
    return tuple((photos / f"{stem}.jpg", labels_folder / f"{stem}.png") for stem in stems)


def _coco(path: Path, suffix: str) -> tuple[tuple[tuple[Path, Path], ...], bool]:
    """((photo, label) pairs, whether the labels are the converted ones with `suffix`)."""
    root = _root(path, "coco_stuff164k")
    photos, labels = _folder(root / "images/val2017"), _folder(root / "annotations/val2017")
    converted = any(labels.glob(f"*{suffix}.png"))
    ending = f"{suffix}.png" if converted else ".png"
    return tuple((photo, labels / f"{photo.stem}{ending}") for photo in images.find([photos])), converted
