"""The field's benchmarks as their authors publish them.

Words that they run together or decorate ("tvmonitor", "wall-brick", "sky-other") are asked in plain English ("tv
monitor", "brick wall", "sky"); results keep the published names.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from textseg import images
from textseg.errors import DatasetError
from textseg.formats.published import ADE20K_150
from trainer.datasets import MAX_ID, Class, Dataset, folder_of, lines_of, parsed_id, read_classes, register


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
    photos, labels = folder_of(root / "images/validation"), folder_of(root / "annotations/validation")
    pairs = tuple((photo, labels / f"{photo.stem}.png") for photo in images.find([photos]))
    return Dataset("ade150", _classes(ADE20K_150, range(1, 151)), pairs, frozenset({0, 255}))


@register("ade847")
def ade847(path: Path) -> Dataset:
    """ADE20K's full set (2021_17_01) val, as MaskFormer's script converts it, with the classes of a `classes.txt`.

    `ADE20K_2021_17_01/{images,annotations}_detectron2/validation`, 16-bit TIFF with 65535 where nothing is scored, and
    `classes.txt` (`id<TAB>name`, ids from 0): which 847 of the 3,688 names are meant the published set does not say,
    and this program does not either. Of several names, "bed, beds", the first is asked.
    """
    root = _root(path, "ADE20K_2021_17_01")
    photos, labels = (folder_of(root / f"{kind}_detectron2/validation") for kind in ("images", "annotations"))
    classes = tuple(_first_name(entry) for entry in read_classes(root / "classes.txt"))
    pairs = tuple((photo, labels / f"{photo.stem}.tif") for photo in images.find([photos]))
    return Dataset("ade847", classes, pairs, frozenset({MAX_ID}))


@register("context459")
def context459(path: Path) -> Dataset:
    """PASCAL Context val with all its classes, as published: `VOC2010/trainval/*.mat` (`LabelMap`) and `labels.txt`.

    The classes are those of `labels.txt` (`id: name` a line), which lies in `trainval` or beside it; 0 is not scored.
    The photos are those of `context60`.
    """
    root = _root(path, "VOC2010")
    listed = next((file for file in (root / "labels.txt", root / "trainval/labels.txt") if file.is_file()), None)
    if listed is None:
        raise DatasetError(f"{root / 'labels.txt'} does not exist; it comes with PASCAL Context's annotations.")
    names = [(number, line.partition(":")) for number, line in lines_of(listed)]
    classes = tuple(
        Class(name.strip(), plain(name.strip()), (parsed_id(id.strip(), listed, number),))
        for number, (id, _, name) in names
        if name.strip() and id.strip() != "0"
    )
    pairs = _val(root, "trainval", "ImageSets/SegmentationContext/val.txt", ".mat")
    return Dataset("context459", classes, pairs, frozenset({0}))


@register("cityscapes19")
def cityscapes19(path: Path) -> Dataset:
    """Cityscapes val: `leftImg8bit/val/<city>`, `gtFine/val/<city>/*_labelTrainIds.png`, else `*_labelIds.png`."""
    root = _root(path, "cityscapes")
    photos, labels = folder_of(root / "leftImg8bit/val"), folder_of(root / "gtFine/val")
    converted = any(labels.glob("*/*_gtFine_labelTrainIds.png"))
    kind, ids = ("labelTrainIds", range(19)) if converted else ("labelIds", _CITYSCAPES_IDS)
    pairs = tuple(
        (photo, labels / photo.parent.name / photo.name.replace("_leftImg8bit.png", f"_gtFine_{kind}.png"))
        for photo in sorted(photos.glob("*/*_leftImg8bit.png"))
    )
    return Dataset("cityscapes19", _classes(CITYSCAPES, ids), pairs, frozenset({*range(256)} - {*ids}))


def _first_name(entry: Class) -> Class:
    return replace(entry, word=entry.word.partition(",")[0].strip())


def _without_background(dataset: Dataset) -> Dataset:
    """Class 0 is neither scored nor asked (`reduce_zero_label`)."""
    return replace(dataset, classes=dataset.classes[1:], ignored=dataset.ignored | {0}, background=None)


def _root(path: Path, name: str) -> Path:
    """`path` itself, or the published folder `name` in it."""
    return path / name if (path / name).is_dir() else path


def _val(root: Path, labels: str, list_file: str, ending: str = ".png") -> tuple[tuple[Path, Path], ...]:
    """The VOC way: stems in a list file."""
    photos, labels_folder = folder_of(root / "JPEGImages"), folder_of(root / labels)
    stems = [line.strip() for _, line in lines_of(root / list_file)]
    return tuple((photos / f"{stem}.jpg", labels_folder / f"{stem}{ending}") for stem in stems)


def _coco(path: Path, suffix: str) -> tuple[tuple[tuple[Path, Path], ...], bool]:
    """((photo, label) pairs, whether the labels are the converted ones with `suffix`)."""
    root = _root(path, "coco_stuff164k")
    photos, labels = folder_of(root / "images/val2017"), folder_of(root / "annotations/val2017")
    converted = any(labels.glob(f"*{suffix}.png"))
    ending = f"{suffix}.png" if converted else ".png"
    return tuple((photo, labels / f"{photo.stem}{ending}") for photo in images.find([photos])), converted
