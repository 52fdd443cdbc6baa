"""The one door for photos: open, orient, limit, convert.

Whatever comes in (a path, bytes, an open file, a PIL image) leaves as an upright 8-bit RGB image, or as a PhotoError.
"""

import io
import warnings
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from textseg.errors import PhotoError

MAX_PIXELS = 120_000_000
"""Photos with more pixels than this are refused before a byte of them is decoded."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"})
"""File endings taken as photos when a folder is read."""

PhotoSource = str | PathLike[str] | bytes | BinaryIO | Image.Image


def open(source: PhotoSource) -> Image.Image:  # noqa: A001 (read as images.open)
    """Open a photo as an upright RGB image.

    Grey, palette, CMYK, 16-bit and float photos are converted; transparency is laid over white; EXIF orientation is
    applied; of an animation the first frame is taken. Raises PhotoError with one sentence when that is impossible.
    """
    if isinstance(source, Image.Image):
        _check_size(source, "The photo")
        return _to_rgb(ImageOps.exif_transpose(source))
    name = _name(source)
    if isinstance(source, (str, PathLike)):
        path = Path(source)
        if not path.exists():
            raise PhotoError(f"{name} does not exist.")
        if not path.is_file():
            raise PhotoError(f"{name} is not a file.")
        if path.stat().st_size == 0:
            raise PhotoError(f"{name} is empty (0 bytes).")
    try:
        with warnings.catch_warnings():
            # Our own limit, checked below before anything is decoded, replaces Pillow's warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            photo = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
            with photo:
                _check_size(photo, name)
                photo.load()
                return _to_rgb(ImageOps.exif_transpose(photo))
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError(f"{name} is not a picture that can be read; use JPEG, PNG, WebP, TIFF or BMP.") from None
    except Image.DecompressionBombError:
        raise PhotoError(f"{name} is too large; the limit is {MAX_PIXELS // 1_000_000} megapixels.") from None
    except PermissionError:
        raise PhotoError(f"{name} may not be read; check its permissions.") from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, IndexError, KeyError, TypeError) as error:
        # Pillow's decoders answer torn files with any of these.
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
    if photo.mode == "RGB":
        return photo.copy()
    if photo.mode.startswith("I") or photo.mode == "F":
        return Image.fromarray(_to_8bit(np.asarray(photo))).convert("RGB")
    if photo.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in photo.info:
        opaque = photo.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        return Image.alpha_composite(white, opaque).convert("RGB")
    return photo.convert("RGB")


def _to_8bit(values: np.ndarray) -> np.ndarray:
    """16-bit values keep their scale; other ranges (32-bit, float) are stretched to 0..255."""
    values = np.nan_to_num(values.astype(np.float64))
    low, high = values.min(), values.max()
    if low >= 0 and 1 < high <= 65535 and float(high).is_integer():
        return (values / 257).round().astype(np.uint8)
    span = high - low or 1.0
    return ((values - low) / span * 255).round().astype(np.uint8)
