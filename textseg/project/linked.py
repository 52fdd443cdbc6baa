"""The files of huge photos, each a second name of somebody's own file: whether it is still what was taken in.

A note in the cache holds the size and the time of change that a file had when its hash was taken, and whether it was
right. While both stay nothing is read; else, or where the note is gone, the hash is taken anew.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from textseg import pyramids
from textseg.errors import PhotoError
from textseg.files import link_or_copy, write_atomically
from textseg.project.database import Database
from textseg.project.originals import path_of
from textseg.project.schema import StoredPhoto
from textseg.pyramids import sha256_of

Stamp = tuple[int, int]
"""(bytes, time of change in nanoseconds)."""

_RIGHT, _CHANGED = "right", "changed"


def stamp_of(path: Path) -> Stamp:
    """What tells whether a file may have changed; raises OSError."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def same(one: Path, other: Path) -> bool:
    """Whether both are names of one file; of what is gone they are not."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def stamp_of_kept(kept: Path, file: Path, before: Stamp) -> Stamp:
    """The stamp at which a kept file surely has the hash that was taken of `file` after that had the stamp `before`.

    A link has that stamp, whatever became of the file since; a copy has its own, if the file stayed as it was.
    """
    if same(kept, file):
        return before
    return stamp_of(kept) if stamp_of(file) == before else (0, 0)


def check(folder: Path, photo: StoredPhoto) -> None:
    """Raise PhotoError, in one sentence, where the file of a huge photo is gone, or not the one that was taken in."""
    path = path_of(folder, photo)
    try:
        stamp = stamp_of(path)
        right = _noted(folder, photo, stamp)
        if right is None:
            right = sha256_of(path) == photo.sha256
            remember(folder, photo, stamp, right)
    except FileNotFoundError:
        raise PhotoError(gone(photo)) from None
    except OSError as error:
        raise PhotoError(f"{photo.name} cannot be read from the project's folder ({error.strerror}).") from None
    if not right:
        raise PhotoError(
            f"{photo.name} was changed since it was added, and a project links the file itself: bring it back as it "
            "was, or take it as it is now (textseg project check --take, or the Data page). Its labels are kept."
        )


def gone(photo: StoredPhoto) -> str:
    """What is to be said of a photo whose file is not there."""
    return (
        f"{photo.name} does not exist in the project any more: copy its file to photos/{photo.sha256}{photo.suffix} "
        "there. Its labels are kept."
    )


def take(database: Database, folder: Path, photo: StoredPhoto) -> None:
    """Take the file of a huge photo as it is now: its labels stay, what was made of the pixels before is made anew.

    Raises PhotoError where it cannot be read, has another size, or is another photo of the project by now.
    """
    old = path_of(folder, photo)
    with pyramids.open(old, name=photo.name) as pyramid:
        stamp, sha256, size = stamp_of(old), pyramid.sha256, pyramid.size
    if sha256 == photo.sha256:
        return remember(folder, photo, stamp)
    if size != (photo.width, photo.height):
        raise PhotoError(
            f"{photo.name} has {size[0]} x {size[1]} pixels now and its labels {photo.width} x {photo.height}: add a "
            "copy of it as another photo."
        )
    with database.writing() as session:
        row = session.get_one(StoredPhoto, photo.id)
        known = session.scalar(select(StoredPhoto).where(StoredPhoto.sha256 == sha256))
        if known is not None:
            raise PhotoError(f"{photo.name} is in the project already as it is now, as photo {known.id}.")
        new = old.with_name(f"{sha256}{photo.suffix}")
        link_or_copy(old, new)
        row.sha256 = sha256
        remember(folder, row, stamp_of_kept(new, old, stamp))
    old.unlink()


def remember(folder: Path, photo: StoredPhoto, stamp: Stamp, right: bool = True) -> None:
    """Note whether the file of a photo has the right hash while it has this stamp."""
    note = _note(folder, photo)
    with suppress(OSError):  # a full or read-only disk costs the time of another hash
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(note, f"{stamp[0]} {stamp[1]} {_RIGHT if right else _CHANGED}\n".encode())


def _noted(folder: Path, photo: StoredPhoto, stamp: Stamp) -> bool | None:
    """Whether the hash was right when the file had this stamp; None where that is not known."""
    try:
        size, time, hash_was = _note(folder, photo).read_text("ascii").split()
        return hash_was == _RIGHT if (int(size), int(time)) == stamp else None
    except (OSError, ValueError):
        return None


def _note(folder: Path, photo: StoredPhoto) -> Path:
    return folder / "cache" / "pyramids" / f"{photo.sha256}.seen"
