"""Out: which photos and pixels leave a project, under which names, and how a folder of them comes to be in one step."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from textseg import __version__, images, pyramids
from textseg.errors import FormatError, PhotoError, brief
from textseg.files import folder_atomically, link_or_copy
from textseg.formats import lookalikes, splits
from textseg.formats.filenames import unique_stems
from textseg.formats.options import settled
from textseg.formats.outgoing import ExportReport, Item, OutClass
from textseg.formats.registry import get, names
from textseg.project import Project
from textseg.project.photos import is_large
from textseg.project.schema import STATES, StoredPhoto
from textseg.pyramids import Box
from textseg.vocabulary import fold

PROVENANCE = ("person", "accepted", "model")

FOLDERS = ("flatten", "keep")
"""What becomes of the folders in photos' names."""

MANIFEST = ".textseg/export.json"
"""In every export: which photo and class each written one was. It marks a folder that an export may replace."""

EXIF_ORIENTATION = 0x0112
RARE = ("HEIF", "JXL")
"""Formats that hardly any program of the field reads; such photos are saved again as JPEG."""
JPEG_QUALITY = 95
TOO_LARGE = "it is too large for this format, which holds label maps whole; export it as geotiff or png."

Read = Callable[[Box], np.ndarray]
"""Gives the (h, w) uint16 ids of a box (x0, y0, x1, y1) of a photo."""


class Export:
    """What a format writes: the photos one by one with their label maps, the classes, and where to put it all."""

    def __init__(
        self, project: Project, folder: Path, report: ExportReport, classes: list[OutClass], items: list[Item],
        provenance: Collection[str], options: Mapping[str, Any], progress: Callable[[int, int], None] | None,
    ) -> None:  # fmt: skip
        self._project, self.folder, self._report, self._items = project, folder, report, items
        self._provenance, self._progress = provenance, progress
        self.classes, self.options = classes, options
        self.splits = [name for name in splits.SPLITS if any(item.split == name for item in items)]
        """The splits that have photos; none when no split was asked for."""
        report.splits = dict.fromkeys(self.splits, 0)
        self._written: dict[int, str] = {item.id: item.name for item in classes}
        self._hashes: list[dict[str, Any]] = []
        self._large: list[Item] = []
        self._wanted = np.zeros(2**16, np.uint16)
        ids = [item.id for item in classes]
        self._wanted[ids] = ids

    @property
    def title(self) -> str:
        """The project's name."""
        return self._project.name

    def each(self, place: Callable[[Item], str] | None, jpeg: bool = False) -> Iterator[tuple[Item, np.ndarray, bytes]]:
        """Write each photo to `place(item)` in the folder, and yield it with its (H, W) uint16 ids and its bytes.

        Originals keep their bytes, unless EXIF says that they lie on their side (labels are of the upright photo) or
        the format wants JPEG. A photo that cannot be read is left out, and the report says why.
        """
        again = 0
        for done, item in enumerate(self._items):
            if is_large(item.photo):
                if item not in self._large:
                    self._report.skipped.append((item.photo.name, TOO_LARGE))
                continue
            if self._progress is not None:
                self._progress(done, len(self._items))
            try:
                content, item.name, same = self._content(item, jpeg)
            except PhotoError as error:
                self._report.skipped.append((item.photo.name, str(error)))
                continue
            again += not same
            if place is not None:
                path = self.folder / place(item)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"" if self._report.dry_run else content)
            ids = self._ids(item.photo)
            self._count(item, bool(ids.any()), hashlib.sha256(content).hexdigest())
            yield item, ids, content
        if again:
            what = "as JPEG, which the format wants" if jpeg else "upright where EXIF turns them, HEIC as JPEG"
            self.note(f"{again} photos were saved again ({what}); all others keep their bytes.")

    def original(self, item: Item) -> Path:
        """The file of a photo as the project keeps it."""
        return self._project.original(item.photo)

    def large(self) -> list[Item]:
        """The huge photos; a format that asks for them writes them with `put_large`, block by block."""
        self._large = [item for item in self._items if is_large(item.photo)]
        return self._large

    def put_large(self, item: Item, place: str, write: Callable[[Path, Read], None]) -> dict[int, float] | None:
        """Link the file of a huge photo to `place`, and have `write(file, read)` write its label map.

        `read(box)` gives the (h, w) uint16 ids of a box and is asked for each pixel once. Returns the share of each id;
        None for a photo that cannot be read, and the report says why.
        """
        photo, pixels = item.photo, np.zeros(2**16, np.int64)
        kept = [row.id for row, _ in self._project.shares(photo.id) if row.kind in self._provenance]
        file = self._project.original(photo)
        item.name = item.stem + photo.suffix

        def read(box: Box) -> np.ndarray:
            ids, sources = self._project.pixels(photo.id, box)
            ids = np.where(np.isin(sources, kept), self._wanted[ids], 0).astype(np.uint16)
            pixels[:] += np.bincount(ids.ravel(), minlength=len(pixels))
            return ids

        try:
            with pyramids.open(file, name="its file") as pyramid:
                if pyramid.sha256 != photo.sha256:
                    raise PhotoError("its file was damaged or changed since it was taken in.")
            if not self.dry_run:
                link_or_copy(file, self.folder / place)
                write(file, read)
            if self._project.photo(photo.id).revision != photo.revision:
                raise PhotoError("its labels were changed while they were written; export it again.")
        except PhotoError as error:
            self._report.skipped.append((photo.name, str(error)))
            (self.folder / place).unlink(missing_ok=True)
            return None
        self._count(item, bool(pixels[1:].any()) if not self.dry_run else bool(kept), photo.sha256)
        return {int(k): float(pixels[k] / (photo.width * photo.height)) for k in np.flatnonzero(pixels)}

    def _count(self, item: Item, labelled: bool, written: str) -> None:
        """Report a photo that was written, whose file has this hash there."""
        self._report.photos += 1
        self._report.labelled += labelled
        if item.split:
            self._report.splits[item.split] += 1
        if item.name != item.photo.name:
            self._report.renamed.append((item.photo.name, item.name))
        self._hashes.append(
            {
                "name": item.photo.name,
                "sha256": item.photo.sha256,
                "written": item.name,
                "written_sha256": written,
            }
        )

    @property
    def dry_run(self) -> bool:
        return self._report.dry_run

    def rename(self, class_id: int, written: str) -> None:
        """Say that the format spells a class otherwise."""
        self._written[class_id] = written

    def number(self, numbers: Mapping[int, int]) -> None:
        """Say which number the class of each project id has in the files."""
        self._report.numbers = {item.name: numbers[item.id] for item in self.classes if item.id in numbers}

    def note(self, sentence: str) -> None:
        self._report.notes.append(sentence)

    def write(self, path: str, content: bytes | str | Any) -> None:
        """Put a file into the folder: bytes, text, or anything else as JSON."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        elif isinstance(content, str):
            target.write_text(content, "utf-8", newline="\n")
        else:
            with target.open("w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False)

    def finish(self) -> None:
        """Write the manifest, and say what holds for every format."""
        report = self._report
        unlabelled = report.photos - report.labelled
        if unlabelled:
            report.notes.append(f"{unlabelled} of the {report.photos} photos have no labels in this export.")
        classes = [asdict(item) | {"written": self._written[item.id]} for item in self.classes]
        for item in classes:
            if item["written"] != item["name"]:
                report.notes.append(f"The class '{item['name']}' is written as '{item['written']}'.")
        manifest = {"textseg": __version__, "format": report.format, "classes": classes, "photos": self._hashes}
        self.write(MANIFEST, manifest)

    def _content(self, item: Item, jpeg: bool) -> tuple[bytes, str, bool]:
        """(bytes, file name, whether they are the original's)."""
        photo = item.photo
        try:
            content = self._project.original(photo).read_bytes()
        except OSError as error:
            raise PhotoError(f"its file cannot be read from the project's folder ({error.strerror}).") from None
        if hashlib.sha256(content).hexdigest() != photo.sha256:
            raise PhotoError("its file was damaged or changed since it was taken in.")
        upright, is_jpeg = True, False
        with suppress(images.OtherPixelsError), images.stored(content) as header:
            upright = header.getexif().get(EXIF_ORIENTATION, 1) in (0, 1)
            is_jpeg = header.format == "JPEG" and header.mode in ("RGB", "L")
            jpeg = jpeg or header.format in RARE
        suffix = Path(photo.name).suffix
        suffix = suffix if suffix.lower() in images.SUFFIXES else photo.suffix
        if upright and not jpeg:
            return content, item.stem + suffix, True
        if upright and is_jpeg:
            return content, item.stem + ".jpg", True
        buffer = io.BytesIO()
        if jpeg or is_jpeg:
            images.open(content).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
            return buffer.getvalue(), item.stem + (suffix if is_jpeg and not jpeg else ".jpg"), False
        images.open(content).save(buffer, "PNG")
        return buffer.getvalue(), item.stem + ".png", False

    def _ids(self, photo: StoredPhoto) -> np.ndarray:
        ids = self._wanted[self._project.label_map(photo.id)[0]]
        if set(self._provenance) != set(PROVENANCE):
            sources, rows = self._project.provenance(photo.id)
            kept = [row.id for row in rows.values() if row.kind in self._provenance]
            ids = np.where(np.isin(sources, kept), ids, 0).astype(np.uint16)
        return ids


def export(
    project: Project,
    format: str,
    out: str | Path,
    *,
    split: Mapping[str, float] | None = None,
    seed: int = 0,
    states: Collection[str] = STATES,
    classes: Collection[str] | None = None,
    provenance: Collection[str] = PROVENANCE,
    folders: Literal["flatten", "keep"] = "flatten",
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
    **options: bool | str,
) -> ExportReport:
    """Write a project's photos and label maps to the folder `out` in one of the `formats.names()`.

    `states`, `classes` (names) and `provenance` ("person", "accepted", "model") choose photos and pixels; `split` maps
    train, val and test to shares that add up to 1, dealt by `seed`, duplicates together; `folders` says whether folders
    of photos' names are kept or become a part of the file name; `options` are those that the format offers
    (`formats.get(format).export_options`), such as `polygons=True`. `out` appears, or replaces an older export, in one
    step. With `dry_run` nothing is written. Raises FormatError, ProjectError or UnknownNameError; a
    photo that cannot be read is skipped.
    """
    writer = get(format)
    if not writer.writes:
        raise FormatError(f"{writer.title} can be read and not written; choose one of {', '.join(names())}.")
    settings = settled(format, writer.export_options, options)
    report = ExportReport(format, str(out), loses=list(writer.loses), dry_run=dry_run)
    if folders not in FOLDERS:
        raise FormatError(f"Folders are one of {', '.join(FOLDERS)}, not {brief(folders)}.")
    for name, given, known in (("state", states, STATES), ("provenance", provenance, PROVENANCE)):
        for value in given:
            if value not in known:
                raise FormatError(f"There is no {name} '{value}'; choose of {', '.join(known)}.")
    chosen = _classes(project, classes)
    report.classes = [item.name for item in chosen]
    photos = [photo for photo in project.photos() if photo.state in states]
    if not photos:
        raise FormatError("No photo of the project matches; choose other states, or add photos first.")
    deal = _deal(project, photos, splits.check_split(split), seed, report) if split else [None] * len(photos)
    stems = unique_stems((photo.name for photo in photos), folders == "keep")
    items = [Item(photo, stem, part) for photo, stem, part in zip(photos, stems, deal, strict=True)]
    with _folder(Path(out), dry_run) as folder:
        outgoing = Export(project, folder, report, chosen, items, provenance, settings, progress)
        writer.write(outgoing)
        if not report.photos:
            raise FormatError(f"No photo could be written; {report.skipped[0][0]}: {report.skipped[0][1]}")
        outgoing.finish()
    return report


def is_export(folder: Path) -> bool:
    """Whether a folder was written by `export`, and so may be replaced by it."""
    return (folder / MANIFEST).is_file()


@contextmanager
def _folder(out: Path, dry_run: bool) -> Iterator[Path]:
    if out.exists() and not out.is_dir():
        raise FormatError(f"{out} is a file; give a folder to write to.")
    if out.is_dir() and any(out.iterdir()) and not is_export(out):
        raise FormatError(f"{out} holds other files; give a new or empty folder, or one that an export wrote.")
    if dry_run:
        with TemporaryDirectory(prefix="textseg-export-") as folder:
            yield Path(folder)
    else:
        with folder_atomically(out) as new:
            yield new


def _classes(project: Project, wanted: Collection[str] | None) -> list[OutClass]:
    known = [OutClass(c.id, c.name, tuple(c.aliases), c.colour, c.background) for c in project.classes()]
    if wanted is None:
        return known
    by_name = {fold(item.name): item for item in known}
    for name in wanted:
        if fold(name) not in by_name:
            raise FormatError(f"There is no class '{name}' in the project; its classes are {_some(known)}.")
    names = {fold(name) for name in wanted}
    return [item for item in known if fold(item.name) in names]


def _some(classes: list[OutClass], most: int = 12) -> str:
    names = [item.name for item in classes[:most]]
    return ", ".join(names) + (f" and {len(classes) - most} more" if len(classes) > most else "")


def _deal(
    project: Project, photos: list[StoredPhoto], shares: Mapping[str, float], seed: int, report: ExportReport
) -> list[str | None]:
    looks: list[lookalikes.Look | None] = []
    for photo in photos:
        try:
            looks.append(lookalikes.Look(project.picture(photo.id)))
        except PhotoError:
            looks.append(None)
    alike = lookalikes.groups(looks)
    together = sum(len(group) for group in alike if len(group) > 1)
    if together:
        report.notes.append(f"{together} photos look like another one; look-alikes are in the same split.")
    return [*splits.assign([photo.sha256 for photo in photos], alike, shares, seed)]
