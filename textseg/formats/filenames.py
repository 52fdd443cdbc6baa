"""File names that every file system takes, and no two of which clash, with or without their suffixes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")}
MAX_BYTES = 180
"""A file name holds 255 bytes on most systems; suffixes and a number have room."""


def portable(stem: str) -> str:
    """`stem` as a file name on Linux, macOS and Windows: letters, accents and emoji stay."""
    stem = unicodedata.normalize("NFC", stem)
    stem = "".join("_" if c in '<>:"/\\|?*' or not (c.isprintable() or c == "\u200d") else c for c in stem)
    stem = stem.strip().strip(".").strip() or "photo"
    if stem.split(".")[0].strip().casefold() in _RESERVED:
        stem = f"_{stem}"
    while len(stem.encode("utf-8", "replace")) > MAX_BYTES:
        stem = stem[:-1]
    return stem.encode("utf-8", "replace").decode().rstrip(" .")


def unique_stems(names: Iterable[str], folders: bool = False) -> list[str]:
    """A portable stem for each file name; equal ones (also but for case) are told apart by a number.

    The folders of a name come before it, `a/1.jpg` is `a_1`; with `folders` they stay folders, `a/1`.
    """
    taken: set[str] = set()
    stems = []
    for name in names:
        path = relative(name)
        parts = [*path.parent.parts, path.stem]
        stem = base = "/".join(map(portable, parts)) if folders else portable("_".join(parts))
        number = 1
        while same(stem) in taken:
            number += 1
            stem = f"{base}_{number}"
        taken.add(same(stem))
        stems.append(stem)
    return stems


def same(name: str) -> str:
    """Two names for which this is equal are one file on some system."""
    return unicodedata.normalize("NFC", name.casefold())


def relative(name: str) -> PurePosixPath:
    """A file name of anywhere as a path that leads nowhere else: no drive, no root, nothing that climbs."""
    parts = [part for part in name.replace("\\", "/").replace("\0", "").split("/") if part not in ("", ".", "..")]
    return PurePosixPath(*parts) if parts else PurePosixPath("photo")
