"""Label maps: an integer per pixel (0 = none, k = k-th word), with palette PNG, RLE and overlay."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from textseg import images
from textseg.errors import DatasetError, PhotoError
from textseg.vocabulary import Vocabulary


@dataclass
class LabelMap:
    """The answer for one photo.

    `ids` is (H, W), uint8 up to 255 classes and uint16 above; `confidence` gives per class id the mean probability of
    the word over its pixels, 0..1; `score` (H, W) uint8 is the winner's similarity at each pixel, 255 = 1.0, also where
    a threshold or a background word made the id 0.

    Where other words competed `score` is the probability of what won there, an other word included; `presence` gives
    for every class id the probability that the word is somewhere in the photo, and `elsewhere` what the pixels of id 0
    are instead: (noun, share of the photo), largest first. In a closed vocabulary both are empty.

    A word is found when it has pixels. Presence is said beside it and decides nothing more: a word of high presence
    whose pixels other words won is not found.

    >>> labels = LabelMap(np.array([[0, 1], [1, 1]], np.uint8), Vocabulary.parse("cat"), {1: 0.9})
    >>> labels.areas()
    {0: 0.25, 1: 0.75}
    >>> (read_index_png(labels.to_png()) == labels.ids).all()
    np.True_
    """

    ids: np.ndarray
    vocabulary: Vocabulary
    confidence: dict[int, float] = field(default_factory=dict)
    score: np.ndarray | None = None
    presence: dict[int, float] = field(default_factory=dict)
    elsewhere: list[tuple[str, float]] = field(default_factory=list)
    heat: np.ndarray | None = field(default=None, repr=False)
    """(K, h, w) probability of each word on a grid over the photo, where a proposer was asked by words."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.ids.shape[1], self.ids.shape[0]

    def areas(self) -> dict[int, float]:
        """Share of the pixels (0..1) of each class id, 0 included."""
        counts = np.bincount(self.ids.ravel(), minlength=len(self.vocabulary) + 1)
        return {k: float(n / self.ids.size) for k, n in enumerate(counts)}

    def certainty(self) -> np.ndarray:
        """(H, W) float32 probability that each pixel is right; in a closed vocabulary the mean of its class."""
        if self.presence and self.score is not None:
            return self.score.astype(np.float32) / 255
        means = np.array([self.confidence.get(k, 0.0) for k in range(len(self.vocabulary) + 1)], np.float32)
        return means[self.ids]

    def classes(self) -> list[dict]:
        """The facts of each class: id, name, aliases, colour, area, confidence, presence (None: not asked for)."""
        return facts_of(self.vocabulary, self.areas(), self.confidence, self.presence)

    def to_png(self) -> bytes:
        """A single-channel PNG: palette in the class colours, or 16-bit grey above 255 classes."""
        return index_png(self.ids, [word.colour for word in self.vocabulary])

    def overlay(self, photo: Image.Image, opacity: float = 0.5) -> Image.Image:
        """The photo with each class laid over it in its colour; unlabelled pixels stay as they are."""
        table = np.zeros((len(self.vocabulary) + 1, 3), np.uint8)
        for k, word in enumerate(self.vocabulary, start=1):
            table[k] = rgb(word.colour)
        base = np.asarray(photo.convert("RGB"))
        out = base.copy()
        for top in range(0, len(base), 256):  # in bands, so that a large photo needs no float copy of itself
            rows = slice(top, top + 256)
            painted = self.ids[rows] > 0
            mixed = base[rows] * (1 - opacity) + table[self.ids[rows]] * opacity
            out[rows] = np.where(painted[..., None], mixed.round().astype(np.uint8), base[rows])
        return Image.fromarray(out)


def facts_of(
    vocabulary: Vocabulary, areas: Mapping[int, float], confidence: Mapping[int, float], presence: Mapping[int, float]
) -> list[dict]:
    """What `LabelMap.classes` tells of each word, from numbers by class id."""
    return [
        {
            "id": k,
            "name": word.name,
            "aliases": list(word.aliases),
            "colour": word.colour,
            "area": round(areas[k], 6),
            "confidence": round(confidence.get(k, 0.0), 4),
            "presence": presence.get(k),
        }
        for k, word in enumerate(vocabulary, start=1)
    ]


def rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` as three numbers 0..255."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def index_png(ids: np.ndarray, colours: list[str]) -> bytes:
    """Encode an (H, W) integer map without loss; `colours[k - 1]` is the colour of id k, 0 is black."""
    buffer = io.BytesIO()
    if ids.max(initial=0) > 255 or len(colours) > 255:
        Image.fromarray(ids.astype(np.uint16)).save(buffer, "PNG")
    else:
        image = Image.fromarray(ids.astype(np.uint8))
        # A full palette keeps 8 bits a pixel: Pillow packs tighter by the palette's length and would cut larger ids.
        image.putpalette(bytes([0, 0, 0, *(c for colour in colours for c in rgb(colour))]).ljust(768, b"\0"))
        image.save(buffer, "PNG")
    return buffer.getvalue()


def read_index_png(source: str | PathLike[str] | bytes) -> np.ndarray:
    """Read an index PNG (palette, 8-bit or 16-bit grey) as an (H, W) array of ids; raises DatasetError."""
    name = "The label map" if isinstance(source, bytes) else Path(source).name
    try:
        with images.stored(source, name) as image:
            if image.mode not in ("P", "L", "1", "I;16", "I"):
                raise DatasetError(f"{name} has {image.mode} colours; a label map is a one-channel PNG of class ids.")
            ids = np.asarray(image)
    except PhotoError as error:
        raise DatasetError(str(error)) from None
    return ids.astype(np.uint16 if ids.max(initial=0) > 255 else np.uint8)
