"""What a backbone says of a photo as a whole, where it was trained for that: CLIP and its kin.

Photos are asked as such models were trained: their middle square, at the side the tower was trained at.
"""

from collections.abc import Sequence
from typing import Protocol, TypeGuard, runtime_checkable

import torch
from PIL import Image, ImageOps

from textseg.model.backbones import Backbone

CROPS = ((1, 1.0), (2, 0.67), (3, 0.5))
"""(how many along each side, share of the photo's sides): the photo itself, and overlapping parts of it."""

PHOTOS_AT_ONCE = 16


@runtime_checkable
class EmbedsPhotos(Protocol):
    """A backbone with an embedding of whole photos in the space of its texts."""

    photo_side: int
    """Pixels of the square that the model was trained on."""
    trained_scale: float
    """What the model itself multiplies the cosine of a photo and a text by."""

    def embed_photos(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        """(B, E) unit embeddings of B equally large photos."""


def embeds_photos(backbone: Backbone) -> TypeGuard[EmbedsPhotos]:
    """Whether the backbone has an embedding of whole photos."""
    return isinstance(backbone, EmbedsPhotos)


def embed(backbone: EmbedsPhotos, photos: Sequence[Image.Image]) -> torch.Tensor:
    """(B, E) unit embeddings of photos of any sizes, on the CPU."""
    side = (backbone.photo_side, backbone.photo_side)
    squares = [ImageOps.fit(photo, side, Image.Resampling.BICUBIC) for photo in photos]
    starts = range(0, len(squares), PHOTOS_AT_ONCE)
    return torch.cat([backbone.embed_photos(squares[start : start + PHOTOS_AT_ONCE]).cpu() for start in starts])


def crops(photo: Image.Image) -> list[Image.Image]:
    """The photo and 13 overlapping parts of it at two scales (our reading of AFSS's class proposal)."""
    found = []
    for count, share in CROPS:
        width, height = (max(1, round(side * share)) for side in photo.size)
        lefts, tops = (
            [round(k * (side - length) / max(1, count - 1)) for k in range(count)]
            for side, length in zip(photo.size, (width, height), strict=True)
        )
        found += [photo.crop((left, top, left + width, top + height)) for top in tops for left in lefts]
    return found
