"""What a step of the log keeps of the pixels that it changed: one piece of the photo, or several of a large one."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from textseg.errors import ProjectError
from textseg.project.raster import Box

SEVERAL = b"pieces of a step\0"
"""Begins a blob of more than one piece; that of a single one is its compressed pixels, and the step has its box."""

HEAD = struct.Struct("<4iI")

Piece = tuple[Box, bytes]
"""A box, and its pixels packed."""


def packed(ids: np.ndarray, sources: np.ndarray) -> bytes:
    """The class ids and source ids of one box."""
    return zlib.compress(ids.astype("<u2").tobytes() + sources.astype("<u4").tobytes(), 1)


def joined(pieces: Sequence[Piece]) -> bytes:
    """One blob of the pieces of a step."""
    if len(pieces) == 1:
        return pieces[0][1]
    return SEVERAL + b"".join(HEAD.pack(*box, len(content)) + content for box, content in pieces)


def pieces(blob: bytes, box: Box) -> Iterator[tuple[Box, np.ndarray, np.ndarray]]:
    """(box, class ids, source ids) of each piece of a step in `box`; raises ProjectError when the blob is damaged."""
    if not blob.startswith(SEVERAL):
        yield box, *_unpacked(blob, box)
        return
    at = len(SEVERAL)
    while at < len(blob):
        try:
            *numbers, length = HEAD.unpack_from(blob, at)
        except struct.error:
            raise _damaged() from None
        at += HEAD.size
        part: Box = tuple(numbers)  # type: ignore[assignment]
        yield part, *_unpacked(blob[at : at + length], part)
        at += length


def _unpacked(content: bytes, box: Box) -> tuple[np.ndarray, np.ndarray]:
    shape = box[3] - box[1], box[2] - box[0]
    pixels = shape[0] * shape[1]
    try:
        raw = zlib.decompress(content)
        ids = np.frombuffer(raw, "<u2", pixels).reshape(shape)
        return ids, np.frombuffer(raw, "<u4", pixels, 2 * pixels).reshape(shape)
    except (zlib.error, ValueError):
        raise _damaged() from None


def _damaged() -> ProjectError:
    return ProjectError("This step's record is damaged in project.sqlite: it cannot be taken back.")
