"""CVAT for images 1.1: one `annotations.xml` of polygons and masks, and the photos beside it. Only read.

A document type, which could stand for more than any memory holds or name other files, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from textseg.errors import DatasetError, brief
from textseg.formats.filenames import relative
from textseg.formats.incoming import Entry, Incoming
from textseg.formats.lookup import written
from textseg.formats.registry import Format, register
from textseg.formats.shapes import Patch, Rings, Shape, ellipse, painter
from textseg.formats.source import PHOTO_FOLDERS, Source
from textseg.formats.tally import UNKNOWN_SHAPE, BadAnnotation
from textseg.formats.values import a_colour, a_name, a_number, an_id, natural, points

MAX_BYTES = 256 * 2**20
MAX_DEPTH = 16
AREAS = ("polygon", "mask", "ellipse")
NO_AREA = ("box", "polyline", "points", "cuboid", "skeleton", "tag", "attribute")


@register("cvat-xml")
class CvatXml(Format):
    title = "CVAT for images 1.1"
    layout = "annotations.xml, and the photos beside it or in images/"
    writes = False

    def recognise(self, source: Source) -> str | None:
        return next((source.shown(path) for path in _files(source)), None)

    def read(self, source: Source) -> Incoming:
        incoming = Incoming([], [])
        found: list[tuple[str, str, tuple[int, int], list[Shape], list[Path]]] = []
        for path in _files(source):
            places = [path.parent, *(path.parent / name for name in PHOTO_FOLDERS)]
            for element in _elements(source, path):
                if element.tag == "label" and (name := element.findtext("name")):
                    incoming.number(a_name(name, f"{source.shown(path)}: label"), a_colour(element.findtext("color")))
                elif element.tag == "image":
                    where = f"{source.shown(path)}: image {brief(element.get('id'))}"
                    width, height = (an_id(element.get(side), f"{where}.{side}") for side in ("width", "height"))
                    shapes = _shapes(source, incoming, element, where)
                    name = written(element.get("name"), f"{where}.name")
                    found.append((where, name, (width, height), shapes, places))
        if not found:
            raise DatasetError(f"{source.root} holds no annotations.xml with images as CVAT writes it.")
        photos = source.photos_named([(name, f"{where}.name", places) for where, name, _, _, places in found])
        incoming.entries = [
            Entry(
                photo.name if photo else relative(name).as_posix(), where, photo,
                painter(source, incoming, shapes, size, where),
            )
            for (where, name, size, shapes, _), photo in zip(found, photos, strict=True)
        ]  # fmt: skip
        return incoming


def _files(source: Source) -> list[Path]:
    files = [source.file] if source.file else source.files("*.xml", most=200)
    return [path for path in files if source.mentions(path, "<annotations", "<image ")]


def _elements(source: Source, path: Path) -> Iterator[ElementTree.Element]:
    """The elements of a file one by one, each with what is in it, and forgotten afterwards."""
    name = source.shown(path)
    if path.stat().st_size > MAX_BYTES:
        raise DatasetError(f"{name} has {path.stat().st_size:,} bytes; the limit is {MAX_BYTES:,}.")
    if source.mentions(path, "<!DOCTYPE") or source.mentions(path, "<!ENTITY"):
        raise DatasetError(f"{name} has a document type; CVAT writes none, and it is refused.")
    depth = 0
    try:
        with path.open("rb") as file:
            for event, element in ElementTree.iterparse(file, ("start", "end")):
                depth += 1 if event == "start" else -1
                if depth > MAX_DEPTH:
                    raise DatasetError(f"{name} is nested deeper than {MAX_DEPTH} levels.")
                if event == "end" and element.tag in ("label", "image"):
                    yield element
                    element.clear()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise DatasetError(f"{name} is not XML ({brief(str(error), 120)}).") from None


def _number(text: Any, where: str) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    return a_number(value, where, -1e7, 1e7)


def _shapes(source: Source, incoming: Incoming, image: ElementTree.Element, where: str) -> list[Shape]:
    """The shapes of a photo, those of a higher `z_order` above others."""
    found: list[tuple[float, Shape]] = []
    for k, element in enumerate(image):
        at = f"{where}: {brief(element.tag)} {k}"
        with source.sparing():
            if element.tag in NO_AREA:
                incoming.note("Boxes, lines and points are no masks; they were left out.")
                continue
            if element.tag not in AREAS:
                raise BadAnnotation(UNKNOWN_SHAPE, at, f"{at} is no shape; known are {', '.join(AREAS)}.")
            number = incoming.number(a_name(element.get("label"), f"{at}.label"))
            order = _number(element.get("z_order", "0"), f"{at}.z_order")
            given = dict(element.attrib)
            found.append((order, Shape(at, number, partial(_drawn, element.tag, given, at))))
    return [shape for _, shape in sorted(found, key=lambda one: one[0])]


def _drawn(kind: str, given: dict[str, str], where: str, size: tuple[int, int]) -> Rings | Patch:
    if kind == "polygon":
        pairs = [pair.split(",") for pair in given.get("points", "").split(";") if pair.strip()]
        return Rings(points([[_number(v, f"{where}.points") for v in pair] for pair in pairs], f"{where}.points", 3))
    if kind == "ellipse":
        x, y, across, down = (_number(given.get(key), f"{where}.{key}") for key in ("cx", "cy", "rx", "ry"))
        return Rings(ellipse(x, y, across, down))
    return _mask(given, where, size)


def _mask(given: dict[str, str], where: str, size: tuple[int, int]) -> Patch:
    """Runs along the rows of a box, of nothing first."""
    left, top, width, height = (an_id(given.get(k), f"{where}.{k}") for k in ("left", "top", "width", "height"))
    runs = [natural(text.strip(), 2**31) for text in given.get("rle", "").split(",")]
    if width > size[0] + 1 or height > size[1] + 1 or None in runs:
        raise DatasetError(f"{where} has a box or runs that no mask of the photo has.")
    lengths = np.array(runs, np.int64)
    if int(lengths.sum()) != width * height:
        raise DatasetError(f"{where}.rle stands for {int(lengths.sum()):,} pixels and its box has {width * height:,}.")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return Patch(flat.reshape(height, width), left, top)
