"""A window onto a huge photo: a box of its pixels, of which one in so many is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL import Image

from textseg.errors import EditError, brief
from textseg.project.raster import Box

LARGEST_STEP = 2**16


class Cells(Protocol):
    """(rows, columns) numbers of a window's cells: an array, or one on disk that is read where it is cut."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, cut: tuple[slice, slice], /) -> np.ndarray: ...


@dataclass(frozen=True)
class Window:
    """A raster over `box`: each of its cells stands for `step` x `step` pixels of the photo and shows their middle."""

    box: Box
    step: int

    @classmethod
    def read(cls, value: Any, size: tuple[int, int]) -> Window:
        """A window as it travels, `{"box": [left, top, right, bottom], "step": n}`, clipped to a photo of `size`.

        Raises EditError for anything else, and for a box that has nothing of the photo.
        """
        box, step = (value.get("box"), value.get("step", 1)) if isinstance(value, Mapping) else (None, None)
        if not isinstance(step, int) or isinstance(step, bool) or not 1 <= step <= LARGEST_STEP:
            raise EditError(f"A window's step is a whole number of pixels from 1, not {brief(step)}.")
        if not isinstance(box, list) or len(box) != 4 or not all(_reachable(edge) for edge in box):
            raise EditError(f"A window's box is [left, top, right, bottom] in whole pixels, not {brief(box)}.")
        (width, height), (left, top, right, bottom) = size, (int(edge) for edge in box)
        clipped = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
        if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            raise EditError(f"The window {box} has nothing of the photo of {width} x {height} pixels.")
        return cls(clipped, step)

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows) of cells; the last ones may reach over the photo."""
        left, top, right, bottom = self.box
        return -(-(right - left) // self.step), -(-(bottom - top) // self.step)

    @property
    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """(x of each column, y of each row): the whole pixels that the cells show."""
        left, top, right, bottom = self.box
        columns, rows = (np.arange(cells) * self.step + self.step // 2 for cells in self.size)
        return np.minimum(left + columns, right - 1), np.minimum(top + rows, bottom - 1)

    def of(self, box: Box, ids: np.ndarray) -> tuple[Box, np.ndarray]:
        """What a change shows here: the cells whose pixels lie in `box` (in cells), and their (H, W) of `ids`."""
        xs, ys = self.seen
        if not ids.size:
            return (0, 0, 0, 0), np.zeros((0, 0), np.uint16)
        x0, x1 = np.searchsorted(xs, (box[0], box[2])).tolist()
        y0, y1 = np.searchsorted(ys, (box[1], box[3])).tolist()
        return (x0, y0, x1, y1), ids[ys[y0:y1, None] - box[1], xs[None, x0:x1] - box[0]]

    def repeated(self, cells: Cells, part: Box) -> np.ndarray:
        """(H, W) numbers of the pixels of `part`, which lies in the window, from those of the window's cells."""
        left, top, right, bottom = (edge - self.box[k % 2] for k, edge in enumerate(part))
        first = slice(top // self.step, -(-bottom // self.step)), slice(left // self.step, -(-right // self.step))
        rows, columns = np.arange(top, bottom) // self.step, np.arange(left, right) // self.step
        return np.asarray(cells[first])[rows[:, None] - first[0].start, columns - first[1].start]

    def around(self, cells: np.ndarray) -> tuple[Box, np.ndarray]:
        """The (rows, columns) mask `cells` cut to what it marks and one cell around that, and the box of it in pixels.

        The neighbours are kept so that an edge can be drawn between a cell that is inside and one that is not.
        """
        rows, columns = np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))
        left, top, right, bottom = self.box
        if not len(rows):
            return (left, top, left, top), cells[:0, :0]
        x0, x1 = max(int(columns[0]) - 1, 0), min(int(columns[-1]) + 2, cells.shape[1])
        y0, y1 = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, cells.shape[0])
        box = (
            left + x0 * self.step, top + y0 * self.step,
            min(left + x1 * self.step, right), min(top + y1 * self.step, bottom),
        )  # fmt: skip
        return box, cells[y0:y1, x0:x1]

    def enlarged(self, cells: np.ndarray, box: Box) -> np.ndarray:
        """(H, W) bool mask of the pixels of `box` from the cells that begin there; its edges are smooth, not stairs."""
        width, height = box[2] - box[0], box[3] - box[1]
        if self.step == 1 or not cells.size:
            return cells
        # No more than the box is made: a step may reach far over the photo.
        grey = Image.fromarray(cells.astype(np.uint8) * 255).resize(
            (width, height), Image.Resampling.BILINEAR, (0, 0, width / self.step, height / self.step)
        )
        return np.asarray(grey) >= 128


def _reachable(edge: Any) -> bool:
    return isinstance(edge, (int, float)) and not isinstance(edge, bool) and abs(edge) < 2**31 and edge == int(edge)
