"""Photos too large to be decoded whole: read by windows, at the level that a window needs.

`images.open` is the door for all other photos. What comes in here is a TIFF of tiles or short strips (BigTIFF, GeoTIFF,
cloud-optimised), JPEG 2000, or a slide of a microscope; each is 8-bit RGB when it leaves, under the rules of
`textseg.tones`. Needs the extra `textseg[large]`; a sentence says so where it is missing.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from textseg import images
from textseg.errors import PhotoError, PhotoTooLargeError
from textseg.pyramids import complete
from textseg.pyramids.smaller import FACTOR, lacks_levels, make

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in full pixels, right and bottom exclusive."""

Part = tuple[float, float, float, float]
"""As a box, with parts of pixels."""

SLIDES = frozenset({".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide", ".czi"})
"""Endings of what OpenSlide reads and nothing else does."""

OF_SEVERAL_FILES = frozenset({".mrxs", ".vms", ".vmu"})
"""Endings of slides that have further files beside them."""

SUFFIXES = SLIDES | {".jp2", ".j2k", ".jpx", ".j2c", ".jpf"}
"""File endings of photos that only this room reads, taken when a folder is read."""

MAX_READ = images.MAX_PIXELS
"""Most pixels of one answer of `Pyramid.read`."""

_BLOCK = 2**20


class Source(Protocol):
    """What a library knows of one file; not to be used by two threads at once."""

    levels: tuple[tuple[int, int], ...]
    """(width, height) of the whole photo at each level that the file holds, largest first."""

    def read(self, box: Part, size: tuple[int, int]) -> np.ndarray:
        """(h, w, 3) uint8 of a box inside the photo, brought to `size` (w, h). Raises PhotoError."""

    def close(self) -> None:
        """Let go of the file."""


class Pyramid:
    """One huge photo. Safe to use from several threads, which take turns; close it, or use it in a `with`."""

    def __init__(self, path: Path, source: Source, name: str | None = None) -> None:
        """`name` is what messages call it, by default its file's."""
        self.path, self._source, self.name = path, source, name or path.name
        self._smaller: Source | None = None
        self._lock = threading.Lock()

    @property
    def own_levels(self) -> tuple[tuple[int, int], ...]:
        """(width, height) at each level that the photo's file holds, largest first."""
        return self._source.levels

    def use(self, smaller: Source) -> None:
        """Read levels from a quarter of the side on from a file of them; see `pyramids.smaller`."""
        self._smaller = smaller

    @property
    def width(self) -> int:
        return self._source.levels[0][0]

    @property
    def height(self) -> int:
        return self._source.levels[0][1]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in full pixels."""
        return self._source.levels[0]

    @cached_property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """(width, height) at each level, largest first: those that the file holds, or halvings of it.

        Any size can be read; one that lies a little below a level costs least. Halvings end where a side is below 512.
        """
        if len(self._source.levels) > 1:
            return self._source.levels
        found, (width, height) = [self.size], self.size
        while max(width, height) > 1024:
            width, height = -(-width // 2), -(-height // 2)
            found.append((width, height))
        return tuple(found)

    @cached_property
    def sha256(self) -> str:
        """Of the file, in hexadecimal; it is read in pieces."""
        return sha256_of(self.path)

    def read(self, box: Box, size: tuple[int, int] | None = None) -> np.ndarray:
        """(h, w, 3) uint8 of what lies inside `box`, clipped to the photo; of `size` (w, h) where that is given.

        It is read from the nearest larger level and averaged down. Raises PhotoError for a box that misses the photo,
        for an answer of more than MAX_READ pixels, and where the file is torn there.
        """
        left, top = max(0, box[0]), max(0, box[1])
        right, bottom = min(self.width, box[2]), min(self.height, box[3])
        if left >= right or top >= bottom:
            raise PhotoError(f"The window {box} does not meet {self.name} of {self.width} x {self.height} pixels.")
        size = size or (right - left, bottom - top)
        if min(size) < 1 or size[0] * size[1] > MAX_READ:
            raise PhotoTooLargeError(f"A window of {size[0]} x {size[1]} pixels is not read at once; ask for less.")
        with self._lock:
            if self._smaller is not None and min((right - left) / size[0], (bottom - top) / size[1]) >= FACTOR:
                quarter = left / FACTOR, top / FACTOR, right / FACTOR, bottom / FACTOR
                return self._smaller.read(quarter, size)
            return self._source.read((left, top, right, bottom), size)

    def whole(self, long_side: int) -> Image.Image:
        """All of it, its long side at most `long_side` pixels."""
        scale = min(1.0, long_side / max(self.size))
        size = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        return Image.fromarray(self.read((0, 0, *self.size), size))

    def close(self) -> None:
        with self._lock:
            self._source.close()
            if self._smaller is not None:
                self._smaller.close()

    def __enter__(self) -> Pyramid:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sha256_of(path: Path) -> str:
    """The hash of a file, in hexadecimal; it is read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def open(  # noqa: A001 (read as pyramids.open)
    path: str | Path, levels: Path | None = None, name: str | None = None
) -> Pyramid:
    """Open a photo to be read by windows; its header is read, and of deep values a small copy.

    Where the file has no smaller levels of its own they are read from the file `levels`, which is made if it is not
    there: that reads all of the photo once. Small photos of these kinds are taken as well. Raises PhotoError with one
    sentence that says what to do and begins with `name`, by default the file's; also where the file is cut short.
    """
    pyramid = _opened(Path(path), name or Path(path).name)
    if levels is not None and lacks_levels(pyramid):
        from textseg.pyramids import tiled

        try:
            if not levels.is_file():
                make(pyramid, levels)
            pyramid.use(tiled.Tiled(levels))
        except BaseException:
            pyramid.close()
            raise
    return pyramid


def _opened(path: Path, name: str) -> Pyramid:
    if not path.is_file():
        raise PhotoError(f"{name} {'is not a file' if path.exists() else 'does not exist'}.")
    if path.stat().st_size == 0:
        raise PhotoError(f"{name} is empty (0 bytes).")
    if path.suffix.lower() in SLIDES:
        from textseg.pyramids import slides

        complete.check(path, name)
        return Pyramid(path, slides.Slide(path, name), name)
    if not _starts(path, *images.TIFF, *complete.JPEG_2000):
        raise PhotoError(
            f"{name} cannot be read by windows; save it as a tiled TIFF, for instance with: "
            "gdal_translate -of COG -co BIGTIFF=IF_SAFER photo large.tif"
        )
    from textseg.pyramids import tiled

    complete.check(path, name)
    return Pyramid(path, tiled.Tiled(path, name), name)


def is_large(path: str | Path) -> bool:
    """Whether a photo is to be opened here: a TIFF with more pixels than `images.open` takes, or what only this room
    reads. No more than the header is read; a file that cannot be opened at all is not large.
    """
    path = Path(path)
    if path.suffix.lower() in SLIDES:
        return path.is_file()
    if _starts(path, *complete.JPEG_2000):
        return True
    if not _starts(path, *images.TIFF):
        return False
    try:
        with images.stored(path):
            return False
    except PhotoTooLargeError:
        return True
    except images.OtherPixelsError:
        return _many_pixels(path)
    except PhotoError:
        return False


def _many_pixels(path: Path) -> bool:
    """Whether a TIFF that Pillow cannot read has more pixels than `images.open` takes."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            return page.imagewidth * page.imagelength > images.MAX_PIXELS
    except Exception:  # whatever a torn header holds
        return False


def _starts(path: Path, *beginnings: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(max(map(len, beginnings))).startswith(beginnings)
    except OSError:
        return False
