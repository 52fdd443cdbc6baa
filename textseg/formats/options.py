"""What a format lets people choose, described once: commands, forms and the API are drawn from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from textseg.errors import FormatError, brief


@dataclass(frozen=True)
class Option:
    """One choice: yes or no where the default is a bool, one of `choices`, or else any text."""

    name: str
    """Its key: `polygons`."""
    title: str
    """As a form shows it: "Polygons instead of masks"."""
    default: bool | str = False
    choices: tuple[str, ...] = ()
    hint: str = ""
    """What a field for text shows while it is empty."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


POLYGONS = Option("polygons", "Polygons instead of masks")
BACKGROUND = Option("background", "Id 0 is the class", default="", hint="unlabelled")


def settled(format: str, offered: Iterable[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each option that a format offers: what was given, or the default.

    Raises FormatError for a value of another kind, and for an option that the format does not offer (one that is off
    anyway is not minded).
    """
    known = {option.name: option for option in offered}
    for name, value in given.items():
        if name not in known:
            if value:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise FormatError(f"The format {format} has no option '{name}'; {has}.")
            continue
        option = known[name]
        if isinstance(option.default, bool) and not isinstance(value, bool):
            raise FormatError(f"The option '{name}' is true or false, not {brief(value)}.")
        if isinstance(option.default, str) and not isinstance(value, str):
            raise FormatError(f"The option '{name}' is text, not {brief(value)}.")
        if option.choices and value not in option.choices:
            raise FormatError(f"The option '{name}' is one of {', '.join(option.choices)}, not {brief(value)}.")
    return {name: given.get(name, option.default) for name, option in known.items()}


def read(offered: Iterable[Option], texts: Iterable[str]) -> dict[str, Any]:
    """Options written as `NAME=VALUE`, or `NAME` for yes; raises FormatError."""
    known = {option.name: option for option in offered}
    given: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        flag = name in known and isinstance(known[name].default, bool)
        if flag and value.casefold() not in ("", "yes", "no"):
            raise FormatError(f"The option '{name}' is yes or no, not {brief(value)}.")
        given[name] = value.casefold() != "no" if flag or not equals else value
    return given
