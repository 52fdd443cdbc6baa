"""The JSON of COCO: what its two formats, `coco` and `panoptic`, have in common on the way out and in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from textseg import images
from textseg.errors import DatasetError, brief
from textseg.folders import hidden
from textseg.formats.filenames import relative
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.lookup import written
from textseg.formats.outgoing import OutClass
from textseg.formats.source import Source
from textseg.formats.tally import UNKNOWN_CLASS, BadAnnotation
from textseg.formats.values import a_colour, a_list, a_name, a_number, an_id, an_object
from textseg.labelmap import rgb

MAX_CATEGORY = 2**31
"""Ids of categories are below this; those of photos and annotations may be longer, as COCO's own are."""


def header(title: str) -> dict[str, Any]:
    """What begins every COCO file."""
    now = datetime.now(UTC)
    info = {"description": title, "version": "1.0", "year": now.year, "date_created": now.strftime("%Y/%m/%d")}
    return {"info": info, "licenses": []}


def categories(classes: list[OutClass]) -> list[dict[str, Any]]:
    return [{"id": c.id, "name": c.name, "supercategory": "", "color": list(rgb(c.colour))} for c in classes]


def image(number: int, name: str, size: tuple[int, int]) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": size[0], "height": size[1], "license": 0}


def measure(mask: np.ndarray) -> dict[str, Any]:
    """Area in pixels and box (x, y, width, height) of an (H, W) mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x, y = int(columns[0]), int(rows[0])
    box = [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]
    return {"area": int(np.count_nonzero(mask)), "bbox": box}


def json_files(source: Source) -> list[Path]:
    """The files that may be COCO's: the one named, or those in `annotations/`, the folder and its subfolders."""
    if source.file:
        return [source.file]
    inner = sorted(p for p in source.root.iterdir() if p.is_dir() and not hidden(p.name))
    folders = [source.root / "annotations", source.root, *inner]
    found = (path for folder in folders for path in sorted(folder.glob("*.json")) if not hidden(path.name))
    return list(dict.fromkeys(found))


def shows(source: Source, panoptic: bool) -> str | None:
    """The first file with COCO's lists, and with segments or without them; None where there is none."""
    for path in json_files(source):
        lists = source.mentions(path, '"images"', '"annotations"', '"categories"')
        if lists and source.mentions(path, '"segments_info"') == panoptic:
            return source.shown(path)
    return None


def documents(
    source: Source, field: str, wanted: Callable[[dict[str, Any]], bool]
) -> list[tuple[Path, dict[str, Any]]]:
    """The COCO files of a source; raises DatasetError where there is none."""
    found = []
    for path in json_files(source):
        content = source.json(path)
        if isinstance(content, dict) and isinstance(content.get("images"), list):
            parts = content.get(field)
            if isinstance(parts, list) and all(isinstance(part, dict) and wanted(part) for part in parts[:1]):
                found.append((path, content))
        if source.file and not found:
            raise DatasetError(f"{source.shown(path)} has no lists 'images' and '{field}' as this format has them.")
    if not found:
        raise DatasetError(f"{source.root} holds no JSON with lists 'images' and '{field}' as this format has them.")
    return found


def read_categories(
    content: dict[str, Any], name: str, incoming: Incoming, positions: dict[str, int]
) -> dict[int, int]:
    """{category id: class number}; classes are added to `incoming`, those of equal names are one."""
    table: dict[int, int] = {}
    for k, value in enumerate(a_list(content.get("categories"), f"{name}: categories")):
        where = f"{name}: categories[{k}]"
        category = an_object(value, where)
        number = an_id(category.get("id"), f"{where}.id", below=MAX_CATEGORY)
        if number in table:
            raise DatasetError(f"{where}.id is {number}, which another category has.")
        called = a_name(category.get("name"), f"{where}.name")
        if called not in positions:
            # Some tools put a class above all others, which no annotation has.
            implied = number == 0 and category.get("supercategory") == "none"
            incoming.classes.append(Category(called, colour=a_colour(category.get("color")), implied=implied))
            positions[called] = len(incoming.classes)
        elif positions[called] in table.values():
            incoming.notes.append(f"{where}: the name '{called}' is given twice; both are one class.")
        table[number] = positions[called]
    return table


def read_images(source: Source, path: Path, content: dict[str, Any], beside: list[Path]) -> dict[int, Entry]:
    """The images of a COCO file by id, each with its declared size checked; photos are looked for in `beside`."""
    name, entries, files = source.shown(path), dict[int, Entry](), dict[str, int]()
    named: list[tuple[Any, str, list[Path]]] = []
    for k, value in enumerate(a_list(content["images"], f"{name}: images")):
        where = f"{name}: images[{k}]"
        described = an_object(value, where)
        number = an_id(described.get("id"), f"{where}.id")
        if number in entries:
            raise DatasetError(f"{where}.id is {number}, which another image has.")
        file_name = written(described.get("file_name"), f"{where}.file_name")
        if file_name in files:
            raise DatasetError(f"{where}.file_name is {brief(file_name)}, which images[{files[file_name]}] has.")
        files[file_name] = k
        for side in ("width", "height"):
            if described.get(side) is not None:
                a_number(described[side], f"{where}.{side}", 1, images.MAX_PIXELS)
        named.append((described.get("file_name"), f"{where}.file_name", beside))
        entries[number] = Entry(relative(file_name).as_posix(), where, None, _declared(described, where))
    for entry, photo in zip(entries.values(), source.photos_named(named), strict=True):
        entry.photo, entry.name = photo, photo.name if photo else entry.name
    return entries


def a_category(annotation: dict[str, Any], table: dict[int, int], where: str) -> int:
    """The class number of an annotation; raises BadAnnotation for a category that is not listed."""
    given = annotation.get("category_id")
    none = given is None or type(given) is int and given < 0
    category = -1 if none else an_id(given, f"{where}.category_id", below=MAX_CATEGORY)
    if category not in table:
        sentence = f"{where}.category_id is {brief(given)}, which no category has."
        raise BadAnnotation(UNKNOWN_CLASS, where, sentence)
    return table[category]


def _declared(described: dict[str, Any], where: str) -> Callable[[tuple[int, int]], np.ndarray]:
    def check(size: tuple[int, int]) -> np.ndarray:
        for side, found in zip(("width", "height"), size, strict=True):
            if described.get(side) is not None and int(described[side]) != found:
                raise DatasetError(
                    f"{where} says {brief(described.get('width'))} x {brief(described.get('height'))} pixels but the "
                    f"photo is {size[0]} x {size[1]}, upright."
                )
        return np.zeros(size[::-1], np.int32)

    return check


def photo_folders(source: Source, path: Path) -> list[Path]:
    """Where the photos of an annotation file may lie: beside it, in `images/`, in a folder named after its split."""
    split = path.stem.replace("-", "_").split("_")[-1]
    root = source.root
    places = [root / "images", root / "images" / split, root / split, root / "data", root]
    places += [path.parent, path.parent / "images"]
    return list(dict.fromkeys(place for place in places if place.is_dir()))
