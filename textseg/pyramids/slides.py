"""Slides of microscopes by windows, through OpenSlide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from textseg import tones
from textseg.errors import PhotoError
from textseg.pyramids import Box, Part

STEP = 4096
"""Pixels a side of what is read of a level at a time, before it is made smaller."""


class Slide:
    """A slide; see `Source`. What the scanner left out is white."""

    def __init__(self, path: Path, name: str) -> None:
        """`name` is what messages call it. Raises PhotoError."""
        try:
            import openslide
        except ImportError:
            raise PhotoError(
                f"{name} is a slide of a microscope, which is read with: pip install 'textseg[large]'"
            ) from None
        self._name = name
        try:
            # Some slides have a folder of their name beside them: a link leads to the file itself.
            self._slide: Any = openslide.OpenSlide(path.resolve())
        except (openslide.OpenSlideError, OSError) as error:
            reason = " ".join(str(error).split())[:120].rstrip(".")
            raise PhotoError(f"{name} is no slide that OpenSlide reads, or is damaged ({reason}).") from None
        self._error = openslide.OpenSlideError
        self.levels = tuple(self._slide.level_dimensions)

    def read(self, box: Part, size: tuple[int, int]) -> np.ndarray:
        """(h, w, 3) uint8 of `box`, brought to `size` (w, h) from the nearest larger level."""
        wanted = min((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
        level = max(k for k, by in enumerate(self._slide.level_downsamples) if k == 0 or by <= wanted + 1e-3)
        out = np.empty((size[1], size[0], 3), np.uint8)
        # In bands of the answer, so that what is read of the level is bounded where it has no smaller one.
        columns, rows = (max(1, int(STEP * self._slide.level_downsamples[level] / max(wanted, 1e-9))) for _ in size)
        for top in range(0, size[1], rows):
            for left in range(0, size[0], columns):
                part = left, top, min(left + columns, size[0]), min(top + rows, size[1])
                out[part[1] : part[3], part[0] : part[2]] = self._piece(box, size, part, level)
        return out

    def close(self) -> None:
        self._slide.close()

    def _piece(self, box: Part, size: tuple[int, int], part: Box, level: int) -> np.ndarray:
        by = self._slide.level_downsamples[level]
        x, y = (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1]
        left, top = box[0] + part[0] * x, box[1] + part[1] * y
        right, bottom = box[0] + part[2] * x, box[1] + part[3] * y
        shape = max(1, round((right - left) / by)), max(1, round((bottom - top) / by))
        try:
            piece = self._slide.read_region((round(left), round(top)), level, shape)
        except (self._error, OSError):
            raise PhotoError(
                f"{self._name} is damaged or cut short around ({round(left)}, {round(top)}) and cannot be read there."
            ) from None
        flat = tones.over_white(piece)
        wanted = part[2] - part[0], part[3] - part[1]
        return np.asarray(flat if flat.size == wanted else flat.resize(wanted, Image.Resampling.BOX))
