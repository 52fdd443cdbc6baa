"""CVAT "Segmentation mask 1.1": colours in `SegmentationClass/`, and `labelmap.txt` that says whose they are."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from textseg.formats import options
from textseg.formats.devkit import BACKGROUND, SETS, devkit, entries, label_map, reader, shown
from textseg.formats.exporting import Export
from textseg.formats.incoming import Category, Incoming
from textseg.formats.registry import Format, register
from textseg.formats.source import Source
from textseg.formats.values import a_name
from textseg.labelmap import rgb
from textseg.vocabulary import colour_cycle


@register("cvat")
class Cvat(Format):
    title = "CVAT Segmentation mask 1.1"
    layout = "JPEGImages/, SegmentationClass/, ImageSets/Segmentation/default.txt, labelmap.txt"
    loses = ("objects (no SegmentationObject)", "confidence", "provenance")
    import_options = (options.BACKGROUND,)

    def write(self, export: Export) -> None:
        names, colours = _spelled(export), _colours(export)
        table = np.zeros((2**16, 3), np.uint8)
        table[[c.id for c in export.classes]] = [rgb(colours[c.id]) for c in export.classes]
        lists: dict[str, list[str]] = {split: [] for split in export.splits or ["default"]}
        for item, ids, _ in export.each(lambda item: f"JPEGImages/{item.name}"):
            buffer = io.BytesIO()
            Image.fromarray(table[ids]).save(buffer, "PNG")
            export.write(f"SegmentationClass/{item.stem}.png", buffer.getvalue())
            lists[item.split or "default"].append(item.stem)
        for name, stems in lists.items():
            export.write(f"{SETS}/{name}.txt", "".join(f"{stem}\n" for stem in stems))
        black = BACKGROUND if BACKGROUND not in names.values() else "unlabelled"
        lines = ["# label:color_rgb:parts:actions", f"{black}:0,0,0::"]
        lines += [f"{names[c.id]}:{','.join(map(str, rgb(colours[c.id])))}::" for c in export.classes]
        export.write("labelmap.txt", "\n".join([*lines, ""]))

    def recognise(self, source: Source) -> str | None:
        root = devkit(source.root)
        found = shown(source, root)
        return found if found is not None and found.endswith(".txt") and not root.name.startswith("VOC") else None

    def read(self, source: Source) -> Incoming:
        root = devkit(source.root)
        described = label_map(source, root / "labelmap.txt")
        classes = [Category(name, colour=f"#{bytes(colour).hex()}") for name, colour in described]
        table = {k: k + 1 for k in range(len(classes))}
        by_colour = {colour: k + 1 for k, (_, colour) in enumerate(described)}
        black = by_colour.get((0, 0, 0))
        if black is None:
            by_colour[0, 0, 0] = 0
        elif source.background is None:  # what nobody has drawn on is black in CVAT
            by_colour[0, 0, 0] = table[black - 1] = 0
            classes[black - 1] = Category(described[black - 1][0], implied=True)
        else:
            classes[black - 1] = Category(a_name(source.background, "--background"), implied=True)
        return Incoming(classes, entries(source, root, reader(source, table, by_colour, coloured=True)))


def _spelled(export: Export) -> dict[int, str]:
    """The classes' names without colons, which part the fields of a line, told apart."""
    names: dict[int, str] = {}
    for c in export.classes:
        name = base = c.name.replace(":", " ").lstrip("#").strip() or "class"
        number = 1
        while name in names.values():
            number += 1
            name = f"{base} {number}"
        names[c.id] = name
        if name != c.name:
            export.rename(c.id, name)
    return names


def _colours(export: Export) -> dict[int, str]:
    """A colour for each class, its own unless another one has it or it is black."""
    taken = {"#000000"}
    colours: dict[int, str] = {}
    spare = iter(colour_cycle(4 * len(export.classes) + 64))
    own = {c.colour for c in export.classes}
    for c in export.classes:
        colour = c.colour
        while colour in taken:
            colour = next(free for free in spare if free not in own)
        taken.add(colour)
        colours[c.id] = colour
    changed = sum(colours[c.id] != c.colour for c in export.classes)
    if changed:
        export.note(f"{changed} classes have another colour, as CVAT tells classes apart by colour.")
    return colours
