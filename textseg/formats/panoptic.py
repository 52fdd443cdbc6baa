"""COCO panoptic: one PNG a photo whose colours are segment numbers (R + 256 G + 65536 B), and a JSON about them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from textseg.errors import DatasetError, brief
from textseg.formats.class_numbers import numbers_of
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
from textseg.formats.registry import Format, register
from textseg.formats.source import Source
from textseg.formats.values import a_list, an_id, an_object

SHADES = 251
"""Steps between segment numbers are spread over the colours, so that a person sees the segments apart."""


@register("panoptic")
class Panoptic(Format):
    title = "COCO panoptic"
    layout = "images/, annotations/panoptic.json, annotations/panoptic/*.png"
    loses = ("objects (each class of a photo is one segment)", "confidence", "provenance")

    def write(self, export: Export) -> None:
        export.number({c.id: c.id for c in export.classes})
        listed = [{**c, "isthing": 0} for c in categories(export.classes)]
        parts: dict[str, dict[str, Any]] = {
            split: {**header(export.title), "images": [], "annotations": [], "categories": listed}
            for split in export.splits or [""]
        }
        for item, ids, _ in export.each(lambda item: f"images/{item.name}"):
            split = item.split or ""
            numbers = np.zeros(2**16, np.uint32)
            segments = []
            for class_id in np.unique(ids[ids > 0]).tolist():
                number = int.from_bytes(bytes((class_id * (97, 57, 151)[k] % SHADES) for k in range(3)), "little")
                while not number or number in numbers:  # two classes never share one
                    number += 1
                numbers[class_id] = number
                segments.append({"id": number, "category_id": class_id, "iscrowd": 0, **measure(ids == class_id)})
            colours = numbers[ids][..., None] >> np.array([0, 8, 16], np.uint32)
            buffer = io.BytesIO()
            Image.fromarray((colours & 255).astype(np.uint8)).save(buffer, "PNG")
            export.write(f"annotations/{_folder(split)}/{item.stem}.png", buffer.getvalue())
            parts[split]["images"].append(image(item.photo.id, item.name, item.size))
            parts[split]["annotations"].append(
                {"image_id": item.photo.id, "file_name": f"{item.stem}.png", "segments_info": segments}
            )
        for split, part in parts.items():
            export.write(f"annotations/{_folder(split)}.json", part)

    def recognise(self, source: Source) -> str | None:
        return shows(source, panoptic=True)

    def read(self, source: Source) -> Incoming:
        incoming = Incoming([], [])
        positions: dict[str, int] = {}
        entries: list[Entry] = []
        for path, content in documents(source, "annotations", lambda part: "segments_info" in part):
            table = read_categories(content, source.shown(path), incoming, positions)
            entries += _read(source, path, content, table)
        incoming.entries = entries
        return incoming


def _folder(split: str) -> str:
    return f"panoptic_{split}" if split else "panoptic"


def _read(source: Source, path: Path, content: dict[str, Any], table: dict[int, int]) -> list[Entry]:
    name = source.shown(path)
    entries = read_images(source, path, content, photo_folders(source, path))
    maps = [path.with_suffix(""), path.parent, source.root]
    seen: set[int] = set()
    for k, value in enumerate(content["annotations"]):
        where = f"{name}: annotations[{k}]"
        annotation = an_object(value, where)
        image_id = an_id(annotation.get("image_id"), f"{where}.image_id")
        if image_id not in entries:
            raise DatasetError(f"{where}.image_id is {image_id}, which no image has.")
        if image_id in seen:
            raise DatasetError(f"{where}.image_id is {image_id}, which another annotation has.")
        seen.add(image_id)
        tried = [source.inside(annotation.get("file_name"), f"{where}.file_name", folder) for folder in maps]
        file = next((place for place in tried if place.is_file()), tried[0])
        segments: dict[int, int] = {}
        for j, segment in enumerate(a_list(annotation.get("segments_info"), f"{where}.segments_info")):
            at = f"{where}.segments_info[{j}]"
            described = an_object(segment, at)
            number = an_id(described.get("id"), f"{at}.id", least=1)
            if number in segments:
                raise DatasetError(f"{at}.id is {number}, which another segment of the photo has.")
            segments[number] = 0
            with source.sparing():
                segments[number] = a_category(described, table, at)
        entries[image_id].labels = _labels(source, file, segments, entries[image_id].labels)
    return list(entries.values())


def _labels(source: Source, path: Path, segments: dict[int, int], declared: Any) -> Any:
    def labels(size: tuple[int, int]) -> np.ndarray:
        declared(size)
        mode = source.check_size(path, size)
        if mode not in ("RGB", "RGBA"):
            raise DatasetError(f"{source.shown(path)} has {mode} colours; a panoptic PNG is RGB.")
        return numbers_of(
            source.colours(path) @ np.array([1, 256, 65536]), {0: 0, **segments}, source.shown(path), brief
        )

    return labels
