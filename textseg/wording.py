"""How reports are worded."""

from __future__ import annotations

import math
from pathlib import PurePath

from textseg.errors import spelt_out


def counted(number: int, noun: str) -> str:
    """`1 photo`, `2 photos`, `3 classes`."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"


def at_least(share: float) -> str:
    """A share 0..1 as whole per cents that it reaches: 0.898 is not yet 90%."""
    return f"{math.floor(100 * share + 1e-9)}%"


def some(lines: list[str], most: int = 20) -> list[str]:
    """The first of many lines of a report, indented."""
    more = [f"  … and {len(lines) - most} more like it"] if len(lines) > most else []
    return [f"  {line}" for line in lines[:most]] + more


def of_file(path: object, reason: object) -> str:
    """`PATH: REASON` on one line; a reason that begins with the file's name does not say it again."""
    where, why = str(path), str(reason)
    for name in (where, PurePath(where).name):
        why = why.removeprefix(f"{name} ")
    return spelt_out(f"{where}: {why}")
