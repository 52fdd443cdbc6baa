"""labelme: one JSON a photo beside it, a shape for each region: masks (the box of a region as PNG), or polygons."""

from __future__ import annotations

import base64
import binascii
import io
import math
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from textseg.errors import DatasetError, brief
from textseg.formats import polygons
from textseg.formats.exporting import Export
from textseg.formats.filenames import relative
from textseg.formats.incoming import Entry, Incoming
from textseg.formats.options import POLYGONS
from textseg.formats.registry import Format, register
from textseg.formats.shapes import Patch, Rings, Shape, ellipse, painter, rectangle
from textseg.formats.source import Source, picture
from textseg.formats.tally import UNKNOWN_SHAPE, BadAnnotation
from textseg.formats.values import a_list, a_name, an_object, points

VERSION = "6.3.1"
"""The labelme that the files say they are of."""

NOTHING = ("_background_", "__ignore__")
LINES = ("line", "linestrip", "point", "points")
AREAS = ("mask", "polygon", "rectangle", "circle", "oriented_rectangle")


@register("labelme")
class Labelme(Format):
    title = "labelme"
    layout = "photos, each with a JSON beside it; labels.txt"
    loses = ("confidence", "provenance", "class ids and colours")
    export_options = (POLYGONS,)

    def write(self, export: Export) -> None:
        names = {c.id: c.name for c in export.classes}
        cut = 0
        for item, ids, _ in export.each(lambda item: f"{_root(item.split)}{item.name}"):
            shapes: list[dict[str, Any]] = []
            if export.options["polygons"]:
                for class_id, region in polygons.of_labels(ids):
                    cut += bool(region.interiors)
                    for piece in polygons.without_holes(region):
                        shapes.append(_shape(names[class_id], polygons.ring(piece).tolist(), "polygon"))
            else:
                for class_id in np.unique(ids[ids > 0]).tolist():
                    corners, mask = _crop(ids == class_id)
                    shapes.append(_shape(names[class_id], corners, "mask", mask))
            content = {
                "version": VERSION, "flags": {}, "shapes": shapes, "imagePath": PurePosixPath(item.name).name,
                "imageData": None, "imageHeight": item.size[1], "imageWidth": item.size[0],
            }  # fmt: skip
            export.write(f"{_root(item.split)}{item.stem}.json", content)
        if cut:
            export.note(f"{cut} regions with holes were cut into pieces; no pixel is lost.")
        export.write("labels.txt", "".join(f"{name}\n" for name in ("__ignore__", "_background_", *names.values())))

    def recognise(self, source: Source) -> str | None:
        files = [source.file] if source.file else source.files("*.json", most=200)
        return next((source.shown(path) for path in files if source.mentions(path, '"shapes"', '"imagePath"')), None)

    def read(self, source: Source) -> Incoming:
        incoming = Incoming([], [])
        listed = source.root / "labels.txt"
        if listed.is_file():
            for number, line in source.lines(listed):
                name = a_name(line, f"labels.txt line {number}")
                if name not in NOTHING:
                    incoming.number(name)
        files = [source.file] if source.file else source.files("*.json")
        read = {path: content for path in files if (content := _content(source, path, incoming)) is not None}
        named = [
            (content.get("imagePath") or path.stem, f"{source.shown(path)}: imagePath", [path.parent])
            for path, content in read.items()
        ]
        photos = source.photos_named(named)
        incoming.entries = [
            _entry(source, path, content, photo, incoming)
            for (path, content), photo in zip(read.items(), photos, strict=True)
        ]
        return incoming


def _root(split: str | None) -> str:
    return f"{split}/" if split else ""


def _shape(label: str, corners: list[list[float]], kind: str, mask: str | None = None) -> dict[str, Any]:
    return {
        "label": label, "points": corners, "group_id": None, "description": "", "shape_type": kind, "flags": {},
        "mask": mask,
    }  # fmt: skip


def _crop(mask: np.ndarray) -> tuple[list[list[float]], str]:
    """The box (both corners inside it) of an (H, W) mask, and what is in it as PNG in base64."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x0, y0, x1, y1 = int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])
    buffer = io.BytesIO()
    Image.fromarray(mask[y0 : y1 + 1, x0 : x1 + 1]).save(buffer, "PNG")
    return [[float(x0), float(y0)], [float(x1), float(y1)]], base64.b64encode(buffer.getvalue()).decode("ascii")


def _content(source: Source, path: Path, incoming: Incoming) -> dict[str, Any] | None:
    """What a JSON holds, None where it is another program's."""
    name, content = source.shown(path), source.json(path)
    if isinstance(content, dict) and "shapes" in content:
        return content
    if source.file:
        raise DatasetError(f"{name} has no 'shapes'; it is not labelme's.")
    incoming.notes.append(f"{name} is not labelme's; it was left out.")
    return None


def _entry(
    source: Source, path: Path, content: dict[str, Any], photo: Path | bytes | None, incoming: Incoming
) -> Entry:
    name = source.shown(path)
    if photo is None and content.get("imageData") is not None:
        photo = _base64(content["imageData"], f"{name}: imageData")
    shapes: list[Shape] = []
    for k, value in enumerate(a_list(content["shapes"], f"{name}: shapes")):
        where = f"{name}: shapes[{k}]"
        shape = an_object(value, where)
        with source.sparing():
            kind = shape.get("shape_type") or "polygon"
            if kind not in (*AREAS, *LINES):
                sentence = f"{where}.shape_type is {brief(kind)}; known are {', '.join(AREAS)}."
                raise BadAnnotation(UNKNOWN_SHAPE, where, sentence)
            label = a_name(shape.get("label"), f"{where}.label")
            number = 0 if label in NOTHING else incoming.number(label)
            if kind in LINES:
                incoming.note("Lines and points have no area; they were left out.")
            else:
                shapes.append(Shape(where, number, partial(_drawn, shape, kind, where)))
    painted = painter(source, incoming, shapes)

    def labels(size: tuple[int, int]) -> np.ndarray:
        for side, given in zip(("imageWidth", "imageHeight"), size, strict=True):
            if content.get(side) is not None and content[side] != given:
                raise DatasetError(f"{name}: {side} is {brief(content[side])} but the photo is {size[0]} x {size[1]}.")
        return painted(size)

    called = photo.name if isinstance(photo, Path) else relative(str(content.get("imagePath") or path.stem)).as_posix()
    return Entry(called, name, photo, labels)


def _drawn(shape: dict[str, Any], kind: str, where: str, size: tuple[int, int]) -> Rings | Patch:
    """A polygon, a rectangle (two opposite corners), a circle (centre, a point on it), or a mask in a box."""
    least = {"polygon": 3, "oriented_rectangle": 4}.get(kind, 2)
    corners = points(shape.get("points"), f"{where}.points", least)
    if kind == "mask":
        return _mask(shape, corners, where)
    if kind == "rectangle":
        (x0, y0), (x1, y1) = corners[[0, -1] if len(corners) == 2 else [0, 2]]
        return Rings(rectangle(x0, y0, x1, y1))
    if kind == "circle":
        (x, y), radius = corners[0], math.hypot(*(corners[1] - corners[0]))
        return Rings(ellipse(x, y, radius, radius))
    return Rings(corners)


def _mask(shape: dict[str, Any], corners: np.ndarray, where: str) -> Patch:
    """The mask of a shape, whose two points are the corners of its box, both inside it."""
    if len(corners) != 2:
        raise DatasetError(f"{where}.points has {len(corners)} points; a mask has two, the corners of its box.")
    (x0, y0), (x1, y1) = np.rint(corners).astype(int).tolist()
    box = x1 - x0 + 1, y1 - y0 + 1
    with picture(_base64(shape.get("mask"), f"{where}.mask"), f"{where}.mask") as image:
        if image.size != box:
            found = f"{image.size[0]} x {image.size[1]}"
            raise DatasetError(f"{where}.mask is {found} pixels but its box {box[0]} x {box[1]}.")
        return Patch(np.asarray(image.convert("L")).astype(bool), x0, y0)


def _base64(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise DatasetError(f"{where} is {brief(value)} and must be a picture in base64.") from None
