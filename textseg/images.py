"""The one door for photos: open, orient, limit, convert.

Whatever comes in (a path, bytes, an open file, a PIL image) leaves as an upright 8-bit RGB image, or as a PhotoError.
"""

import importlib
import io
import logging
import math
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from textseg import tones
from textseg.errors import PhotoError, PhotoTooLargeError, TextsegError
from textseg.unread import HEIF, JXL, RAW, known_as

MAX_PIXELS = 120_000_000
"""Photos with more pixels than this are refused before a byte of them is decoded."""

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF", "JXL")
"""What a picture may be, by its content; none of these starts another program or opens another file."""

LARGE = 16_000_000
"""Photos with more pixels than this are decoded one at a time, so that a few of them cannot take all memory."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif",
     ".hif", ".jxl"}
)  # fmt: skip
"""File endings taken as photos when a folder is read."""

SAMPLES, DNG, PHOTOMETRIC = 277, 50706, 262
"""TIFF's tags: channels, the version of a DNG, what the channels mean."""
OF_THE_SENSOR = (32803, 34892)
"""PHOTOMETRIC of values that are not developed yet."""

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MAX_OTHER_BYTES = 2**30
OTHER = "holds numbers of a kind that cannot be shown; save it as an 8-bit, 16-bit or float TIFF without compression."

_large = threading.Lock()

Stored = str | PathLike[str] | bytes | BinaryIO
PhotoSource = Stored | Image.Image


class OtherPixelsError(PhotoError):
    """A TIFF that `open` reads and `stored` does not: Pillow lacks its numbers (64 bits, half floats, float colour)."""


def open(  # noqa: A001 (read as images.open)
    source: PhotoSource, span: tones.Span | None = None, name: str | None = None
) -> Image.Image:
    """Open a photo as an upright RGB image.

    Grey, palette and CMYK photos are converted, profiles to sRGB; 16-bit, float and signed values are shown over
    `span`, by default over the range of the finite ones; transparency is laid over white; EXIF orientation is applied;
    of an animation or several pages the first is taken. Raises PhotoError when that is impossible, with one sentence
    that begins with `name`, by default the file's.
    """
    if isinstance(source, Image.Image):
        _check_size(source, "The photo")
        return tones.rgb(ImageOps.exif_transpose(source), span)
    name, source = name or _name(source), _whole(source)
    try:
        with _decoded(source, name) as (photo, lower):
            return tones.rgb(photo, span) if lower is None else tones.from_halves(photo, lower, span)
    except OtherPixelsError:
        return tones.from_values(_other_pixels(source, name), span)


def value_span(source: Stored) -> tones.Span | None:
    """The range of the finite values of a 16-bit, float or signed photo; None for one of 8 bits. Raises PhotoError."""
    name, source = _name(source), _whole(source)
    try:
        with _decoded(source, name) as (photo, lower):
            if lower is not None:
                return tones.span_of_halves(photo, lower)
            values = tones.deep_values(photo)
    except OtherPixelsError:
        values = _other_pixels(source, name)
    return None if values is None else tones.span_of(values)


@contextmanager
def _decoded(source: Stored, name: str) -> Iterator[tuple[Image.Image, Image.Image | None]]:
    """A photo decoded and upright; with 16 bits a channel its upper bytes, and the lower ones beside."""
    with stored(source, name) as photo, _one_at_a_time(photo):
        lower = tones.wide(photo)
        photo.load()
        ImageOps.exif_transpose(photo, in_place=True)
        if lower is None:
            yield photo, None
            return
        with stored(source, name) as again:
            tones.lower_bytes(again, lower)
            again.load()
            ImageOps.exif_transpose(again, in_place=True)
            yield photo, again


def _whole(source: Stored) -> str | PathLike[str] | bytes:
    """An open file as its bytes, for what is deep is read twice."""
    return source if isinstance(source, (str, PathLike, bytes)) else source.read()


def _one_at_a_time(photo: Image.Image) -> AbstractContextManager[Any]:
    return _large if photo.width * photo.height > LARGE else nullcontext()


@cache
def _formats() -> list[str]:
    """Those of FORMATS that can be read here; the plugins of two of them are packages of their own."""
    Image.init()
    with suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
    with suppress(ImportError):
        importlib.import_module("pillow_jxl")
    return [form for form in FORMATS if form in Image.OPEN]


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
        with warnings.catch_warnings():
            # Our own limit replaces Pillow's warning, and what it says of odd files is said in one sentence or not.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats()) as opened:
                _check_size(opened, name)
                _check_kind(opened, name)
                yield opened
    except TextsegError:
        raise
    except UnidentifiedImageError:
        raise _unread(source, name) from None
    except Image.DecompressionBombError:
        raise PhotoTooLargeError(f"{name} is too large; the limit is {MAX_PIXELS // 1_000_000} megapixels.") from None
    except PermissionError:
        raise PhotoError(f"{name} may not be read; check its permissions.") from None
    except Exception as error:  # decoders answer torn files with anything at all
        raise PhotoError(f"{name} is damaged or cut short and cannot be read ({_reason(error)}).") from None


def _check_kind(photo: Image.Image, name: str) -> None:
    """Raise PhotoError for a picture that Pillow opens and that is no photo: raw values, more than four channels."""
    tags = getattr(photo, "tag_v2", None)
    if tags is None:
        return
    if known_as(b"", Path(name).suffix) == RAW or DNG in tags or tags.get(PHOTOMETRIC) in OF_THE_SENSOR:
        raise PhotoError(f"{name} {RAW}.")
    _check_channels(tags, name)


def _check_channels(tags: Any, name: str) -> None:
    channels = tags.get(SAMPLES, 1)
    if isinstance(channels, int) and channels > 4:
        raise PhotoError(
            f"{name} has {channels} channels and a photo has at most 4; save the one or three of them that are to be "
            "seen as a TIFF or PNG of their own."
        )


def _unread(source: Stored, name: str) -> PhotoError:
    """Why a file is no picture here: what it is instead, where that is known."""
    start = _start(source)
    what = known_as(start, Path(name).suffix)
    if what in (HEIF, JXL) and ("HEIF" if what == HEIF else "JXL") in _formats():
        return PhotoError(f"{name} is damaged or cut short and cannot be read.")
    if what is None and start[:4] in TIFF:
        return OtherPixelsError(f"{name} {OTHER}")
    return PhotoError(f"{name} {what or 'is not a picture that can be read; use JPEG, PNG, WebP, TIFF or BMP'}.")


def _start(source: Stored) -> bytes:
    """The first bytes of a file."""
    if isinstance(source, bytes):
        return source[:256]
    try:
        with Path(source).open("rb") as file:  # type: ignore[arg-type]
            return file.read(256)
    except (OSError, TypeError):
        return b""


def _other_pixels(source: Stored, name: str) -> np.ndarray:
    """(H, W) or (H, W, channels) numbers of the first page of a TIFF that Pillow cannot read; raises PhotoError."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it finds odd is one sentence here
    try:
        with tifffile.TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            page: Any = file.pages[0]
            _check_channels({SAMPLES: page.samplesperpixel}, name)
            shape = page.imagelength, page.imagewidth, page.samplesperpixel
            planes = page.shape == (shape[2], *shape[:2]) and shape[2] > 1
            _check_extent(page.imagewidth, page.imagelength, name)
            if page.nbytes > MAX_OTHER_BYTES:
                raise PhotoTooLargeError(f"{name} is too large; make it smaller first.")
            if page.dtype is None or page.dtype.kind not in "uif" or not (planes or page.size == math.prod(shape)):
                raise ValueError("unknown")
            with _large:
                _check_deflated(page)
                values = page.asarray()
            values = np.moveaxis(values, 0, 2) if planes else values.reshape(shape)
            opacity = {int(kind) for kind in page.extrasamples} & {1, 2}
            return values if opacity or shape[2] in (1, 3) else values[..., :-1]  # a fourth band is no opacity
    except PhotoError:
        raise
    except Exception:
        raise PhotoError(f"{name} {OTHER}") from None


def _check_deflated(page: Any) -> None:
    """Raise ValueError for a strip or tile that unpacks to more than it may hold; nothing larger is ever held."""
    if page.compression == 1:
        return
    most = math.prod(page.chunks) * page.dtype.itemsize
    for at, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        page.parent.filehandle.seek(at)
        unpacking = zlib.decompressobj()
        unpacking.decompress(page.parent.filehandle.read(count), most)
        if unpacking.unconsumed_tail:
            raise ValueError("a bomb")


def find(paths: list[Path]) -> list[Path]:
    """The photos named by `paths`, in order: a file stands for itself, a folder for the photos in it, sorted."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if _is_photo(p))
        else:
            found.append(path)
    return found


def _is_photo(path: Path) -> bool:
    """By its name; what begins with a dot was left by some system."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


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
    _check_extent(*photo.size, name)


def _check_extent(width: int, height: int, name: str) -> None:
    if width < 1 or height < 1:
        raise PhotoError(f"{name} has no pixels.")
    if width * height > MAX_PIXELS:
        raise PhotoTooLargeError(
            f"{name} is too large: {width} x {height} pixels, the limit is {MAX_PIXELS // 1_000_000} megapixels; "
            "make it smaller first."
        )
