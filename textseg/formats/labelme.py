"""labelme: one JSON a photo beside it, a shape for each region: masks (the box of a region as PNG), or polygons."""

from __future__ import annotations

import base64
import binascii
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from textseg.errors import DatasetError, brief
from textseg.formats import clipping, polygons
from textseg.formats.exporting import Export
from textseg.formats.filenames import relative
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.options import POLYGONS
from textseg.formats.registry import Format, register
from textseg.formats.source import Source, picture
from textseg.formats.tally import CLIPPED, OUTSIDE, UNKNOWN_SHAPE, BadAnnotation
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
                "version": VERSION, "flags": {}, "shapes": shapes, "imagePath": item.name, "imageData": None,
                "imageHeight": item.size[1], "imageWidth": item.size[0],
            }  # fmt: skip
            export.write(f"{_root(item.split)}{item.stem}.json", content)
        if cut:
            export.note(f"{cut} regions with holes were cut into pieces; no pixel is lost.")
        export.write("labels.txt", "".join(f"{name}\n" for name in ("__ignore__", "_background_", *names.values())))

    def read(self, source: Source) -> Incoming:
        incoming = Incoming([], [])
        numbers: dict[str, int] = {}
        counts = {"lines": 0, "overlap": 0}
        listed = source.root / "labels.txt"
        if listed.is_file():
            for number, line in source.lines(listed):
                name = a_name(line, f"labels.txt line {number}")
                if name not in (*NOTHING, *numbers):
                    incoming.classes.append(Category(name))
                    numbers[name] = len(incoming.classes)
        files = [source.file] if source.file else source.files("*.json")
        read = {path: content for path in files if (content := _content(source, path, incoming)) is not None}
        named = [
            (content.get("imagePath"), f"{source.shown(path)}: imagePath", [path.parent])
            for path, content in read.items()
        ]
        photos = source.photos_named(named)
        incoming.entries = [
            _entry(source, path, content, photo, numbers, counts, incoming)
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
    source: Source, path: Path, content: dict[str, Any], photo: Path | bytes | None, numbers: dict[str, int],
    counts: dict[str, int], incoming: Incoming,
) -> Entry:  # fmt: skip
    name = source.shown(path)
    if photo is None and content.get("imageData") is not None:
        photo = _base64(content["imageData"], f"{name}: imageData")
    shapes: list[tuple[str, int, str, Any]] = []
    for k, value in enumerate(a_list(content["shapes"], f"{name}: shapes")):
        where = f"{name}: shapes[{k}]"
        shape = an_object(value, where)
        with source.sparing():
            kind = shape.get("shape_type") or "polygon"
            if kind not in (*AREAS, *LINES):
                sentence = f"{where}.shape_type is {brief(kind)}; known are {', '.join(AREAS)}."
                raise BadAnnotation(UNKNOWN_SHAPE, where, sentence)
            label = a_name(shape.get("label"), f"{where}.label")
            if label not in (*NOTHING, *numbers):
                incoming.classes.append(Category(label))
                numbers[label] = len(incoming.classes)
            if kind in LINES:
                if not counts["lines"]:
                    incoming.notes.append("Lines and points have no area; they were left out.")
                counts["lines"] += 1
            else:
                shapes.append((where, numbers.get(label, 0), kind, shape))

    def labels(size: tuple[int, int]) -> np.ndarray:
        width, height = size
        for side, given in (("imageWidth", width), ("imageHeight", height)):
            if content.get(side) is not None and content[side] != given:
                raise DatasetError(f"{name}: {side} is {brief(content[side])} but the photo is {width} x {height}.")
        ids = np.zeros((height, width), np.int32)
        outlines: list[tuple[np.ndarray, int]] = []
        covered = 0
        for where, number, kind, shape in shapes:
            with source.sparing():
                if kind == "mask":
                    covered += polygons.paint(ids, outlines)
                    outlines = []
                    covered += _paste(source, ids, shape, number, where)
                else:
                    outline = _outline(shape, kind, where)
                    if clipping.beyond(outline, size):
                        source.tally.add(CLIPPED, where)
                    outlines.append((outline, number))
        covered += polygons.paint(ids, outlines)
        if covered and not counts["overlap"]:
            incoming.notes.append("Shapes overlap; a label map holds one class a pixel, and the later one is seen.")
        counts["overlap"] += covered
        return ids

    called = photo.name if isinstance(photo, Path) else relative(str(content.get("imagePath"))).as_posix()
    return Entry(called, name, photo, labels)


def _paste(source: Source, ids: np.ndarray, shape: dict[str, Any], number: int, where: str) -> int:
    """Lay a mask into the box of its two points, as far as it lies in the photo.

    Returns how many pixels of other classes it covers.
    """
    height, width = ids.shape
    corners = points(shape.get("points"), f"{where}.points", 2)
    if len(corners) != 2:
        raise DatasetError(f"{where}.points has {len(corners)} points; a mask has two, the corners of its box.")
    (x0, y0), (x1, y1) = np.rint(corners).astype(int).tolist()
    if x0 < 0 or y0 < 0 or x1 >= width or y1 >= height:
        leaves = f"{where}.points is {brief(shape['points'])}, which leaves the photo of {width} x {height}."
        if x1 < 0 or y1 < 0 or x0 >= width or y0 >= height:
            raise BadAnnotation(OUTSIDE, where, leaves)
        source.mend(CLIPPED, where, leaves)
    box = x1 - x0 + 1, y1 - y0 + 1
    with picture(_base64(shape.get("mask"), f"{where}.mask"), f"{where}.mask") as image:
        if image.size != box:
            found = f"{image.size[0]} x {image.size[1]}"
            raise DatasetError(f"{where}.mask is {found} pixels but its box {box[0]} x {box[1]}.")
        mask = np.asarray(image.convert("L")).astype(bool)
    mask = mask[max(0, -y0) : height - y0, max(0, -x0) : width - x0]
    under = ids[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1]
    covered = int(np.count_nonzero(mask & (under != 0) & (under != number)))
    under[mask] = number
    return covered


def _outline(shape: dict[str, Any], kind: str, where: str) -> np.ndarray:
    """(N, 2) corners of a polygon, a rectangle (two opposite corners) or a circle (centre, a point on it)."""
    least = {"polygon": 3, "oriented_rectangle": 4}.get(kind, 2)
    corners = points(shape.get("points"), f"{where}.points", least)
    if kind == "rectangle":
        (x0, y0), (x1, y1) = corners[[0, -1] if len(corners) == 2 else [0, 2]]
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    if kind == "circle":
        turn = np.linspace(0, 2 * math.pi, 360, endpoint=False)
        around = np.column_stack([np.cos(turn), np.sin(turn)])
        return corners[0] + around * math.hypot(*(corners[1] - corners[0]))
    return corners


def _base64(value: Any, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise DatasetError(f"{where} is {brief(value)} and must be a picture in base64.") from None
