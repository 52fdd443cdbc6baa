"""VGG Image Annotator (VIA 1 and 2): one JSON of photos and their regions. Only read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from textseg.errors import DatasetError, brief
from textseg.formats.filenames import relative
from textseg.formats.incoming import Entry, Incoming
from textseg.formats.lookup import written
from textseg.formats.registry import Format, register
from textseg.formats.shapes import Rings, Shape, ellipse, painter, rectangle
from textseg.formats.source import Source
from textseg.formats.tally import UNKNOWN_SHAPE, BadAnnotation
from textseg.formats.values import a_list, a_name, a_number, an_object, points

AREAS = ("polygon", "rect", "circle", "ellipse")
NO_AREA = ("point", "polyline")
NAMES = ("class", "name", "label", "type", "category", "object")
"""Attributes of a region that say its class; else the first one does."""
NAMELESS = "object"
"""The class of regions without an attribute, as in sets of one class."""


@register("via")
class Via(Format):
    title = "VGG Image Annotator"
    layout = "a JSON of photos and regions, and the photos beside it"
    writes = False

    def recognise(self, source: Source) -> str | None:
        return next((source.shown(path) for path in _files(source)), None)

    def read(self, source: Source) -> Incoming:
        incoming = Incoming([], [])
        entries: list[Entry] = []
        for path in _files(source):
            content = an_object(source.json(path), source.shown(path))
            inner = content.get("_via_img_metadata", content)
            name = source.shown(path)
            described = [(f"{name}: {brief(key)}", an_object(value, f"{name}: {brief(key)}"))
                         for key, value in an_object(inner, name).items()]  # fmt: skip
            places = [path.parent, path.parent / "images", source.root / "images"]
            named = [(one.get("filename"), f"{where}.filename", places) for where, one in described]
            for (where, one), photo in zip(described, source.photos_named(named), strict=True):
                called = relative(written(one.get("filename"), where)).as_posix()
                shapes = _shapes(source, incoming, one, where)
                called = photo.name if photo else called
                entries.append(Entry(called, where, photo, painter(source, incoming, shapes)))
        if not entries:
            raise DatasetError(f"{source.root} holds no JSON of VIA's regions.")
        incoming.entries = entries
        return incoming


def _files(source: Source) -> list[Path]:
    files = [source.file] if source.file else source.files("*.json", most=200)
    return [path for path in files if source.mentions(path, '"regions"', '"shape_attributes"', '"filename"')]


def _shapes(source: Source, incoming: Incoming, one: dict[str, Any], where: str) -> list[Shape]:
    given = one.get("regions") or []
    regions = list(given.values()) if isinstance(given, dict) else a_list(given, f"{where}.regions")
    shapes: list[Shape] = []
    for k, value in enumerate(regions):
        at = f"{where}.regions[{k}]"
        region = an_object(value, at)
        with source.sparing():
            drawn = an_object(region.get("shape_attributes"), f"{at}.shape_attributes")
            kind = drawn.get("name")
            if kind in NO_AREA:
                incoming.note("Lines and points have no area; they were left out.")
                continue
            if kind not in AREAS:
                sentence = f"{at}.shape_attributes.name is {brief(kind)}; known are {', '.join(AREAS)}."
                raise BadAnnotation(UNKNOWN_SHAPE, at, sentence)
            number = incoming.number(_class(region.get("region_attributes"), f"{at}.region_attributes"))
            shapes.append(Shape(at, number, partial(_drawn, drawn, kind, f"{at}.shape_attributes")))
    return shapes


def _class(attributes: Any, where: str) -> str:
    given = attributes if isinstance(attributes, dict) else {}
    keys = [key for key in NAMES if given.get(key)] + [key for key in given if given[key]]
    if not keys:
        return NAMELESS
    value = given[keys[0]]
    if isinstance(value, dict):  # boxes that were ticked
        value = next((key for key, ticked in value.items() if ticked), None)
    return a_name(value, f"{where}.{brief(keys[0])}")


def _drawn(drawn: dict[str, Any], kind: str, where: str, size: tuple[int, int]) -> Rings:
    if kind == "polygon":
        xs = a_list(drawn.get("all_points_x"), f"{where}.all_points_x")
        ys = a_list(drawn.get("all_points_y"), f"{where}.all_points_y")
        if len(xs) != len(ys):
            raise DatasetError(f"{where} has {len(xs)} x and {len(ys)} y.")
        return Rings(points([[x, y] for x, y in zip(xs, ys, strict=True)], where, 3))

    def at(*names: str) -> list[float]:
        return [a_number(drawn.get(name), f"{where}.{name}", -1e7, 1e7) for name in names]

    if kind == "rect":
        x, y, width, height = at("x", "y", "width", "height")
        return Rings(rectangle(x, y, x + width, y + height))
    x, y = at("cx", "cy")
    across, down = at("r", "r") if kind == "circle" else at("rx", "ry")
    return Rings(ellipse(x, y, across, down))
