"""COCO: one JSON of images, categories and annotations with run-length codes (or polygons), photos beside it.

Label maps know classes and not objects, so each class of a photo is one annotation, as in COCO-Stuff; as polygons, each
connected region is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from textseg import rle
from textseg.errors import DatasetError
from textseg.formats import clipping, polygons
from textseg.formats.coco_json import (
    a_category,
    categories,
    documents,
    header,
    image,
    measure,
    photo_folders,
    read_categories,
    read_images,
    shows,
)
from textseg.formats.exporting import Export
from textseg.formats.incoming import Entry, Incoming
from textseg.formats.options import POLYGONS
from textseg.formats.registry import Format, register
from textseg.formats.source import Source
from textseg.formats.tally import CLIPPED, EMPTY, OUTSIDE, BadAnnotation
from textseg.formats.values import a_list, an_id, an_object, points

MAX_LENGTH = 5_000_000
"""Pixels that an outline may be long: COCO's library holds five points for each of them."""


@register("coco")
class Coco(Format):
    title = "COCO"
    layout = "images/, annotations/instances.json (instances_train.json … with a split)"
    loses = ("objects (each class of a photo is one annotation)", "confidence", "provenance")
    export_options = (POLYGONS,)

    def write(self, export: Export) -> None:
        export.number({c.id: c.id for c in export.classes})
        parts: dict[str, dict[str, Any]] = {
            split: {**header(export.title), "images": [], "annotations": [], "categories": categories(export.classes)}
            for split in export.splits or [""]
        }
        number = holes = 0
        for item, ids, _ in export.each(lambda item: f"images/{item.name}"):
            part = parts[item.split or ""]
            part["images"].append(image(item.photo.id, item.name, item.size))
            for class_id, segmentation, mask in _segments(ids, export.options["polygons"]):
                number += 1
                holes += export.options["polygons"] and isinstance(segmentation, dict)
                part["annotations"].append(
                    {"id": number, "image_id": item.photo.id, "category_id": class_id, "iscrowd": 0, **mask}
                    | {"segmentation": segmentation}
                )
        if holes:
            export.note(f"{holes} regions have holes and are run-length codes, as COCO's polygons cannot hold holes.")
        for split, part in parts.items():
            export.write(f"annotations/instances{'_' * bool(split)}{split}.json", part)

    def recognise(self, source: Source) -> str | None:
        return shows(source, panoptic=False)

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
        with source.sparing():
            number = a_category(annotation, table, where)
            segmentation = annotation.get("segmentation")
            if segmentation is None:
                counts["bare"] += 1
            elif not segmentation:
                source.tally.add(EMPTY, where)
            else:
                parts[image_id].append((where, number, segmentation))
    for number, entry in entries.items():
        entry.labels = _labels(source, entry.labels, parts[number], counts, incoming)
    if counts["bare"]:
        incoming.notes.append(f"{counts['bare']} annotations have a box and no mask; they were left out.")
    return list(entries.values())


def _labels(
    source: Source, declared: Any, parts: list[tuple[str, int, Any]], counts: dict[str, int], incoming: Incoming
) -> Any:
    def labels(size: tuple[int, int]) -> np.ndarray:
        declared(size)
        width, height = size
        flat = np.zeros(width * height, np.int32)
        codes: list[tuple[int, int, np.ndarray]] = []
        for where, value, given in parts:
            with source.sparing():
                runs = _runs(source, given, size, where)
                codes.append((int(runs[1::2].sum()), value, runs))
                if not codes[-1][0]:
                    source.tally.add(EMPTY, where)
        # Small things lie on large ones: where annotations overlap, the smaller one is seen.
        covered = 0
        for _, value, runs in sorted(codes, key=lambda code: -code[0]):
            covered += rle.paint(flat, runs, value)
        if covered and not counts["overlap"]:
            incoming.notes.append("Annotations overlap: a label map holds one class a pixel, the smaller one is seen.")
        counts["overlap"] += covered
        return flat.reshape(width, height).T

    return labels


def _runs(source: Source, segmentation: Any, size: tuple[int, int], where: str) -> np.ndarray:
    """The run lengths of an annotation: a code, or polygons by the rule of COCO's own library.

    Raises BadAnnotation where no outline is one.
    """
    if isinstance(segmentation, dict):
        return rle.runs(segmentation, size, f"{where}.segmentation")
    from pycocotools import mask as coco

    width, height = size
    given = a_list(segmentation, f"{where}.segmentation")
    rings: list[list[float]] = []
    bad: list[BadAnnotation] = []
    for k, corners in enumerate(given if isinstance(given[0], list) else [given]):
        try:
            ring = points(corners, f"{where}.segmentation[{k}]", 3)
        except BadAnnotation as error:
            bad.append(error)
            continue
        seen = clipping.clipped(ring, size)
        if clipping.length(seen) > MAX_LENGTH:
            raise DatasetError(f"{where}.segmentation[{k}] is {clipping.length(seen):,.0f} pixels long: too much.")
        if len(seen):
            rings.append(seen.ravel().tolist())
            if clipping.beyond(ring, size):
                source.tally.add(CLIPPED, where)
    if not rings:
        raise bad[0] if bad else BadAnnotation(OUTSIDE, where, f"{where} lies outside of the photo.")
    for outline in bad:
        source.mend(outline.reason, where, str(outline))
    code = coco.merge(coco.frPyObjects(rings, height, width))
    return rle.runs({"size": [height, width], "counts": code["counts"].decode("ascii")}, size, where)
