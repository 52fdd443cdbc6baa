"""Films on their way into a project: each frame becomes a photo, in the order of the film."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from PIL import Image

from textseg.errors import FilmError, PhotoError, UsageError
from textseg.film.numbered import Numbered, sequences
from textseg.film.video import SUFFIXES, Video
from textseg.project import Project
from textseg.project.films import Origin
from textseg.project.schema import clean

EVERY = 0.5
"""Seconds between two frames, where nobody says."""

QUALITY = 95
"""Of the JPEG that a frame of a video is kept as, with colours as fine as brightness."""

_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "min": 60.0}


@dataclass
class Taken:
    """What became of one film."""

    film: str
    added: list[str] = field(default_factory=list)
    """Names of the frames that are new, in their order."""
    known: int = 0
    """Frames that the project has already, or that equal an earlier one of the film: the film stands still."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """(frame, reason)."""
    notes: list[str] = field(default_factory=list)
    """What else is to be told: where it breaks off, which numbers are missing."""
    cancelled: bool = False


Tell = Callable[[int, int], None]


def seconds(text: str) -> float:
    """`0.5s`, `500ms`, `2`, `1min` in seconds; raises UsageError."""
    number = text.strip().rstrip("msin ")
    try:
        value = float(number) * _UNITS[text.strip()[len(number) :].strip()]
    except (ValueError, KeyError):
        value = 0.0
    if not 1e-3 <= value < 1e6:
        raise UsageError(f"'{text}' is no time between two frames; write 0.5s, 500ms or 1min.")
    return value


def is_video(path: Path) -> bool:
    """Whether a file is taken as a video, by its name."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def take(
    project: Project,
    path: Path,
    every: float = EVERY,
    progress: Tell | None = None,
    cancel: Callable[[], bool] | None = None,
) -> list[Taken]:
    """Take in a video, a frame each `every` seconds, or the films of a folder: its videos and what it numbers.

    Each frame is in the project when it is done; one that was there before stays what it is, so a film that is taken
    in again at a shorter time gets the frames between. Raises FilmError where there is no film.
    """
    cancel = cancel or never
    if not path.is_dir():
        return [take_video(project, path, every, progress, cancel)]
    films, left = sequences(path)
    videos = sorted(one for one in path.rglob("*") if one.is_file() and is_video(one))
    if not films and not videos:
        raise FilmError(f"{path} holds no film: neither a video nor photos numbered like frame-0001.jpg.")
    taken = []
    for film in films:
        if not cancel():
            taken.append(take_numbered(project, film, progress, cancel))
    for one in videos:
        if not cancel():
            try:
                taken.append(take_video(project, one, every, progress, cancel))
            except FilmError as error:
                taken.append(Taken(one.name, failed=[(one.name, str(error))]))
    if left:
        some = ", ".join(one.name for one in left[:3]) + (", ..." if len(left) > 3 else "")
        taken[-1].notes.append(f"{len(left)} photos without a number of their own are no frames: {some}.")
    return taken


def never() -> bool:
    """Nobody stops it."""
    return False


def take_video(
    project: Project,
    path: Path,
    every: float,
    progress: Tell | None = None,
    cancel: Callable[[], bool] = never,
) -> Taken:
    """Take in one video; raises FilmError where it is none."""
    video = Video(path)
    origin = Origin(clean(path.stem), video.source, timed=True)
    taken = Taken(origin.name)
    frames = int(video.seconds / every) + 1 if video.seconds else 0
    for count, frame in enumerate(video.frames(every)):
        if cancel():
            taken.cancelled = True
            return taken
        if progress is not None:
            progress(count, max(frames, count + 1))
        name = f"{origin.name}-{frame.number:06d}.jpg"
        if not _put(project, origin, name, _jpeg(frame.picture), frame.picture.size, frame.at, taken):
            break
    if video.broke is not None:
        whole = f" of {video.seconds:.1f} s" if video.seconds else ""
        taken.notes.append(f"{path.name} breaks off at {video.broke:.1f} s{whole}; what comes before is taken.")
    if video.lost:
        taken.notes.append(f"{video.lost} damaged pieces of {path.name} could not be decoded and are left out.")
    return taken


def take_numbered(
    project: Project, film: Numbered, progress: Tell | None = None, cancel: Callable[[], bool] = never
) -> Taken:
    """Take in the frames that a folder numbers."""
    origin = Origin(clean(film.name), film.source, timed=False)
    taken = Taken(origin.name)
    for count, (number, found) in enumerate(film.frames):
        if cancel():
            taken.cancelled = True
            return taken
        if progress is not None:
            progress(count, len(film.frames))
        try:
            size, content = found.open().size, found.content()
        except (PhotoError, OSError) as error:
            taken.failed.append((found.name, str(error)))
            continue
        if not _put(project, origin, found.name, content, size, float(number), taken):
            break
    if film.missing:
        gaps = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in film.missing[:5])
        more = ", ..." if len(film.missing) > 5 else ""
        taken.notes.append(f"{film.name} lacks the numbers {gaps}{more}: labels are carried over the gap.")
    return taken


def _put(
    project: Project, origin: Origin, name: str, content: bytes, size: tuple[int, int], at: float, taken: Taken
) -> bool:
    """Take in one frame; False where the project has no room for more."""
    try:
        _, new = project.films.add(origin, name, PurePosixPath(name).suffix.lower(), content, size, at)
    except PhotoError as error:
        taken.failed.append((name, str(error)))
        return False
    if new:
        taken.added.append(name)
    else:
        taken.known += 1
    return True


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
