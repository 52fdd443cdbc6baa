"""ADE20K, only read: the 150 classes of its challenge (index PNGs), or all of it (`*_seg.png`, a JSON a photo)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from textseg.errors import DatasetError
from textseg.formats.class_numbers import numbers_of
from textseg.formats.devkit import reader
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.published import ADE20K_150
from textseg.formats.registry import Format, register
from textseg.formats.source import Source
from textseg.formats.values import a_list, a_name, an_id, an_object, natural

LIST = "objectInfo150.txt"
SPLITS = ("training", "validation")


@register("ade20k")
class Ade20k(Format):
    title = "ADE20K"
    layout = "images/SPLIT, annotations/SPLIT, objectInfo150.txt; or *_seg.png and a JSON beside each photo"
    writes = False

    def recognise(self, source: Source) -> str | None:
        if source.file is not None:
            return None
        if (source.root / LIST).is_file():
            return LIST
        place = source.root / "annotations" / SPLITS[0]
        if any(place.glob("ADE_*.png")):
            return source.shown(place)
        return next((source.shown(path) for path in source.files("ADE_*_seg.png", most=1)), None)

    def read(self, source: Source) -> Incoming:
        listed = (source.root / LIST).is_file() or (source.root / "annotations").is_dir()
        return _challenge(source) if listed else _whole(source)


def _challenge(source: Source) -> Incoming:
    classes: list[Category] = []
    numbers = {0: 0, 255: 0}
    for where, class_id, name in _listed(source):
        if class_id is None or class_id in numbers:
            raise DatasetError(f"{where} begins with no number from 1 to 254 of its own.")
        classes.append(_category(name, where))
        numbers[class_id] = len(classes)
    labels_of = reader(source, numbers, {})
    entries = []
    for split in SPLITS:
        for label in sorted((source.root / "annotations" / split).glob("*.png")):
            photo = source.photo(label.stem, source.root / "images" / split)
            entries.append(Entry(photo.name if photo else label.stem, source.shown(label), photo, labels_of(label)))
    return Incoming(classes, entries)


def _listed(source: Source) -> Iterator[tuple[str, int | None, str]]:
    """(where, id, names) of each class: as the set lists them, else as it is published."""
    if not (source.root / LIST).is_file():
        yield from (("ADE20K's classes", k, name) for k, name in enumerate(ADE20K_150, start=1))
        return
    for number, line in list(source.lines(source.root / LIST))[1:]:
        columns = [column.strip() for column in line.split("\t")]
        yield f"{LIST} line {number}", natural(columns[0], 255), columns[-1]


def _category(text: str, where: str) -> Category:
    """`building, edifice`: the first name, and the others as aliases."""
    first, *others = [a_name(part, where) for part in text.replace(";", ",").split(",") if part.strip()] or [
        a_name(text, where)
    ]
    return Category(first, aliases=tuple(dict.fromkeys(name for name in others if name != first)), implied=True)


def _whole(source: Source) -> Incoming:
    """Red and green of `*_seg.png` are the class, red / 10 * 256 + green; the JSON says which class that is."""
    incoming = Incoming([], [])
    entries: list[Entry] = []
    numbers: dict[str, int] = {}
    for label in source.files("ADE_*_seg.png"):
        stem = label.stem.removesuffix("_seg")
        table = {0: 0}
        for name, class_id in _named(source, label.with_name(f"{stem}.json")):
            if name not in numbers:
                incoming.classes.append(_category(name, source.shown(label)))
                numbers[name] = len(incoming.classes)
            table[class_id] = numbers[name]
        photo = source.photo(stem, label.parent)
        entries.append(Entry(photo.name if photo else stem, source.shown(label), photo, _labels(source, label, table)))
    if not entries:
        raise DatasetError(f"{source.root} holds neither {LIST} nor ADE_*_seg.png.")
    incoming.entries = entries
    return incoming


def _named(source: Source, path: Path) -> list[tuple[str, int]]:
    name = source.shown(path)
    annotation = an_object(an_object(source.json(path), name).get("annotation"), f"{name}: annotation")
    found = []
    for k, value in enumerate(a_list(annotation.get("object"), f"{name}: object")):
        described = an_object(value, f"{name}: object[{k}]")
        called = a_name(described.get("name"), f"{name}: object[{k}].name")
        found.append((called, an_id(described.get("name_ndx"), f"{name}: object[{k}].name_ndx", below=2**16)))
    return found


def _labels(source: Source, path: Path, table: dict[int, int]) -> Any:
    def labels(size: tuple[int, int]) -> np.ndarray:
        source.check_size(path, size)
        colours = source.colours(path)
        return numbers_of(colours[..., 0] // 10 * 256 + colours[..., 1], table, source.shown(path), str)

    return labels
