"""Values of other people's files, checked one by one: every refusal is one sentence with file, field and value."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np

from textseg.errors import DatasetError, brief
from textseg.formats.tally import EMPTY, NAMELESS, NO_OUTLINE, BadAnnotation
from textseg.vocabulary import MAX_WORD_LENGTH

MAX_POINTS = 1_000_000
"""Of one outline."""
FAR = 1e7
"""Pixels from the photo's corner; what lies further is no coordinate."""


def natural(text: Any, below: int) -> int | None:
    """The whole number from 0 that `text` writes in plain digits, None if it is none or not `below`."""
    plain = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if plain and int(text) < below else None


def an_object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DatasetError(f"{where} is {brief(value)} and must be an object.")
    return value


def a_list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise DatasetError(f"{where} is {brief(value)} and must be a list.")
    return value


def a_name(value: Any, where: str) -> str:
    """The name of a class; raises BadAnnotation, as it may be missing from one annotation alone."""
    name = " ".join(value.split()) if isinstance(value, str) else ""
    if not name or len(name) > MAX_WORD_LENGTH or not name.isprintable():
        sentence = f"{where} is {brief(value)} and must be a name of at most {MAX_WORD_LENGTH} characters."
        raise BadAnnotation(NAMELESS, where, sentence)
    return name


def a_colour(value: Any) -> str | None:
    """`#rrggbb` from that text or from three numbers 0 to 255; None where it is neither."""
    if isinstance(value, list) and len(value) == 3 and all(type(c) is int and 0 <= c <= 255 for c in value):
        return f"#{bytes(value).hex()}"
    return value.lower() if isinstance(value, str) and re.fullmatch("#[0-9a-fA-F]{6}", value) else None


def a_number(value: Any, where: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number within bounds."""
    number = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12:
        number = float(value)
    if not low <= number <= high or not math.isfinite(number):
        bounds = f" from {low:g} to {high:g}" if math.isfinite(low) and math.isfinite(high) else ""
        raise DatasetError(f"{where} is {brief(value)} and must be a number{bounds}.")
    return number


def an_id(value: Any, where: str, least: int = 0, below: int = 2**63) -> int:
    """A whole number, also one that is written as `1.0` or `"1"`."""
    if isinstance(value, str):
        value = value if (number := natural(value, 2**63)) is None else number
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < below:
        raise DatasetError(f"{where} is {brief(value)} and must be a whole number from {least} to below {below:,}.")
    return value


def points(values: Any, where: str, least: int) -> np.ndarray:
    """(N, 2) finite coordinates from pairs [[x, y], ...] or a flat [x, y, ...] list.

    Raises DatasetError, which is a BadAnnotation where only this outline is bad: too short, or not in pairs.
    """
    listed = a_list(values, where)
    if len(listed) > 2 * MAX_POINTS:
        raise DatasetError(f"{where} has more than {MAX_POINTS:,} points; no outline has so many.")
    if listed and not isinstance(listed[0], list):
        if len(listed) % 2:
            sentence = f"{where} has {len(listed)} coordinates; they come in pairs x, y."
            raise BadAnnotation(NO_OUTLINE, where, sentence)
        listed = [listed[k : k + 2] for k in range(0, len(listed), 2)]
    line = _pairs(listed)
    if line is None:
        line = np.empty((len(listed), 2))
        for k, pair in enumerate(listed):
            if not isinstance(pair, list) or len(pair) != 2:
                raise DatasetError(f"{where}[{k}] is {brief(pair)} and must be two numbers x, y.")
            line[k] = [a_number(v, f"{where}[{k}].{axis}", -FAR, FAR) for v, axis in zip(pair, "xy", strict=True)]
    if len(line) < least:
        raise BadAnnotation(EMPTY, where, f"{where} has {len(line)} points; at least {least} are needed.")
    return line


def _pairs(listed: list[Any]) -> np.ndarray | None:
    """Pairs of plain numbers at once; None where there is anything else, which is then named one by one."""
    if set(map(type, listed)) != {list} or set(map(len, listed)) != {2}:
        return None
    flat = list(itertools.chain.from_iterable(listed))
    if not set(map(type, flat)) <= {int, float}:
        return None
    try:
        line = np.array(flat, np.float64).reshape(-1, 2)
    except OverflowError:
        return None
    return line if np.isfinite(line).all() and np.abs(line).max() <= FAR else None
