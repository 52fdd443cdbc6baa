"""Sliding windows over images larger than a backbone's own size: where they lie, and how their maps are averaged."""

from collections.abc import Iterator, Sequence

import torch

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the encoded image."""


def windows(size: tuple[int, int], side: int, step: int, multiple: int) -> Iterator[Box]:
    """Boxes that cover an image of `size` (width, height): `step` apart, the last one shifted inside.

    Steps are multiples of `multiple`, so that windows meet on the patch grid (SCLIP's protocol, METHODS in docs).
    """
    step = max(multiple, step // multiple * multiple)
    starts = [[*range(0, max(length - side, 0), step), max(length - side, 0)] for length in size]
    width, height = (min(side, length) for length in size)
    for top in starts[1]:
        for left in starts[0]:
            yield left, top, left + width, top + height


class Mosaic:
    """Maps of windows laid on one grid; where they overlap they are averaged.

    Where they are embeddings this averages cosines, not probabilities: similarities are linear in them.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._sum = self._count = torch.empty(0)

    def add(self, box: Box, part: torch.Tensor) -> None:
        """Lay the (C, h, w) map of the window `box`."""
        left, top, right, bottom = box
        height, width = part.shape[-2:]

        def row(pixels: int) -> int:
            return cells(pixels, height, bottom - top)

        def column(pixels: int) -> int:
            return cells(pixels, width, right - left)

        if not self._sum.numel():
            shape = row(self.size[1]), column(self.size[0])
            self._sum, self._count = part.new_zeros(len(part), *shape), part.new_zeros(1, *shape)
        y, x = row(top), column(left)
        place = (slice(None), slice(y, y + height), slice(x, x + width))
        self._sum[place] += part
        self._count[place] += 1

    def mean(self) -> torch.Tensor:
        """(C, H, W) the average of the windows at every cell."""
        return self._sum / self._count


def laid(size: tuple[int, int], pieces: Sequence[tuple[Box, torch.Tensor]]) -> torch.Tensor:
    """(C, H, W): the maps of all windows of an image of `size` on one grid."""
    if len(pieces) == 1:
        return pieces[0][1]
    mosaic = Mosaic(size)
    for box, piece in pieces:
        mosaic.add(box, piece)
    return mosaic.mean()


def cells(pixels: int, grid: int, span: int) -> int:
    """`pixels` in whole cells of a grid of `grid` cells every `span` pixels, halves upwards.

    In integers, and with one rule for halves, so that the last window ends where the map does: a second backbone's
    grid need not divide the window's steps.
    """
    return (2 * pixels * grid + span) // (2 * span)
