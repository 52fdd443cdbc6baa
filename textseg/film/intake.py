"""Films on their way into a project: each frame becomes a photo, in the order of the film."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from PIL import Image

from textseg.errors import FilmError, PhotoError, UsageError
from textseg.film.numbered import Numbered, sequences
from textseg.film.video import SUFFIXES, Effort, Video, never
from textseg.project import Project
from textseg.project.films import Origin
from textseg.project.schema import clean
from textseg.wording import counted

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
    shared: int = 0
    """Frames that are photos of the project already, such as those of another film."""
    known: int = 0
    """Frames that the film has already."""
    equal: int = 0
    """Frames that equal an earlier one of the film and are left out: the film stands still."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """(frame, reason)."""
    notes: list[str] = field(default_factory=list)
    """What else is to be told: where it breaks off, which numbers are missing."""
    cancelled: bool = False

    @property
    def there(self) -> int:
        """Frames that are in the project now."""
        return len(self.added) + self.shared + self.known + self.equal

    def __str__(self) -> str:
        parts = [f"{counted(len(self.added), 'frame')} added"]
        if self.shared:
            parts.append(f"{self.shared} more {_was(self.shared)} in the project as photos")
        if self.known:
            parts.append(f"{self.known} {_was(self.known)} there already")
        if self.equal:
            parts.append(f"{self.equal} {_was(self.equal)} left out, equal to an earlier one")
        return f"{self.film}: {', '.join(parts)}."


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


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
    cancel, effort = cancel or never, effort_of(project)
    if not path.is_dir():
        return [take_video(project, path, every, progress, cancel, effort)]
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
                taken.append(take_video(project, one, every, progress, cancel, effort))
            except FilmError as error:
                taken.append(Taken(one.name, failed=[(one.name, str(error))]))
    if left:
        some = ", ".join(one.name for one in left[:3]) + (", ..." if len(left) > 3 else "")
        which = "photo without a number of its own is no frame" if len(left) == 1 else (
            "photos without a number of their own are no frames")  # fmt: skip
        taken[-1].notes.append(f"{len(left)} {which}: {some}.")
    return taken


def effort_of(project: Project) -> Effort:
    """How much may be decoded for a project at once: videos of equal frames would never fill the smallest one."""
    return Effort() if project.allowance is None else Effort(project.allowance.decoded)


def take_video(
    project: Project,
    path: Path,
    every: float,
    progress: Tell | None = None,
    cancel: Callable[[], bool] = never,
    effort: Effort | None = None,
) -> Taken:
    """Take in one video, with what is left of `effort`; raises FilmError where it is none."""
    video = Video(path)
    origin = Origin(clean(path.stem), video.source, timed=True)
    taken = Taken(origin.name)
    frames = int(video.seconds / every) + 1 if video.seconds else 0
    for count, frame in enumerate(video.frames(every, cancel, effort or effort_of(project))):
        if progress is not None:
            progress(count, max(frames, count + 1))
        name = f"{origin.name}-{frame.number:06d}.jpg"
        if not _put(project, origin, name, _jpeg(frame.picture), frame.picture.size, frame.at, taken):
            break
    taken.cancelled = video.cancelled
    if video.given_up is not None:
        taken.notes.append(
            f"{path.name} is taken up to {video.given_up:.1f} s: more is not decoded for a project of bounded size; "
            "cut it shorter, or label it on your own computer."
        )
    if video.broke is not None:
        whole = f" of {video.seconds:.1f} s" if video.seconds else ""
        taken.notes.append(f"{path.name} breaks off at {video.broke:.1f} s{whole}; what comes before is taken.")
    if video.lost:
        taken.notes.append(f"{counted(video.lost, 'damaged piece')} of {path.name} could not be decoded.")
    return taken


def take_numbered(
    project: Project, film: Numbered, progress: Tell | None = None, cancel: Callable[[], bool] = never
) -> Taken:
    """Take in the frames that a folder numbers."""
    origin = project.films.without_others(Origin(clean(film.name), film.source, timed=False), film.hashes())
    taken = Taken(origin.name)
    for count, (number, found) in enumerate(film.frames):
        if cancel():
            taken.cancelled = True
            return taken
        if progress is not None:
            progress(count, len(film.frames))
        try:
            content, size = found.read()
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
        arrival = project.films.add(origin, name, PurePosixPath(name).suffix.lower(), content, size, at)
    except PhotoError as error:
        taken.failed.append((name, str(error)))
        return False
    if arrival == "new":
        taken.added.append(name)
    elif arrival == "shared":
        taken.shared += 1
    elif arrival == "known":
        taken.known += 1
    else:
        taken.equal += 1
    return True


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()
