"""Supervisely: `meta.json` names the classes; folders of `img/` and `ann/`, a JSON a photo. Only read."""

from __future__ import annotations

import base64
import binascii
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from textseg.errors import DatasetError, brief
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.registry import Format, register
from textseg.formats.shapes import Patch, Rings, Shape, painter, rectangle
from textseg.formats.source import Source, picture
from textseg.formats.tally import UNKNOWN_CLASS, UNKNOWN_SHAPE, BadAnnotation
from textseg.formats.values import a_colour, a_list, a_name, an_id, an_object, points

AREAS = ("polygon", "bitmap", "rectangle")
NO_AREA = ("line", "point", "graph", "cuboid", "cuboid_2d")
MAX_MASK_BYTES = 64 * 2**20


@register("supervisely")
class Supervisely(Format):
    title = "Supervisely"
    layout = "meta.json, and folders of img/ and ann/"
    writes = False

    def recognise(self, source: Source) -> str | None:
        meta = source.root / "meta.json"
        shows = source.file is None and meta.is_file() and source.mentions(meta, '"classes"')
        return "meta.json" if shows and any(source.root.glob("*/ann")) | (source.root / "ann").is_dir() else None

    def read(self, source: Source) -> Incoming:
        meta = an_object(source.json(source.root / "meta.json"), "meta.json")
        incoming = Incoming([], [])
        numbers: dict[str, int] = {}
        for k, value in enumerate(a_list(meta.get("classes"), "meta.json: classes")):
            described = an_object(value, f"meta.json: classes[{k}]")
            name = a_name(described.get("title"), f"meta.json: classes[{k}].title")
            incoming.classes.append(Category(name, colour=a_colour(described.get("color"))))
            numbers[name] = len(incoming.classes)
        files = [path for path in source.files("*.json") if path.parent.name == "ann"]
        incoming.entries = [_entry(source, incoming, path, numbers) for path in files]
        return incoming


def _entry(source: Source, incoming: Incoming, path: Path, numbers: dict[str, int]) -> Entry:
    name = source.shown(path)
    content = an_object(source.json(path), name)
    told = an_object(content.get("size"), f"{name}: size")
    size = an_id(told.get("width"), f"{name}: size.width"), an_id(told.get("height"), f"{name}: size.height")
    shapes: list[Shape] = []
    for k, value in enumerate(a_list(content.get("objects"), f"{name}: objects")):
        where = f"{name}: objects[{k}]"
        item = an_object(value, where)
        with source.sparing():
            kind = item.get("geometryType")
            if kind in NO_AREA:
                incoming.note("Lines and points have no area; they were left out.")
                continue
            if kind not in AREAS:
                sentence = f"{where}.geometryType is {brief(kind)}; known are {', '.join(AREAS)}."
                raise BadAnnotation(UNKNOWN_SHAPE, where, sentence)
            title = a_name(item.get("classTitle"), f"{where}.classTitle")
            if title not in numbers:
                sentence = f"{where}.classTitle is {brief(title)}, which meta.json does not name."
                raise BadAnnotation(UNKNOWN_CLASS, where, sentence)
            shapes.append(Shape(where, numbers[title], partial(_drawn, item, kind, where)))
    # photo.jpg.json, or photo.json as older ones have it
    photo = path.parent.parent / "img" / path.stem
    found = photo if photo.is_file() else source.photo(path.stem, photo.parent)
    return Entry(path.stem, name, found, painter(source, incoming, shapes, size, name))


def _drawn(item: dict[str, Any], kind: str, where: str, size: tuple[int, int]) -> Rings | Patch:
    if kind == "bitmap":
        return _bitmap(an_object(item.get("bitmap"), f"{where}.bitmap"), f"{where}.bitmap")
    given = an_object(item.get("points"), f"{where}.points")
    outline = points(given.get("exterior"), f"{where}.points.exterior", 2 if kind == "rectangle" else 3)
    if kind == "rectangle":
        (x0, y0), (x1, y1) = outline.min(0), outline.max(0)
        return Rings(rectangle(x0, y0, x1, y1))
    inner = a_list(given.get("interior", []), f"{where}.points.interior")
    holes = [points(hole, f"{where}.points.interior[{k}]", 3) for k, hole in enumerate(inner)]
    return Rings(outline, tuple(holes))


def _bitmap(bitmap: dict[str, Any], where: str) -> Patch:
    """A PNG, packed by zlib and in base64, and where its upper left corner lies."""
    (x, y), *_ = points([bitmap.get("origin")], f"{where}.origin", 1).round().astype(int).tolist()
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(base64.b64decode(bitmap.get("data") or "", validate=True), MAX_MASK_BYTES)
    except (TypeError, ValueError, binascii.Error, zlib.error):
        raise DatasetError(f"{where}.data is {brief(bitmap.get('data'))} and must be a packed PNG.") from None
    if unpacking.unconsumed_tail:
        raise DatasetError(f"{where}.data unpacks to more than {MAX_MASK_BYTES:,} bytes: too much.")
    with picture(content, f"{where}.data") as image:
        mask = np.asarray(image.getchannel("A") if image.mode in ("RGBA", "LA") else image.convert("L")) > 0
    return Patch(mask, x, y)
