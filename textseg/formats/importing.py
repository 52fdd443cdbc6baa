"""In: everything is checked first, then taken in as one; photos and classes are recognised, not doubled."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from textseg import images
from textseg.errors import DatasetError, PhotoError, TextsegError, brief, explain, spelt_out, traced
from textseg.formats.exporting import MANIFEST, some
from textseg.formats.filenames import same
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.lookalikes import Look
from textseg.formats.registry import get
from textseg.formats.source import Source, a_list, a_name, an_object, opened
from textseg.project import Project
from textseg.project.intake import MERGES, Intake, Merge
from textseg.project.schema import StoredPhoto
from textseg.vocabulary import MAX_WORDS, Word, colour_cycle, fold

UNLABELLED = "unlabelled"

log = logging.getLogger(__name__)


@dataclass
class ImportReport:
    """What was taken in, what was recognised, and what was left."""

    format: str
    source: str
    added: list[str] = field(default_factory=list)
    """Photos new to the project."""
    recognised: list[str] = field(default_factory=list)
    """Photos that the project has already: equal bytes, or the same picture saved again, or known by name."""
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    """(file, name of the photo of equal bytes that the project has already or that came before it)."""
    classes_matched: dict[str, str] = field(default_factory=dict)
    """Their class: the project's."""
    classes_added: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    """Photos whose label map changed."""
    kept: list[str] = field(default_factory=list)
    """Photos that had labels and kept them."""
    changed_pixels: int = 0
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """The report in a few lines of text."""
        did = "Would take in" if self.dry_run else "Took in"
        lines = [
            f"{did} {len(self.added)} photos from {self.source}; {len(self.recognised)} are in the project already.",
            f"  label maps: {len(self.labelled)} changed ({self.changed_pixels:,} pixels), {len(self.kept)} kept",
        ]
        lines += some([f"{name}: equal to {there}, and not taken in again" for name, there in self.duplicates])
        lines += some([f"class {theirs} is {mine}" for theirs, mine in self.classes_matched.items() if theirs != mine])
        lines += some([f"new class: {name}" for name in self.classes_added])
        return "\n".join(map(spelt_out, [*lines, *(f"  {note}" for note in self.notes)]))


@dataclass
class Checked:
    """A photo that passed every check: its label map waits, packed, in a temporary file."""

    name: str
    size: tuple[int, int]
    known: int | None
    """The project's photo that it is; None: it is taken in."""
    content: Callable[[], bytes]
    suffix: str
    labels: Path | None
    path: str


@dataclass
class Known:
    """The project's photos, by what an import may know of them."""

    by_hash: dict[str, StoredPhoto]
    by_name: dict[str, list[StoredPhoto]]
    by_stem: dict[str, list[StoredPhoto]]

    @classmethod
    def of(cls, project: Project) -> Known:
        known = cls({}, {}, {})
        for photo in project.photos():
            known.by_hash[photo.sha256] = photo
            known.by_name.setdefault(same(photo.name), []).append(photo)
            known.by_stem.setdefault(same(Path(photo.name).stem), []).append(photo)
        return known


def import_(
    path: str | Path,
    format: str,
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

    `merge` says what happens to photos with labels: "unlabelled" (only pixels without a label take one), "mine" (such
    photos keep their label map), "theirs" (the label map is replaced). `strict` refuses classes that the project
    lacks instead of adding them. Labels count as a person's work, or as a `source="model"`'s. `background` is the class
    that id 0 stands for, or "unlabelled"; by default what the format says. With `dry_run` the report is the same and
    nothing stays. Raises DatasetError with file, field and value; the project is then as it was.
    """
    if merge not in MERGES:
        raise DatasetError(f"There is no merge rule '{merge}'; choose one of {', '.join(MERGES)}.")
    reader = get(format)
    stands_for = reader.background if background is None else None if background == UNLABELLED else background
    report = ImportReport(format, str(path), dry_run=dry_run)
    with opened(Path(path), stands_for) as files, TemporaryDirectory(prefix="textseg-import-") as spool:
        with _foreign(files):
            incoming = reader.read(files)
            classes, originals = _manifest(files, incoming.classes)
            checked, used = _check(project, files, incoming, originals, Path(spool), report, progress)
        report.notes += incoming.notes
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
    known, looks = Known.of(project), dict[int, Look]()
    entries = list(incoming.entries)
    if not entries:
        raise DatasetError(f"{files.shown(files.root)} holds no photos where {report.format} has them.")
    checked: list[Checked] = []
    used: set[int] = set()
    arrived: dict[str, str] = {}
    for number, entry in enumerate(entries):
        if progress is not None:
            progress(number, len(entries))
        photo = _photo(entry, files, project, known, looks, originals)
        identity = photo.path
        if identity in arrived:
            report.duplicates.append((entry.name, arrived[identity]))
            report.notes.append(f"{entry.where}: the same photo came before; its first label map counts.")
            continue
        arrived[identity] = entry.name
        if photo.known is not None:
            name = project.photo(photo.known).name
            report.recognised.append(name)
            report.duplicates += [(entry.name, name)] if entry.photo is not None else []
        else:
            report.added.append(photo.name)
        if entry.labels is not None:
            ids = entry.labels(photo.size)
            if ids.shape != photo.size[::-1]:
                raise DatasetError(
                    f"{entry.where} is {ids.shape[1]} x {ids.shape[0]} pixels but its photo is "
                    f"{photo.size[0]} x {photo.size[1]}; a label map has the size of its upright photo."
                )
            present = np.unique(ids)
            if int(present[0]) < 0 or int(present[-1]) > len(incoming.classes):
                raise DatasetError(f"{entry.where} has the class number {int(present[-1])}, and no such class.")
            used.update(present.tolist())
            photo.labels = spool / str(number)
            photo.labels.write_bytes(zlib.compress(ids.astype("<u2").tobytes(), 1))
        checked.append(photo)
    return checked, used


def _photo(
    entry: Entry, files: Source, project: Project, known: Known, looks: dict[int, Look],
    originals: dict[str, tuple[str, str]],
) -> Checked:  # fmt: skip
    """Which photo an entry is about, and its upright size."""
    if entry.photo is None:
        photo = _by_name(entry, files, known)
        return Checked(photo.name, (photo.width, photo.height), photo.id, bytes, "", None, f"known {photo.id}")
    content = entry.photo if isinstance(entry.photo, bytes) else entry.photo.read_bytes()
    try:
        picture = images.open(content)
    except PhotoError as error:
        raise DatasetError(f"{entry.where}: {str(error).replace('The photo', Path(entry.name).name, 1)}") from None
    sha256 = hashlib.sha256(content).hexdigest()
    name, original = originals.get(sha256, (Path(entry.name).name, sha256))
    found = known.by_hash.get(original) or known.by_hash.get(sha256)
    if found is None:
        for photo in known.by_stem.get(same(Path(name).stem), []):
            if (photo.width, photo.height) == picture.size:
                if photo.id not in looks:
                    looks[photo.id] = Look(project.picture(photo.id))
                if looks[photo.id].same(Look(picture)):
                    found = photo
                    break
    if found is not None and (found.width, found.height) != picture.size:
        found = None
    if found is not None:
        return Checked(found.name, picture.size, found.id, bytes, "", None, f"known {found.id}")
    suffix = Path(name).suffix.lower()
    if suffix not in images.SUFFIXES:
        with images.stored(content) as header:
            suffix = "." + (header.format or "png").lower()
        name += suffix
    read = (lambda: content) if isinstance(entry.photo, bytes) else entry.photo.read_bytes
    return Checked(name, picture.size, None, read, suffix, None, f"new {sha256}")


def _by_name(entry: Entry, files: Source, known: Known) -> StoredPhoto:
    name = Path(entry.name).name
    found = known.by_name.get(same(name)) or known.by_stem.get(same(Path(name).stem)) or known.by_stem.get(same(name))
    if not found:
        raise DatasetError(f"{entry.where}: there is no photo '{entry.name}' in {files.root}, and none in the project.")
    if len(found) > 1:
        raise DatasetError(f"{entry.where}: the project has {len(found)} photos called '{name}'; add the photos.")
    return found[0]


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
        name = Path(str(item.get("name"))).name
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
