"""Photos of files and folders: which there are, what each is called, and what else lay beside them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from textseg import images, pages, pyramids
from textseg.errors import PhotoError
from textseg.tones import Span

SUFFIXES = images.SUFFIXES | pyramids.SUFFIXES
"""File endings taken as photos when a folder is read."""

_LEFT_BY_SYSTEMS = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir"})


@dataclass(frozen=True)
class Found:
    """A photo on disk and what it is called: its file name, after the folders that lead to it."""

    path: Path
    name: str
    page: int | None = None
    """Which page of a TIFF of several it is, from 0; None: the file holds this one photo."""

    def __str__(self) -> str:
        return str(self.path) if self.page is None else f"{self.path} page {self.page + 1}"

    def content(self) -> bytes:
        """The file of the photo, or a TIFF of its page alone; raises PhotoError and OSError."""
        if self.page is None:
            return self.path.read_bytes()
        return pages.page(self.path, self.page)

    def read(self) -> tuple[bytes, tuple[int, int]]:
        """(content, size upright), both of one reading: the file may be replaced meanwhile. Decoded, so it is whole.

        Raises PhotoError and OSError.
        """
        name = Path(self.name).name
        if self.page is None:
            # What is no photo by its header is not read whole.
            with suppress(images.OtherPixelsError), images.stored(self.path, name):
                pass
        content = self.content()
        return content, images.open(content, None, name).size

    def open(self, span: Span | None = None) -> Image.Image:
        """The photo as `images.open` gives it; raises PhotoError."""
        return images.open(self.path if self.page is None else self.content(), span, Path(self.name).name)


@dataclass
class Gathered:
    photos: list[Found] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    """Files that are no photos, by their ending."""


def gather(paths: Iterable[str | Path | Found], flat: bool = False, without: Path | None = None) -> Gathered:
    """The photos named by `paths`, in order: a file stands for itself, a folder for the photos in and below it.

    A photo of a folder is called by its path in that folder; the pages of a TIFF are photos of their own. `flat` leaves
    subfolders out. Hidden files, projects and the folder `without` are left alone, links to folders are not followed.
    """
    gathered = Gathered()
    for path in paths:
        if isinstance(path, Found):
            gathered.photos.append(path)
        elif (place := Path(path)).is_dir():
            _walk(place, flat, without.resolve() if without is not None else None, gathered)
        else:
            gathered.photos += _paged(Found(place, place.name))
    return gathered


def _paged(found: Found) -> list[Found]:
    """A photo, or the pages of a TIFF that has several, each with its number behind its name."""
    if found.path.suffix.lower() not in (".tif", ".tiff"):
        return [found]
    many, _ = pages.count(found.path)
    if many < 2:
        return [found]
    stem, suffix, digits = str(Path(found.name).with_suffix("")), Path(found.name).suffix, len(str(many))
    return [Found(found.path, f"{stem}-page-{k + 1:0{digits}}{suffix}", k) for k in range(many)]


def common_span(photos: Iterable[Found]) -> Span | None:
    """The range of the values of all 16-bit, float and signed photos; None where there are none that can be read."""
    spans = []
    for photo in photos:
        with suppress(PhotoError, OSError):
            spans.append(images.value_span(photo.path if photo.page is None else photo.content()))
    found = [span for span in spans if span is not None]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def hidden(name: str) -> bool:
    """Whether a file or folder is one that systems leave about: `.DS_Store`, `._a.jpg`, `__MACOSX`."""
    return name.startswith(".") or name in _LEFT_BY_SYSTEMS


def not_taken(others: Counter[str], failed: Iterable[str] = ()) -> str:
    """What was not taken in, as a sentence: "Not taken: 12 unreadable .heic, 3 .txt."; "" for nothing."""
    torn = Counter(_ending(name) for name in failed)
    parts = [f"{n} {ending}" for ending, n in sorted(others.items())]
    parts += [f"{n} unreadable {ending}" for ending, n in sorted(torn.items())]
    return f"Not taken: {', '.join(parts)}." if parts else ""


def _walk(root: Path, flat: bool, without: Path | None, gathered: Gathered) -> None:
    found: list[Found] = []
    for parent, folders, files in os.walk(root):
        here = Path(parent)
        if here != root and ((here / "project.sqlite").exists() or here.resolve() == without):
            folders.clear()
            continue
        folders[:] = [] if flat else sorted(name for name in folders if not hidden(name))
        for name in files:
            path = here / name
            if hidden(name) or not path.is_file():
                continue
            if path.suffix.lower() in SUFFIXES:
                found.append(Found(path, path.relative_to(root).as_posix()))
            else:
                gathered.others[_ending(name)] += 1
    for one in sorted(found, key=lambda one: one.path):
        gathered.photos += _paged(one)


def _ending(name: str) -> str:
    return Path(name).suffix.lower()[:12] or "file without ending"
