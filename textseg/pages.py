"""Files that hold more than one picture: pages of a TIFF, each a photo of its own, and frames of an animation."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from textseg import images, tones
from textseg.errors import PhotoError

MAX_PAGES = 10_000
REDUCED, SUBFILE = 1, 254
"""Bit of a TIFF's NewSubfileType: the page is a smaller copy of another one."""
TAKEN_ALONE = ("MPO",)
"""Formats whose further pictures are previews of the first, which nobody misses."""


def count(source: Path | bytes) -> tuple[int, bool]:
    """(how many pictures a file holds, whether they are pages, which are photos of their own); raises PhotoError.

    A file that Pillow cannot read counts as one picture: opening it will say what it is.
    """
    try:
        with images.stored(source) as photo:
            if photo.format == "TIFF":
                return sum(1 for _ in _pages(photo)), True
            return (1 if photo.format in TAKEN_ALONE else getattr(photo, "n_frames", 1)), False
    except PhotoError:
        return 1, False


def _pages(photo: Image.Image) -> Iterator[int]:
    """The frames that are pages, the photo set to each in turn."""
    for frame in range(MAX_PAGES):
        try:
            photo.seek(frame)
        except EOFError:
            return
        kind = photo.tag_v2.get(SUBFILE, 0)  # type: ignore[attr-defined]
        if not (isinstance(kind, int) and kind & REDUCED):
            yield frame


def page(source: Path | bytes, number: int) -> bytes:
    """A TIFF of one page of a TIFF, counted from 0, with the values as they are; raises PhotoError."""
    with images.stored(source) as photo:
        next(frame for k, frame in enumerate(_pages(photo)) if k == number)
        lower = tones.wide(photo)
        photo.load()
        buffer = io.BytesIO()
        if lower is None:
            photo.save(buffer, "TIFF", compression="tiff_deflate" if photo.mode not in ("F", "I") else None)
            return buffer.getvalue()
        frame = photo.tell()
        with images.stored(source) as again:
            again.seek(frame)
            tones.lower_bytes(again, lower)
            again.load()
            values = np.asarray(photo).astype(np.uint16) << 8 | np.asarray(again)
    import tifffile

    tifffile.imwrite(buffer, values, photometric="rgb", extrasamples=("unassalpha",) if values.shape[2] == 4 else None)
    return buffer.getvalue()
