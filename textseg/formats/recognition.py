"""Which format a folder, a zip or a file is of, where nobody says so."""

from __future__ import annotations

from pathlib import Path

from textseg.errors import DatasetError
from textseg.folders import hidden
from textseg.formats.archives import opened
from textseg.formats.exporting import MANIFEST
from textseg.formats.registry import get, names, readable
from textseg.formats.source import Source

MAX_FOLDERS = 50


def recognise(path: str | Path) -> tuple[str, str]:
    """(the name of the format of what lies at `path`, the file or folder that shows it); raises DatasetError."""
    with opened(Path(path), None) as source:
        return recognised(source)


def recognised(source: Source) -> tuple[str, str]:
    """As `recognise`. Where the folder itself is of no format and one of its subfolders is, the source becomes that."""
    if source.file is None and (source.root / MANIFEST).is_file():
        content = source.json(source.root / MANIFEST)
        name = content.get("format") if isinstance(content, dict) else None
        if name in names():
            return str(name), MANIFEST
    found = _matches(source)
    if not found and source.file is None:
        inner = [place for place in sorted(source.root.iterdir()) if place.is_dir() and not hidden(place.name)]
        below = [(place, matches) for place in inner[:MAX_FOLDERS] if (matches := _matches(Source(place)))]
        if len(below) == 1:
            source.enter(below[0][0])
            found = below[0][1]
    if not found:
        known = ", ".join(get(name).title for name in readable())
        raise DatasetError(f"{source.root} is of no format that is known; name one with --format. Known are {known}.")
    if len(found) > 1:
        fits = " and ".join(f"{name} ({shown})" for name, shown in found)
        raise DatasetError(f"{source.root} fits {fits}; choose one with --format.")
    return found[0]


def _matches(source: Source) -> list[tuple[str, str]]:
    return [(name, shown) for name in readable() if (shown := get(name).recognise(source)) is not None]
