"""Labelled photo sets on disk: which photo goes with which label, and what the ids in the labels mean.

A layout is a named way of laying out such a set. `folder` is the plain one (`images/`, `labels/`, `classes.txt`,
`ignore.txt`); the others are the field's benchmarks as their authors publish them (published.py). Ids are read as they
lie on disk and looked up in a table, so nothing is shifted: what segmentation libraries call `reduce_zero_label` is
here the id 0 missing from the classes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from textseg import images
from textseg.errors import DatasetError
from textseg.labelmap import read_index_png
from textseg.registry import Registry

UNSCORED = -1
"""In a truth map: the pixel is not scored."""

MAX_ID = 65535


@dataclass(frozen=True)
class Class:
    """One class of a set: its published name, the word that is asked for it, and its ids in the label files."""

    name: str
    word: str
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Dataset:
    """A labelled photo set; `pairs` are (photo, label) files, `ignored` the label ids that are not scored.

    `background` is the index of the class that stands for "none of the words", where the set scores one.
    """

    layout: str
    classes: tuple[Class, ...]
    pairs: tuple[tuple[Path, Path], ...]
    ignored: frozenset[int]
    background: int | None = None

    def truth(self, label: Path, size: tuple[int, int]) -> np.ndarray:
        """(H, W) int32, for each pixel the index of its class in `classes`, or UNSCORED.

        `size` is the photo's (width, height); the label is never resized. Raises DatasetError when the label is
        missing, has another size, or holds an id that the set does not know.
        """
        if not label.is_file():
            raise DatasetError(f"{label} does not exist; every photo needs a label file of the same stem.")
        ids = _read(label)
        if ids.shape != size[::-1]:
            raise DatasetError(
                f"{label} is {ids.shape[1]} x {ids.shape[0]} pixels but its photo is {size[0]} x {size[1]}; "
                "a label has the size of its photo."
            )
        truth = self._index_of_id[ids]
        if truth.min(initial=UNSCORED) < UNSCORED:
            unknown = int(ids[truth < UNSCORED][0])
            raise DatasetError(f"{label} holds the id {unknown}, which is neither a class of the set nor ignored.")
        return truth

    @cached_property
    def _index_of_id(self) -> np.ndarray:
        table = np.full(MAX_ID + 1, UNSCORED - 1, np.int32)
        table[list(self.ignored)] = UNSCORED
        for index, entry in enumerate(self.classes):
            table[list(entry.ids)] = index
        return table


Layout = Callable[[Path], Dataset]
_registry: Registry[Layout] = Registry("layout", __name__)
register, names = _registry.register, _registry.names


def open(path: Path, layout: str = "folder") -> Dataset:  # noqa: A001 (read as datasets.open)
    """The set under `path`; raises DatasetError (what is missing, and where) or UnknownNameError for the layout."""
    read = _registry.get(layout)
    if not path.is_dir():
        raise DatasetError(f"{path} is not a folder; give the folder of a labelled photo set.")
    dataset = read(path)
    if not dataset.pairs:
        raise DatasetError(f"{path} has no photos where the layout '{layout}' looks for them.")
    return replace(dataset, layout=layout)


@register("folder")
def folder(path: Path) -> Dataset:
    """`images/`, `labels/` (index PNG, same stems), `classes.txt` and perhaps `ignore.txt`.

    Ids neither scored nor asked: those in `ignore.txt`; without that file 255. The ids 0 and 255 are also left out
    wherever `classes.txt` does not name them. A scored class 0 called background means "none of the words".
    """
    photos, labels = folder_of(path / "images"), folder_of(path / "labels")
    listed = read_classes(path / "classes.txt")
    known = {id for entry in listed for id in entry.ids}
    file = path / "ignore.txt"
    ignored = (_read_ids(file) if file.is_file() else {255}) | ({0, 255} - known)
    classes = tuple(entry for entry in listed if entry.ids[0] not in ignored)
    if not classes:
        raise DatasetError(f"{path / 'classes.txt'} names no class that is scored.")
    label_of = {label.stem: label for label in sorted(labels.iterdir()) if label.suffix.lower() == ".png"}
    found = images.find([photos])
    pairs = [(photo, label_of.get(photo.stem, labels / f"{photo.stem}.png")) for photo in found]
    # A label without its photo is not passed over in silence: opening the photo will say that it is missing.
    alone = label_of.keys() - {photo.stem for photo in found}
    pairs = sorted(pairs + [(photos / f"{stem}.jpg", label_of[stem]) for stem in alone])
    background = next((k for k, entry in enumerate(classes) if _means_none(entry)), None)
    return Dataset("folder", classes, tuple(pairs), frozenset(ignored), background)


def read_classes(file: Path) -> list[Class]:
    """The classes of a `classes.txt`: `id<TAB>name` or `id<TAB>name<TAB>prompt` a line; the word asked comes last."""
    classes: list[Class] = []
    seen: set[int] = set()
    taken: set[str] = set()
    for number, line in lines_of(file):
        id, *columns = [column.strip() for column in line.split("\t")]
        if not columns or not columns[0]:
            raise DatasetError(f"{file} line {number} has no name; a line is id<TAB>name or id<TAB>name<TAB>prompt.")
        value = parsed_id(id, file, number)
        if value in seen:
            raise DatasetError(f"{file} line {number} names the id {value} a second time.")
        seen.add(value)
        # Results are kept by name, so a name that two ids share is told apart by its id.
        name = columns[0] if columns[0] not in taken else f"{columns[0]} ({value})"
        taken.add(name)
        word = columns[1] if len(columns) > 1 and columns[1] else columns[0]
        classes.append(Class(name, word, (value,)))
    return classes


def _read(label: Path) -> np.ndarray:
    """(H, W) ids of a label file: an index PNG or TIFF, or MATLAB's `LabelMap`, as PASCAL Context publishes it."""
    if label.suffix.lower() != ".mat":
        return read_index_png(label)
    from scipy.io import loadmat

    try:
        ids = np.asarray(loadmat(label)["LabelMap"])
    except Exception:  # scipy raises many kinds
        raise DatasetError(f"{label} is no MATLAB file with a 'LabelMap'.") from None
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or ids.min(initial=0) < 0 or ids.max(initial=0) > MAX_ID:
        raise DatasetError(f"The 'LabelMap' of {label} is no map of ids from 0 to {MAX_ID}.")
    return ids


def _means_none(entry: Class) -> bool:
    return entry.ids == (0,) and "background" in (entry.name + entry.word).casefold()


def _read_ids(file: Path) -> set[int]:
    return {parsed_id(line.split()[0], file, number) for number, line in lines_of(file)}


def parsed_id(text: str, file: Path, number: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_ID):
        raise DatasetError(f"{file} line {number} begins with '{text[:40]}', which is not an id from 0 to {MAX_ID}.")
    return int(text)


def lines_of(file: Path) -> Iterable[tuple[int, str]]:
    """The non-empty lines with their numbers, from 1."""
    if not file.is_file():
        raise DatasetError(f"{file} does not exist.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DatasetError(f"{file} is not UTF-8 text.") from None
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def folder_of(path: Path) -> Path:
    if not path.is_dir():
        raise DatasetError(f"The folder {path} does not exist.")
    return path
