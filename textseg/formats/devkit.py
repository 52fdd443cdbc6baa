"""The folders of a Pascal VOC devkit, which VOC and CVAT share: label maps, lists of photos, `labelmap.txt`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from textseg.errors import DatasetError, brief
from textseg.formats.class_numbers import numbers_of
from textseg.formats.incoming import Entry
from textseg.formats.source import PHOTO_FOLDERS, Source
from textseg.formats.tally import NO_LABELS
from textseg.formats.values import a_name, natural
from textseg.vocabulary import MAX_WORDS

VOID = 255
BACKGROUND = "background"
SETS = "ImageSets/Segmentation"

Rgb = tuple[int, int, int]
Labels = Callable[[tuple[int, int]], np.ndarray]


def palette() -> list[Rgb]:
    """VOC's 256 colours: the bits of the index, three at a time, from the highest colour bit down."""
    colours = []
    for index in range(256):
        channels = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                channels[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        colours.append((channels[0], channels[1], channels[2]))
    return colours


def devkit(root: Path) -> Path:
    """The folder that holds `SegmentationClass`: this one, or one of those of a VOC devkit in it."""
    places = [root, *sorted(root.glob("VOCdevkit/VOC20*")), *sorted(root.glob("VOC20*"))]
    return next((place for place in places if _maps(place).is_dir()), root)


def _maps(root: Path) -> Path:
    """The folder of label maps: `SegmentationClass`, or `SegmentationClassPNG` as labelme's own converter calls it."""
    other = root / "SegmentationClassPNG"
    return other if other.is_dir() else root / "SegmentationClass"


def shown(source: Source, root: Path) -> str | None:
    """What of a devkit there is to be shown: `labelmap.txt`, else the folder of label maps; None where it is none."""
    if source.file or not _maps(root).is_dir():
        return None
    return source.shown(root / "labelmap.txt" if (root / "labelmap.txt").is_file() else _maps(root))


def label_map(source: Source, path: Path) -> list[tuple[str, Rgb]]:
    """The (name, colour) of each line `name:r,g,b:parts:actions` of a `labelmap.txt`."""
    found: list[tuple[str, Rgb]] = []
    for number, line in source.lines(path):
        if line.lstrip().startswith("#"):
            continue
        where = f"{source.shown(path)} line {number}"
        name, numbers = _fields(line.strip())
        if numbers.strip():
            colour = _colour(numbers, where)
        else:  # the palette's, as datumaro leaves it out
            colour = palette()[len(found)] if len(found) < VOID else (0, 0, 0)
        for other, (known, taken) in enumerate(found, start=1):
            if taken == colour or known == name.strip():
                raise DatasetError(f"{where} has the name or colour of class {other} ('{known}').")
        found.append((a_name(name, where), colour))
        if len(found) > MAX_WORDS:
            raise DatasetError(f"{source.shown(path)} describes more than {MAX_WORDS} classes.")
    if not found:
        raise DatasetError(f"{source.shown(path)} describes no class.")
    return found


def _fields(line: str) -> tuple[str, str]:
    """(name, colour) of `name:r,g,b:parts:actions`; a name may have colons too."""
    fields = line.split(":")
    for k in range(len(fields) - 1, 0, -1):
        if re.fullmatch(r"[^,]*,[^,]*,[^,]*", fields[k]):
            return ":".join(fields[:k]), fields[k]
    at = max(1, len(fields) - 3)
    return ":".join(fields[:at]), fields[at] if at < len(fields) else ""


def _colour(text: str, where: str) -> Rgb:
    numbers = [natural(n.strip(), 256) for n in text.split(",", 3)]
    if len(numbers) != 3 or None in numbers:
        raise DatasetError(f"{where} has the colour {brief(text)}; a line is name:red,green,blue:parts:actions.")
    red, green, blue = (n or 0 for n in numbers)
    return red, green, blue


def reader(
    source: Source, table: dict[int, int], by_colour: dict[Rgb, int], coloured: bool = False
) -> Callable[[Path], Labels]:
    """How a PNG becomes class numbers: by its index, or by its colour where it has three channels.

    With `coloured` also where it has one: if every colour that its palette or its greys show is a class's.
    """
    indices = {(red << 16) + (green << 8) + blue: number for (red, green, blue), number in by_colour.items()}

    def of(path: Path) -> Labels:
        def labels(size: tuple[int, int]) -> np.ndarray:
            if source.check_size(path, size) in ("RGB", "RGBA"):
                values = source.colours(path) @ np.array([65536, 256, 1])
                return numbers_of(values, indices, source.shown(path), lambda v: f"the colour #{v:06x}")
            if coloured:
                values = source.colours(path) @ np.array([65536, 256, 1])
                if set(np.unique(values).tolist()) <= indices.keys():
                    return numbers_of(values, indices, source.shown(path), str)
            ids = source.labels(path, size).astype(np.int64)
            return numbers_of(ids, table, source.shown(path), lambda v: f"the id {v}")

        return labels

    return of


def _stem(line: str, folder: Path) -> str:
    """Which label map a line of a list means: a stem, with an ending, a flag behind it, or the paths of both files."""
    first, last = line.split()[0], line.split()[-1]
    tried = (line, first, str(Path(first).with_suffix("")), str(Path(line).with_suffix("")), Path(last).stem)
    if ".." in line:
        return line  # which is refused
    inside = (stem for stem in tried if not stem.startswith("/"))
    return next((stem for stem in inside if (folder / f"{stem}.png").is_file()), line)


def entries(source: Source, root: Path, labels_of: Callable[[Path], Labels]) -> list[Entry]:
    """The photos of the lists in `ImageSets/Segmentation` (all of `SegmentationClass` where there is none)."""
    folder = _maps(root)
    if not folder.is_dir():
        raise DatasetError(f"{source.shown(folder)} does not exist; it holds the label maps.")
    stems: dict[str, str] = {}
    for path in sorted((root / SETS).glob("*.txt")):
        for number, line in source.lines(path):
            where = f"{source.shown(path)} line {number}"
            stem = _stem(line.strip(), folder)
            source.inside(f"{stem}.png", where, folder)
            stems.setdefault(stem, where)
    if not stems:
        maps = [path.relative_to(folder) for path in source.files("*.png") if path.is_relative_to(folder)]
        stems = {path.with_suffix("").as_posix(): source.shown(folder / path) for path in maps}
    found = []
    for stem, where in stems.items():
        label = folder / f"{stem}.png"
        if not label.is_file():
            missing = f"{where} names '{stem}', but {source.shown(label)} does not exist."
            source.mend(NO_LABELS, stem, missing)
            continue
        parent = Path(stem).parent
        photo = source.photo(Path(stem).name, *(root / name / parent for name in PHOTO_FOLDERS))
        found.append(Entry(photo.name if photo else stem, source.shown(label), photo, labels_of(label)))
    return found
