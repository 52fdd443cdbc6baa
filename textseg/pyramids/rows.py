"""An array on disk, written row by row and read by windows: what is made of a huge photo fits no memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike


class Rows:
    """(H, W) numbers in a temporary file, which goes when it is closed or forgotten."""

    def __init__(self, width: int, dtype: DTypeLike, folder: Path | None = None) -> None:
        """`folder` is where the file lies, by default the system's place for such files."""
        self.width, self.dtype, self.height = width, np.dtype(dtype), 0
        self._file = tempfile.TemporaryFile(dir=folder, prefix="textseg-")  # noqa: SIM115 (closed by `close`)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of what was written."""
        return self.height, self.width

    def append(self, rows: np.ndarray) -> None:
        """Write (n, W) rows below those that are there."""
        if rows.shape[1] != self.width:
            raise ValueError(f"rows of {rows.shape[1]} numbers where {self.width} belong")
        self._file.seek(self.height * self.width * self.dtype.itemsize)
        self._file.write(np.ascontiguousarray(rows, self.dtype).data)
        self.height += len(rows)

    def __getitem__(self, cut: tuple[slice, slice]) -> np.ndarray:
        """(h, w) of a window, given as two slices without a step."""
        (top, bottom, _), (left, right, _) = (part.indices(n) for part, n in zip(cut, self.shape, strict=True))
        found = np.empty((max(bottom - top, 0), max(right - left, 0)), self.dtype)
        for row, out in zip(range(top, bottom), found, strict=True):
            self._file.seek((row * self.width + left) * self.dtype.itemsize)
            out[:] = np.frombuffer(self._file.read(out.nbytes), self.dtype)
        return found

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
