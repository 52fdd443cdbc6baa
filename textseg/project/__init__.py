"""A project: one folder with photos, classes, label maps and every gesture that made them.

`project.sqlite` holds the truth, `photos/<sha256><suffix>` the originals, untouched; `cache/` may be deleted any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from textseg import images
from textseg.errors import EditError, PhotoError, ProjectError, StaleRevisionError
from textseg.files import write_atomically
from textseg.project import operations
from textseg.project.database import Database
from textseg.project.intake import Intake, take_back
from textseg.project.raster import Box, Raster, pack_patch, unpack_patch
from textseg.project.schema import STATES, Class, Edit, Photo, Source
from textseg.vocabulary import Vocabulary, Word

__all__ = ["AddReport", "EditResult", "Project", "Region"]

MAX_LOG_BYTES = 64 * 2**20
"""Undo keeps this many bytes a photo; when they are exceeded the oldest steps can no longer be taken back."""

NOTHING: Box = (0, 0, 0, 0)

PAINTING = ("brush", "polygon", "fill", "region", "relabel")
GESTURES = (*PAINTING, "accept", "undo", "redo")


RECORDED = (
    "type", "class", "radius", "points", "point", "rle", "from", "to", "above", "locked", "only_unlabelled", "head",
    "format", "merge", "kind",
)  # fmt: skip
"""What the log keeps of an operation; anything else that came with it is left out."""


@dataclass
class AddReport:
    """What became of photos given to a project."""

    ids: list[int] = field(default_factory=list)
    """The stored ids of the photos given, new or there already, in their order; failed ones have none."""
    added: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    """(file given, name of the equal photo that is there already)."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """(file given, reason)."""


@dataclass(frozen=True)
class EditResult:
    """The answer to a gesture, given when it is on disk."""

    revision: int
    changed: int
    """Pixels whose class changed."""
    box: Box
    ids: np.ndarray
    """(H, W) uint16 class ids inside `box` as they are now."""
    warning: str | None = None
    """What the person should know although the gesture is kept: its class was deleted meanwhile."""


@dataclass(frozen=True)
class Region:
    """One region of a model's label map: which class, and how sure."""

    class_id: int
    confidence: float


class Project:
    """Photos, classes and label maps of one folder. Safe to use from several threads and processes."""

    def __init__(self, folder: str | Path) -> None:
        """Open the project in `folder`; raises ProjectError when there is none or it cannot be opened."""
        self.folder = Path(folder)
        if not (self.folder / "project.sqlite").is_file():
            raise ProjectError(
                f"There is no project in {folder}; make one with: textseg project new {folder} --words ..."
            )
        self._database = Database(self.folder / "project.sqlite")

    @classmethod
    def create(cls, folder: str | Path, vocabulary: Vocabulary) -> Project:
        """Make a project with these classes (ids 1, 2, ... in order); refuses a folder that holds one."""
        folder = Path(folder)
        if (folder / "project.sqlite").exists():
            raise ProjectError(f"There is a project in {folder} already; open it, or choose another folder.")
        try:
            (folder / "photos").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProjectError(f"The folder {folder} cannot be made ({error.strerror}).") from None
        database = Database(folder / "project.sqlite")
        with database.writing() as session:
            session.add_all(_class_of(word) for word in vocabulary)
        database.close()
        return cls(folder)

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    def close(self) -> None:
        self._database.close()

    # Photos

    def add(self, paths: Iterable[str | Path]) -> AddReport:
        """Take in photos (files, or folders of them); the originals are copied, equal bytes are noticed."""
        report = AddReport()
        for path in images.find([Path(p) for p in paths]):
            try:
                photo = images.open(path)
                content = path.read_bytes()
                sha256 = hashlib.sha256(content).hexdigest()
                with self._database.writing() as session:
                    known = session.scalar(select(Photo).where(Photo.sha256 == sha256))
                    if known is not None:
                        report.duplicates.append((str(path), known.name))
                        report.ids.append(known.id)
                        continue
                    suffix = path.suffix.lower()
                    write_atomically(self.folder / "photos" / f"{sha256}{suffix}", content)
                    width, height = photo.size
                    row = Photo(sha256=sha256, name=path.name, suffix=suffix, width=width, height=height)
                    session.add(row)
                report.ids.append(row.id)
                report.added.append(path.name)
            except OSError as error:
                raise ProjectError(
                    f"{path.name} could not be copied into {self.folder} ({error.strerror}); what was there is kept."
                ) from None
            except PhotoError as error:
                report.failed.append((str(path), str(error)))
        return report

    @contextmanager
    def taking_in(self, dry_run: bool = False) -> Iterator[Intake]:
        """Photos, classes and label maps taken in as one: on leaving all of it is on disk, after an error nothing is.

        With `dry_run` nothing stays either, and the project is as it was.
        """
        written: list[Path] = []
        try:
            with self._database.writing() as session:
                try:
                    yield Intake(self, session, dry_run, written)
                except BaseException:
                    take_back(written)  # while nobody else can write
                    raise
                if dry_run:
                    session.rollback()
        except BaseException:
            take_back(written)
            raise

    def photos(self, state: str | None = None, search: str = "") -> list[Photo]:
        """The photos in the order they were added, of one state if given, whose name holds `search`."""
        query = select(Photo).where(Photo.name.contains(search, autoescape=True)).order_by(Photo.id)
        with self._database.reading() as session:
            return list(session.scalars(query.where(Photo.state == state) if state else query))

    def photo(self, key: int | str) -> Photo:
        """The photo with this id or file name; raises ProjectError."""
        with self._database.reading() as session:
            return _find(session, key)

    def photo_with(self, sha256: str) -> Photo | None:
        """The photo whose file has this hash, None if the project has none."""
        with self._database.reading() as session:
            return session.scalar(select(Photo).where(Photo.sha256 == sha256))

    def picture(self, key: int | str) -> Image.Image:
        """The upright RGB picture of a photo; raises PhotoError when its file has vanished or is torn."""
        photo = self.photo(key)
        return images.open(self.folder / "photos" / f"{photo.sha256}{photo.suffix}")

    def set_state(self, key: int | str, state: str) -> None:
        if state not in STATES:
            raise ProjectError(f"A photo is {', '.join(STATES)}; '{state}' is none of these.")
        with self._database.writing() as session:
            _find(session, key).state = state

    def set_note(self, key: int | str, note: str) -> None:
        with self._database.writing() as session:
            _find(session, key).note = note[:10_000]

    # Classes

    def classes(self, deleted: bool = False) -> list[Class]:
        """The classes by id; with `deleted` the tombstones too."""
        with self._database.reading() as session:
            found = session.scalars(select(Class).order_by(Class.id))
            return [c for c in found if deleted or not c.deleted]

    def vocabulary(self) -> tuple[Vocabulary, list[int]]:
        """The living classes as words, and the class id of each."""
        classes = self.classes()
        words = [Word(c.name, tuple(c.aliases), c.colour, background=c.background) for c in classes]
        return Vocabulary(tuple(words)), [c.id for c in classes]

    def add_class(self, word: Word) -> int:
        """A new class; its id was never used before."""
        with self._database.writing() as session:
            row = _class_of(word)
            session.add(row)
            session.flush()
            return row.id

    def change_class(self, class_id: int, **changes: Any) -> None:
        """Change name, aliases, colour or background of a class; pixels keep its id."""
        unknown = changes.keys() - {"name", "aliases", "colour", "background"}
        if unknown:
            raise ProjectError(f"A class has no {', '.join(sorted(unknown))}.")
        with self._database.writing() as session:
            row = _living(session, class_id)
            for key, value in changes.items():
                setattr(row, key, value)

    def restore_class(self, class_id: int) -> None:
        """Take a tombstone back: the pixels of the class, also those drawn since it was deleted, read as it again."""
        with self._database.writing() as session:
            row = session.get(Class, _integer(class_id, "class"))
            if row is None or not row.deleted:
                raise EditError(f"There is no deleted class {class_id} in the project.")
            row.deleted, row.merged_into = False, None

    def delete_class(self, class_id: int, merge_into: int | None = None) -> None:
        """Leave a tombstone: its pixels read as unlabelled from now on, or as `merge_into`. No pixel is rewritten."""
        with self._database.writing() as session:
            row = _living(session, class_id)
            if merge_into == class_id:
                raise ProjectError("A class cannot be merged into itself.")
            if merge_into is not None:
                _living(session, merge_into)
            row.deleted, row.merged_into = True, merge_into

    # Label maps

    def label_map(self, key: int | str) -> tuple[np.ndarray, int]:
        """((H, W) uint16 class ids, revision) of a photo; revision 0 before the first edit."""
        with self._database.reading() as session:
            photo = _find(session, key)
            raster = Raster(session, photo)
            return _meaning(session)[raster.read(raster.box)[0]], photo.revision

    def provenance(self, key: int | str) -> tuple[np.ndarray, dict[int, Source]]:
        """((H, W) source ids, what each of them is) of a photo; source 0 is nobody."""
        with self._database.reading() as session:
            photo = _find(session, key)
            raster = Raster(session, photo)
            sources = raster.read(raster.box)[1]
            rows = session.scalars(select(Source).where(Source.id.in_(_present(sources))))
            return sources, {row.id: row for row in rows}

    def shares(self, key: int | str) -> list[tuple[Source, int]]:
        """Who made how many pixels of a photo, counted piece by piece: cheap for a large photo."""
        with self._database.reading() as session:
            photo = _find(session, key)
            pixels = Raster(session, photo).count_sources()
            rows = session.scalars(select(Source).where(Source.id.in_(pixels)).order_by(Source.id))
            return [(row, pixels[row.id]) for row in rows]

    def edit(self, key: int | str, base_revision: int, operation: Mapping[str, Any]) -> EditResult:
        """Apply one gesture; it is on disk when this returns.

        Operations are those of the HTTP contract: brush, polygon, fill, region, relabel, accept, undo, redo. A gesture
        may carry `locked` (class ids that must not be painted over) and `only_unlabelled`. Raises StaleRevisionError
        when `base_revision` is not the current one, EditError for a gesture that makes no sense; nothing changes then.
        """
        if not isinstance(operation, Mapping) or not isinstance(operation.get("type"), str):
            raise EditError("A gesture needs a type, such as brush or undo.")
        with self._database.writing() as session:
            photo = _find(session, key)
            if base_revision != photo.revision:
                raise StaleRevisionError(
                    f"stale revision {base_revision}: the label map of {photo.name} is at revision {photo.revision}."
                )
            kind = operation["type"]
            if kind in ("undo", "redo"):
                return self._step(session, photo, kind)
            if kind == "accept":
                return self._accept(session, photo, operation)
            return self._paint(session, photo, operation)

    def put_model_labels(
        self,
        key: int | str,
        index: np.ndarray,
        regions: Sequence[Region],
        head: str,
        over_person: int | None = None,
    ) -> EditResult:
        """Write a model's label map: `index` (H, W) holds 0 for unlabelled, or the position from 1 in `regions`.

        What the model said before goes. What a person has drawn, erased or accepted stays; with `over_person` the
        model's regions go over that too, or EditError is raised if a person made more than so many pixels of them. One
        step of undo, one write for all regions.
        """
        with self._database.writing() as session:
            photo = _find(session, key)
            raster = Raster(session, photo)
            ids, sources = raster.read(raster.box)
            if index.shape != ids.shape:
                raise EditError(f"The label map is {index.shape} and the photo {ids.shape} (height, width).")
            made = self._made_by_person(session, photo, sources)
            if over_person is not None:
                lost = made & (index > 0)
                if int(lost.sum()) > over_person:
                    raise EditError(
                        f"{photo.name} has {int(lost.sum())} pixels that a person made where the model has labels; "
                        f"at most {over_person} may be written over."
                    )
                made &= ~lost
            free = ~made
            index = np.where(free, index, 0)
            rows: dict[int, Source] = {
                k: Source(
                    photo_id=photo.id,
                    kind="model",
                    class_id=regions[k - 1].class_id,
                    head=head,
                    confidence=regions[k - 1].confidence,
                )
                for k in _present(index)
                if k
            }
            session.add_all(rows.values())
            session.flush()
            to_id, to_source = np.zeros(len(regions) + 1, np.uint16), np.zeros(len(regions) + 1, np.uint32)
            for k, row in rows.items():
                to_id[k], to_source[k] = regions[k - 1].class_id, row.id
            new_ids, new_sources = np.where(free, to_id[index], ids), np.where(free, to_source[index], sources)
            if photo.state == "new":
                photo.state = "pseudo-labelled"
            operation = {"type": "pseudolabel", "head": head}
            return self._commit(session, photo, operation, raster.box, (ids, sources), (new_ids, new_sources))

    def person_pixels(self, key: int | str) -> int:
        """How many pixels of a photo a person has drawn, erased or accepted."""
        with self._database.reading() as session:
            photo = _find(session, key)
            raster = Raster(session, photo)
            return int(self._made_by_person(session, photo, raster.read(raster.box)[1]).sum())

    def corrections(self, key: int | str) -> np.ndarray:
        """(H, W) int32, what a person says of each pixel: the class id drawn or accepted, 0 nothing, -1 none of these.

        "None of these" is what a person erased. Pixels of a deleted class say nothing, as do a model's.
        """
        with self._database.reading() as session:
            photo = _find(session, key)
            raster = Raster(session, photo)
            ids, sources = raster.read(raster.box)
            meant = np.where(ids == 0, -1, _meaning(session)[ids].astype(np.int32))
            return np.where(self._made_by_person(session, photo, sources), meant, 0).astype(np.int32)

    def corrected(self) -> list[Photo]:
        """The photos in which a person has ever drawn, erased or accepted something, in the order of `photos`."""
        query = select(Source.photo_id).where(Source.kind.in_(("person", "accepted"))).distinct()
        with self._database.reading() as session:
            return list(session.scalars(select(Photo).where(Photo.id.in_(query)).order_by(Photo.id)))

    def history(self, key: int | str) -> list[dict[str, Any]]:
        """Every step of a photo, oldest first: revision, type, class, changed pixels, box, time."""
        with self._database.reading() as session:
            photo = _find(session, key)
            rows = session.execute(
                select(
                    Edit.revision,
                    Edit.kind,
                    Edit.operation,
                    Edit.changed,
                    Edit.created,
                    Edit.x0,
                    Edit.y0,
                    Edit.x1,
                    Edit.y1,
                )
                .where(Edit.photo_id == photo.id)
                .order_by(Edit.revision)
            )
            return [
                {
                    "revision": row.revision,
                    "type": row.kind,
                    "class": row.operation.get("class", row.operation.get("to")),
                    "changed_pixels": row.changed,
                    "box": [row.x0, row.y0, row.x1, row.y1],
                    "time": row.created.isoformat(timespec="seconds"),
                }
                for row in rows
            ]

    def status(self) -> dict[str, Any]:
        """Photos by state, classes with ids, colours and pixels, and revisions."""
        with self._database.reading() as session:
            states = dict(session.execute(select(Photo.state, func.count()).group_by(Photo.state)).all())
            photos = list(session.scalars(select(Photo).order_by(Photo.id)))
            meaning = _meaning(session)
            pixels = np.zeros(len(meaning), np.int64)
            for photo in photos:
                raster = Raster(session, photo)
                pixels += np.bincount(meaning[raster.read(raster.box)[0]].ravel(), minlength=len(meaning))
            return {
                "project": self.name,
                "photos": {"total": len(photos), **{state: states.get(state, 0) for state in STATES}},
                "classes": [
                    {"id": c.id, "name": c.name, "aliases": c.aliases, "colour": c.colour, "pixels": int(pixels[c.id])}
                    for c in session.scalars(select(Class).order_by(Class.id))
                    if not c.deleted
                ],
                "unlabelled_pixels": int(pixels[0]),
                "revisions": {photo.name: photo.revision for photo in photos},
                "heads": [h for h in session.scalars(select(Source.head).distinct().order_by(Source.head)) if h],
            }

    def _paint(self, session: Session, photo: Photo, operation: Mapping[str, Any]) -> EditResult:
        kind, size, raster = operation["type"], (photo.width, photo.height), Raster(session, photo)
        if kind not in PAINTING:
            raise EditError(f"There is no gesture '{kind}'; choose one of {', '.join(GESTURES)}.")
        to = _integer(operation.get("to" if kind == "relabel" else "class"), "class")
        warning = _farewell(session, to) if to else None
        meaning, box = _meaning(session), raster.box
        if to and meaning[to]:
            to = int(meaning[to])  # merged into another class
        if kind == "brush":
            box, mask = operations.brush(operation.get("points", ()), operation.get("radius", 0), size)
        elif kind == "polygon":
            box, mask = operations.polygon(operation.get("points", ()), size)
        elif kind == "region":
            mask = operations.region(operation.get("rle", {}), size)
        else:
            mask = np.ones((photo.height, photo.width), bool)
        box, mask = _shrink(box, mask)
        if not mask.any():
            return EditResult(photo.revision, 0, NOTHING, np.zeros((0, 0), np.uint16))
        ids, sources = raster.read(box)
        shown = meaning[ids]
        if kind == "fill":
            mask = operations.fill(operation.get("point", ()), shown)
        elif kind == "relabel":
            mask = shown == _integer(operation.get("from"), "from")
        if operation.get("only_unlabelled"):
            mask = mask & (shown == 0)
        locked = operation.get("locked") or []
        if locked:
            if not isinstance(locked, list):
                raise EditError(f"'locked' is a list of class ids, not {locked!r}.")
            mask = mask & ~np.isin(shown, [_integer(one, "locked") for one in locked])
        person = _person(session, photo)
        mask = mask & ((ids != to) | (sources != person))
        result = self._commit(
            session, photo, operation, box, (ids, sources), (np.where(mask, to, ids), np.where(mask, person, sources))
        )
        return replace(result, warning=warning)

    def _accept(self, session: Session, photo: Photo, operation: Mapping[str, Any]) -> EditResult:
        """Take the model's regions over as a person's: all, of one class, from a confidence on, or both."""
        meaning, query = _meaning(session), select(Source).where(Source.photo_id == photo.id, Source.kind == "model")
        if operation.get("above") is not None:
            query = query.where(Source.confidence >= _confidence(operation["above"]))
        wanted = operation.get("class")
        if wanted is not None:
            _living(session, wanted)
        raster = Raster(session, photo)
        ids, sources = raster.read(raster.box)
        there = set(_present(sources))
        rows = [
            row
            for row in session.scalars(query)
            if row.id in there and meaning[row.class_id] and wanted in (None, meaning[row.class_id])
        ]
        copies = [
            Source(photo_id=photo.id, kind="accepted", class_id=row.class_id, head=row.head, confidence=row.confidence)
            for row in rows
        ]
        session.add_all(copies)
        session.flush()
        become = np.arange(max(there) + 1, dtype=np.uint32)
        for row, copy in zip(rows, copies, strict=True):
            become[row.id] = copy.id
        return self._commit(session, photo, operation, raster.box, (ids, sources), (ids, become[sources]))

    @staticmethod
    def _made_by_person(session: Session, photo: Photo, sources: np.ndarray) -> np.ndarray:
        """(H, W) bool: where a person has drawn, erased or accepted."""
        return np.isin(sources, _sources(session, photo, "person", "accepted"))

    def _commit(
        self,
        session: Session,
        photo: Photo,
        operation: Mapping[str, Any],
        box: Box,
        before: tuple[np.ndarray, np.ndarray],
        after: tuple[np.ndarray, np.ndarray],
    ) -> EditResult:
        """Write tiles and log; a gesture that changes nothing leaves no trace."""
        differs = (before[0] != after[0]) | (before[1] != after[1])
        if not differs.any():
            return EditResult(photo.revision, 0, NOTHING, np.zeros((0, 0), np.uint16))
        small, _ = _shrink(box, differs)
        cut = slice(small[1] - box[1], small[3] - box[1]), slice(small[0] - box[0], small[2] - box[0])
        old, new = (before[0][cut], before[1][cut]), (after[0][cut], after[1][cut])
        meaning = _meaning(session)
        edit = Edit(
            photo_id=photo.id,
            kind=operation["type"],
            operation={key: operation[key] for key in RECORDED if key in operation},
            changed=int((meaning[old[0]] != meaning[new[0]]).sum()),
            before=pack_patch(*old),
            after=pack_patch(*new),
            undo_parent=photo.undo_top,
        )
        self._append(session, photo, edit, small, new)
        photo.undo_top, photo.redo_top = edit.id, None
        if photo.state in ("new", "pseudo-labelled") and edit.kind != "pseudolabel":
            photo.state = "in work"
        _forget_oldest(session, photo)
        return EditResult(photo.revision, edit.changed, small, meaning[new[0]])

    def _step(self, session: Session, photo: Photo, kind: str) -> EditResult:
        """Undo or redo one gesture; with nothing left, the current revision and no change."""
        top = photo.undo_top if kind == "undo" else photo.redo_top
        row = session.get(Edit, top) if top else None
        gesture = row if kind == "undo" or row is None else session.get(Edit, row.target)
        if row is None or gesture is None or gesture.before is None or gesture.after is None:
            return EditResult(photo.revision, 0, NOTHING, np.zeros((0, 0), np.uint16))
        box = gesture.x0, gesture.y0, gesture.x1, gesture.y1
        ids, sources = unpack_patch(gesture.before if kind == "undo" else gesture.after, box)
        redo_parent = photo.redo_top if kind == "undo" else None
        edit = Edit(
            photo_id=photo.id,
            kind=kind,
            operation={"type": kind},
            changed=gesture.changed,
            target=gesture.id,
            redo_parent=redo_parent,
        )
        self._append(session, photo, edit, box, (ids, sources))
        if kind == "undo":
            photo.undo_top, photo.redo_top = gesture.undo_parent, edit.id
        else:
            photo.undo_top, photo.redo_top = gesture.id, row.redo_parent
        return EditResult(photo.revision, gesture.changed, box, _meaning(session)[ids])

    @staticmethod
    def _append(session: Session, photo: Photo, edit: Edit, box: Box, new: tuple[np.ndarray, np.ndarray]) -> None:
        Raster(session, photo).write(box, *new)
        photo.revision += 1
        edit.revision = photo.revision
        edit.x0, edit.y0, edit.x1, edit.y1 = box
        session.add(edit)
        session.flush()


def _class_of(word: Word) -> Class:
    return Class(name=word.name, aliases=list(word.aliases), colour=word.colour, background=word.background)


def _find(session: Session, key: int | str) -> Photo:
    """By stored id (a number, or text of one), else by file name."""
    photo = session.get(Photo, int(key)) if str(key).isdecimal() and len(str(key)) < 10 else None
    if photo is None:
        photo = session.scalar(select(Photo).where(Photo.name == str(key)).order_by(Photo.id))
    if photo is None:
        raise ProjectError(f"There is no photo '{key}' in the project.")
    return photo


def _living(session: Session, class_id: Any) -> Class:
    row = session.get(Class, _integer(class_id, "class"))
    if row is None:
        raise EditError(f"There is no class {class_id} in the project.")
    if row.deleted:
        raise EditError(f"The class {class_id} ({row.name}) was deleted.")
    return row


def _farewell(session: Session, class_id: int) -> str | None:
    """What to say about a gesture in a deleted class, None if it lives; raises EditError if it never did."""
    row = session.get(Class, class_id)
    if row is None:
        raise EditError(f"There is no class {class_id} in the project.")
    if not row.deleted:
        return None
    if row.merged_into is not None:
        return f"The class '{row.name}' was merged into another one meanwhile; this was drawn as that."
    return f"The class '{row.name}' was deleted meanwhile; this is kept, and shows when the class is restored."


def _integer(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise EditError(f"'{name}' is a class id, not {value!r}.")
    return value


def _confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise EditError(f"'above' is a confidence from 0 to 1, not {value!r}.")
    return float(value)


def _present(numbers: np.ndarray) -> list[int]:
    """The numbers that occur, in order; quicker and leaner than sorting them."""
    seen = np.zeros(int(numbers.max(initial=0)) + 1, bool)
    seen[numbers.ravel()] = True
    return np.flatnonzero(seen).tolist()


def _meaning(session: Session) -> np.ndarray:
    """What each stored id reads as: itself, 0 for a deleted class, or the class it was merged into."""
    rows = {row.id: row for row in session.scalars(select(Class))}
    table = np.zeros(max(rows, default=0) + 1, np.uint16)
    for class_id in rows:
        row, seen = rows[class_id], {class_id}
        while row.deleted and row.merged_into is not None and row.merged_into not in seen:
            seen.add(row.merged_into)
            row = rows[row.merged_into]
        table[class_id] = 0 if row.deleted else row.id
    return table


def _person(session: Session, photo: Photo) -> int:
    """The photo's source "person", made at the first gesture."""
    row = session.scalar(select(Source).where(Source.photo_id == photo.id, Source.kind == "person"))
    if row is None:
        row = Source(photo_id=photo.id, kind="person")
        session.add(row)
        session.flush()
    return row.id


def _sources(session: Session, photo: Photo, *kinds: str) -> list[int]:
    return list(session.scalars(select(Source.id).where(Source.photo_id == photo.id, Source.kind.in_(kinds))))


def _shrink(box: Box, mask: np.ndarray) -> tuple[Box, np.ndarray]:
    """The smallest box around what `mask` marks inside `box`, and the mask cut to it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return NOTHING, mask[:0, :0]
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return (box[0] + left, box[1] + top, box[0] + right, box[1] + bottom), mask[top:bottom, left:right]


def _forget_oldest(session: Session, photo: Photo) -> None:
    """Empty the patches of the oldest gestures once all of the photo's are larger than MAX_LOG_BYTES."""
    size = func.length(Edit.before) + func.length(Edit.after)
    rows = session.execute(
        select(Edit.id, size).where(Edit.photo_id == photo.id, Edit.before.is_not(None)).order_by(Edit.id.desc())
    )
    total, forgotten = 0, []
    for edit_id, length in rows:
        total += length
        if total > MAX_LOG_BYTES and edit_id != photo.undo_top:
            forgotten.append(edit_id)
    if forgotten:
        session.execute(update(Edit).where(Edit.id.in_(forgotten)).values(before=None, after=None))
