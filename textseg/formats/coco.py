"""COCO: one JSON of images, categories and annotations with run-length codes (or polygons), photos beside it.

Label maps know classes and not objects, so each class of a photo is one annotation, as in COCO-Stuff; as polygons, each
connected region is one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from textseg import images, rle
from textseg.errors import DatasetError, brief
from textseg.formats import polygons
from textseg.formats.exporting import Export, OutClass
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.registry import Format, register
from textseg.formats.source import Source, a_list, a_name, a_number, an_id, an_object, points
from textseg.labelmap import rgb


@register("coco")
class Coco(Format):
    title = "COCO"
    layout = "images/, annotations/instances.json (instances_train.json … with a split)"
    loses = ("objects (each class of a photo is one annotation)", "confidence", "provenance")
    choice = True

    def write(self, export: Export) -> None:
        parts: dict[str, dict[str, Any]] = {
            split: {**header(export.title), "images": [], "annotations": [], "categories": categories(export.classes)}
            for split in export.splits or [""]
        }
        number = holes = 0
        for item, ids, _ in export.each(lambda item: f"images/{item.name}"):
            part = parts[item.split or ""]
            part["images"].append(image(item.photo.id, item.name, item.size))
            for class_id, segmentation, mask in _segments(ids, export.polygons):
                number += 1
                holes += export.polygons and isinstance(segmentation, dict)
                part["annotations"].append(
                    {"id": number, "image_id": item.photo.id, "category_id": class_id, "iscrowd": 0, **mask}
                    | {"segmentation": segmentation}
                )
        if holes:
            export.note(f"{holes} regions have holes and are run-length codes, as COCO's polygons cannot hold holes.")
        for split, part in parts.items():
            export.write(f"annotations/instances{'_' * bool(split)}{split}.json", part)

    def read(self, source: Source) -> Incoming:
        incoming = Incoming([], [])
        counts = {"overlap": 0, "bare": 0}
        positions: dict[str, int] = {}
        entries: list[Entry] = []
        for path, content in documents(source, "annotations", lambda part: "segments_info" not in part):
            table = read_categories(content, source.shown(path), incoming, positions)
            entries += _read(source, path, content, table, counts, incoming)
        incoming.entries = entries
        return incoming


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


def _segments(ids: np.ndarray, as_polygons: bool) -> Any:
    """(class id, segmentation, area and box) of what is in a label map."""
    if not as_polygons:
        for class_id in np.unique(ids[ids > 0]).tolist():
            mask = ids == class_id
            yield class_id, rle.encode(mask), measure(mask)
        return
    for class_id, polygon in polygons.of_labels(ids):
        x0, y0, x1, y1 = (int(v) for v in polygon.bounds)
        facts = {"area": int(polygon.area), "bbox": [x0, y0, x1 - x0, y1 - y0]}
        if polygon.interiors:
            mask = np.zeros(ids.shape, np.uint8)
            polygons.paint(mask, [(polygons.ring(piece), 1) for piece in polygons.without_holes(polygon)])
            yield class_id, rle.encode(mask), facts
        else:
            yield class_id, [polygons.ring(polygon).astype(int).ravel().tolist()], facts


def documents(
    source: Source, field: str, wanted: Callable[[dict[str, Any]], bool]
) -> list[tuple[Path, dict[str, Any]]]:
    """The COCO files of a source: the one named, or those in `annotations/`, the folder itself and its sub-folders."""
    if source.file:
        files = [source.file]
    else:
        folders = [source.root / "annotations", source.root, *sorted(p for p in source.root.iterdir() if p.is_dir())]
        files = list(dict.fromkeys(path for folder in folders for path in sorted(folder.glob("*.json"))))
    found = []
    for path in files:
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
        number = an_id(category.get("id"), f"{where}.id")
        if number in table:
            raise DatasetError(f"{where}.id is {number}, which another category has.")
        called = a_name(category.get("name"), f"{where}.name")
        if called not in positions:
            incoming.classes.append(Category(called, colour=_colour(category.get("color"))))
            positions[called] = len(incoming.classes)
        elif positions[called] in table.values():
            incoming.notes.append(f"{where}: the name '{called}' is given twice; both are one class.")
        table[number] = positions[called]
    return table


def _colour(value: Any) -> str | None:
    whole = isinstance(value, list) and len(value) == 3 and all(type(c) is int and 0 <= c <= 255 for c in value)
    return f"#{bytes(value).hex()}" if whole else None


def read_images(source: Source, path: Path, content: dict[str, Any], beside: list[Path]) -> dict[int, Entry]:
    """The images of a COCO file by id, each with its declared size checked; photos are looked for in `beside`."""
    name, entries, files = source.shown(path), dict[int, Entry](), dict[str, int]()
    for k, value in enumerate(a_list(content["images"], f"{name}: images")):
        where = f"{name}: images[{k}]"
        described = an_object(value, where)
        number = an_id(described.get("id"), f"{where}.id")
        if number in entries:
            raise DatasetError(f"{where}.id is {number}, which another image has.")
        file_name: Any = described.get("file_name")
        tried = [source.inside(file_name, f"{where}.file_name", folder) for folder in beside]
        if file_name in files:
            raise DatasetError(f"{where}.file_name is {brief(file_name)}, which images[{files[file_name]}] has.")
        files[file_name] = k
        for side in ("width", "height"):
            a_number(described.get(side), f"{where}.{side}", 1, images.MAX_PIXELS)
        photo = next((place for place in tried if place.is_file()), None)
        entries[number] = Entry(file_name, where, photo, None)
        entries[number].labels = _declared(described, where)
    return entries


def _declared(described: dict[str, Any], where: str) -> Callable[[tuple[int, int]], np.ndarray]:
    def check(size: tuple[int, int]) -> np.ndarray:
        declared = int(described["width"]), int(described["height"])
        if declared != size:
            raise DatasetError(
                f"{where} says {declared[0]} x {declared[1]} pixels but the photo is {size[0]} x {size[1]}, upright."
            )
        return np.zeros(size[::-1], np.int32)

    return check


def photo_folders(source: Source, path: Path) -> list[Path]:
    """Where the photos of an annotation file may lie: beside it, in `images/`, in a folder named after its split."""
    split = path.stem.replace("-", "_").split("_")[-1]
    root = source.root
    places = [root / "images", root / "images" / split, root / split, root, path.parent, path.parent / "images"]
    return list(dict.fromkeys(place for place in places if place.is_dir()))


def _read(
    source: Source, path: Path, content: dict[str, Any], table: dict[int, int], counts: dict[str, int],
    incoming: Incoming,
) -> list[Entry]:  # fmt: skip
    name = source.shown(path)
    entries = read_images(source, path, content, photo_folders(source, path))
    parts: dict[int, list[tuple[str, int, Any]]] = {number: [] for number in entries}
    seen: set[int] = set()
    for k, value in enumerate(content["annotations"]):
        where = f"{name}: annotations[{k}]"
        annotation = an_object(value, where)
        if "id" in annotation:
            number = an_id(annotation["id"], f"{where}.id")
            if number in seen:
                raise DatasetError(f"{where}.id is {number}, which another annotation has.")
            seen.add(number)
        image_id = an_id(annotation.get("image_id"), f"{where}.image_id")
        if image_id not in parts:
            raise DatasetError(f"{where}.image_id is {image_id}, which no image has.")
        category = an_id(annotation.get("category_id"), f"{where}.category_id")
        if category not in table:
            raise DatasetError(f"{where}.category_id is {category}, which no category has.")
        segmentation = annotation.get("segmentation")
        if not segmentation:
            counts["bare"] += 1
            continue
        parts[image_id].append((f"{where}.segmentation", table[category], segmentation))
    for number, entry in entries.items():
        entry.labels = _labels(entry.labels, parts[number], counts, incoming)
    if counts["bare"]:
        incoming.notes.append(f"{counts['bare']} annotations have a box and no mask; they were left out.")
    return list(entries.values())


def _labels(declared: Any, parts: list[tuple[str, int, Any]], counts: dict[str, int], incoming: Incoming) -> Any:
    def labels(size: tuple[int, int]) -> np.ndarray:
        declared(size)
        width, height = size
        flat = np.zeros(width * height, np.int32)
        codes = [(value, runs) for where, value, given in parts for runs in _runs(given, size, where)]
        # Small things lie on large ones: where annotations overlap, the smaller one is seen.
        covered = 0
        for value, runs in sorted(codes, key=lambda code: -int(code[1][1::2].sum())):
            covered += rle.paint(flat, runs, value)
        if covered and not counts["overlap"]:
            incoming.notes.append("Annotations overlap: a label map holds one class a pixel, the smaller one is seen.")
        counts["overlap"] += covered
        return flat.reshape(width, height).T

    return labels


def _runs(segmentation: Any, size: tuple[int, int], where: str) -> list[np.ndarray]:
    """The run lengths of an annotation: a code, or polygons by the rule of COCO's own library."""
    if isinstance(segmentation, dict):
        return [rle.runs(segmentation, size, where)]
    from pycocotools import mask as coco

    width, height = size
    rings = []
    for k, given in enumerate(a_list(segmentation, where)):
        ring = points(given, f"{where}[{k}]", 3)
        rings.append(ring.clip((-1, -1), (width + 1, height + 1)).ravel().tolist())
    code = coco.merge(coco.frPyObjects(rings, height, width))
    return [rle.runs({"size": [height, width], "counts": code["counts"].decode("ascii")}, size, where)]
