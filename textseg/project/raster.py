"""The label map of one photo as tiles in the database: what a gesture reads and writes does not grow with the photo."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from textseg.errors import ProjectError
from textseg.project.counts import Tally, tally
from textseg.project.schema import StoredPhoto, Tile

SIDE = 256
"""Side of a tile in pixels."""

BLOCK = 8 * SIDE
"""Side of what is read and changed at a time where that is more than AT_ONCE pixels."""

AT_ONCE = 16_000_000
"""Pixels up to which a box is read and changed as one."""

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels, x1 and y1 exclusive."""


def blocks(box: Box) -> Iterator[Box]:
    """`box` itself, or where it has more than AT_ONCE pixels the pieces of it, each inside one block."""
    x0, y0, x1, y1 = box
    if (x1 - x0) * (y1 - y0) <= AT_ONCE:
        yield box
        return
    for top in range(y0 // BLOCK * BLOCK, y1, BLOCK):
        for left in range(x0 // BLOCK * BLOCK, x1, BLOCK):
            yield max(left, x0), max(top, y0), min(left + BLOCK, x1), min(top + BLOCK, y1)


class Raster:
    """Class ids and source ids of one photo, read and written by box inside the session's transaction."""

    def __init__(self, session: Session, photo: StoredPhoto) -> None:
        self._session, self._photo = session, photo

    @property
    def box(self) -> Box:
        """The whole photo."""
        return 0, 0, self._photo.width, self._photo.height

    def read(self, box: Box) -> tuple[np.ndarray, np.ndarray]:
        """((H, W) uint16 class ids, (H, W) uint32 source ids) inside `box`."""
        x0, y0, x1, y1 = box
        ids = np.zeros((y1 - y0, x1 - x0), np.uint16)
        sources = np.zeros(ids.shape, np.uint32)
        for tile in self._tiles(box):
            there, here = _overlap(tile.row, tile.column, box)
            tile_ids, tile_sources = self._unpacked(tile)
            ids[there], sources[there] = tile_ids[here], tile_sources[here]
        return ids, sources

    def sample(self, xs: np.ndarray, ys: np.ndarray, sources: bool = False) -> np.ndarray:
        """(len(ys), len(xs)) uint16 class ids, or uint32 `sources` ids, at whole pixels in rising order.

        One tile is unpacked at a time.
        """
        dtype, held = (np.uint32, Tile.sources) if sources else (np.uint16, Tile.ids)
        found = np.zeros((len(ys), len(xs)), dtype)
        if not found.size:
            return found
        query = select(Tile.row, Tile.column, held).where(*self._within((xs[0], ys[0], xs[-1] + 1, ys[-1] + 1)))
        for row, column, packed in self._session.execute(query.execution_options(yield_per=64)):
            left, right = np.searchsorted(xs, (column * SIDE, (column + 1) * SIDE))
            top, bottom = np.searchsorted(ys, (row * SIDE, (row + 1) * SIDE))
            if left < right and top < bottom:
                tile = self._checked(row, column, packed, dtype)
                found[top:bottom, left:right] = tile[ys[top:bottom, None] - row * SIDE, xs[left:right] - column * SIDE]
        return found

    def write(self, box: Box, ids: np.ndarray, sources: np.ndarray) -> Tally:
        """Replace what lies inside `box`; -> how the pixels of each class and source changed in number.

        Tiles that do not change are not touched.
        """
        changed: Counter[tuple[int, int]] = Counter()
        known = {(tile.row, tile.column): tile for tile in self._tiles(box)}
        for row, column in _tiles_under(box):
            there, here = _overlap(row, column, box)
            tile = known.get((row, column))
            if tile:
                old_ids, old_sources = self._unpacked(tile)
            else:
                old_ids, old_sources = np.zeros((SIDE, SIDE), np.uint16), np.zeros((SIDE, SIDE), np.uint32)
            new_ids, new_sources = old_ids.copy(), old_sources.copy()
            new_ids[here], new_sources[here] = ids[there], sources[there]
            if np.array_equal(new_ids, old_ids) and np.array_equal(new_sources, old_sources):
                continue
            if tile is None:
                tile = Tile(photo_id=self._photo.id, row=row, column=column)
                self._session.add(tile)
            tile.ids, tile.sources = _pack(new_ids), _pack(new_sources)
            changed.update(tally(new_ids[here], new_sources[here]))
            changed.subtract(tally(old_ids[here], old_sources[here]))
        return {pair: pixels for pair, pixels in changed.items() if pixels}

    def _unpacked(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        ids = self._checked(tile.row, tile.column, tile.ids, np.uint16)
        return ids, self._checked(tile.row, tile.column, tile.sources, np.uint32)

    def _checked(self, row: int, column: int, packed: bytes, dtype: type[np.generic]) -> np.ndarray:
        try:
            return _unpack(packed, dtype)
        except (zlib.error, ValueError):
            raise ProjectError(
                f"The label map of {self._photo.name} is damaged around ({column * SIDE}, {row * SIDE}); "
                "restore project.sqlite from a backup, the other photos are not touched."
            ) from None

    def _tiles(self, box: Box) -> list[Tile]:
        return list(self._session.scalars(select(Tile).where(*self._within(box))))

    def _within(self, box: Box) -> list[ColumnElement[bool]]:
        """Which tiles have something of `box`."""
        x0, y0, x1, y1 = (int(edge) for edge in box)
        return [
            Tile.photo_id == self._photo.id,
            Tile.row.between(y0 // SIDE, (y1 - 1) // SIDE),
            Tile.column.between(x0 // SIDE, (x1 - 1) // SIDE),
        ]


def _pack(tile: np.ndarray) -> bytes:
    return zlib.compress(tile.tobytes(), 1)


def _unpack(blob: bytes, dtype: type[np.generic]) -> np.ndarray:
    return np.frombuffer(zlib.decompress(blob), dtype).reshape(SIDE, SIDE)


def _tiles_under(box: Box) -> list[tuple[int, int]]:
    x0, y0, x1, y1 = box
    return [
        (row, column)
        for row in range(y0 // SIDE, (y1 - 1) // SIDE + 1)
        for column in range(x0 // SIDE, (x1 - 1) // SIDE + 1)
    ]


def _overlap(row: int, column: int, box: Box) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a tile and a box overlap: slices into the box's array, and into the tile."""
    x0, y0, x1, y1 = box
    left, top = column * SIDE, row * SIDE
    from_x, to_x = max(x0, left), min(x1, left + SIDE)
    from_y, to_y = max(y0, top), min(y1, top + SIDE)
    there = slice(from_y - y0, to_y - y0), slice(from_x - x0, to_x - x0)
    return there, (slice(from_y - top, to_y - top), slice(from_x - left, to_x - left))
