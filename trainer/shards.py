"""Tar shards of photos with captions, as img2dataset and webdataset write them.

Members whose names are equal up to the first dot of the last part are one sample: `000.jpg`, `000.txt`, `000.json`.
What is odd is left out and named, and of a torn shard the whole photos are kept: a thousand shards are never all well.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from textseg import images

CAPTION_KEYS = ("captions", "caption", "text", "sentences")

CUT_OFF = "shards that cannot be read to their end"
"""The reason where the disk failed: it may be well the next time."""

Contents = dict[str, Any]
"""`photos`: of each its `name`, `sha256`, `offset` and `length` in the file, and `captions`, None where the sample has
none; `skipped`: the names of what is left out, by reason."""


def contents(shard: Path) -> Contents:
    """The photos of a shard, where they lie in the file, and their captions; the file is read once."""
    skipped: dict[str, list[str]] = {}
    samples: dict[str, dict[str, tarfile.TarInfo]] = {}
    photos = []
    try:
        size = shard.stat().st_size
        with shard.open("rb") as file:
            for member in _members(file, shard.name, size, skipped):
                folder, slash, base = member.name.rpartition("/")
                stem, dot, ending = base.partition(".")
                if member.isfile() and stem and dot:
                    samples.setdefault(f"{folder}{slash}{stem}", {})[ending] = member
                elif not member.isdir():
                    skipped.setdefault("odd files in shards", []).append(f"{shard.name}/{member.name}")
            for parts in samples.values():
                pictures = [member for ending, member in parts.items() if _is_photo(ending)]
                for odd in pictures[1:] or (() if pictures else list(parts.values())[:1]):
                    why = "further pictures of a sample" if pictures else "samples without a photo"
                    skipped.setdefault(why, []).append(f"{shard.name}/{odd.name}")
                if pictures:
                    captions = _captions(file, parts, f"{shard.name}/{pictures[0].name}", skipped)
                    photos.append(
                        {
                            "name": pictures[0].name,
                            "sha256": hashlib.sha256(_content(file, pictures[0])).hexdigest(),
                            "offset": pictures[0].offset_data,
                            "length": pictures[0].size,
                            "captions": captions,
                        }
                    )
    except OSError:
        skipped.setdefault(CUT_OFF, []).append(shard.name)
    return {"photos": photos, "skipped": skipped}


def tidy(texts: Iterable[str]) -> tuple[str, ...]:
    """Captions without surplus white space; empty and repeated ones dropped."""
    return tuple(dict.fromkeys(clean for text in texts if (clean := " ".join(text.split()))))


def _members(file: BinaryIO, name: str, size: int, skipped: dict[str, list[str]]) -> Iterator[tarfile.TarInfo]:
    """The members that lie in the file as a whole; a tar file that ends too early is told."""
    whole, found = False, 0
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if member.offset_data + member.size <= size:
                    found += 1
                    yield member
            file.seek(archive.offset)
            whole = file.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)  # what a finished tar file ends with
    except tarfile.TarError:
        whole = False
    if not whole:
        why = "ends of torn shards" if found else "shards that are no plain tar files"
        skipped.setdefault(why, []).append(name)


def _is_photo(ending: str) -> bool:
    return f".{ending.rpartition('.')[2].lower()}" in images.SUFFIXES


def _captions(
    file: BinaryIO, parts: dict[str, tarfile.TarInfo], photo: str, skipped: dict[str, list[str]]
) -> tuple[str, ...] | None:
    by_ending = {ending.lower(): member for ending, member in parts.items()}
    for ending in ("txt", "caption"):
        if ending in by_ending:
            return tidy(_content(file, by_ending[ending]).decode("utf-8", "replace").splitlines())
    if "json" not in by_ending:
        return None
    try:
        record = json.loads(_content(file, by_ending["json"]))
        given = next((record[key] for key in CAPTION_KEYS if record.get(key)), None)
    except (ValueError, AttributeError):
        skipped.setdefault("captions that are no JSON", []).append(photo)
        return None
    if given is None:
        return None
    return tidy(line for text in (given if isinstance(given, list) else [given]) for line in str(text).splitlines())


def _content(file: BinaryIO, member: tarfile.TarInfo) -> bytes:
    file.seek(member.offset_data)
    return file.read(member.size)
