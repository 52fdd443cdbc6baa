"""Files of an import, found by their paths as other machines wrote them: never outside of its folder.

`imgs\\a.png`, `C:\\data\\a.png`, `../imgs/a.png`, `/home/me/a.png`, `file:///a%20b.png`, another case, another suffix:
a path is looked for whole, then by its tail, then by a name that only one file has.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from textseg import images
from textseg.errors import DatasetError, brief
from textseg.folders import hidden
from textseg.formats.filenames import same

MAX_FILES = 2_000_000
MAX_NAME_BYTES = 255
MAX_PATH_LENGTH = 4096

Parts = tuple[str, ...]


class Ambiguous(Exception):
    """Several files fit a path, and none of them better."""


class Lookup:
    """The files and folders below `root`; hidden ones, `__MACOSX` and links that lead elsewhere are not among them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, list[tuple[Parts, Path]]] | None = None
        self._stems: dict[str, list[tuple[Parts, Path]]] = {}
        self._folders: list[tuple[Parts, Path]] = []

    def file(self, parts: Parts, bases: Sequence[Path], taken: frozenset[Path] | set[Path]) -> Path | None:
        """The file that the end of a path names: beside one of `bases`, else anywhere; raises Ambiguous.

        `taken` are files that other paths name exactly, and which are therefore not meant.
        """
        for base in bases:
            for k in range(len(parts), 0, -1):
                place = base.joinpath(*parts[-k:])
                if place not in taken and place.is_file() and not place.is_symlink():
                    return place
        self._read()
        assert self._files is not None
        wanted = tuple(map(same, parts))
        found = _best(self._files.get(wanted[-1], []), wanted, taken)
        if found is None:  # saved again in another format
            stem = same(Path(parts[-1]).stem)
            found = _best(self._stems.get(stem, []), (*wanted[:-1], stem), taken)
        return found

    def folder(self, parts: Parts) -> Path | None:
        """The folder that a path from elsewhere ends in, by two names or more where it has them."""
        self._read()
        wanted = tuple(map(same, parts))
        least = min(len(wanted), 2)
        for k in range(len(wanted), least - 1, -1):
            found = [path for at, path in self._folders if at[-k:] == wanted[-k:]]
            if found:
                return found[0] if len(found) == 1 else None
        return None

    def _read(self) -> None:
        if self._files is not None:
            return
        self._files, count = {}, 0
        for parent, folders, files in os.walk(self._root):
            folders[:] = sorted(name for name in folders if not hidden(name))
            above = tuple(map(same, Path(parent).relative_to(self._root).parts))
            count += len(files)
            if count > MAX_FILES:
                raise DatasetError(f"{self._root} holds more than {MAX_FILES:,} files.")
            self._folders += [((*above, same(name)), Path(parent, name)) for name in folders]
            for name in sorted(files):
                path = Path(parent, name)
                if hidden(name) or path.is_symlink():
                    continue
                self._files.setdefault(same(name), []).append(((*above, same(name)), path))
                if path.suffix.lower() in images.SUFFIXES:
                    stem = same(path.stem)
                    self._stems.setdefault(stem, []).append(((*above, stem), path))


def _best(found: list[tuple[Parts, Path]], wanted: Parts, taken: frozenset[Path] | set[Path]) -> Path | None:
    """The one whose path has the longest end in common with `wanted`; raises Ambiguous for more than one of these."""
    left = [(parts, path) for parts, path in found if path not in taken]
    for k in range(len(wanted), 0, -1):
        fits = [path for parts, path in left if parts[-k:] == wanted[-k:]]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise Ambiguous
    return None


def written(text: object, where: str) -> str:
    """A path as this system writes it, relative ones as they are: slashes, no drive, no scheme, nothing encoded.

    Raises DatasetError for what is no path.
    """
    if not isinstance(text, str) or not text.strip() or "\0" in text or len(text) > MAX_PATH_LENGTH:
        raise DatasetError(f"{where}: {brief(text)} is no file name.")
    plain = text.strip().replace("\\", "/")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", plain) or plain.startswith("/data/local-files/?"):
        try:
            address = urlsplit(plain)
        except ValueError:
            raise DatasetError(f"{where}: {brief(text)} is no file name.") from None
        asked = parse_qs(address.query, max_num_fields=50).get("d", [""])[0] if "d=" in address.query else ""
        plain = unquote(f"/{asked}" if asked else address.path or "/")
        if "\0" in plain:
            raise DatasetError(f"{where}: {brief(text)} is no file name.")
    if any(len(part.encode("utf-8", "replace")) > MAX_NAME_BYTES for part in plain.split("/")):
        raise DatasetError(f"{where}: {brief(text)} is longer than a file name can be.")
    return plain


def is_absolute(plain: str) -> bool:
    return plain.startswith("/") or re.match("[A-Za-z]:", plain) is not None


def joined(above: str, plain: str) -> str | None:
    """A relative path below `above`, both from the root; None for one that is absolute or leaves the root."""
    path = posixpath.normpath(posixpath.join(above, plain))
    return None if is_absolute(plain) or path == ".." or path.startswith("../") else path


def ending(plain: str) -> Parts:
    """The names in a path, without its drive and what climbs."""
    return tuple(part for part in re.sub("^[A-Za-z]:", "", plain).split("/") if part not in ("", ".", ".."))
