"""The files of a project's photos: written once, never changed, and there exactly when their rows are."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from textseg.files import link_or_copy, write_atomically
from textseg.project.allowance import Allowance
from textseg.project.database import Database
from textseg.project.schema import StoredPhoto


def path_of(folder: Path, photo: StoredPhoto) -> Path:
    """Where the file of a photo lies in the project's folder."""
    return folder / "photos" / f"{photo.sha256}{photo.suffix}"


class Arrivals:
    """The photo files that one transaction brings; a note beside them says which, until the transaction has ended."""

    def __init__(self, folder: Path, check: Callable[[StoredPhoto], None] = lambda photo: None) -> None:
        """`check` raises PhotoError where there is no room for a photo whose row is new."""
        self.check = check
        self._photos, self._note = folder / "photos", folder / f".{secrets.token_hex(8)}.arriving"
        self._written: list[Path] = []

    def put(self, photo: StoredPhoto, content: bytes) -> None:
        """Write the file of a photo whose row is new in this transaction; raises PhotoError where there is no room."""
        write_atomically(self._noted(photo), content, mode=0o600)

    def link(self, photo: StoredPhoto, file: Path) -> None:
        """As `put`, for a file too large to be held: a second name of it, or where that cannot be a copy in pieces."""
        link_or_copy(file, self._noted(photo))

    def _noted(self, photo: StoredPhoto) -> Path:
        """Where the file of a new photo is to lie; raises PhotoError where there is no room."""
        self.check(photo)
        path = self._photos / f"{photo.sha256}{photo.suffix}"
        with self._note.open("a", encoding="utf-8") as note:
            note.write(f"{path.name}\n")
        self._written.append(path)
        return path

    def stay(self) -> None:
        """The rows are on disk."""
        self._note.unlink(missing_ok=True)

    def take_back(self) -> None:
        """The rows will never be."""
        while self._written:
            self._written.pop().unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


@contextmanager
def arriving(
    database: Database, folder: Path, allowance: Allowance | None = None
) -> Iterator[tuple[Session, Arrivals]]:
    """A transaction that brings rows and files of photos: on leaving both are on disk, after an error neither is.

    What transactions left that were killed is cleared away first. `allowance` bounds what may come.
    """
    arrivals = Arrivals(folder)
    try:
        with database.writing() as session:
            if allowance is not None:
                arrivals.check = lambda photo: allowance.check(session, photo)
            try:
                _clear(folder, session)
                yield session, arrivals
            except BaseException:
                arrivals.take_back()  # while nobody else can write
                raise
    except BaseException:
        arrivals.take_back()
        raise
    arrivals.stay()


def _clear(folder: Path, session: Session) -> None:
    """Remove files without a row, as the notes of killed transactions name them; nobody else writes at this time."""
    for note in folder.glob(".*.arriving"):
        for name in note.read_text("utf-8").split("\n")[:-1]:
            known = session.scalar(select(StoredPhoto.id).where(StoredPhoto.sha256 == name[:64]))
            for left in folder.glob(f"photos/.{name}.*.partial"):
                left.unlink(missing_ok=True)
            if known is None:
                (folder / "photos" / name).unlink(missing_ok=True)
        note.unlink(missing_ok=True)
