"""YOLO segmentation: one text file a photo, a line an outline in shares of width and height; `data.yaml` names classes.

A line holds one outline without holes, so a region with holes is cut along pixel columns into pieces that cover the
same pixels. Needs the extra `textseg[formats]`.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from textseg import images
from textseg.errors import DatasetError, brief
from textseg.folders import hidden
from textseg.formats import polygons
from textseg.formats.class_list import CLASS_FILES
from textseg.formats.exporting import Export
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.registry import Format, register
from textseg.formats.source import Source
from textseg.formats.tally import CLIPPED, EMPTY, NO_PHOTO, NO_SPLIT, UNKNOWN_CLASS, BadAnnotation
from textseg.formats.values import a_name, an_id, natural
from textseg.vocabulary import MAX_WORDS

FILES = ("data.yaml", "data.yml", "dataset.yaml")
SETS = ("train", "val", "valid", "test")
SLACK = 0.001
"""How far beyond 0..1 a coordinate may lie by rounding."""
BEYOND = 2.0
"""Larger coordinates are pixels, or nothing."""
NO_SHARES = "outlines whose coordinates are no shares from 0 to 1, left out"
DECIMAL = re.compile(r"\d+(,\d+)?|\d+(\.\d+)?")


@register("yolo")
class Yolo(Format):
    title = "YOLO segmentation"
    layout = "images/train, labels/train (val, test with a split), data.yaml"
    loses = ("holes (such regions are cut into pieces)", "objects", "confidence", "provenance", "class ids and colours")

    def write(self, export: Export) -> None:
        numbers = {c.id: k for k, c in enumerate(export.classes)}
        export.number(numbers)
        cut = bare = 0
        for item, ids, _ in export.each(lambda item: f"images/{item.split or 'train'}/{item.name}"):
            lines = []
            for class_id, region in polygons.of_labels(ids):
                cut += bool(region.interiors)
                for piece in polygons.without_holes(region):
                    shares = (polygons.ring(piece) / item.size).ravel()
                    lines.append(" ".join([str(numbers[class_id]), *(_share(value) for value in shares)]) + "\n")
            bare += not lines
            export.write(f"labels/{item.split or 'train'}/{item.stem}.txt", "".join(lines))
        if cut:
            export.note(f"{cut} regions with holes were cut into pieces; no pixel is lost.")
        if bare:
            export.note(f"{bare} photos have no labels; YOLO takes them as photos with none of the classes in them.")
        if not export.splits:
            export.note("There is no split: data.yaml names the photos to train with for validation too.")
        sets = {name: f"images/{name}" for name in export.splits or ["train"]}
        sets = {"train": next(iter(sets.values())), "val": sets.get("test") or next(iter(sets.values()))} | sets
        names = {k: c.name for k, c in enumerate(export.classes)}
        export.write("data.yaml", yaml.safe_dump({**sets, "names": names}, allow_unicode=True, sort_keys=False))

    def recognise(self, source: Source) -> str | None:
        path = _described(source)
        return source.shown(path) if path is not None else None

    def read(self, source: Source) -> Incoming:
        path = _described(source)
        if path is None:
            raise DatasetError(f"{source.shown(source.root / 'data.yaml')} does not exist; it names the classes.")
        if path.suffix == ".txt":
            content = {"names": [line.strip() for _, line in source.lines(path)]}
        else:
            content = _yaml(source, path)
        names = _names(_listed_names(content), f"{source.shown(path)}: names")
        incoming = Incoming([Category(name) for name in names.values()], [])
        numbers = {k: number for number, k in enumerate(names, start=1)}
        counts = {"boxes": 0, "overlap": 0}
        entries: dict[Path, Entry] = {}
        for photo in _photos(source, path, content):
            labels = _label_file(source, photo)
            here = labels if labels.is_file() else None
            read = _labels(source, here, numbers, counts, incoming) if here else None
            entries.setdefault(photo, Entry(photo.name, source.shown(here or photo), photo, read))
        incoming.entries = list(entries.values())
        return incoming


def _described(source: Source) -> Path | None:
    """The file that names the classes: `data.yaml`, another YAML with `names`, or `classes.txt` beside text labels."""
    if source.file:
        return source.file if source.file.suffix.lower() in (".yaml", ".yml", ".txt") else None
    found = next((place for name in FILES if (place := source.root / name).is_file()), None)
    if found is None:
        others = sorted(path for path in source.root.glob("*.y*ml") if source.mentions(path, "names", "train"))
        found = others[0] if len(others) == 1 else None
    if found is None:
        texts = [path for path in source.files("*.txt", most=200) if path.parent.name in ("labels", "train")]
        places = [source.root / name for name in CLASS_FILES] + [source.root / "labels" / "classes.txt"]
        found = next((place for place in places if texts and place.is_file()), None)
    return found


def _listed_names(content: dict[Any, Any]) -> Any:
    """`names`, or as many made up as `nc` says."""
    number = content.get("nc")
    if content.get("names") is None and isinstance(number, int) and 0 < number <= MAX_WORDS:
        return [f"class {k}" for k in range(number)]
    return content.get("names")


def _share(value: float) -> str:
    """Seven digits: a pixel corner of any photo that is taken in comes back to within a hundredth of a pixel."""
    return f"{value:.7f}".rstrip("0").rstrip(".")


def _yaml(source: Source, path: Path) -> dict[Any, Any]:
    content = source.yaml(path)
    if not isinstance(content, dict):
        raise DatasetError(f"{source.shown(path)} is {brief(content)} and must be a table with 'names'.")
    return content


def _names(value: Any, where: str) -> dict[int, str]:
    """{class number: name}, in the order of the numbers, from a list or a table."""
    given = dict(enumerate(value)) if isinstance(value, list) else value
    if not isinstance(given, dict) or not given:
        raise DatasetError(f"{where} is {brief(value)} and must list the classes.")
    names = {}
    for k, name in given.items():
        number = k if (written := natural(k, 2**31)) is None else written
        names[an_id(number, f"{where}: a key")] = a_name(str(name) if isinstance(name, int) else name, f"{where}[{k}]")
    return dict(sorted(names.items()))


def _photos(source: Source, path: Path, content: dict[Any, Any]) -> list[Path]:
    """The photos of the sets that `data.yaml` names; without any, those of every folder called `images`."""
    found: list[Path] = []
    named = False
    base = path.parent
    if isinstance(content.get("path"), str) and content["path"].strip():
        base = source.folder_named(content["path"], f"{source.shown(path)}: path", base) or base
    base = base if base.is_dir() else path.parent
    for name in SETS:
        given = content.get(name)
        for value in given if isinstance(given, list) else [given] if given else []:
            named = True
            where = f"{source.shown(path)}: {name}"
            place = source.folder_named(value, where, base) or source.folder_named(value, where, path.parent)
            if place is None:
                refusal = f"{where} is {brief(value)}, which does not exist in the folder."
                source.mend(NO_SPLIT, f"{name}: {value}", refusal)
            elif place.is_dir():
                found += _in_folders([place, *sorted(p for p in place.rglob("*") if p.is_dir())])
            elif place.suffix.lower() == ".txt":
                found += _listed(source, place, base)
            else:
                found.append(place)
    if not named:
        for folder in [source.root, *sorted(p for p in source.root.rglob("*") if p.is_dir())]:
            if folder.name == "images" or "images" in folder.relative_to(source.root).parts:
                found += _in_folders([folder])
    return found


def _in_folders(folders: list[Path]) -> list[Path]:
    return images.find([folder for folder in folders if not hidden(folder.name)])


def _listed(source: Source, path: Path, base: Path) -> list[Path]:
    """The photos of a text file that names one a line."""
    name = source.shown(path)
    bases = list(dict.fromkeys([base, path.parent]))
    lines = [(text.strip(), f"{name} line {number}", bases) for number, text in source.lines(path)]
    found = []
    for (text, where, _), photo in zip(lines, source.photos_named(lines), strict=True):
        if photo is not None:
            found.append(photo)
        else:
            source.mend(NO_PHOTO, text, f"{where} names {brief(text)}, which does not exist in the folder.")
    return found


def _label_file(source: Source, photo: Path) -> Path:
    """`labels` in place of the last `images` in the path, and `.txt` for the suffix."""
    parts = list(photo.relative_to(source.root).parts)
    at = next((k for k in range(len(parts) - 2, -1, -1) if parts[k] == "images"), None)
    if at is None:
        return photo.with_suffix(".txt")
    parts[at] = "labels"
    return source.root.joinpath(*parts).with_suffix(".txt")


def _labels(source: Source, path: Path, numbers: dict[int, int], counts: dict[str, int], incoming: Incoming) -> Any:
    names = {category.name: k for k, category in enumerate(incoming.classes, start=1)}

    def labels(size: tuple[int, int]) -> np.ndarray:
        ids = np.zeros(size[::-1], np.int32)
        outlines = []
        for line_number, line in source.lines(path):
            where = f"{source.shown(path)} line {line_number}"
            with source.sparing():
                words = _words(line, incoming)
                if not words:
                    continue
                number = _class(words[0], numbers, names, where)
                values = np.array([_number(text, where) for text in words[1:]])
                if len(values) in (4, 5):  # 5: with a confidence
                    if not counts["boxes"]:
                        incoming.notes.append("Boxes (lines with four numbers) are no masks; they were left out.")
                    counts["boxes"] += 1
                    continue
                if source.strict and len(values) % 2 or len(values) < 6:
                    sentence = f"{where} has {len(values)} coordinates; an outline has three points or more."
                    raise BadAnnotation(EMPTY, where, sentence)
                corners = values[: len(values) // 2 * 2].reshape(-1, 2)  # a number after the points is a confidence
                _check_shares(source, corners, where)
                outlines.append((corners * size, number))
        covered = polygons.paint(ids, outlines)
        if covered and not counts["overlap"]:
            incoming.notes.append("Outlines overlap; a label map holds one class a pixel, and the later one is seen.")
        counts["overlap"] += covered
        return ids

    return labels


def _words(line: str, incoming: Incoming) -> list[str]:
    """The numbers of a line as texts: whatever stands between them, commas for points, a comment behind them."""
    words = line.partition("#")[0].split()
    if not any("," in word for word in words):
        return words
    if len(words) > 1 and all(DECIMAL.fullmatch(word) for word in words):
        note = "Numbers are written with a comma (0,5); they were read as 0.5."
        if note not in incoming.notes:
            incoming.notes.append(note)
        return [word.replace(",", ".") for word in words]
    return [word for word in re.split(r"[\s,;]+", " ".join(words)) if word]


def _class(text: str, numbers: dict[int, int], names: dict[str, int], where: str) -> int:
    """The class number of a line, which may also be the class's name.

    Raises BadAnnotation for one that `data.yaml` does not name, DatasetError for what is no class at all.
    """
    refusal = f"{where} begins with {brief(text)}, which is no class of data.yaml."
    k = natural(re.sub(r"\.0*$", "", text), 2**31)  # 1.0 is 1
    if k in numbers:
        return numbers[k]
    if text in names:
        return names[text]
    try:
        written = abs(float(text)) < 2**31
    except ValueError:
        written = False
    if not written:
        raise DatasetError(refusal)
    raise BadAnnotation(UNKNOWN_CLASS, where, refusal)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where} has the coordinate {brief(text)}; coordinates are shares from 0 to 1.")
    return value


def _check_shares(source: Source, corners: np.ndarray, where: str) -> None:
    """Raises BadAnnotation unless the (N, 2) corners can be shares of width and height, a little beyond the edge."""
    wrong = corners[(corners < -SLACK) | (corners > 1 + SLACK)]
    if not len(wrong):
        return
    refusal = f"{where} has the coordinate '{wrong[0]:g}'; coordinates are shares from 0 to 1."
    if np.abs(corners).max() > BEYOND:
        raise BadAnnotation(NO_SHARES, where, refusal)
    source.mend(CLIPPED, where, refusal)
