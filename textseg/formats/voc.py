"""Pascal VOC: `JPEGImages/`, `SegmentationClass/` (palette PNGs, index = class, 255 = void), `ImageSets/Segmentation/`.

Pixels without a label are void; id 0 is the class `background`, if there is one. VOC fixes no class names but its own,
so they stand in `classes.txt`, one a line, beginning with id 0; `labelmap.txt` says the same with colours.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from textseg.errors import DatasetError, FormatError, brief
from textseg.formats.exporting import Export, OutClass
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.panoptic import numbers_of
from textseg.formats.registry import Format, register
from textseg.formats.source import PHOTO_FOLDERS, Source, a_name

VOID = 255
BACKGROUND = "background"
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
WHITISH = (224, 224, 192)
"""The palette's colour of void."""

SETS = "ImageSets/Segmentation"

Rgb = tuple[int, int, int]


def palette() -> list[Rgb]:
    """VOC's 256 colours: the bits of the index, three at a time, from the highest colour bit down."""
    colours = []
    for index in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                channels[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        colours.append((channels[0], channels[1], channels[2]))
    return colours


@register("voc")
class Voc(Format):
    title = "Pascal VOC"
    layout = "JPEGImages/, SegmentationClass/, ImageSets/Segmentation/, classes.txt, labelmap.txt"
    loses = ("objects (no SegmentationObject)", "class colours", "confidence", "provenance", "more than 254 classes")
    background = BACKGROUND

    def write(self, export: Export) -> None:
        numbers = _numbers(export.classes)
        table = np.full(2**16, VOID, np.uint8)
        table[list(numbers)] = list(numbers.values())
        colours = palette()
        flat = bytes(value for colour in colours for value in colour)
        lists: dict[str, list[str]] = {split: [] for split in export.splits or ["train"]}
        if any(c.id in numbers and numbers[c.id] == 0 for c in export.classes):
            export.note("The class 'background' is id 0; pixels without a label are void (255).")
        else:
            export.note("Pixels without a label are void (255); id 0, background, is not used.")
        for item, ids, _ in export.each(lambda item: f"JPEGImages/{item.name}", jpeg=True):
            labels = Image.fromarray(table[ids])
            labels.putpalette(flat)
            buffer = io.BytesIO()
            labels.save(buffer, "PNG")
            export.write(f"SegmentationClass/{item.stem}.png", buffer.getvalue())
            lists[item.split or "train"].append(item.stem)
        names = {number: c.name for c in export.classes for number in [numbers[c.id]]} | (
            {} if 0 in numbers.values() else {0: BACKGROUND}
        )
        lists["trainval"] = sorted([*lists.get("train", []), *lists.get("val", [])])
        for name, stems in lists.items():
            export.write(f"{SETS}/{name}.txt", "".join(f"{stem}\n" for stem in sorted(stems)))
        export.write("classes.txt", "".join(f"{names[k]}\n" for k in sorted(names)))
        spelled = {k: name.replace(":", " ") for k, name in names.items()}
        described = [
            f"{name}:{','.join(map(str, colours[k]))}::" for k, name in sorted((spelled | {VOID: "void"}).items())
        ]
        export.write("labelmap.txt", "\n".join(["# label:color_rgb:parts:actions", *described, ""]))

    def read(self, source: Source) -> Incoming:
        root = devkit(source.root)
        names = next(
            ([line.strip() for _, line in source.lines(folder / name)]
             for folder in (root, source.root) for name in ("classes.txt", "labels.txt") if (folder / name).is_file()),
            None,
        )  # fmt: skip
        colours = palette()
        if names is None and (root / "labelmap.txt").is_file():
            described = [
                (name, colour) for name, colour in label_map(source, root / "labelmap.txt") if colour != WHITISH
            ]
            names, colours = [name for name, _ in described], [colour for _, colour in described]
        implied = names is None
        names = names or [BACKGROUND, *CLASSES]
        if len(names) > VOID:
            raise DatasetError(f"{source.root} names {len(names)} classes; a VOC label map holds at most {VOID}.")
        # Id 0 counts as a class only where it is used: most sets name it and mean "nothing".
        classes = [Category(a_name(name, f"class {k}"), implied=implied or k == 0) for k, name in enumerate(names)]
        zero = 1
        if source.background is None:
            zero = 0
        elif source.background != classes[0].name and source.background != BACKGROUND:
            classes[0] = Category(a_name(source.background, "--background"), implied=True)
        table = {k: k + 1 for k in range(len(classes))} | {0: zero, VOID: 0}
        by_colour = {colours[k]: number for k, number in table.items() if k < len(colours) and k != VOID}
        by_colour.setdefault(WHITISH, 0)
        return Incoming(classes, entries(source, root, reader(source, table, by_colour)))


def _numbers(classes: list[OutClass]) -> dict[int, int]:
    """{project's id: VOC's}: 0 for a class called background, else 1, 2, ... in order."""
    behind = [c for c in classes if c.name.casefold() == BACKGROUND]
    others = [c for c in classes if c not in behind]
    if len(others) >= VOID:
        raise FormatError(
            f"VOC holds at most {VOID - 1} classes and there are {len(others)}; choose some, or use coco or png."
        )
    return {c.id: k for k, c in enumerate(others, start=1)} | {c.id: 0 for c in behind[:1]}


def devkit(root: Path) -> Path:
    """The folder that holds `SegmentationClass`: this one, or one of those of a VOC devkit in it."""
    places = [root, *sorted(root.glob("VOCdevkit/VOC20*")), *sorted(root.glob("VOC20*"))]
    return next((place for place in places if (place / "SegmentationClass").is_dir()), root)


def label_map(source: Source, path: Path) -> list[tuple[str, Rgb]]:
    """The (name, colour) of each line `name:r,g,b:parts:actions` of a `labelmap.txt`."""
    found: list[tuple[str, Rgb]] = []
    for number, line in source.lines(path):
        if line.lstrip().startswith("#"):
            continue
        where = f"{source.shown(path)} line {number}"
        name, _, rest = line.strip().partition(":")
        numbers = rest.split(":")[0]
        if numbers.strip():
            colour = _colour(numbers, where)
        else:  # the palette's, as datumaro leaves it out
            colour = palette()[len(found)] if len(found) < VOID else (0, 0, 0)
        for other, (known, taken) in enumerate(found, start=1):
            if taken == colour or known == name.strip():
                raise DatasetError(f"{where} has the name or colour of class {other} ('{known}').")
        found.append((a_name(name, where), colour))
    if not found:
        raise DatasetError(f"{source.shown(path)} describes no class.")
    return found


def _colour(text: str, where: str) -> Rgb:
    numbers = [int(n) if n.strip().isascii() and n.strip().isdigit() else 256 for n in text.split(",")]
    if len(numbers) != 3 or max(numbers) > 255:
        raise DatasetError(f"{where} has the colour {brief(text)}; a line is name:red,green,blue:parts:actions.")
    return numbers[0], numbers[1], numbers[2]


Labels = Callable[[tuple[int, int]], np.ndarray]


def reader(source: Source, table: dict[int, int], by_colour: dict[Rgb, int]) -> Callable[[Path], Labels]:
    """How a PNG becomes class numbers: by its index, or by its colour where it has three channels."""
    indices = {(red << 16) + (green << 8) + blue: number for (red, green, blue), number in by_colour.items()}

    def of(path: Path) -> Labels:
        def labels(size: tuple[int, int]) -> np.ndarray:
            if source.check_size(path, size) in ("RGB", "RGBA"):
                with Image.open(path) as image:
                    colours = np.asarray(image.convert("RGB"), np.int64)
                values = colours @ np.array([65536, 256, 1])
                return numbers_of(values, indices, source.shown(path), lambda v: f"the colour #{v:06x}")
            ids = source.labels(path, size).astype(np.int64)
            return numbers_of(ids, table, source.shown(path), lambda v: f"the id {v}")

        return labels

    return of


def entries(source: Source, root: Path, labels_of: Callable[[Path], Labels]) -> list[Entry]:
    """The photos of the lists in `ImageSets/Segmentation` (all of `SegmentationClass` where there is none)."""
    folder = root / "SegmentationClass"
    if not folder.is_dir():
        raise DatasetError(f"{source.shown(folder)} does not exist; it holds the label maps.")
    stems: dict[str, str] = {}
    for path in sorted((root / SETS).glob("*.txt")):
        for number, line in source.lines(path):
            stem = line.strip()
            source.inside(f"{stem}.png", f"{source.shown(path)} line {number}", folder)
            stems.setdefault(stem, f"{source.shown(path)} line {number}")
    if not stems:
        stems = {path.stem: source.shown(path) for path in sorted(folder.glob("*.png"))}
    found = []
    for stem, where in stems.items():
        label = folder / f"{stem}.png"
        if not label.is_file():
            raise DatasetError(f"{where} names '{stem}', but {source.shown(label)} does not exist.")
        parent = Path(stem).parent
        photo = source.photo(Path(stem).name, *(root / name / parent for name in PHOTO_FOLDERS))
        found.append(Entry(photo.name if photo else Path(stem).name, source.shown(label), photo, labels_of(label)))
    return found
