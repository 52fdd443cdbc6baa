"""The one door for photos: open, orient, limit, convert.

Whatever comes in (a path, bytes, an open file, a PIL image) leaves as an upright 8-bit RGB image, or as a PhotoError.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from textseg.errors import PhotoError, TextsegError

MAX_PIXELS = 120_000_000
"""Photos with more pixels than this are refused before a byte of them is decoded."""

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
"""What a picture may be, by its content; none of these starts another program or opens another file."""

LARGE = 16_000_000
"""Photos with more pixels than this are decoded one at a time, so that a few of them cannot take all memory."""

BAND = 256
"""Rows that are converted at a time."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})
"""File endings taken as photos when a folder is read."""

_large = threading.Lock()

Stored = str | PathLike[str] | bytes | BinaryIO
PhotoSource = Stored | Image.Image


def open(source: PhotoSource) -> Image.Image:  # noqa: A001 (read as images.open)
    """Open a photo as an upright RGB image.

    Grey, palette, CMYK, 16-bit and float photos are converted; transparency is laid over white; EXIF orientation is
    applied; of an animation the first frame is taken. Raises PhotoError with one sentence when that is impossible.
    """
    if isinstance(source, Image.Image):
        _check_size(source, "The photo")
        return _to_rgb(ImageOps.exif_transpose(source))
    with stored(source) as photo, _large if photo.width * photo.height > LARGE else nullcontext():
        photo.load()
        ImageOps.exif_transpose(photo, in_place=True)
        return _to_rgb(photo)


@contextmanager
def stored(source: Stored, name: str | None = None) -> Iterator[Image.Image]:
    """A picture as its file holds it, its header read and nothing decoded yet: the way in for every picture.

    Only the formats that are meant to come in are tried, whatever the name says: some of Pillow's start other
    programs. What goes wrong inside the block is PhotoError too, in one sentence that begins with `name`.
    """
    name = name or _name(source)
    try:
        if isinstance(source, (str, PathLike)):
            path = Path(source)
            if not path.exists():
                raise PhotoError(f"{name} does not exist.")
            if not path.is_file():
                raise PhotoError(f"{name} is not a file.")
            if path.stat().st_size == 0:
                raise PhotoError(f"{name} is empty (0 bytes).")
        Image.init()
        known = [form for form in FORMATS if form in Image.OPEN]
        with warnings.catch_warnings():
            # Our own limit replaces Pillow's warning, and what it says of odd files is said in one sentence or not.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=known) as opened:
                _check_size(opened, name)
                yield opened
    except TextsegError:
        raise
    except UnidentifiedImageError:
        raise PhotoError(f"{name} is not a picture that can be read; use JPEG, PNG, WebP, TIFF or BMP.") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"{name} is too large; the limit is {MAX_PIXELS // 1_000_000} megapixels.") from None
    except PermissionError:
        raise PhotoError(f"{name} may not be read; check its permissions.") from None
    except Exception as error:  # decoders answer torn files with anything at all
        raise PhotoError(f"{name} is damaged or cut short and cannot be read ({_reason(error)}).") from None


def find(paths: list[Path]) -> list[Path]:
    """The photos named by `paths`, in order: a file stands for itself, a folder for the photos in it, sorted."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
        else:
            found.append(path)
    return found


def fit(photo: Image.Image, short_side: int, multiple: int = 1, max_long_side: int = 2048) -> Image.Image:
    """Resize to `short_side`, keep the shape, round both sides to a `multiple`; the long side is bounded."""
    width, height = photo.size
    scale = min(short_side / min(width, height), max_long_side / max(width, height))
    size = (
        max(multiple, round(width * scale / multiple) * multiple),
        max(multiple, round(height * scale / multiple) * multiple),
    )
    return photo if size == photo.size else photo.resize(size, Image.Resampling.BICUBIC)


def limit(photo: Image.Image, max_long_side: int) -> Image.Image:
    """The photo itself, or a smaller copy whose long side is `max_long_side`."""
    scale = max_long_side / max(photo.size)
    if scale >= 1:
        return photo
    return photo.resize([max(1, round(side * scale)) for side in photo.size], Image.Resampling.LANCZOS)


def _name(source: object) -> str:
    return Path(source).name or str(source) if isinstance(source, (str, PathLike)) else "The photo"


def _reason(error: Exception) -> str:
    return (str(error).strip().rstrip(".") or type(error).__name__).splitlines()[0][:120]


def _check_size(photo: Image.Image, name: str) -> None:
    width, height = photo.size
    if width < 1 or height < 1:
        raise PhotoError(f"{name} has no pixels.")
    if width * height > MAX_PIXELS:
        raise PhotoError(
            f"{name} is too large: {width} x {height} pixels, the limit is {MAX_PIXELS // 1_000_000} megapixels; "
            "make it smaller first."
        )


def _to_rgb(photo: Image.Image) -> Image.Image:
    if photo.mode == "RGB" and "transparency" not in photo.info:
        return photo
    if photo.mode.startswith("I") or photo.mode == "F":
        return Image.fromarray(_to_8bit(np.asarray(photo))).convert("RGB")
    if photo.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in photo.info:
        return _over_white(photo)
    return photo.convert("RGB")


def _over_white(photo: Image.Image) -> Image.Image:
    flat = Image.new("RGB", photo.size)
    for top in range(0, photo.height, BAND):  # in bands: a large photo has no copies of itself in other modes
        piece = photo.crop((0, top, photo.width, min(top + BAND, photo.height))).convert("RGBA")
        flat.paste(Image.alpha_composite(Image.new("RGBA", piece.size, "white"), piece).convert("RGB"), (0, top))
    return flat


def _to_8bit(values: np.ndarray) -> np.ndarray:
    """16-bit values keep their scale; other ranges (32-bit, float) are stretched to 0..255."""
    bands = [values[top : top + BAND] for top in range(0, len(values), BAND)]
    low = min(float(np.nan_to_num(band).min()) for band in bands)
    high = max(float(np.nan_to_num(band).max()) for band in bands)
    if low >= 0 and 1 < high <= 65535 and high.is_integer():
        low, span = 0.0, 65535.0
    else:
        span = high - low or 1.0
    grey = np.empty(values.shape, np.uint8)
    for out, band in zip((grey[top : top + BAND] for top in range(0, len(grey), BAND)), bands, strict=True):
        out[:] = ((np.nan_to_num(band.astype(np.float64)) - low) / span * 255).round()
    return grey
