"""People on one project: who is on which photo, who is to do it, and what a reviewer said of it.

A photo that is done ("labelled") or reviewed is read-only for people who sign in, until it is returned. Nothing here
concerns a project on which nobody signs in.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from textseg.errors import EditError, ProjectError, StaleRevisionError
from textseg.project import opinions, photos
from textseg.project.author import at_work
from textseg.project.database import Database
from textseg.project.labels import Labels
from textseg.project.log import EditResult
from textseg.project.schema import Presence, Review, StoredPhoto, moment, naive, now

HOLD = timedelta(seconds=60)
"""How long a person is on a photo after the page last said so; it says so every third of that."""

MOST_NOTE = 2000
AT_A_TIME = 500
"""Photos that one question names."""


@dataclass(frozen=True)
class Standing:
    """How a photo stands in the team; both None: nobody is to do it, and nobody has looked it over."""

    assignee: str | None
    review: str | None
    """"reviewed" or "returned"."""


class Team:
    """The people of one project, by name. Who may do what is not decided here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Who is there

    def look(self, key: int | str, who: str, left: int | None = None) -> list[dict[str, str]]:
        """Say that `who` is on a photo, and has left another one; -> the others there, the first to come first.

        Each is {"who", "since"}. Times are the database's: clocks that disagree hold nothing longer.
        """
        with self._database.writing(one_photo=True) as session:
            photo, time = photos.find(session, key, lock=True), clock(session)
            if left is not None and left != photo.id:
                session.execute(delete(Presence).where(Presence.who == who, Presence.photo_id == left))
            mine = session.get(Presence, (photo.id, who))
            if mine is None:
                session.add(Presence(photo_id=photo.id, who=who, since=time, until=time + HOLD))
            else:
                if mine.until <= time:
                    mine.since = time
                mine.until = time + HOLD
            there = _there(session).where(Presence.photo_id == photo.id, Presence.who != who)
            return [{"who": row.who, "since": moment(row.since)} for row in session.scalars(there)]

    def leave(self, who: str) -> None:
        """Say that `who` is on no photo."""
        with self._database.writing(one_photo=True) as session:
            session.execute(delete(Presence).where(Presence.who == who))

    def present(self) -> dict[int, list[str]]:
        """Who is on which photo, by photo id, who came first first."""
        found: dict[int, list[str]] = {}
        with self._database.reading() as session:
            for row in session.scalars(_there(session)):
                found.setdefault(row.photo_id, []).append(row.who)
        return found

    # Who is to do it, and how good it is

    def standing(self) -> dict[int, Standing]:
        """How photos stand, by id, those of which there is something to say."""
        query = select(StoredPhoto.id, StoredPhoto.assignee, StoredPhoto.review).where(
            StoredPhoto.assignee.is_not(None) | StoredPhoto.review.is_not(None)
        )
        with self._database.reading() as session:
            return {row.id: Standing(row.assignee, row.review) for row in session.execute(query)}

    def assign(self, ids: Collection[int], whom: str | None) -> None:
        """Give photos to `whom`, all or none of them; None takes them from whoever has them."""
        wanted = sorted(set(ids))
        with self._database.writing() as session:
            for first in range(0, len(wanted), AT_A_TIME):
                some = wanted[first : first + AT_A_TIME]
                rows = list(session.scalars(select(StoredPhoto).where(StoredPhoto.id.in_(some))))
                if missing := set(some) - {photo.id for photo in rows}:
                    raise ProjectError(f"There is no photo '{min(missing)}' in the project.")
                for photo in rows:
                    if photo.assignee != whom:
                        photo.assignee = whom
                        _note(session, photo, "assigned", whom=whom)

    def free(self, who: str) -> int:
        """Take everything from a person who is not in the team any more; -> how many photos had been given to them."""
        with self._database.writing() as session:
            session.execute(delete(Presence).where(Presence.who == who))
            rows = list(session.scalars(select(StoredPhoto).where(StoredPhoto.assignee == who)))
            for photo in rows:
                photo.assignee = None
                _note(session, photo, "freed", whom=who)
            return len(rows)

    def labelled(self, key: int | str) -> None:
        """Call a photo done; what it shows is kept as the opinion of whoever did it."""
        with self._database.writing(one_photo=True) as session:
            photo = photos.find(session, key, lock=True)
            if photo.review == "reviewed":
                raise EditError(f"{photo.name} is reviewed already; a reviewer can return it.")
            _check_own(session, photo)
            photo.state, photo.review = "done", None
            if not photos.is_large(photo):  # of such a label map no second one is kept
                opinions.keep(session, photo, _who())
            _note(session, photo, "labelled")

    def take_back(self, key: int | str, state: str) -> None:
        """Go on with a photo that one called done oneself, before it is reviewed; or put it into another state."""
        with self._database.writing(one_photo=True) as session:
            photo = photos.find(session, key, lock=True)
            if photo.review == "reviewed":
                raise EditError(f"{photo.name} is reviewed and read-only; a reviewer can return it.")
            _check_own(session, photo)
            if photo.state != state:
                photo.state = state
                _note(session, photo, "taken back" if state == "in work" else state)

    def review(self, key: int | str, verdict: str, note: str = "", seen: int | None = None) -> None:
        """Say that a photo is as it should be ("reviewed"), or return it with a note to whoever did it ("returned").

        Raises StaleRevisionError where the photo was changed since the revision that was `seen`.
        """
        with self._database.writing(one_photo=True) as session:
            photo = photos.find(session, key, lock=True)
            if seen is not None and seen != photo.revision:
                raise StaleRevisionError(f"{photo.name} was changed since you looked at it; look once more.")
            if photo.state != "done":
                raise EditError(f"{photo.name} is not done yet; only what is done can be reviewed or returned.")
            if verdict == "reviewed":
                photo.review = "reviewed"
            elif verdict == "returned":
                if not note.strip():
                    raise EditError("Say in a few words what is to be done, so that it can be.")
                photo.state, photo.review = "in work", "returned"
                photo.assignee = photo.assignee or _last(session, photo, "labelled")
            else:
                raise ProjectError(f"A photo is reviewed or returned, not '{verdict}'.")
            _note(session, photo, verdict, note.strip()[:MOST_NOTE])

    def trail(self, key: int | str) -> list[dict[str, Any]]:
        """What was said of a photo, oldest first: who, what, whom, note, revision, time."""
        with self._database.reading() as session:
            photo = photos.find(session, key)
            rows = session.scalars(select(Review).where(Review.photo_id == photo.id).order_by(Review.id))
            return [
                {
                    "who": row.who, "what": row.what, "whom": row.whom, "note": row.note, "revision": row.revision,
                    "time": moment(row.created),
                }
                for row in rows
            ]  # fmt: skip

    # Two people on one photo

    def second(self, key: int | str, whom: str) -> EditResult:
        """Have `whom` label a photo from nothing that somebody has done: both opinions are kept, to be compared."""
        with self._database.writing(one_photo=True) as session:
            photo = photos.find(session, key, lock=True)
            first = opinions.authors(session, photo)
            if photo.state != "done" or not first:
                raise EditError(f"{photo.name} is not done yet; a second opinion is asked for when the first is there.")
            if whom in first:
                raise EditError(f"{whom} has labelled {photo.name} already; ask somebody else.")
            result = opinions.clear(Labels(session, photo))
            photo.undo_top = photo.redo_top = None  # undo would show what was done
            photo.state, photo.review, photo.assignee = "in work", None, whom
            _note(session, photo, "second", whom=whom)
            return result

    def agreement(self, key: int | str) -> opinions.Agreement:
        """How far the two newest opinions of a photo agree; raises EditError while there are not two."""
        with self._database.reading() as session:
            return opinions.compare(Labels(session, photos.find(session, key)))

    def adjudicate(self, key: int | str, choice: str) -> EditResult:
        """Take one person's opinion as the photo's label map, or with "agreed" what both say; one step of undo.

        The rest is unlabelled then, and the photo is in work for whoever decides.
        """
        with self._database.writing(one_photo=True) as session:
            photo = photos.find(session, key, lock=True)
            photo.state, photo.review, photo.assignee = "in work", None, _who()
            result = opinions.choose(Labels(session, photo), choice)
            _note(session, photo, "adjudicated", whom=choice)
            return result


def check_open(photo: StoredPhoto) -> None:
    """Raise EditError where a person who signed in may not change a photo because it is finished."""
    if at_work() is None or photo.state != "done":
        return
    said = "reviewed" if photo.review == "reviewed" else "done"
    raise EditError(f"{photo.name} is {said} and read-only; a reviewer can return it.")


def _check_own(session: Session, photo: StoredPhoto) -> None:
    """Raise EditError for a photo that somebody else called done."""
    if photo.state == "done" and (by := _last(session, photo, "labelled")) not in (None, _who()):
        raise EditError(f"{photo.name} was called done by {by}; a reviewer can return it.")


def clock(session: Session) -> datetime:
    """The time of the database's server, in UTC; of this machine, where the database is a file of it."""
    if session.get_bind().dialect.name == "postgresql":
        return session.scalar(select(func.timezone("UTC", func.clock_timestamp())))  # type: ignore[return-value]
    return naive(now())


def _there(session: Session) -> Any:
    return select(Presence).where(Presence.until > clock(session)).order_by(Presence.since, Presence.who)


def _who() -> str:
    return at_work() or ""


def _note(session: Session, photo: StoredPhoto, what: str, note: str = "", whom: str | None = None) -> None:
    session.add(Review(photo_id=photo.id, who=_who(), what=what, whom=whom, note=note, revision=photo.revision))


def _last(session: Session, photo: StoredPhoto, what: str) -> str | None:
    """Who said this of a photo last."""
    query = select(Review.who).where(Review.photo_id == photo.id, Review.what == what).order_by(Review.id.desc())
    return session.scalar(query.limit(1))
