"""Label Studio's own JSON: a list of tasks; brush strokes as run-length codes, outlines and boxes in per cent.

Only read. The codes are those of its converter (label_studio_converter/brush.py, decode_rle): runs of the values of an
RGBA picture, of which the last channel counts.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from textseg import images
from textseg.errors import DatasetError, brief
from textseg.formats.filenames import relative
from textseg.formats.incoming import Entry, Incoming
from textseg.formats.lookup import written
from textseg.formats.registry import Format, register
from textseg.formats.shapes import Patch, Rings, Shape, ellipse, painter, rectangle
from textseg.formats.source import Source
from textseg.formats.tally import EMPTY, UNKNOWN_SHAPE, BadAnnotation
from textseg.formats.values import a_list, a_name, a_number, an_id, an_object, points

KINDS = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels")
MAX_CODE_BYTES = 4 * 2**20
NO_AREA = ("keypointlabels", "choices", "labels", "textarea", "rating", "relation", "taxonomy", "number")


@register("labelstudio")
class LabelStudio(Format):
    title = "Label Studio JSON"
    layout = "a JSON of tasks, and the photos beside it or in the project"
    writes = False

    def recognise(self, source: Source) -> str | None:
        files = [source.file] if source.file else sorted(source.root.glob("*.json"))
        return next((source.shown(path) for path in files if _is_one(source, path)), None)

    def read(self, source: Source) -> Incoming:
        files = [source.file] if source.file else [p for p in sorted(source.root.glob("*.json")) if _is_one(source, p)]
        if not files:
            raise DatasetError(f"{source.root} holds no JSON of Label Studio's tasks.")
        incoming = Incoming([], [])
        tasks: list[tuple[str, Any, dict[str, Any]]] = []
        for path in files:
            for k, value in enumerate(a_list(source.json(path), source.shown(path))):
                where = f"{source.shown(path)}: [{k}]"
                task = an_object(value, where)
                tasks.append((where, _photo(task, where), task))
        named = [(photo, f"{where}.data", [source.root, source.root / "images"]) for where, photo, _ in tasks]
        incoming.entries = [
            _entry(source, incoming, where, given, photo, task)
            for (where, given, task), photo in zip(tasks, source.photos_named(named), strict=True)
        ]
        return incoming


def _is_one(source: Source, path: Path) -> bool:
    with path.open("rb") as file:
        begins = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    return begins.startswith(b"[") and (
        any(source.mentions(path, '"data"', f'"{name}"') for name in ("annotations", "completions"))
        or any(source.mentions(path, f'"{kind}"') for kind in KINDS)
    )


def _results(task: dict[str, Any], where: str) -> list[tuple[str, Any]]:
    """(field, result) of a task; in the short JSON ("JSON-MIN") results lie in fields called like the labels."""
    if "data" not in task:
        fields = [(key, value) for key, value in task.items() if isinstance(value, list)]
        items = [(f"{where}.{key}[{k}]", item) for key, value in fields for k, item in enumerate(value)]
        return [
            (at, {"type": kind, "value": item, **item})
            for at, item in items
            for kind in KINDS
            if isinstance(item, dict) and kind in item
        ]
    found = []
    for j, one in enumerate(a_list(task.get("annotations", task.get("completions", [])), f"{where}.annotations")):
        made = an_object(one, f"{where}.annotations[{j}]")
        if not made.get("was_cancelled"):
            results = a_list(made.get("result", []), f"{where}.annotations[{j}].result")
            found += [(f"{where}.annotations[{j}].result[{k}]", value) for k, value in enumerate(results)]
    return found


def _photo(task: dict[str, Any], where: str) -> str:
    """The path of a task's photo: the one field of its data that is a text with a photo's ending, else the first."""
    data = task.get("data", task)
    texts = [data] if isinstance(data, str) else [v for v in an_object(data, f"{where}.data").values()]
    paths = [text for text in texts if isinstance(text, str) and text.strip()]
    endings = [text for text in paths if Path(text.split("?")[0]).suffix.lower() in images.SUFFIXES]
    if not paths:
        raise DatasetError(f"{where}.data names no photo.")
    return (endings or paths)[0]


def _entry(
    source: Source, incoming: Incoming, where: str, given: str, photo: Path | None, task: dict[str, Any]
) -> Entry:
    shapes: list[Shape] = []
    for at, value in _results(task, where):
        with source.sparing():
            shapes += _shape(incoming, an_object(value, at), at)
    called = photo.name if photo else relative(written(given, where)).as_posix()
    return Entry(called, where, photo, painter(source, incoming, shapes))


def _shape(incoming: Incoming, result: dict[str, Any], where: str) -> list[Shape]:
    kind, value = result.get("type"), result.get("value")
    if kind in NO_AREA:
        incoming.note("Points, choices and texts have no area; they were left out.")
        return []
    if kind not in KINDS:
        sentence = f"{where}.type is {brief(kind)}; known are {', '.join(KINDS)}."
        raise BadAnnotation(UNKNOWN_SHAPE, where, sentence)
    told = an_object(value, f"{where}.value")
    labels = a_list(told.get(kind), f"{where}.value.{kind}")
    number = incoming.number(a_name(labels[0] if labels else None, f"{where}.value.{kind}"))
    draw = {"brushlabels": _brush, "polygonlabels": _polygon, "rectanglelabels": _rectangle, "ellipselabels": _ellipse}
    sizes = result.get("original_width"), result.get("original_height")
    return [Shape(where, number, partial(_checked, draw[kind], told, sizes, where))]


def _checked(draw: Any, value: dict[str, Any], told: tuple[Any, Any], where: str, size: tuple[int, int]) -> Any:
    for side, given, found in zip(("width", "height"), told, size, strict=True):
        if given is not None and an_id(given, f"{where}.original_{side}") != found:
            raise DatasetError(f"{where}.original_{side} is {given} but the photo is {size[0]} x {size[1]}.")
    return draw(value, f"{where}.value", size)


def _polygon(value: dict[str, Any], where: str, size: tuple[int, int]) -> Rings:
    return Rings(points(value.get("points"), f"{where}.points", 3) * size / 100)


def _box(value: dict[str, Any], where: str, sides: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(a_number(value.get(side), f"{where}.{side}", -1e6, 1e6) for side in sides)


def _turned(corners: np.ndarray, about: np.ndarray, value: dict[str, Any], where: str) -> np.ndarray:
    angle = np.deg2rad(a_number(value.get("rotation") or 0, f"{where}.rotation", -1e6, 1e6))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (corners - about) @ turn + about


def _rectangle(value: dict[str, Any], where: str, size: tuple[int, int]) -> Rings:
    x, y, width, height = _box(value, where, ("x", "y", "width", "height"))
    corners = rectangle(x, y, x + width, y + height) * size / 100
    return Rings(_turned(corners, corners[0], value, where))


def _ellipse(value: dict[str, Any], where: str, size: tuple[int, int]) -> Rings:
    x, y, across, down = _box(value, where, ("x", "y", "radiusX", "radiusY"))
    centre = np.array([x, y]) * size / 100
    return Rings(_turned(ellipse(x, y, across, down) * size / 100, centre, value, where))


def _brush(value: dict[str, Any], where: str, size: tuple[int, int]) -> Patch:
    if value.get("format") != "rle":
        raise DatasetError(f"{where}.format is {brief(value.get('format'))} and must be rle.")
    listed = a_list(value.get("rle"), f"{where}.rle")
    if not listed:
        raise BadAnnotation(EMPTY, where, f"{where}.rle is empty.")
    if not all(type(n) is int and 0 <= n < 256 for n in listed):
        raise DatasetError(f"{where}.rle must be a list of bytes.")
    flat = unpacked(np.array(listed, np.uint8), 4 * size[0] * size[1], f"{where}.rle")
    return Patch(flat.reshape(size[1], size[0], 4)[..., 3] > 0)


def unpacked(code: np.ndarray, values: int, where: str) -> np.ndarray:
    """The (values,) uint8 that the bytes of a code stand for; raises DatasetError unless they are so many.

    32 bits: how many values; 5 bits: their width less one; four times 4 bits: the widths of lengths less one. Then
    runs: a bit (1: one value for all), 2 bits (which width), the length less one, the value or the values.
    """
    if len(code) > MAX_CODE_BYTES:
        raise DatasetError(f"{where} has {len(code):,} bytes; the limit is {MAX_CODE_BYTES:,}.")
    bits, at = np.unpackbits(code), 0
    text = (bits + ord("0")).tobytes()

    def skip(count: int) -> int:
        nonlocal at
        at += count
        if at > len(text):
            raise DatasetError(f"{where} ends before all of its values.")
        return at - count

    def number(count: int) -> int:
        begin = skip(count)
        return int(text[begin:at], 2)

    found = number(32)
    if found != values:
        raise DatasetError(f"{where} holds {found:,} values and the photo has {values:,}.")
    width = number(5) + 1
    if width > 8:
        raise DatasetError(f"{where} has values of {width} bits; a mask has 8 at most.")
    lengths = [number(4) + 1 for _ in range(4)]
    powers = 1 << np.arange(width)[::-1]
    out, done = np.zeros(values, np.uint8), 0
    while done < values:
        same = number(1)
        run = number(lengths[number(2)]) + 1
        if done + run > values:
            raise DatasetError(f"{where} overruns the photo.")
        if same:
            out[done : done + run] = number(width)
        else:
            begin = skip(run * width)
            out[done : done + run] = bits[begin:at].reshape(run, width) @ powers
        done += run
    return out
