"""`classes.txt` and `ignore.txt`: which number in a label picture is which class."""

from __future__ import annotations

import re
from pathlib import Path

from textseg.errors import DatasetError, brief
from textseg.formats.incoming import Category
from textseg.formats.source import Source
from textseg.formats.values import a_name, natural

CLASS_FILES = ("classes.txt", "labels.txt", "class_names.txt", "obj.names")
PIXEL_VALUES = "_classes.csv"
"""Roboflow's list for masks: a heading, then `value, name` a line."""
VOID = 255
NONE = frozenset({"background", "unlabelled", "unlabeled", "_background_", "__ignore__", "ignore", "none", "void"})
"""First names of a plain list that say that its ids begin with 0."""


def class_list(source: Source, folder: Path) -> tuple[dict[int, Category], set[int]]:
    """({id: class}, ids that mean unlabelled) of `classes.txt` or `labels.txt`, and `ignore.txt`.

    A line is `id<TAB>name`, `id<TAB>name<TAB>prompt`, or just a name: those count from 0 if the first one means
    nothing (background), else from 1.
    """
    path = next((folder / name for name in CLASS_FILES if (folder / name).is_file()), None)
    if path is None and (folder / PIXEL_VALUES).is_file():
        return _pixel_values(source, folder / PIXEL_VALUES)
    if path is None:
        raise DatasetError(f"{source.shown(folder / CLASS_FILES[0])} does not exist; it lists the classes.")
    lines = list(source.lines(path))
    plain = not any("\t" in line for _, line in lines)
    if plain and (numbered := _numbered(lines)):
        lines, plain = numbered, False
    if plain and [line.strip() for _, line in lines[:2]] == ["__ignore__", "_background_"]:
        lines = lines[1:]  # labelme's lists begin with -1
    first = 0 if lines and lines[0][1].strip().casefold() in NONE else 1
    classes: dict[int, Category] = {}
    for k, (number, line) in enumerate(lines):
        where = f"{source.shown(path)} line {number}"
        columns = [str(first + k), line] if plain else line.split("\t")
        columns = [column.strip() for column in columns]
        class_id = natural(re.sub(r"\.0*$", "", columns[0]), 2**16)  # 1.0 is 1
        if class_id is None:
            raise DatasetError(f"{where} begins with {brief(columns[0])}, which is not an id from 0 to 65535.")
        if class_id in classes:
            raise DatasetError(f"{where} names the id {class_id} a second time.")
        name = a_name(columns[1] if len(columns) > 1 else "", where)
        prompt = a_name(columns[2], where) if len(columns) > 2 and columns[2] else None
        classes[class_id] = Category(name, prompt if prompt != name else None)
    if plain and first == 0:
        del classes[0]
    path = folder / "ignore.txt"
    ignored = {VOID}
    if path.is_file():
        ignored = set()
        for number, line in source.lines(path):
            word = line.split()[0]
            unasked = natural(word, 2**16)
            if unasked is None:
                raise DatasetError(f"{source.shown(path)} line {number} is {brief(word)}, which is not an id.")
            ignored.add(unasked)
    ignored |= {0, VOID} - classes.keys()
    return {class_id: category for class_id, category in classes.items() if class_id not in ignored}, ignored


def _numbered(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Lines such as `0: cat` or `1 dog` with a tab behind the number; none unless all of them rise like that."""
    found = [(number, re.match(r"\s*(\d+)(?:\s*[:;,]\s*|\s+)(\S.*)$", line)) for number, line in lines]
    ids = [int(match[1][:9]) for _, match in found if match]
    if len(ids) < len(lines) or any(a >= b for a, b in zip(ids, ids[1:], strict=False)):
        return []
    return [(number, f"{match[1]}\t{match[2]}") for number, match in found if match]


def _pixel_values(source: Source, path: Path) -> tuple[dict[int, Category], set[int]]:
    classes: dict[int, Category] = {}
    for number, line in list(source.lines(path))[1:]:
        where = f"{source.shown(path)} line {number}"
        value, _, name = line.partition(",")
        class_id = natural(value.strip(), 256)
        if class_id is None or class_id in classes:
            raise DatasetError(f"{where} begins with {brief(value)}; a line is a value from 0 to 255 and a name.")
        classes[class_id] = Category(a_name(name, where))
    ignored = {k for k, c in classes.items() if k == 0 and c.name.casefold() in NONE} | ({0, VOID} - classes.keys())
    return {k: c for k, c in classes.items() if k not in ignored}, ignored
