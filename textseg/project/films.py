"""The films of a project: which photos are frames of one, in which order, and how sure the labels on each are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Literal

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from textseg.errors import ProjectError
from textseg.project import gestures, photos, sureness
from textseg.project.allowance import Allowance
from textseg.project.counts import PERSONS
from textseg.project.database import Database
from textseg.project.gestures import Region
from textseg.project.intake import Intake
from textseg.project.labels import Labels
from textseg.project.log import EditResult
from textseg.project.originals import arriving
from textseg.project.schema import Frame, PixelCount, StoredFilm, StoredPhoto, clean

CARRIED = "carried"
"""What stands in place of a head's name for labels that were carried from another frame."""

CLOSED = ("done", "skipped")
"""States of a frame to which nothing is carried."""

Arrival = Literal["new", "shared", "known", "equal"]
"""What became of a frame: its photo is new, or one that the project has already; or the film has it already, at this
place, or, where the film stands still, at an earlier one."""


@dataclass(frozen=True)
class Origin:
    """What a film is called, and what tells it from others."""

    name: str
    source: str
    timed: bool
    """Whether its frames lie at seconds; else at the numbers that their files have."""


@dataclass(frozen=True)
class Film:
    """One film, and how many frames of it are in the project."""

    id: int
    name: str
    timed: bool
    frames: int


@dataclass(frozen=True)
class Still:
    """One frame as a list shows it."""

    photo: int
    name: str
    at: float
    state: str
    revision: int
    by_person: float
    """Share of its pixels that a person drew, erased or accepted."""
    carried: float | None
    """As `Frame.sure`, while any label stands on it."""

    @property
    def confirmed(self) -> bool:
        """Whether a person says that it is right, all of it."""
        return self.state == "done"

    @property
    def sure(self) -> float | None:
        """How sure its labels are, 0..1: 1 where a person called it done; None where no label was carried or drawn."""
        if self.confirmed:
            return 1.0
        if self.carried is None:
            return 1.0 if self.by_person else None
        return self.by_person + (1 - self.by_person) * self.carried


class Films:
    """The films of one project. Safe to use from several threads and processes."""

    def __init__(self, database: Database, folder: Path, allowance: Allowance | None) -> None:
        self._database, self._folder, self._allowance = database, folder, allowance

    def all(self) -> list[Film]:
        """The films in the order they came."""
        query = select(StoredFilm, func.count(Frame.photo_id)).outerjoin(Frame, Frame.film_id == StoredFilm.id)
        with self._database.reading() as session:
            found = session.execute(query.group_by(StoredFilm.id).order_by(StoredFilm.id)).all()
        return [Film(row.id, row.name, row.timed, count) for row, count in found]

    def find(self, key: int | str) -> Film:
        """The film with this name or number, or that came from a file or folder of this path; raises ProjectError."""
        films, text = self.all(), clean(str(key))
        called = {film.name: film for film in reversed(films)} if isinstance(key, str) else {}
        numbered = {str(film.id): film for film in films}
        path = PurePath(text)
        for found in (called.get(text), numbered.get(text), called.get(path.name), called.get(path.stem)):
            if found is not None:
                return found
        there = ", ".join(film.name for film in films) or "there is none; textseg film add brings one"
        raise ProjectError(f"There is no film '{key}' in the project: {there}.")

    def of(self, photo: int | str, wanted: int | None = None) -> Film | None:
        """The film that a photo is a frame of; of several the `wanted` one, else the first that came."""
        with self._database.reading() as session:
            query = select(Frame.film_id).where(Frame.photo_id == photos.find(session, photo).id)
            found = list(session.scalars(query.order_by(Frame.film_id)))
        return self.find(wanted if wanted in found else found[0]) if found else None

    def stills(self, film: Film) -> list[Still]:
        """The frames of a film in their order; no label map is read."""
        with self._database.reading() as session:
            rows = session.execute(
                select(StoredPhoto, Frame)
                .join(Frame, Frame.photo_id == StoredPhoto.id)
                .where(Frame.film_id == film.id)
                .order_by(Frame.at, Frame.photo_id)
            ).all()
            persons = _pixels(session, film.id, PixelCount.kind.in_(PERSONS))
            labelled = _pixels(session, film.id, PixelCount.class_id > 0)
        return [
            Still(
                photo=photo.id,
                name=photo.name,
                at=frame.at,
                state=photo.state,
                revision=photo.revision,
                by_person=persons.get(photo.id, 0) / (photo.width * photo.height),
                carried=frame.sure if photo.id in labelled else None,
            )
            for photo, frame in rows
        ]

    def without_others(self, origin: Origin, frames: Mapping[float, str]) -> Origin:
        """The origin of these frames, SHA-256 by where they lie: another one where that film has others at such places.

        Two films may begin alike.
        """
        number, found = 1, origin
        with self._database.reading() as session:
            while True:
                there = session.execute(
                    select(Frame.at, StoredPhoto.sha256)
                    .join(StoredPhoto, StoredPhoto.id == Frame.photo_id)
                    .join(StoredFilm, StoredFilm.id == Frame.film_id)
                    .where(StoredFilm.source == found.source)
                )
                if all(frames.get(at, sha256) == sha256 for at, sha256 in there):
                    return found
                number += 1
                found = replace(origin, source=f"{origin.source} ({number})")

    def add(self, origin: Origin, name: str, suffix: str, content: bytes, size: tuple[int, int], at: float) -> Arrival:
        """Take in a frame, and its film with the first one; -> what became of it.

        A photo that the project has already becomes a frame too and stays what it is otherwise; of equal frames of one
        film the first one is kept. `size` is (width, height). Raises PhotoError where there is no room.
        """
        with arriving(self._database, self._folder, self._allowance) as (session, arrivals):
            photo, new = Intake(session, arrivals, dry_run=False).add_photo(name, suffix, content, size)
            film = _film(session, origin)
            there = session.get(Frame, (photo.id, film.id))
            if there is not None:
                return "known" if there.at == at else "equal"
            session.add(Frame(photo_id=photo.id, film_id=film.id, at=at, sure=sureness.known(session, photo.id)))
        return "new" if new else "shared"

    def carry(self, photo: int | str, index: np.ndarray, regions: Sequence[Region], sure: float) -> EditResult | None:
        """Write labels carried to a frame, as `Project.put_model_labels` writes a model's; a person's pixels stay.

        `sure` is how sure they are over the whole photo, 0..1; it is taken back with them. None, and nothing is
        written, where the photo is done or skipped by now.
        """
        with self._database.writing(one_photo=True) as session:
            labels = Labels(session, photos.find(session, photo, lock=True))
            if labels.photo.state in CLOSED:
                return None
            if session.scalar(select(Frame.film_id).where(Frame.photo_id == labels.photo.id).limit(1)) is None:
                raise ProjectError(f"{labels.photo.name} is no frame of a film.")
            return gestures.put_model_labels(labels, index, regions, CARRIED, None, sure=sure)


def _film(session: Session, origin: Origin) -> StoredFilm:
    """The film that comes from there, made where it is new; films of one name are told apart by a number."""
    known = session.scalar(select(StoredFilm).where(StoredFilm.source == origin.source))
    if known is not None:
        return known
    names = set(session.scalars(select(StoredFilm.name)))
    name, number = origin.name, 2
    while name in names:
        name, number = f"{origin.name} ({number})", number + 1
    film = StoredFilm(name=name, source=origin.source, timed=origin.timed)
    session.add(film)
    session.flush()
    return film


def _pixels(session: Session, film_id: int, which: object) -> dict[int, int]:
    """Pixels of each frame that `which` holds of, where there are any."""
    query = (
        select(PixelCount.photo_id, func.sum(PixelCount.pixels))
        .join(Frame, Frame.photo_id == PixelCount.photo_id)
        .where(Frame.film_id == film_id, which)  # type: ignore[arg-type]
        .group_by(PixelCount.photo_id)
    )
    return {photo_id: int(pixels) for photo_id, pixels in session.execute(query)}
