"""How many pieces the tables of an MP4 or MOV name, counted before FFmpeg makes room for each of them.

A few bytes may claim any number. FFmpeg takes about 40 bytes for each as soon as it opens the file; other containers
list every piece in bytes of their own.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

BEGIN = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp", b"udta", b"sidx", b"moof")
"""What the first box of such a file may be."""

MOST = 2**23
"""Pieces that a file may name: three days at 30 frames a second, or eight hours of uncompressed sound."""

SOUND = 160
"""Samples of uncompressed sound that FFmpeg takes as one piece, at least."""


def is_boxes(path: Path) -> bool:
    """Whether a file is an MP4 or MOV, by how it begins."""
    with path.open("rb") as file:
        return file.read(8)[4:] in BEGIN


def pieces(path: Path) -> int:
    """How many pieces the tables of such a file name; more than MOST where they are packed, so that nobody knows.

    Tables are found by their names wherever they lie, but for the pictures and sounds themselves.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        named = 0
        for kind, start, inside, end in _boxes(data, 0, len(data)):
            if kind == b"mdat":
                continue
            if data.find(b"cmov", start, end) >= 0:
                return MOST + 1
            for part in _boxes(data, inside, end) if kind == b"moov" else [Box(kind, start, inside, end)]:
                named += _sound(data, part) or _named(data, part.start, part.end)
    return named


class Box(NamedTuple):
    """A box of a file: where it starts, where what it holds does, where it ends."""

    kind: bytes
    start: int
    inside: int
    end: int


def _boxes(data: mmap.mmap, start: int, end: int) -> Iterator[Box]:
    """The boxes from one place to another; the rest, where it is none, as one of no kind."""
    while start + 8 <= end:
        length, kind, head = _number(data, start), data[start + 4 : start + 8], 8
        if length == 1:
            length, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        if length == 0:
            length = end - start
        if length < head:
            kind, length, head = b"", end - start, 0
        yield Box(kind, start, start + head, min(start + length, end))
        start += length


def _named(data: mmap.mmap, start: int, end: int) -> int:
    """The pieces that tables inside these bytes name: each may name all of them."""
    sizes = sum(_number(data, at + 12) for name in (b"stsz", b"stz2") for at in _tables(data, name, start, end))
    runs = sum(_number(data, at + 8) for at in _tables(data, b"trun", start, end))
    times = [
        int(_columns(data, at, 2, end)[:, 0].sum())
        for name in (b"stts", b"ctts")
        for at in _tables(data, name, start, end)
    ]
    return max([sizes, *times]) + runs


def _sound(data: mmap.mmap, track: Box) -> int:
    """The pieces of a track of uncompressed sound, whose every sample counts as one; 0 for any other."""
    start, end = track.start, track.end
    media = [box for box in _boxes(data, track.inside, end) if box.kind == b"mdia"]
    handlers = [box.inside for one in media for box in _boxes(data, one.inside, one.end) if box.kind == b"hdlr"]
    if len(handlers) != 1 or data[handlers[0] + 8 : handlers[0] + 12] != b"soun":
        return 0
    if any(data.find(other, start, end) >= 0 for other in (b"vide", b"subp", b"clcp", b"trun")):
        return 0
    times = _tables(data, b"stts", start, end)
    if len(times) != 1 or _columns(data, times[0], 2, end)[:, 1].tolist() != [1]:
        return 0
    chunks = sum(_number(data, at + 8) for name in (b"stco", b"co64") for at in _tables(data, name, start, end))
    largest = [int(_columns(data, at, 3, end)[:, 1].max(initial=0)) for at in _tables(data, b"stsc", start, end)]
    return chunks * (max(largest, default=0) // SOUND + 1)


def _tables(data: mmap.mmap, name: bytes, start: int, end: int) -> list[int]:
    """Where tables of this name lie: the place of the name."""
    found, at = [], data.find(name, start, end)
    while at >= 0:
        found.append(at)
        at = data.find(name, at + 4, end)
    return found


def _columns(data: mmap.mmap, at: int, width: int, end: int) -> np.ndarray:
    """The numbers of a table, as far as there are bytes for them."""
    count = min(_number(data, at + 8), max(end - at - 12, 0) // (4 * width))
    return np.frombuffer(data[at + 12 : at + 12 + 4 * width * count], ">u4").reshape(-1, width).astype(np.int64)


def _number(data: mmap.mmap, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
