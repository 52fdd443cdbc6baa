"""Folders that number the frames of a film: `frame-0001.jpg`, `frame-0002.jpg`, ..."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from textseg.errors import PhotoError
from textseg.folders import Found, gather

NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
"""Before the last number of a file's name, the number, what comes after it."""

LEAST = 2
"""Frames that make a film."""


@dataclass(frozen=True)
class Numbered:
    """The frames that one folder numbers alike."""

    name: str
    key: str
    """Tells it from what else is numbered under that folder, also when more kinds of names have come."""
    frames: list[tuple[int, Found]]
    """(number, photo) in the order of the numbers."""

    @property
    def source(self) -> str:
        """Tells it from most others, also when more frames have come: by its key and its first frame."""
        first = hashlib.sha256(self.frames[0][1].content()).hexdigest()
        return f"folder {self.key} {first}"

    def hashes(self) -> dict[float, str]:
        """SHA-256 of the frames by their numbers, of those that can be read."""
        found = {}
        for number, frame in self.frames:
            with suppress(PhotoError, OSError):
                found[float(number)] = hashlib.sha256(frame.content()).hexdigest()
        return found

    @property
    def missing(self) -> list[tuple[int, int]]:
        """(first, last) of the numbers that are left out, where the others go up by one."""
        numbers = [number for number, _ in self.frames]
        steps = [b - a for a, b in zip(numbers, numbers[1:], strict=False)]
        if sorted(steps)[len(steps) // 2] != 1:  # every tenth frame, say: nothing is missing
            return []
        return [(a + 1, b - 1) for a, b in zip(numbers, numbers[1:], strict=False) if b - a > 1]


def sequences(folder: Path, called: str | None = None) -> tuple[list[Numbered], list[Found]]:
    """(the films that a folder, `called` so or by its own name, and those in it number, the photos in none of them).

    Photos belong together that lie in one folder and whose names differ in their last number alone. A film is called
    by its folder; where that numbers several kinds of names, with its kind: `shots/left`, `shots/right`.
    """
    alike: dict[tuple[str, str, str], dict[int, Found]] = defaultdict(dict)
    left = []
    for found in gather([folder]).photos:
        path = PurePosixPath(found.name)
        match = NUMBERED.fullmatch(path.stem)
        if match is None:
            left.append(found)
            continue
        key = str(path.parent), match[1], match[3]
        if int(match[2]) in alike[key]:  # 1.jpg and 01.jpg, or 1.jpg and 1.png
            left.append(found)
        else:
            alike[key][int(match[2])] = found
    whole = called or folder.resolve().name
    kinds = Counter(parent for (parent, _, _), frames in alike.items() if len(frames) >= LEAST)
    films = []
    for (parent, before, _), frames in alike.items():
        if len(frames) < LEAST:
            left += frames.values()
            continue
        place, kind = whole if parent == "." else parent, before.rstrip(" -_.")
        known_as = f"{place}/{kind}" if kind and kind not in ("frame", "img", "image") else place
        films.append(Numbered(known_as if kinds[parent] > 1 else place, known_as, sorted(frames.items())))
    return films, left
