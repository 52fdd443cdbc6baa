"""GeoTIFF: label maps as tiled TIFFs with overviews, on earth where their photos are. For photos of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from textseg.errors import DatasetError
from textseg.folders import gather
from textseg.formats.class_list import CLASS_FILES
from textseg.formats.exporting import Export, Read
from textseg.formats.filenames import same
from textseg.formats.incoming import Entry, Incoming
from textseg.formats.index_maps import Classes, facts_of, index_labels, numbered, photo_place, root, shares, write_lists
from textseg.formats.outgoing import Item
from textseg.formats.registry import Format, register
from textseg.formats.source import Source
from textseg.pyramids.writing import write_tiff


@register("geotiff")
class GeoTiff(Format):
    title = "GeoTIFF"
    layout = "images/, labels/ (tiled GeoTIFFs with overviews, the project's ids), classes.txt, ignore.txt, labels.json"
    loses = ("confidence", "provenance")

    def write(self, export: Export) -> None:
        colours, large = numbered(export), export.large()
        facts: list[dict[str, Any]] = []

        def write(item: Item, photo: Path, read: Read) -> None:
            path = export.folder / f"{root(item.split)}labels/{item.stem}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_tiff(path, item.size, read, colours, photo)

        for item, ids, _ in export.each(photo_place):
            write(item, export.original(item), lambda box, ids=ids: ids[box[1] : box[3], box[0] : box[2]])  # type: ignore[misc]
            facts.append(facts_of(item, shares(ids)))
        for item in large:
            place = f"{root(item.split)}images/{item.stem}{item.photo.suffix}"
            areas = export.put_large(item, place, lambda photo, read, item=item: write(item, photo, read))  # type: ignore[misc]
            if areas is None:
                (export.folder / f"{root(item.split)}labels/{item.stem}.tif").unlink(missing_ok=True)
            else:
                facts.append(facts_of(item, areas))
        write_lists(export, facts)

    def recognise(self, source: Source) -> str | None:
        for part in _parts(source):
            if any((part / name).is_file() for name in CLASS_FILES) and any((part / "labels").rglob("*.tif")):
                return source.shown(part / "labels")
        return None

    def read(self, source: Source) -> Incoming:
        classes, entries = Classes(), list[Entry]()
        for part in _parts(source):
            entries += _entries(source, part, classes.table(source, part))
        return Incoming(classes.found, entries)


def _entries(source: Source, folder: Path, table: np.ndarray) -> list[Entry]:
    labels = folder / "labels"
    maps = {_stem(path, labels): path for path in sorted(labels.rglob("*.tif"))}
    entries = []
    for photo in gather([folder / "images"]).photos if (folder / "images").is_dir() else []:
        label = maps.pop(_stem(photo.path, folder / "images"), None)
        read = index_labels(source, label, table) if label else None
        entries.append(Entry(photo.path.name, source.shown(label or photo.path), photo.path, read))
    for label in maps.values():  # label maps without photos: the project may have them
        entries.append(Entry(label.stem, source.shown(label), None, index_labels(source, label, table)))
    if not entries:
        raise DatasetError(f"{source.root} holds no photos in images and no label maps in labels.")
    return entries


def _parts(source: Source) -> list[Path]:
    """The folders of the splits, or the one folder of it all."""
    given = [source.root / name for name in ("train", "val", "test")]
    return [place for place in given if (place / "images").is_dir()] or [source.root]


def _stem(path: Path, folder: Path) -> str:
    return same(path.relative_to(folder).with_suffix("").as_posix())
