"""From what a file holds to 8-bit sRGB: deep, float and signed values, colour profiles, inks, palettes, transparency.

Values of more than 8 bits have no brightness of their own (a depth in millimetres, a count of photons), so they are
shown over the range of the finite values of the photo; the kind of number decides, never what the values look like.
Everything is done in bands, so that a large photo has no copies of itself in other modes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageChops, ImageCms

BAND = 256
"""Rows that are converted at a time."""

MAX_PROFILE_BYTES = 16 * 2**20

WIDE = {
    f"{channels};16{order}": f"{channels};16{'L' if order == 'B' else 'B'}"
    for channels in ("RGB", "RGBA", "RGBX")
    for order in "BLN"
}
"""How 16 bits a channel are unpacked, which leaves the upper byte, and how the lower byte is had from the same file."""
SIGNED = 2
"""TIFF's SampleFormat of whole numbers with a sign."""


Span = tuple[float, float]
"""The values that are shown as black and as white."""


def rgb(photo: Image.Image, span: Span | None = None) -> Image.Image:
    """A decoded photo as 8-bit sRGB: transparency is laid over white, values of other kinds are stretched.

    They are stretched over `span`, by default over their own range.
    """
    values = deep_values(photo)
    if values is not None:
        return from_values(values, span)
    profile = photo.info.get("icc_profile")
    if photo.mode == "RGB" and "transparency" not in photo.info:
        flat = photo
    elif photo.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in photo.info:
        flat = over_white(photo)
    else:
        if photo.mode == "CMYK" and photo.format == "JPEG" and "adobe" not in photo.info:
            photo = ImageChops.invert(photo)  # Pillow takes every CMYK JPEG for one of Adobe's, whose inks are inverted
        flat = _profiled(photo, profile)
        profile = None if flat is not photo else profile
        flat = flat.convert("RGB")
    return _profiled(flat, profile)


def wide(photo: Image.Image) -> str | None:
    """How to unpack the lower bytes of a photo of 16 bits a channel that is not decoded yet; None: it has 8."""
    tiles = getattr(photo, "tile", None) or []
    modes = {tile[3] if isinstance(tile[3], str) else tile[3][0] for tile in tiles if tile[3]}
    return WIDE.get(modes.pop()) if len(modes) == 1 else None


def lower_bytes(photo: Image.Image, rawmode: str) -> None:
    """Have a photo that is not decoded yet decode to the lower bytes of its channels, as `wide` says."""
    tiles = getattr(photo, "tile", [])
    tiles[:] = [
        tile._replace(args=rawmode if isinstance(tile.args, str) else (rawmode, *tile.args[1:])) for tile in tiles
    ]


def from_halves(upper: Image.Image, lower: Image.Image, span: Span | None = None) -> Image.Image:
    """A photo of 16 bits a channel, RGB or RGBA, from the upper and the lower byte of each: (value >> 8, value & 255).

    All channels are stretched alike, so that colours stay.
    """
    low, high = span or span_of_halves(upper, lower)
    flat = Image.new("RGB", upper.size)
    for top, values in _both(upper, lower):
        band = Image.fromarray(_stretched(values, low, high))
        if upper.mode == "RGBA":
            band.putalpha(upper.crop((0, top, upper.width, top + band.height)).getchannel("A"))
            band = over_white(band)
        flat.paste(band, (0, top))
    return flat


def span_of_halves(upper: Image.Image, lower: Image.Image) -> Span:
    """The range of all channels of a photo in two halves."""
    ends = [(values.min(), values.max()) for _, values in _both(upper, lower)]
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def _both(upper: Image.Image, lower: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    for top in range(0, upper.height, BAND):
        box = (0, top, upper.width, min(top + BAND, upper.height))
        halves = [np.asarray(half.crop(box))[..., :3].astype(np.uint16) for half in (upper, lower)]
        yield top, halves[0] << 8 | halves[1]


def from_values(values: np.ndarray, span: Span | None = None) -> Image.Image:
    """(H, W) or (H, W, 1 to 4) numbers as 8-bit RGB: the second or fourth channel is an opacity."""
    if values.ndim == 2:
        return Image.fromarray(to_8bit(values, span)).convert("RGB")
    colours, alpha = values, None
    if values.shape[2] in (2, 4):
        colours, alpha = values[..., :-1], values[..., -1]
    shown = to_8bit(colours, span)
    flat = Image.fromarray(shown[..., 0] if shown.shape[2] == 1 else shown).convert("RGB")
    if alpha is None:
        return flat
    top = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "ui" else 1.0
    flat.putalpha(Image.fromarray((np.nan_to_num(alpha / top).clip(0, 1) * 255).round().astype(np.uint8)))
    return over_white(flat)


def to_8bit(values: np.ndarray, span: Span | None = None) -> np.ndarray:
    """Numbers as uint8 of the same shape: unsigned bytes as they are, all others over the range of the finite ones.

    What is no number is black, infinities lie at the ends. Where all values are equal, whole numbers keep their scale
    and others are taken for shares.
    """
    if values.dtype in (np.uint8, np.bool_):
        return values.astype(np.uint8)
    span = span or span_of(values)
    return np.zeros(values.shape, np.uint8) if span is None else _stretched(values, *span)


def span_of(values: np.ndarray) -> Span | None:
    """The range of the finite values; None where there is none, or where bytes need no other one."""
    ends = [ends for band in _bands(values) if (ends := _ends(band)) is not None]
    if not ends or values.dtype in (np.uint8, np.bool_):
        return None
    return min(low for low, _ in ends), max(high for _, high in ends)


def _bands(values: np.ndarray) -> list[np.ndarray]:
    return [values[top : top + BAND] for top in range(0, len(values), BAND)]


def _ends(values: np.ndarray) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if low == high:
        low, high = (0.0, float(np.iinfo(values.dtype).max)) if values.dtype.kind in "ui" else (0.0, 1.0)
    out = np.empty(values.shape, np.uint8)
    span = high / 2 - low / 2  # halves: the span of the largest numbers is no number
    for to, band in zip(_bands(out), _bands(values), strict=True):
        shares = (band.astype(np.float64) / 2 - low / 2) / span
        to[:] = (np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1) * 255).round()
    return out


def deep_values(photo: Image.Image) -> np.ndarray | None:
    """The numbers of a photo that has more than 8 bits, or a sign; None: it has neither."""
    tags = getattr(photo, "tag_v2", None) or {}
    sign = tags.get(339)
    signed = sign in (SIGNED, (SIGNED,))
    if photo.mode == "L" and signed:
        return np.asarray(photo).view(np.int8)
    if photo.mode == "I" and tags and not signed:
        return np.asarray(photo).view(np.uint32)
    return np.asarray(photo) if photo.mode.startswith("I") or photo.mode == "F" else None


def over_white(photo: Image.Image) -> Image.Image:
    """A photo with transparency laid over white."""
    flat = Image.new("RGB", photo.size)
    for top in range(0, photo.height, BAND):
        piece = photo.crop((0, top, photo.width, min(top + BAND, photo.height))).convert("RGBA")
        flat.paste(Image.alpha_composite(Image.new("RGBA", piece.size, "white"), piece).convert("RGB"), (0, top))
    return flat


def _profiled(photo: Image.Image, profile: object) -> Image.Image:
    """An RGB, grey or CMYK photo in sRGB, if it says in which colours it is; else the photo itself."""
    if not isinstance(profile, bytes) or not 128 <= len(profile) <= MAX_PROFILE_BYTES or photo.mode not in PROFILED:
        return photo
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(given).casefold():
            return photo
        change = ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), photo.mode, "RGB")
        flat = photo if photo.mode == "RGB" else Image.new("RGB", photo.size)
        for top in range(0, photo.height, BAND):
            piece = photo.crop((0, top, photo.width, min(top + BAND, photo.height)))
            flat.paste(ImageCms.applyTransform(piece, change) or piece, (0, top))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return photo  # a profile that cannot be used says nothing
    return flat


PROFILED = ("RGB", "L", "CMYK")
