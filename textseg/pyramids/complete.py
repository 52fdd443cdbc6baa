"""Whether a file holds all that it names: what is cut short is told before the work begins, not in the midst of it.

No pixel is decoded: the tables of a TIFF say where each piece lies, and those of JPEG 2000 how long each part is.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from textseg import images
from textseg.errors import PhotoError

JPEG_2000 = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
"""How a file of it begins: boxed, or the bare code stream."""

MAX_HOLLOW = 10**9
"""Pixels from which on a file must hold something of them."""

PIXELS_A_BYTE = 10_000
"""Most that is believed of such a file: ten times what deflate makes of a photo that is black all over."""

MAX_LEVELS = 64
"""Pages of a TIFF that are looked at: a photo has a dozen levels, and a small file may name a million of them."""

CODE_STREAM, TILE_PART, END = b"\xff\x4f", b"\xff\x90", b"\xff\xd9"
"""Markers of JPEG 2000: a code stream begins, one part of its tiles begins, it ends."""


def check(path: Path, name: str) -> None:
    """Raise PhotoError, in a sentence that begins with `name`, for a file that ends before what it says it holds.

    A file that is not understood is left to who reads it.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start.startswith(images.TIFF):
            missing, pieces = _missing_pieces(path, name, size)
            if missing:
                raise PhotoError(
                    f"{name} is cut short: {missing:,} of its {pieces:,} pieces lie beyond its end; copy it again."
                )
        elif start.startswith(JPEG_2000) and _ends_early(file, size):
            raise PhotoError(f"{name} is cut short: its last parts lie beyond its end; copy it again.")


def check_filled(path: Path, name: str, width: int, height: int) -> None:
    """Raise PhotoError for a small file with a header of endless pixels: all of them would be looked at."""
    size = path.stat().st_size
    if width * height > max(MAX_HOLLOW, PIXELS_A_BYTE * size):
        raise PhotoError(
            f"{name} says that it has {width} x {height} pixels, and its {size:,} bytes hold next to none."
        )


def _missing_pieces(path: Path, name: str, size: int) -> tuple[int, int]:
    """(how many tiles or strips of a TIFF and its smaller levels do not lie within the file, how many there are)."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it finds odd is one sentence here
    missing = pieces = 0
    try:
        with tifffile.TiffFile(path) as file:
            check_filled(path, name, file.pages.first.imagewidth, file.pages.first.imagelength)
            for page in _levels(file):
                ends = np.array(page.dataoffsets, np.int64) + np.array(page.databytecounts, np.int64)
                if not page.is_tiled and page.compression == 1:
                    ends = ends[:-1]  # some programs count the rows that a last strip lacks
                missing += int((ends > size).sum())
                pieces += len(ends)
    except PhotoError:
        raise
    except Exception:  # whatever a torn header holds; who reads it will say what is wrong
        return missing, pieces
    return missing, pieces


def _levels(file: Any) -> Iterator[Any]:
    """The pages of a TIFF that are one picture at its several sizes."""
    first = file.pages.first
    yield first
    yield from islice(first.pages or (), MAX_LEVELS)
    yield from (page for page in islice(file.pages, 1, MAX_LEVELS) if page.is_reduced)


def _ends_early(file: BinaryIO, size: int) -> bool:
    """Whether a JPEG 2000 lacks bytes that its boxes or tile parts say are there."""
    at = 0
    try:
        while at < size:
            file.seek(at)
            head = file.read(16)
            if head[:2] == CODE_STREAM:
                return _parts_end_early(file, at, size)
            length, kind = struct.unpack(">I4s", head[:8])
            begins = at + (16 if length == 1 else 8)
            end = struct.unpack(">Q", head[8:])[0] if length == 1 else length
            end = size if length == 0 else at + end
            if kind == b"jp2c":
                return end > size or _parts_end_early(file, begins, end)
            if end <= at:
                return False
            at = end
    except struct.error:
        return True
    return at > size


def _parts_end_early(file: BinaryIO, at: int, end: int) -> bool:
    """The same of a code stream from `at` to `end`: a header of marked segments, then parts that say their length."""
    at += 2
    while True:
        file.seek(at)
        head = file.read(10)
        if head[:2] == END or (head and head[0] != 0xFF):  # the latter is no marker: not understood
            return False
        if head[:2] != TILE_PART:
            at += 2 + struct.unpack(">H", head[2:4])[0]
            continue
        length = struct.unpack(">I", head[6:10])[0]
        if length == 0:  # up to the end, of which nothing more is known
            return False
        at += length
        if at >= end:  # some programs leave the last marker out
            return at > end
