"""How a model looks at a huge photo: how many times smaller, and by which tiles."""

from __future__ import annotations

import math

from PIL import Image

from textseg.pyramids import Box, Pyramid
from textseg.pyramids.smaller import reduced

TILE, STEP = 640, 480
"""Side of a tile in looked-at pixels, that of the photos that models are used to, and how far tiles lie apart."""

LOOKED_AT = 8192
"""Longest side at which a huge photo is looked at where nobody says how coarsely."""


def sensible_scale(size: tuple[int, int]) -> int:
    """The power of two at which the longest side of a photo of `size` (width, height) is at most LOOKED_AT."""
    return 2 ** max(0, math.ceil(math.log2(max(size) / LOOKED_AT)))


def looked_at(size: tuple[int, int], scale: int) -> tuple[int, int]:
    """(width, height) of a photo of `size` made `scale` times smaller."""
    return -(-size[0] // scale), -(-size[1] // scale)


def tiles(size: tuple[int, int], cell: int) -> list[list[Box]]:
    """Rows of boxes that cover a picture of `size` (width, height); all their edges are multiples of `cell`."""
    across, down = (_spans(length, cell) for length in size)
    return [[(left, top, right, bottom) for left, right in across] for top, bottom in down]


def own(size: tuple[int, int], cell: int) -> list[list[Box]]:
    """What of each of the `tiles` lies nearest to its middle: boxes without overlap that cover the picture."""
    across, down = (_halved(_spans(length, cell), length) for length in size)
    return [[(left, top, right, bottom) for left, right in across] for top, bottom in down]


def picture(pyramid: Pyramid, box: Box, scale: int) -> Image.Image:
    """What a tile shows. Every looked-at pixel is the mean of the same full ones, whichever tile it lies in."""
    return Image.fromarray(reduced(pyramid, (box[0], box[1]), (box[2] - box[0], box[3] - box[1]), scale))


def _spans(length: int, cell: int) -> list[tuple[int, int]]:
    last = -(-max(length - TILE, 0) // cell) * cell
    end = -(-length // cell) * cell
    return [(start, min(start + TILE, end)) for start in [*range(0, last, STEP), last]]


def _halved(spans: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Spans that overlap, each cut in the middle of what it has in common with its neighbours, and at `length`."""
    middles = [(start + end) // 2 for (_, end), (start, _) in zip(spans, spans[1:], strict=False)]
    return list(zip([0, *middles], [*middles, length], strict=True))
