"""How much a project may hold, where that is bounded: visitors of a server get a project of a stated size."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import Session

from textseg.errors import PhotoError
from textseg.project.schema import StoredPhoto

DECODED = 100
"""Pixels of films that may be decoded for each pixel that may be kept."""


@dataclass(frozen=True)
class Allowance:
    """Photos and pixels (of all of them together) that a project may hold."""

    photos: int
    pixels: int

    @property
    def decoded(self) -> int:
        """Pixels that may be decoded on the way to the frames of one upload: equal ones take time and no room."""
        return DECODED * self.pixels

    def check(self, session: Session, new: StoredPhoto) -> None:
        """Raise PhotoError, in a sentence that tells the bound, unless there is room for one more photo."""
        area = func.sum(cast(StoredPhoto.width, BigInteger) * StoredPhoto.height)
        count, held = session.execute(select(func.count(), area).select_from(StoredPhoto)).one()
        if count >= self.photos:
            raise PhotoError(f"This project may hold {self.photos} photos, and does; label more on your own computer.")
        if (held or 0) + new.width * new.height > self.pixels:
            raise PhotoError(
                f"This project may hold {self.pixels / 1e6:.0f} megapixels in all, which {new.name} would exceed; "
                "make it smaller, or label it on your own computer."
            )
