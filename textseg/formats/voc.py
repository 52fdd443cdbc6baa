"""Pascal VOC: `JPEGImages/`, `SegmentationClass/` (palette PNGs, index = class, 255 = void), `ImageSets/Segmentation/`.

Pixels without a label are void; id 0 is the class `background`, if there is one. VOC fixes no class names but its own,
so they stand in `classes.txt`, one a line, beginning with id 0; `labelmap.txt` says the same with colours.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from textseg.errors import DatasetError, FormatError
from textseg.formats import options
from textseg.formats.class_list import CLASS_FILES, NONE
from textseg.formats.devkit import BACKGROUND, SETS, VOID, devkit, entries, label_map, palette, reader, shown
from textseg.formats.exporting import Export
from textseg.formats.incoming import Category, Incoming
from textseg.formats.outgoing import OutClass
from textseg.formats.registry import Format, register
from textseg.formats.source import Source
from textseg.formats.values import a_name

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
WHITISH = (224, 224, 192)
"""The palette's colour of void."""


@register("voc")
class Voc(Format):
    title = "Pascal VOC"
    layout = "JPEGImages/, SegmentationClass/, ImageSets/Segmentation/, classes.txt, labelmap.txt"
    loses = ("objects (no SegmentationObject)", "class colours", "confidence", "provenance", "more than 254 classes")
    background = BACKGROUND
    import_options = (options.BACKGROUND,)

    def write(self, export: Export) -> None:
        numbers = _numbers(export.classes)
        export.number(numbers)
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

    def recognise(self, source: Source) -> str | None:
        root = devkit(source.root)
        found = shown(source, root)
        colours = found is not None and found.endswith(".txt") and not root.name.startswith("VOC")
        return None if colours else found

    def read(self, source: Source) -> Incoming:
        root = devkit(source.root)
        names = next(
            ([line.strip() for _, line in source.lines(folder / name)]
             for folder in (root, source.root) for name in CLASS_FILES if (folder / name).is_file()),
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
        if source.background is None or classes[0].name.casefold() in NONE - {BACKGROUND}:
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
