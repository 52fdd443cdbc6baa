"""What was found out about photos, on disk: small facts by key, so that nothing is looked at a second time.

As in trainer/store.py a file appears whole or not at all, under a name nobody else uses, and several processes may note
things in one folder without a lock.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

from textseg import images
from textseg.files import write_atomically

MANY = 64
"""Files of a folder from which on they are written together as one."""


class Notes:
    """JSON values by key in a folder; without a folder they are forgotten with the process."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._values: dict[str, Any] = {}
        self._seen: set[Path] = set()
        self.refresh()
        if folder is not None and len(self._seen) > MANY:
            self._together(folder)

    def refresh(self) -> None:
        """Take notice of what other processes have noted."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in sorted(self.folder.glob("*.json")):
            if path not in self._seen:
                self._seen.add(path)
                try:
                    self._values.update(json.loads(path.read_bytes()))
                except (OSError, ValueError):  # written together by another process, or torn by a failing disk
                    continue

    def get(self, key: str) -> Any:
        """What was noted under `key`, None where nothing was."""
        return self._values.get(key)

    def add(self, values: Mapping[str, Any]) -> None:
        """Note `values` in one file, atomically."""
        if not values:
            return
        self._values.update(values)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{uuid4().hex}.json"
            write_atomically(path, json.dumps(dict(values)).encode())
            self._seen.add(path)

    def _together(self, folder: Path) -> None:
        """One file instead of many; whoever reads meanwhile finds a value in one of them."""
        before = list(self._seen)
        path = folder / f"{uuid4().hex}.json"
        write_atomically(path, json.dumps(self._values).encode())
        self._seen = {path}
        for old in before:
            old.unlink(missing_ok=True)


def of_files(cache: Path | None, place: Path) -> Notes:
    """Of the files of a data set: their sizes, times and SHA-256."""
    return Notes(cache and cache / "files" / _short(str(place.absolute())))


def of_shards(cache: Path | None) -> Notes:
    """Of tar shards: their tables of contents."""
    return Notes(cache and cache / "shards")


def of_readability(cache: Path | None) -> Notes:
    """By a photo's SHA-256: "" for one that opens, else what is wrong with it, as this machine's libraries see it."""
    readers = [f"{name} {_version(name)}" for name in ("pillow", "pillow-heif", "tifffile")]
    return Notes(cache and cache / "readable" / _short("\0".join([*readers, *images.FORMATS])))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
