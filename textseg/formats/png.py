"""Plain PNG: `images/`, `labels/` (index PNGs of the same stems), `classes.txt`; what `textseg evaluate` reads too.

Also any folder of photos with index PNGs beside them or in a folder of their own, and a list of classes.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from textseg.errors import DatasetError
from textseg.folders import gather, hidden
from textseg.formats.class_list import CLASS_FILES, PIXEL_VALUES
from textseg.formats.exporting import Export, Read
from textseg.formats.filenames import same
from textseg.formats.incoming import Entry, Incoming
from textseg.formats.index_maps import Classes, facts_of, index_labels, numbered, photo_place, root, shares, write_lists
from textseg.formats.registry import Format, register
from textseg.formats.source import PHOTO_FOLDERS, Source
from textseg.labelmap import index_png
from textseg.pyramids.writing import write_png, write_tiff

MASK = "_mask"
"""What some tools write behind the stem of a label map that lies beside its photo."""
LABEL_FOLDERS = ("labels", "masks", "annotations", "SegmentationClass")


@register("png")
class Png(Format):
    title = "PNG"
    layout = "images/, labels/ (index PNGs, the project's ids), classes.txt, ignore.txt, labels.json"
    loses = ("confidence", "provenance")

    def write(self, export: Export) -> None:
        colours, large = numbered(export), export.large()
        facts: list[dict[str, Any]] = []
        for item, ids, _ in export.each(photo_place):
            export.write(f"{root(item.split)}labels/{item.stem}.png", index_png(ids, colours))
            facts.append(facts_of(item, shares(ids)))
        for item in large:
            png = export.folder / f"{root(item.split)}labels/{item.stem}.png"

            def write(photo: Path, read: Read, png: Path = png, size: tuple[int, int] = item.size) -> None:
                png.parent.mkdir(parents=True, exist_ok=True)
                with TemporaryDirectory(dir=png.parent) as scratch:
                    write_tiff(tiff := Path(scratch, "labels.tif"), size, read, colours, None)
                    write_png(png, tiff)

            place = f"{root(item.split)}images/{item.stem}{item.photo.suffix}"
            if (areas := export.put_large(item, place, write)) is None:
                png.unlink(missing_ok=True)
            else:
                facts.append(facts_of(item, areas))
        write_lists(export, facts)

    def recognise(self, source: Source) -> str | None:
        for part in _parts(source):
            listed = next((part / name for name in (*CLASS_FILES, PIXEL_VALUES) if (part / name).is_file()), None)
            if listed is not None and any(_maps(part)):
                return source.shown(listed)
        return None

    def read(self, source: Source) -> Incoming:
        classes, entries = Classes(), list[Entry]()
        for part in _parts(source):
            entries += _entries(source, part, classes.table(source, part))
        return Incoming(classes.found, entries)


def _entries(source: Source, folder: Path, table: np.ndarray) -> list[Entry]:
    photos = next((folder / name for name in PHOTO_FOLDERS if (folder / name).is_dir()), folder)
    labels = _label_folder(folder)
    found = [one.path for one in gather([photos], flat=photos == folder).photos]
    maps = {_stem(path, labels): path for path in _maps(folder)}
    if photos == labels:  # a PNG with the stem of another photo, or with `_mask` behind it, is its label map
        stems = {_stem(path, photos) for path in found if path.suffix.lower() != ".png" or not _is_mask(path)}
        pairs = {_stem(path, photos) for path in found if path.suffix.lower() != ".png"}
        maps = {stem: p for stem, p in maps.items() if _is_mask(p) and stem in stems or stem in pairs}
        found = [path for path in found if path not in maps.values()]
    taken: dict[str, Path] = {}
    entries = []
    for path in found:
        if _stem(path, photos) in taken:
            raise DatasetError(f"{source.shown(path)} and {taken[_stem(path, photos)].name} share one label map.")
        taken[_stem(path, photos)] = path
        label = maps.pop(_stem(path, photos), None)
        read = index_labels(source, label, table) if label else None
        entries.append(Entry(path.name, source.shown(label or path), path, read))
    for label in maps.values():  # label maps without photos: the project may have them
        entries.append(Entry(label.stem, source.shown(label), None, index_labels(source, label, table)))
    return entries


def _parts(source: Source) -> list[Path]:
    """The folders of the splits, or the one folder of it all."""
    given = [source.root / name for name in ("train", "val", "valid", "test")]
    listed = [place for place in given if (place / "images").is_dir() or (place / PIXEL_VALUES).is_file()]
    return listed or [source.root]


def _label_folder(folder: Path) -> Path:
    return next((folder / name for name in LABEL_FOLDERS if (folder / name).is_dir()), folder)


def _maps(folder: Path) -> list[Path]:
    """The label maps: all below the folder of their own, or those beside the photos."""
    labels = _label_folder(folder)
    return sorted(path for path in (labels.rglob("*") if labels != folder else labels.iterdir()) if _is_map(path))


def _is_map(path: Path) -> bool:
    return path.suffix.lower() == ".png" and not hidden(path.name) and path.is_file()


def _is_mask(path: Path) -> bool:
    return path.stem.casefold().endswith(MASK)


def _stem(path: Path, folder: Path) -> str:
    """What a photo and its label map have in common: the path in their folders, without ending."""
    return same(path.relative_to(folder).with_suffix("").as_posix().removesuffix(MASK))
