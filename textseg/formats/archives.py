"""Zips of strangers, unpacked with suspicion: checked before the first byte is written."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from textseg.errors import DatasetError, TextsegError, brief
from textseg.folders import hidden
from textseg.formats.exporting import MANIFEST
from textseg.formats.filenames import same
from textseg.formats.source import Source

MAX_ZIP_FILES = 200_000
MAX_ZIP_BYTES = 64 * 2**30
"""A zip that unpacks to more files or bytes than this is refused before anything is unpacked."""
MAX_ZIP_RATIO = 1000
SPARE_DISK = 512 * 2**20
"""Bytes that a zip leaves free: others work on this disk too."""

PARTS = frozenset(
    {"annotations", "data", "gtFine", "images", "ImageSets", "img", "imgs", "JPEGImages", "labels", "leftImg8bit",
     "masks", "photos", "SegmentationClass", "test", "train", "training", "val", "valid", "validation", "VOCdevkit",
     "VOC2007", "VOC2008", "VOC2009", "VOC2010", "VOC2011", "VOC2012"}
)  # fmt: skip
"""Folders that mean something to a format, and are not its wrapping."""


@contextmanager
def opened(path: Path, background: str | None, strict: bool = False) -> Iterator[Source]:
    """The source at `path`; a zip is unpacked into a temporary folder first, checked before its first byte."""
    with ExitStack() as stack:
        if path.is_file() and zipfile.is_zipfile(path):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="textseg-import-")))
            unzip(path, folder)
            path = folder
        if path.is_dir():
            path = _only(path)
        yield stack.enter_context(closing(Source(path, background, strict)))


def _only(folder: Path) -> Path:
    """A folder of one folder is that folder, unless its name is a part of some format."""
    while not (folder / MANIFEST).exists():
        inner = [p for p in folder.iterdir() if not hidden(p.name)]
        if len(inner) != 1 or not inner[0].is_dir() or inner[0].is_symlink() or inner[0].name in PARTS:
            break
        folder = inner[0]
    return folder


def unzip(path: Path, folder: Path) -> list[Path]:
    """Unpack a zip into `folder`; one with a path that leads elsewhere, a link or too many bytes is refused whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.filename.endswith("/")]
            _check_zip(path, members)
            _check_room(path, members, folder)
            written = []
            for member in members:
                target = folder / member.filename.replace("\\", "/")
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file)
                written.append(target)
            return written
    except TextsegError:
        raise
    except Exception as error:  # a torn zip makes the unpackers raise anything at all
        reason = brief(str(error), 120)
        raise DatasetError(f"{path.name} is damaged, locked or no zip, and cannot be unpacked ({reason}).") from None


def _check_room(path: Path, members: list[zipfile.ZipInfo], folder: Path) -> None:
    total, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
    if total + SPARE_DISK > free:
        raise DatasetError(
            f"{path.name} would unpack to {total:,} bytes, and the disk has {free:,} left; free some space."
        )


def _check_zip(path: Path, members: list[zipfile.ZipInfo]) -> None:
    total, names = sum(member.file_size for member in members), set()
    packed = sum(member.compress_size for member in members)
    if len(members) > MAX_ZIP_FILES or total > MAX_ZIP_BYTES or total > MAX_ZIP_RATIO * max(packed, 2**20):
        raise DatasetError(f"{path.name} would unpack to {len(members):,} files and {total:,} bytes: too much.")
    for member in members:
        name = member.filename.replace("\\", "/")
        if not name or name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name:
            raise DatasetError(f"{path.name}: the entry {brief(member.filename)} leads out of the zip; it is refused.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DatasetError(f"{path.name}: the entry {brief(member.filename)} is a link; a zip holds plain files.")
        if same(name) in names:
            raise DatasetError(f"{path.name}: the entry {brief(member.filename)} is in it twice.")
        names.add(same(name))
