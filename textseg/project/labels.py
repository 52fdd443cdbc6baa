"""What the label map of one photo says: which class each pixel has, and who says so."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from textseg.errors import PhotoTooLargeError
from textseg.project import counts
from textseg.project.classes import Classes
from textseg.project.counts import PERSONS
from textseg.project.raster import Box, Raster
from textseg.project.schema import Provenance, StoredPhoto
from textseg.project.windows import Window

MAX_WHOLE = 2**28
"""Pixels of a label map that is read whole; a huge one is read by windows."""


class Labels:
    """The label map of one photo inside a transaction."""

    def __init__(self, session: Session, photo: StoredPhoto) -> None:
        self.session, self.photo, self.raster = session, photo, Raster(session, photo)

    @cached_property
    def classes(self) -> Classes:
        return Classes(self.session)

    @property
    def box(self) -> Box:
        """The whole photo."""
        return self.raster.box

    def read(self, box: Box | None = None) -> tuple[np.ndarray, np.ndarray]:
        """((H, W) uint16 class ids as they are stored, (H, W) uint32 source ids) inside `box`, or of all of it."""
        if box is None and self.photo.width * self.photo.height > MAX_WHOLE:
            raise PhotoTooLargeError(
                f"The label map of {self.photo.name} is too large to be read whole; ask for windows."
            )
        return self.raster.read(self.box if box is None else box)

    def seen(self, window: Window) -> np.ndarray:
        """(rows, columns) uint16 class ids that a window shows; what it does not show is not held."""
        return self.shown(self.raster.sample(*window.seen))

    def write(self, box: Box, ids: np.ndarray, sources: np.ndarray) -> None:
        """Replace what lies inside `box`, and count it."""
        counts.change(self.session, self.photo.id, self.raster.write(box, ids, sources))

    def shown(self, ids: np.ndarray) -> np.ndarray:
        """What stored ids read as today: those of a deleted class as 0, of a merged one as the other."""
        return self.classes.meaning[ids]

    def by_person(self, sources: np.ndarray) -> np.ndarray:
        """(H, W) bool: where a person has drawn, erased or accepted."""
        return np.isin(sources, self._sources(*PERSONS))

    def said(self, window: Window | None = None) -> np.ndarray:
        """(H, W) int32, what a person says of each pixel, or of each that a window shows; see `Project.corrections`."""
        if window is None:
            ids, sources = self.read()
        else:
            ids, sources = (self.raster.sample(*window.seen, sources=which) for which in (False, True))
        meant = np.where(ids == 0, -1, self.shown(ids).astype(np.int32))
        return np.where(self.by_person(sources), meant, 0).astype(np.int32)

    def sources(self, ids: list[int]) -> list[Provenance]:
        """The sources with these ids, in their order."""
        return list(self.session.scalars(select(Provenance).where(Provenance.id.in_(ids)).order_by(Provenance.id)))

    def person(self) -> int:
        """The photo's source "person", made at the first gesture."""
        known = self._sources("person")
        if known:
            return known[0]
        row = Provenance(photo_id=self.photo.id, kind="person")
        self.session.add(row)
        self.session.flush()
        return row.id

    def last_source(self) -> int:
        """The greatest id that a source of the photo has, 0 where there is none."""
        query = select(func.max(Provenance.id)).where(Provenance.photo_id == self.photo.id)
        return int(self.session.scalar(query) or 0)

    def _sources(self, *kinds: str) -> list[int]:
        query = select(Provenance.id).where(Provenance.photo_id == self.photo.id, Provenance.kind.in_(kinds))
        return list(self.session.scalars(query.order_by(Provenance.id)))


def present(numbers: np.ndarray) -> list[int]:
    """The numbers that occur, in order; quicker and leaner than sorting them."""
    seen = np.zeros(int(numbers.max(initial=0)) + 1, bool)
    seen[numbers.ravel()] = True
    return np.flatnonzero(seen).tolist()
