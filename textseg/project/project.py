"""The project itself: each method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from textseg import images
from textseg.errors import EditError, PhotoError, PhotoTooLargeError, ProjectError, StaleRevisionError
from textseg.folders import Found
from textseg.project import counts, gestures, linked, log, photos
from textseg.project.allowance import Allowance
from textseg.project.author import at_work
from textseg.project.classes import Classes
from textseg.project.counts import PERSONS
from textseg.project.films import Films
from textseg.project.gestures import Region
from textseg.project.heads import Heads
from textseg.project.intake import Intake
from textseg.project.labels import Labels, present
from textseg.project.log import EditResult
from textseg.project.originals import arriving, path_of
from textseg.project.photos import AddReport, QueueEntry
from textseg.project.place import Place
from textseg.project.raster import Box
from textseg.project.schema import STATES, Class, PixelCount, Provenance, StoredPhoto
from textseg.project.team import Team, check_open
from textseg.project.trainings import Trainings
from textseg.project.windows import Cells, Window
from textseg.pyramids import Pyramid
from textseg.vocabulary import Vocabulary, Word

if TYPE_CHECKING:
    from textseg.model import Model, Scene
    from textseg.model.encodings import EncodingStore


class Project:
    """Photos, classes and label maps of one place. Safe to use from several threads and processes."""

    def __init__(self, place: str | Path | Place, files: str | Path | None = None) -> None:
        """Open the project in a folder, or in a database with its `files` in a folder; see `Place.of`.

        Raises ProjectError when there is none or it cannot be opened.
        """
        self.place = Place.of(place, files)
        self.folder = self.place.folder
        """Holds the files of photos and heads, and the cache."""
        self.database = self.place.open()
        self.allowance: Allowance | None = None

    @classmethod
    def create(cls, place: str | Path | Place, vocabulary: Vocabulary, files: str | Path | None = None) -> Project:
        """Make a project with these classes (ids 1, 2, ... in order); refuses a place that holds one."""

        def fill(session: Session) -> None:
            classes = Classes(session)
            for word in vocabulary:
                classes.add(word)

        place = Place.of(place, files)
        place.make(fill)
        return cls(place)

    @property
    def heads(self) -> Heads:
        """What it has learnt."""
        return Heads(self.database, self.folder / "heads")

    @property
    def trainings(self) -> Trainings:
        """How it learns."""
        return Trainings(self.database, self.folder / "heads")

    @property
    def team(self) -> Team:
        """Who works on it."""
        return Team(self.database)

    @property
    def films(self) -> Films:
        """Which of its photos are frames of a film."""
        return Films(self.database, self.folder, self.allowance)

    @property
    def encodings(self) -> EncodingStore:
        """What its photos were encoded to, shared by all that look at them."""
        from textseg.model.encodings import EncodingStore

        return EncodingStore(self.folder / "cache" / "features")

    @property
    def name(self) -> str:
        return self.place.name

    def close(self) -> None:
        self.database.close()

    # Photos

    def add(
        self,
        paths: Iterable[str | Path | Found],
        progress: Callable[[int, int], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        flat: bool = False,
    ) -> AddReport:
        """Take in photos (files, or folders with their subfolders); originals are copied, equal bytes are noticed.

        A photo of a folder is called by its path in it; `flat` leaves subfolders out. The pages of a TIFF are photos of
        their own.

        Each photo is in the project when it is done: one that was stopped by `cancel` keeps those that came before, and
        its report names them. `progress(done, all)` is called before each photo.
        """
        return photos.add(self.database, self.folder, paths, progress, cancel, flat, self.allowance)

    @contextmanager
    def taking_in(self, dry_run: bool = False) -> Iterator[Intake]:
        """Photos, classes and label maps taken in as one: on leaving all of it is on disk, after an error nothing is.

        With `dry_run` nothing stays either, and the project is as it was.
        """
        with arriving(self.database, self.folder, self.allowance) as (session, arrivals):
            yield Intake(session, arrivals, dry_run)
            if dry_run:
                session.rollback()

    def photos(self, state: str | None = None, search: str = "") -> list[StoredPhoto]:
        """The photos in the order they were added, of one state if given, whose name holds `search`."""
        with self.database.reading() as session:
            return photos.listed(session, state, search)

    def queue(self, state: str | None = None, search: str = "") -> list[QueueEntry]:
        """As `photos`, but of each only what a list shows: for lists of ten thousand."""
        with self.database.reading() as session:
            return photos.queue(session, state, search)

    def photos_by_state(self) -> dict[str, int]:
        """How many photos are in each of STATES."""
        with self.database.reading() as session:
            return photos.by_state(session)

    def photo(self, key: int | str) -> StoredPhoto:
        """The photo with this id or file name; raises ProjectError."""
        with self.database.reading() as session:
            return photos.find(session, key)

    def photo_with(self, sha256: str) -> StoredPhoto | None:
        """The photo whose file has this hash, None if the project has none."""
        with self.database.reading() as session:
            return photos.with_hash(session, sha256)

    def picture(self, key: int | str) -> Image.Image:
        """The upright RGB picture of a photo; raises PhotoError when its file has vanished or is torn, or is huge."""
        photo = self.photo(key)
        if photos.is_large(photo):
            raise PhotoTooLargeError(
                f"{photo.name} is too large to be decoded whole: {photo.width} x {photo.height} pixels."
            )
        return images.open(self.original(photo), name=photo.name)

    def unreadable(
        self, progress: Callable[[int, int], None] | None = None, cancel: Callable[[], bool] | None = None
    ) -> list[tuple[StoredPhoto, str]]:
        """The photos whose files are gone, damaged or changed, each with the reason; `cancel` ends the look early."""
        found, rows = [], self.photos()
        for done, photo in enumerate(rows):
            if cancel is not None and cancel():
                break
            if progress is not None:
                progress(done, len(rows))
            if reason := photos.fault(self.folder, photo):
                found.append((photo, reason))
        if progress is not None:
            progress(len(rows), len(rows))
        return found

    def take_changed(self, faults: Iterable[tuple[StoredPhoto, str]]) -> list[tuple[StoredPhoto, str]]:
        """Of what `unreadable` found, take the huge photos that were changed as they are now; their labels stay.

        What cannot be taken is answered, with the reason.
        """
        left = []
        for photo, reason in faults:
            try:
                if not photos.is_large(photo) or not self.original(photo).is_file():
                    raise PhotoError(reason)
                linked.take(self.database, self.folder, photo)
            except PhotoError as error:
                left.append((photo, str(error)))
        return left

    def skip(self, faults: Iterable[tuple[StoredPhoto, str]]) -> list[StoredPhoto]:
        """Of what `unreadable` found, skip what is still to do, and answer it.

        What is done stays done: a file that is away for a moment takes nobody's work back.
        """
        skipped = [row for photo, _ in faults if photos.still_to_do(row := self.photo(photo.id))]
        for row in skipped:
            self.set_state(row.id, "skipped")
        return skipped

    def is_large(self, key: int | str) -> bool:
        """Whether a photo is read by windows (`pyramid`, `label_windows`), not whole (`picture`, `label_map`)."""
        return photos.is_large(self.photo(key))

    def pyramid(self, key: int | str) -> Pyramid:
        """A huge photo, to be read by windows and closed; raises PhotoError where its file is gone, changed or torn.

        Smaller levels that its file lacks are made when they are first wanted, and lie in the cache.
        """
        return photos.opened(self.folder, self.photo(key))

    def original(self, photo: StoredPhoto) -> Path:
        """The file of a photo as it was taken in."""
        return path_of(self.folder, photo)

    def scene(self, key: int | str, model: Model) -> Scene:
        """A photo as `model` sees it, encoded by whoever asked first; raises PhotoError when its file has vanished."""
        photo = self.photo(key)
        return self.encodings.scene(photo.sha256, model, lambda: self.picture(photo.id))

    def set_state(self, key: int | str, state: str) -> None:
        """Put a photo into a state; where people sign in, `Team.labelled` and `Team.take_back` say what that means."""
        if state not in STATES:
            raise ProjectError(f"A photo is {', '.join(STATES)}; '{state}' is none of these.")
        if at_work() is not None:
            return self.team.labelled(key) if state == "done" else self.team.take_back(key, state)
        with self.database.writing(one_photo=True) as session:
            photos.find(session, key, lock=True).state = state

    def set_note(self, key: int | str, note: str) -> None:
        with self.database.writing(one_photo=True) as session:
            photos.find(session, key, lock=True).note = note[:10_000]

    # Classes

    def classes(self, deleted: bool = False) -> list[Class]:
        """The classes by id; with `deleted` the tombstones too."""
        with self.database.reading() as session:
            return Classes(session).rows(deleted)

    def colours(self) -> list[str]:
        """The colours of the classes 1, 2, ..., tombstones included."""
        with self.database.reading() as session:
            return Classes(session).colours

    def vocabulary(self) -> tuple[Vocabulary, list[int]]:
        """The living classes as words, and the class id of each."""
        classes = self.classes()
        words = [Word(c.name, tuple(c.aliases), c.colour, background=c.background) for c in classes]
        return Vocabulary(tuple(words)), [c.id for c in classes]

    def add_class(self, word: Word) -> int:
        """A new class; its id was never used before."""
        with self.database.writing() as session:
            return Classes(session).add(word)

    def change_class(self, class_id: int, **changes: Any) -> None:
        """Change name, aliases, colour or background of a class; pixels keep its id."""
        with self.database.writing() as session:
            Classes(session).change(class_id, **changes)

    def restore_class(self, class_id: int) -> None:
        """Take a tombstone back: the pixels of the class, also those drawn since it was deleted, read as it again."""
        with self.database.writing() as session:
            Classes(session).restore(class_id)

    def delete_class(self, class_id: int, merge_into: int | None = None) -> None:
        """Leave a tombstone: its pixels read as unlabelled from now on, or as `merge_into`. No pixel is rewritten."""
        with self.database.writing() as session:
            Classes(session).delete(class_id, merge_into)

    # Label maps

    def label_map(self, key: int | str) -> tuple[np.ndarray, int]:
        """((H, W) uint16 class ids, revision) of a photo; revision 0 before the first edit."""
        with self._labels(key) as labels:
            return labels.shown(labels.read()[0]), labels.photo.revision

    def label_windows(self, key: int | str, windows: Sequence[Window]) -> tuple[list[np.ndarray], int]:
        """((rows, columns) uint16 class ids that each window onto a photo shows, revision)."""
        with self._labels(key) as labels:
            return [labels.seen(window) for window in windows], labels.photo.revision

    def pixels(self, key: int | str, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """((h, w) uint16 class ids, (h, w) uint32 source ids) of a photo inside `box`; `shares` says who they are."""
        with self._labels(key) as labels:
            ids, sources = labels.read(box)
            return labels.shown(ids), sources

    def provenance(self, key: int | str) -> tuple[np.ndarray, dict[int, Provenance]]:
        """((H, W) source ids, what each of them is) of a photo; source 0 is nobody."""
        with self._labels(key) as labels:
            sources = labels.read()[1]
            return sources, {row.id: row for row in labels.sources(present(sources))}

    def shares(self, key: int | str) -> list[tuple[Provenance, int]]:
        """Who made how many pixels of a photo; nobody is not among them."""
        with self.database.reading() as session:
            return counts.shares(session, photos.find(session, key).id)

    def edit(self, key: int | str, base_revision: int, operation: Mapping[str, Any]) -> EditResult:
        """Apply one gesture; it is on disk when this returns.

        Operations are those of the HTTP contract: brush, polygon, fill, region, relabel, accept, undo, redo. A gesture
        may carry `locked` (class ids that must not be painted over) and `only_unlabelled`; in a huge photo fill,
        relabel and accept take a `window`, and a region may be one of a window's cells. Raises StaleRevisionError
        when `base_revision` is not the current one, EditError for a gesture that makes no sense; nothing changes then.
        """
        if not isinstance(operation, Mapping) or not isinstance(operation.get("type"), str):
            raise EditError("A gesture needs a type, such as brush or undo.")
        with self.database.writing(one_photo=True) as session:
            photo = photos.find(session, key, lock=True)
            if base_revision != photo.revision:
                raise StaleRevisionError(
                    f"stale revision {base_revision}: the label map of {photo.name} is at revision {photo.revision}."
                )
            check_open(photo)
            return gestures.apply(Labels(session, photo), operation)

    def put_model_labels(
        self,
        key: int | str,
        index: Cells,
        regions: Sequence[Region],
        head: str,
        over_person: int | None = None,
        window: Window | None = None,
    ) -> EditResult:
        """Write a model's label map: `index` (H, W) holds 0 for unlabelled, or the position from 1 in `regions`.

        With a `window` it is the label map of its cells, and nothing outside of it changes.

        What the model said before goes. What a person has drawn, erased or accepted stays; with `over_person` the
        model's regions go over that too, or EditError is raised if a person made more than so many pixels of them. One
        step of undo, one write for all regions.
        """
        with self.database.writing(one_photo=True) as session:
            labels = Labels(session, photos.find(session, key, lock=True))
            check_open(labels.photo)
            return gestures.put_model_labels(labels, index, regions, head, over_person, window)

    def person_pixels(self, key: int | str) -> int:
        """How many pixels of a photo a person has drawn, erased or accepted."""
        with self.database.reading() as session:
            return counts.person_pixels(session, photos.find(session, key).id)

    def corrections(self, key: int | str, window: Window | None = None) -> np.ndarray:
        """(H, W) int32, what a person says of each pixel: the class id drawn or accepted, 0 nothing, -1 none of these.

        "None of these" is what a person erased. Pixels of a deleted class say nothing, as do a model's. With a `window`
        they are the pixels that it shows.
        """
        with self._labels(key) as labels:
            return labels.said(window)

    def touched(self, key: int | str) -> list[Box]:
        """Where in a photo a person has worked, a box for each step; also for those that were taken back."""
        with self.database.reading() as session:
            return log.touched(session, photos.find(session, key))

    def looked_at(self, key: int | str) -> int | None:
        """How many times smaller a model looked at a photo when it last labelled all of it by tiles; None: never."""
        with self.database.reading() as session:
            return log.looked_at(session, photos.find(session, key))

    def correction_counts(self) -> dict[int, dict[int, int]]:
        """How many pixels `corrections` has of each class, by photo id: {photo: {class id or -1: pixels}}."""
        with self.database.reading() as session:
            return counts.said(session, Classes(session).meaning)

    def corrected(self) -> list[StoredPhoto]:
        """The photos in which something stands that a person drew, erased or accepted, in the order of `photos`."""
        query = select(PixelCount.photo_id).where(PixelCount.kind.in_(PERSONS))
        with self.database.reading() as session:
            return list(session.scalars(select(StoredPhoto).where(StoredPhoto.id.in_(query)).order_by(StoredPhoto.id)))

    def history(self, key: int | str) -> list[dict[str, Any]]:
        """Every step of a photo, oldest first: revision, type, class, changed pixels, box, time, by whom if known."""
        with self.database.reading() as session:
            return log.history(session, photos.find(session, key))

    def status(self) -> dict[str, Any]:
        """Photos by state, classes with ids, colours and pixels, and revisions; no label map is read."""
        with self.database.reading() as session:
            states = photos.by_state(session)
            classes = Classes(session)
            pixels = counts.by_class(session, classes.meaning)
            area = int(session.scalar(select(func.sum(cast(StoredPhoto.width, BigInteger) * StoredPhoto.height))) or 0)
            revisions = session.execute(select(StoredPhoto.name, StoredPhoto.revision).order_by(StoredPhoto.id))
            return {
                "project": self.name,
                "photos": {"total": sum(states.values()), **states},
                "classes": [
                    {"id": c.id, "name": c.name, "aliases": c.aliases, "colour": c.colour, "pixels": int(pixels[c.id])}
                    for c in classes.rows()
                ],
                "unlabelled_pixels": area - int(pixels.sum()),
                "revisions": {name: revision for name, revision in revisions},
                "heads": counts.heads(session),
            }

    @contextmanager
    def _labels(self, key: int | str) -> Iterator[Labels]:
        """A photo's label map, to read."""
        session: Session
        with self.database.reading() as session:
            yield Labels(session, photos.find(session, key))
