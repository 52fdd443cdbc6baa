"""What a format tells about the files it has read: classes, photos, label maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Category:
    """A class as a format knows it: how it is called there, and what it looks like."""

    name: str
    prompt: str | None = None
    """The word asked for it, where it differs from the published name."""
    aliases: tuple[str, ...] = ()
    colour: str | None = None
    """`#rrggbb`"""
    implied: bool = False
    """Not written in the files but agreed on (VOC's 21 classes): it counts only if a pixel has it."""
    background: bool = False


@dataclass
class Entry:
    """One photo and how to get its label map."""

    name: str
    """File name of the photo; without a suffix where the format knows only stems."""
    where: str
    """File and field, for messages."""
    photo: Path | bytes | None
    """The photo itself, None when only its name is known."""
    labels: Callable[[tuple[int, int]], np.ndarray] | None
    """(width, height) of the upright photo -> (H, W) integers: 0 unlabelled, k = k-th class; raises DatasetError."""


@dataclass
class Incoming:
    """Everything a data set holds. `entries` may be read lazily, once."""

    classes: list[Category]
    entries: Iterable[Entry]
    notes: list[str] = field(default_factory=list)
    """Sentences for the report; more may be added while entries are read."""

    def note(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def number(self, name: str, colour: str | None = None) -> int:
        """The number of the class called `name`, which is added if there is none yet."""
        for k, known in enumerate(self.classes, start=1):
            if known.name == name:
                return k
        self.classes.append(Category(name, colour=colour))
        return len(self.classes)
