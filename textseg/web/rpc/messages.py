"""What pages send, read field by field: whatever a stranger puts into it, one sentence comes of it."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from gradio.data_classes import DataWithFiles

from textseg.errors import RequestError

MAX_TEXT = 100_000
LARGEST = 2**53 - 1
"""The largest whole number that JavaScript and JSON agree on."""

T = TypeVar("T")
Name = TypeVar("Name", bound=str)


class Message:
    """One message of a page: named fields, and files where it came as a form (whose fields are all text).

    Every reader raises RequestError for a field that is missing, of another type, or out of bounds. A field that is
    null counts as missing; one with a default may be.
    """

    def __init__(self, raw: Any) -> None:
        fields = raw.data if isinstance(raw, DataWithFiles) else raw
        if not isinstance(fields, Mapping):
            raise RequestError("The page sent something that is not understood; reload it.")
        self._fields = fields
        self.files: list[tuple[str, bytes]] = list(raw.files) if isinstance(raw, DataWithFiles) else []

    def has(self, name: str) -> bool:
        """Whether the field was given at all."""
        return self._fields.get(name) is not None

    def text(self, name: str, default: str | None = None, most: int = MAX_TEXT) -> str:
        """At most `most` characters."""
        value = self._get(name, default)
        if not isinstance(value, str):
            raise RequestError(f"'{name}' is text, not {_shown(value)}.")
        if len(value) > most:
            raise RequestError(f"'{name}' has {len(value)} characters; at most {most} are taken.")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise RequestError(f"'{name}' holds half a character; type it again.")
        return value

    def choice(self, name: str, of: Collection[Name], default: Name | None = None) -> Name:
        """One of the names `of`."""
        value = self._get(name, default)
        for one in of:
            if isinstance(value, str) and value == one:
                return one
        raise RequestError(f"'{name}' is one of {', '.join(of)}, not {_shown(value)}.")

    def flag(self, name: str) -> bool:
        """True or false; false where it is missing."""
        value = self._get(name, False)
        if not isinstance(value, bool):
            raise RequestError(f"'{name}' is true or false, not {_shown(value)}.")
        return value

    def whole(self, name: str, low: int = 0, high: int = LARGEST, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        return whole(self._get(name, default), name, low, high)

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A number from `low` to `high`."""
        return number(self._get(name, default), name, low, high)

    def items(self, name: str, most: int, read: Callable[[Any, str], T]) -> list[T]:
        """A list of at most `most` items, each read by `read(item, name)`; empty where it is missing."""
        return items(self._get(name, []), name, most, read)

    def mapping(self, name: str, most: int = 10_000) -> dict[str, Any]:
        """An object of at most `most` named values, unread; empty where it is missing."""
        value = self._get(name, {})
        if not isinstance(value, Mapping) or len(value) > most or not all(isinstance(key, str) for key in value):
            raise RequestError(f"'{name}' is an object of at most {most} named values, not {_shown(value)}.")
        return dict(value)

    def raw(self, name: str) -> Any:
        """The field as it came, for whoever checks it whole; None where it is missing."""
        return self._fields.get(name)

    def _get(self, name: str, default: Any) -> Any:
        value = self._fields.get(name)
        value = default if value is None else value
        if value is None:
            raise RequestError(f"The page sent no '{name}'; reload it.")
        return value


def whole(value: Any, name: str, low: int = 0, high: int = LARGEST) -> int:
    """`value` as a whole number from `low` to `high`; raises RequestError."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RequestError(f"'{name}' is a whole number{_bounds(low, high)}, not {_shown(value)}.")
    return value


def number(value: Any, name: str, low: float, high: float) -> float:
    """`value` as a number from `low` to `high`; raises RequestError, also for NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise RequestError(f"'{name}' is a number{_bounds(low, high)}, not {_shown(value)}.")
    return float(value)


def numbers(count: int, low: float, high: float) -> Callable[[Any, str], list[float]]:
    """A reader of lists of exactly `count` numbers from `low` to `high`."""

    def read(value: Any, name: str) -> list[float]:
        if not isinstance(value, list) or len(value) != count:
            raise RequestError(f"'{name}' takes {count} numbers, not {_shown(value)}.")
        return [number(item, name, low, high) for item in value]

    return read


def items(value: Any, name: str, most: int, read: Callable[[Any, str], T]) -> list[T]:
    """`value` as a list of at most `most` items, each read by `read(item, name)`; raises RequestError."""
    if not isinstance(value, list):
        raise RequestError(f"'{name}' is a list, not {_shown(value)}.")
    if len(value) > most:
        raise RequestError(f"'{name}' has {len(value)} items; at most {most} are taken.")
    return [read(item, name) for item in value]


def _bounds(low: float, high: float) -> str:
    if math.isinf(high) or high >= LARGEST:
        return f" from {low:g}" if low != 0 else ""
    return f" from {low:g} to {high:g}"


def _shown(value: Any) -> str:
    """A stranger's value in a sentence: short, on one line, and never a number of thousands of digits."""
    if isinstance(value, (Mapping, list)):
        return "an object" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a huge number"
    return f"'{''.join(c if c.isprintable() else ' ' for c in str(value))[:40]}'"
