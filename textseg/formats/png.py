"""Plain PNG: `images/`, `labels/` (index PNGs of the same stems), `classes.txt`; what `textseg evaluate` reads too.

Also any folder of photos with index PNGs beside them or in a folder of their own, and a list of classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from textseg.errors import DatasetError
from textseg.folders import gather, hidden
from textseg.formats.class_list import CLASS_FILES, PIXEL_VALUES, class_list
from textseg.formats.exporting import Export
from textseg.formats.filenames import same
from textseg.formats.incoming import Entry, Incoming
from textseg.formats.registry import Format, register
from textseg.formats.source import PHOTO_FOLDERS, Source
from textseg.labelmap import index_png

MASK = "_mask"
"""What some tools write behind the stem of a label map that lies beside its photo."""
LABEL_FOLDERS = ("labels", "masks", "annotations", "SegmentationClass")


@register("png")
class Png(Format):
    title = "PNG"
    layout = "images/, labels/ (index PNGs, the project's ids), classes.txt, ignore.txt, labels.json"
    loses = ("confidence", "provenance")

    def write(self, export: Export) -> None:
        export.number({c.id: c.id for c in export.classes})
        names = {c.id: c for c in export.classes}
        colours = [names[k].colour if k in names else "#808080" for k in range(1, max(names, default=0) + 1)]
        facts: list[dict[str, Any]] = []
        for item, ids, _ in export.each(lambda item: f"{_root(item.split)}images/{item.name}"):
            export.write(f"{_root(item.split)}labels/{item.stem}.png", index_png(ids, colours))
            present, pixels = np.unique(ids, return_counts=True)
            areas = {str(k): round(n / ids.size, 6) for k, n in zip(present.tolist(), pixels.tolist(), strict=True)}
            facts.append({"photo": item.name, "size": list(item.size), "split": item.split, "areas": areas})
        for split in export.splits or [""]:
            export.write(f"{_root(split)}classes.txt", "".join(f"{c.id}\t{c.name}\n" for c in export.classes))
            export.write(f"{_root(split)}ignore.txt", "0\n")  # so that 255 may be a class
        classes = [{"id": c.id, "name": c.name, "aliases": c.aliases, "colour": c.colour} for c in export.classes]
        export.write("labels.json", {"classes": classes, "photos": facts})

    def recognise(self, source: Source) -> str | None:
        for part in _parts(source):
            listed = next((part / name for name in (*CLASS_FILES, PIXEL_VALUES) if (part / name).is_file()), None)
            if listed is not None and any(_maps(part)):
                return source.shown(listed)
        return None

    def read(self, source: Source) -> Incoming:
        incoming = Incoming([], [])
        entries: list[Entry] = []
        positions: dict[tuple[str, str | None], int] = {}
        for part in _parts(source):
            ids, ignored = class_list(source, part)
            table = np.full(2**16, -1, np.int32)
            table[list(ignored)] = 0
            for class_id, category in ids.items():
                key = category.name, category.prompt
                if key not in positions:
                    incoming.classes.append(category)
                    positions[key] = len(incoming.classes)
                table[class_id] = positions[key]
            entries += _entries(source, part, table)
        incoming.entries = entries
        return incoming


def index_labels(source: Source, path: Path, table: np.ndarray) -> Any:
    """A function (width, height) -> class numbers of the index PNG at `path`, where `table` gives those of its ids."""

    def labels(size: tuple[int, int]) -> np.ndarray:
        ids = source.labels(path, size)
        numbers = table[ids]
        if numbers.min() < 0:
            unknown = int(ids[numbers < 0][0])
            raise DatasetError(f"{source.shown(path)} holds the id {unknown}, which is neither a class nor ignored.")
        return numbers

    return labels


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


def _root(split: str | None) -> str:
    return f"{split}/" if split else ""
