"""In: everything is checked first, then taken in as one; photos and classes are recognised, not doubled."""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from textseg.errors import DatasetError, TextsegError, brief, explain, traced
from textseg.formats.archives import opened
from textseg.formats.exporting import MANIFEST
from textseg.formats.filenames import relative, same
from textseg.formats.import_report import ImportReport
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.matching import Checked, Known, identify
from textseg.formats.recognition import recognised
from textseg.formats.registry import get
from textseg.formats.source import Source
from textseg.formats.tally import BadAnnotation
from textseg.formats.values import a_list, a_name, an_object
from textseg.project import Project
from textseg.project.intake import MERGES, Intake, Merge
from textseg.vocabulary import MAX_WORDS, Word, colour_cycle, fold

UNLABELLED = "unlabelled"

log = logging.getLogger(__name__)


def import_(
    path: str | Path,
    format: str | None,
    project: Project,
    *,
    merge: Merge = "unlabelled",
    dry_run: bool = False,
    strict: bool = False,
    source: Literal["person", "model"] = "person",
    background: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Take photos and label maps of a folder, file or zip into a project: all of it, or nothing.

    `format` is one of `formats.readable()`; None: it is recognised, and the report says by what.

    `merge` says what happens to photos with labels: "unlabelled" (only pixels without a label take one), "mine" (such
    photos keep their label map), "theirs" (the label map is replaced). `strict` refuses classes that the project
    lacks instead of adding them, and the whole import for a bad annotation or a photo that is not there, which are left
    out and counted otherwise. Labels count as a person's work, or as a `source="model"`'s. `background` is the class
    that id 0 stands for, or "unlabelled"; by default what the format says. With `dry_run` the report is the same and
    nothing stays. Raises DatasetError with file, field and value; the project is then as it was.
    """
    if merge not in MERGES:
        raise DatasetError(f"There is no merge rule '{merge}'; choose one of {', '.join(MERGES)}.")
    report = ImportReport("", str(path), dry_run=dry_run)
    with opened(Path(path), None, strict) as files, TemporaryDirectory(prefix="textseg-import-") as spool:
        with _foreign(files):
            if format is None:
                format, shown = recognised(files)
                report.notes.append(f"Recognised as {get(format).title} by {shown}.")
            reader, report.format = get(format), format
            stands_for = reader.background if background is None else background
            files.background = None if stands_for == UNLABELLED else stands_for
            incoming = reader.read(files)
            classes, originals = _manifest(files, incoming.classes)
            checked, used = _check(project, files, incoming, originals, Path(spool), report, progress)
        report.notes += incoming.notes
        report.left_out = files.tally.to_list()
        with project.taking_in(dry_run) as intake:
            table = _classes(project, intake, classes, used, strict, report)
            for photo in checked:
                _take_in(intake, photo, table, merge, source, format, report)
    return report


@contextmanager
def _foreign(files: Source) -> Iterator[None]:
    """What libraries and the system raise over the files of others, as one sentence."""
    try:
        yield
    except TextsegError:
        raise
    except OSError as error:
        raise DatasetError(explain(error)) from None
    except Exception as error:
        log.error("reading a data set: %s", traced(error))
        said = brief(" ".join(str(error).split()), 120)
        raise DatasetError(f"{files.root.name} cannot be read ({type(error).__name__}: {said}).") from None


def _check(
    project: Project, files: Source, incoming: Incoming, originals: dict[str, tuple[str, str]], spool: Path,
    report: ImportReport, progress: Callable[[int, int], None] | None,
) -> tuple[list[Checked], set[int]]:  # fmt: skip
    """Every entry, read whole; raises DatasetError at the first that is wrong. Also the classes that have a pixel."""
    known = Known(project)
    entries = list(incoming.entries)
    if not entries:
        raise DatasetError(f"{files.shown(files.root)} holds no photos where {report.format} has them.")
    names = _names(files, entries)
    checked: list[Checked] = []
    used: set[int] = set()
    arrived: dict[str, str] = {}
    refusals: list[BadAnnotation] = []
    for number, (entry, name) in enumerate(zip(entries, names, strict=True)):
        if progress is not None:
            progress(number, len(entries))
        with files.sparing():
            try:
                photo = identify(entry, name, files, known, originals)
            except BadAnnotation as error:
                refusals.append(error)
                report.failed.append((entry.name, error.reason))
                raise
            if photo.path in arrived:
                report.duplicates.append((entry.name, arrived[photo.path]))
                report.notes.append(f"{entry.where}: the same photo came before; its first label map counts.")
                continue
            arrived[photo.path] = entry.name
            if photo.known is not None:
                report.recognised.append(photo.name)
                report.duplicates += [(entry.name, photo.name)] if entry.photo is not None else []
            else:
                report.added.append(photo.name)
            checked.append(photo)
            if entry.labels is not None:
                ids = _numbers(entry, photo, len(incoming.classes))
                used.update(np.unique(ids).tolist())
                photo.labels = spool / str(number)
                photo.labels.write_bytes(zlib.compress(ids.astype("<u2").tobytes(), 1))
    if not checked:
        many = f" None of the {len(entries)} photos can be taken in." if len(entries) > 1 else ""
        raise DatasetError(f"{refusals[0]}{many}")
    return checked, used


def _numbers(entry: Entry, photo: Checked, classes: int) -> np.ndarray:
    """The label map of an entry: (H, W) class numbers, each of them 0 or one of `classes`."""
    assert entry.labels is not None
    ids = entry.labels(photo.size)
    if ids.shape != photo.size[::-1]:
        raise DatasetError(
            f"{entry.where} is {ids.shape[1]} x {ids.shape[0]} pixels but its photo is "
            f"{photo.size[0]} x {photo.size[1]}; a label map has the size of its upright photo."
        )
    if int(ids.min()) < 0 or int(ids.max()) > classes:
        raise DatasetError(f"{entry.where} has the class number {int(ids.max())}, and no such class.")
    return ids


def _names(files: Source, entries: Sequence[Entry]) -> list[str]:
    """What each photo is called that is new: its file name, with its folders where two have the same."""
    plain = [relative(entry.name).name for entry in entries]
    places = {entry.photo for entry in entries if isinstance(entry.photo, Path)}
    often = Counter(same(place.name) for place in places if place.is_relative_to(files.root))
    return [
        files.shown(entry.photo) if isinstance(entry.photo, Path) and often[same(entry.photo.name)] > 1 else name
        for entry, name in zip(entries, plain, strict=True)
    ]


def _manifest(files: Source, classes: list[Category]) -> tuple[list[Category], dict[str, tuple[str, str]]]:
    """What our own export says about its classes and photos: names as they were, and originals by written bytes."""
    path = files.root / MANIFEST
    if not path.is_file():
        return classes, {}
    content = an_object(files.json(path), MANIFEST)
    told: dict[str, Category] = {}
    for k, value in enumerate(a_list(content.get("classes"), f"{MANIFEST}: classes")):
        item, where = an_object(value, f"{MANIFEST}: classes[{k}]"), f"{MANIFEST}: classes[{k}]"
        aliases = tuple(a_name(alias, f"{where}.aliases") for alias in a_list(item.get("aliases"), f"{where}.aliases"))
        name = a_name(item.get("name"), f"{where}.name")
        background = item.get("background") is True
        told[a_name(item.get("written"), f"{where}.written")] = Category(name, aliases=aliases, background=background)
    originals = {}
    for k, value in enumerate(a_list(content.get("photos"), f"{MANIFEST}: photos")):
        item = an_object(value, f"{MANIFEST}: photos[{k}]")
        name = relative(str(item.get("name"))).as_posix()
        originals[str(item.get("written_sha256"))] = (name, str(item.get("sha256")))
    own = [
        replace(c, name=told[c.name].name, aliases=told[c.name].aliases, background=told[c.name].background)
        if c.name in told and c.prompt is None
        else c
        for c in classes
    ]
    return own, originals


def _classes(
    project: Project, intake: Intake, classes: Sequence[Category], used: set[int], strict: bool, report: ImportReport
) -> np.ndarray:
    """The project's class id of each class number; missing classes are added, or refused if `strict`."""
    mine = project.classes()
    taken = {c.colour for c in project.classes(deleted=True)}
    ids: dict[str, int] = {}
    for row in mine:
        ids.setdefault(fold(row.name), row.id)
    by_alias: dict[str, int] = {}
    for row in mine:
        for alias in row.aliases:
            by_alias.setdefault(fold(alias), row.id)
    names = {row.id: row.name for row in mine}
    wanted = [k for k, c in enumerate(classes, 1) if not c.implied or k in used]
    if len(wanted) > MAX_WORDS:
        raise DatasetError(f"{report.source} names {len(wanted)} classes; the limit is {MAX_WORDS}.")
    unknown = []
    table = np.zeros(len(classes) + 1, np.uint16)
    for k in wanted:
        category = classes[k - 1]
        texts = [fold(text) for text in (category.prompt, category.name) if text]
        tried = [ids.get(text) for text in texts] + [by_alias.get(text) for text in texts]
        tried += [ids.get(fold(alias)) for alias in category.aliases]
        found = next((class_id for class_id in tried if class_id is not None), None)
        if found is not None:
            report.classes_matched[category.name] = names[found]
        else:
            unknown.append(category.name)
            name = category.prompt or category.name
            others = dict.fromkeys([category.name, *category.aliases])
            aliases = tuple(other for other in others if fold(other) != fold(name))
            colour = category.colour
            if colour is None or colour in taken:
                colour = next(c for c in colour_cycle(len(taken) + 1) if c not in taken)
            taken.add(colour)
            found = intake.add_class(Word(name, aliases, colour, background=category.background))
            names[found] = ids_name = name
            ids[fold(ids_name)] = found
            for alias in aliases:
                by_alias.setdefault(fold(alias), found)
            report.classes_added.append(name)
        table[k] = found
    if unknown and strict:
        raise DatasetError(f"{report.source} has classes that the project lacks: {', '.join(unknown[:12])}.")
    return table


def _take_in(
    intake: Intake, photo: Checked, table: np.ndarray, merge: Merge, source: Literal["person", "model"], format: str,
    report: ImportReport,
) -> None:  # fmt: skip
    key = photo.known
    if key is None:
        row, new = intake.add_photo(photo.name, photo.suffix, photo.content(), photo.size)
        key = row.id
    if photo.labels is None:
        return
    width, height = photo.size
    ids = np.frombuffer(zlib.decompress(photo.labels.read_bytes()), "<u2").reshape(height, width)
    operation = {"type": "import" if source == "person" else "pseudolabel", "format": format, "merge": merge}
    changed = intake.put_labels(key, table[ids], merge, source, operation)
    if changed is None:
        report.kept.append(photo.name)
    elif changed:
        report.labelled.append(photo.name)
        report.changed_pixels += changed
