"""What formats of index maps share: a number per pixel, and lists beside them that say what the numbers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textseg.errors import DatasetError
from textseg.formats.class_list import class_list
from textseg.formats.exporting import Export
from textseg.formats.incoming import Category
from textseg.formats.outgoing import Item
from textseg.formats.source import Source


class Classes:
    """The classes of the parts of an import, each once."""

    def __init__(self) -> None:
        self.found: list[Category] = []
        self._positions: dict[tuple[str, str | None], int] = {}

    def table(self, source: Source, part: Path) -> np.ndarray:
        """(65536,) what each id of a part's files means: a position from 1 in `found`, 0 nothing, -1 none of these."""
        ids, ignored = class_list(source, part)
        table = np.full(2**16, -1, np.int32)
        table[list(ignored)] = 0
        for class_id, category in ids.items():
            key = category.name, category.prompt
            if key not in self._positions:
                self.found.append(category)
                self._positions[key] = len(self.found)
            table[class_id] = self._positions[key]
        return table


def numbered(export: Export) -> list[str]:
    """Number the classes by their ids, and give the colours of the ids 1, 2, ..."""
    export.number({c.id: c.id for c in export.classes})
    names = {c.id: c for c in export.classes}
    return [names[k].colour if k in names else "#808080" for k in range(1, max(names, default=0) + 1)]


def photo_place(item: Item) -> str:
    """Where the file of a photo goes."""
    return f"{root(item.split)}images/{item.name}"


def shares(ids: np.ndarray) -> dict[int, float]:
    """The share of the pixels of each id that occurs."""
    present, pixels = np.unique(ids, return_counts=True)
    return {k: n / ids.size for k, n in zip(present.tolist(), pixels.tolist(), strict=True)}


def facts_of(item: Item, areas: Mapping[int, float]) -> dict[str, Any]:
    """What `labels.json` says of a photo."""
    told = {str(k): round(share, 6) for k, share in areas.items()}
    return {"photo": item.name, "size": list(item.size), "split": item.split, "areas": told}


def write_lists(export: Export, facts: Sequence[Mapping[str, Any]]) -> None:
    """Write the lists of classes, and the facts of all photos."""
    for split in export.splits or [""]:
        export.write(f"{root(split)}classes.txt", "".join(f"{c.id}\t{c.name}\n" for c in export.classes))
        export.write(f"{root(split)}ignore.txt", "0\n")  # so that 255 may be a class
    classes = [{"id": c.id, "name": c.name, "aliases": c.aliases, "colour": c.colour} for c in export.classes]
    export.write("labels.json", {"classes": classes, "photos": facts})


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


def root(split: str | None) -> str:
    """The folder of a split, with a slash."""
    return f"{split}/" if split else ""
