"""What of an import was left out or mended: counted by reason, the first three of each named."""

from __future__ import annotations

from typing import Any

from textseg.errors import DatasetError

EMPTY = "annotations without an area, left out"
NO_OUTLINE = "outlines that are no list of pairs x, y, left out"
UNKNOWN_CLASS = "annotations of a class that is not listed, left out"
NAMELESS = "annotations without the name of a class, left out"
UNKNOWN_SHAPE = "shapes of an unknown kind, left out"
OUTSIDE = "annotations that lie outside of the photo, left out"
CLIPPED = "annotations that reach beyond the photo, clipped at its edge"
NO_PHOTO = "photos that are named and not there, left out"
AMBIGUOUS = "photos whose name fits several files, left out"
UNREADABLE = "photos that cannot be read, left out"
NO_LABELS = "label maps that are listed and not there, left out"
NO_SPLIT = "splits that are named and not there, left out"

NAMED = 3
"""So many of each reason are named."""


class BadAnnotation(DatasetError):
    """One annotation cannot be used, and the others can: it is left out and counted, unless the import is strict."""

    def __init__(self, reason: str, where: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason, self.where = reason, where


class Tally:
    """How often each reason came up, and where first."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, list[str]]] = {}

    def add(self, reason: str, where: str) -> None:
        count, first = self._found.get(reason, (0, []))
        self._found[reason] = count + 1, [*first, where] if len(first) < NAMED else first

    def to_list(self) -> list[dict[str, Any]]:
        """`reason`, `count` and `first`, in the order in which the reasons came up."""
        return [{"reason": reason, "count": n, "first": first} for reason, (n, first) in self._found.items()]


def sentences(tally: list[dict[str, Any]]) -> list[str]:
    """A line for each reason of `Tally.to_list()`."""
    return [
        f"{one['reason']}: {one['count']:,} ({', '.join(one['first'])}{', …' if one['count'] > NAMED else ''})"
        for one in tally
    ]
