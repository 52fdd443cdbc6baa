"""What a head is trained on: photos, with captions or without, from the layouts that people have them in.

Everything that is wrong with the data is found here, before the long work begins: what can be left out is left out and
counted, and a data set with nothing in it is a DatasetError.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from textseg import images
from textseg.errors import DatasetError, PhotoError
from trainer import notes, shards, tables
from trainer.notes import Notes
from trainer.shards import tidy

LONG_CAPTION = 60
"""Words; CLIP's text encoders read the first 77 tokens of a caption and drop the rest."""

READERS = 8
"""Files that are read at the same time, which is the disk's work."""

FILES_AT_ONCE = 2000
"""Files whose hashes are noted together: what a kill can cost."""


class UnreachableError(PhotoError):
    """A photo's file is gone or its disk fails: it may be there again the next time."""


@dataclass(frozen=True)
class TrainingPhoto:
    """One photo on disk, a file or a part of a tar shard, with its captions."""

    name: str
    path: Path
    sha256: str
    captions: tuple[str, ...] = ()
    offset: int = 0
    length: int = -1

    def read(self) -> bytes:
        """The bytes of the picture file."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def open(self) -> Image.Image:
        """The photo, upright and RGB; raises PhotoError, UnreachableError when its file cannot be read."""
        try:
            return images.open(self.read())
        except OSError as error:
            raise UnreachableError(f"{self.name} cannot be read ({error.strerror or error}).") from None
        except PhotoError as error:
            raise PhotoError(str(error).replace("The photo", self.name)) from None


@dataclass
class TrainingSet:
    """Photos, each once, in a fixed order, and what was left out and why."""

    sources: list[str]
    photos: list[TrainingPhoto]
    skipped: dict[str, list[str]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Identifies the photos' bytes and their captions."""
        digest = hashlib.sha256()
        for photo in self.photos:
            digest.update("\0".join([photo.sha256, *photo.captions, "\n"]).encode())
        return digest.hexdigest()[:16]

    def without(self, names: Iterable[str], reason: str) -> "TrainingSet":
        """The same data set less the photos called `names`, which are counted as skipped."""
        left_out = set(names)
        if not left_out:
            return self
        photos = [photo for photo in self.photos if photo.name not in left_out]
        return replace(self, photos=photos, skipped={**self.skipped, reason: sorted(left_out)})

    def captioned(self) -> "TrainingSet":
        """The photos that have a caption; raises DatasetError when none has."""
        kept = self.without((p.name for p in self.photos if not p.captions), "photos without a caption")
        if not kept.photos:
            raise DatasetError(
                f"No photo of {', '.join(self.sources)} has a caption, and this objective learns from captions: give a "
                "TSV file (file<TAB>caption), or put a .txt file beside each photo."
            )
        return kept

    def facts(self) -> dict[str, Any]:
        """What a head file says about the data it was trained on."""
        return {
            "sources": self.sources,
            "fingerprint": self.fingerprint,
            "photos": len(self.photos),
            "captions": sum(len(photo.captions) for photo in self.photos),
            "skipped": {reason: len(names) for reason, names in self.skipped.items()},
        }

    def __str__(self) -> str:
        captions = [caption for photo in self.photos for caption in photo.captions]
        text = f"{len(self.photos):,} photos with {len(captions):,} captions"
        for reason, names in self.skipped.items():
            text += f"; {len(names):,} {reason} left out ({', '.join(names[:3])}{', …' * (len(names) > 3)})"
        long = sum(len(caption.split()) > LONG_CAPTION for caption in captions)
        if long:
            text += (
                f"; {long:,} captions are longer than {LONG_CAPTION} words, of which the text encoder may drop the end"
            )
        return text + "."


def read(
    paths: Sequence[str | Path],
    cache: Path | None = None,
    share: tuple[int, int] = (0, 1),
    together: Callable[[], None] = lambda: None,
) -> TrainingSet:
    """Read a data set from one or more places, photos with equal bytes merged.

    A place is a TSV file (`file<TAB>caption`, one caption a line), a JSON or JSON-lines list (or COCO's captions
    file), a folder of photos with or without a `.txt` of captions beside each, a folder that holds `captions.tsv`, a
    webdataset tar shard, a folder of shards, or a brace pattern of shards (`cc3m-{000..331}.tar`). `cache` keeps what
    was found out about files and shards, so that none is read again unless it has changed; with `share` (i, n) this
    process reads the i-th of n parts of them and knows the others' after `together`, which waits for all. Raises
    DatasetError when nothing is left, or a place cannot be read.
    """
    skipped: dict[str, list[str]] = {}
    places = [(str(place), _held(str(place), skipped, cache)) for place in paths]
    for _, held in places:
        held.look(share)
    together()
    by_hash: dict[str, TrainingPhoto] = {}
    for place, held in places:
        held.look((0, 1))  # what another process should have read and has not
        before = len(by_hash)
        for photo in held.photos(skipped):
            known = by_hash.setdefault(photo.sha256, photo)
            if known is not photo:
                captions = tuple(dict.fromkeys((*known.captions, *photo.captions)))
                by_hash[photo.sha256] = replace(known, captions=captions)
        if not by_hash and before == 0:
            why = "; ".join(f"{len(names):,} {reason}, such as {names[0]}" for reason, names in skipped.items())
            raise DatasetError(f"There is no photo to train on in {place}{f' ({why})' if why else ''}.")
    return TrainingSet([Path(place).name for place in paths], list(by_hash.values()), skipped)


class _Files:
    """Photos in files of their own: (name, file, captions) of each. A file is hashed once, until it changes."""

    def __init__(self, found: list[tuple[str, Path, tuple[str, ...]]], known: Notes) -> None:
        self.found, self.notes = found, known

    def look(self, share: tuple[int, int]) -> None:
        """Hash this process's share of the files that are not known."""
        self.notes.refresh()
        unknown = [path for _, path, _ in self.found[share[0] :: share[1]] if self._sha256(path) is None]
        with ThreadPoolExecutor(READERS) as pool, _bar(len(unknown), "reading", "photo", share) as bar:
            for start in range(0, len(unknown), FILES_AT_ONCE):
                some = unknown[start : start + FILES_AT_ONCE]
                self.notes.add(
                    {str(path): fact for path, fact in zip(some, pool.map(_hashed, some), strict=True) if fact}
                )
                bar.update(len(some))

    def photos(self, skipped: dict[str, list[str]]) -> Iterator[TrainingPhoto]:
        for name, path, captions in self.found:
            sha256 = self._sha256(path)
            if sha256 is None:
                skipped.setdefault("photos that cannot be read", []).append(name)
            else:
                yield TrainingPhoto(name, path, sha256, captions)

    def _sha256(self, path: Path) -> str | None:
        known = self.notes.get(str(path))
        return known[2] if known and known[:2] == _stamp(path) else None


class _Shards:
    """Photos in tar shards. A shard is read once, until it changes."""

    def __init__(self, paths: Sequence[Path], known: Notes) -> None:
        self.paths, self.notes = paths, known
        self._cut_off: dict[str, shards.Contents] = {}
        """What was read of shards until the disk failed: of this run, never noted for the next."""
        for path in paths:
            if not path.is_file():
                raise DatasetError(f"The shard {path} does not exist.")

    def look(self, share: tuple[int, int]) -> None:
        """Read this process's share of the shards that are not known."""
        self.notes.refresh()
        unknown = [path for path in self.paths[share[0] :: share[1]] if self._contents(path) is None]
        with ThreadPoolExecutor(READERS) as pool, _bar(len(unknown), "reading", "shard", share) as bar:
            for path, found in zip(unknown, pool.map(shards.contents, unknown), strict=True):
                if shards.CUT_OFF in found["skipped"]:
                    self._cut_off[self._key(path)] = found
                else:
                    self.notes.add({self._key(path): found})
                bar.update()

    def photos(self, skipped: dict[str, list[str]]) -> Iterator[TrainingPhoto]:
        for shard in self.paths:
            contents = self._contents(shard)
            assert contents is not None  # it was looked at
            for reason, names in contents["skipped"].items():
                skipped.setdefault(reason, []).extend(names)
            for photo in contents["photos"]:
                name, captions = f"{shard.name}/{photo['name']}", photo["captions"]
                if captions is not None and not captions:
                    skipped.setdefault("captions without text", []).append(photo["name"])
                yield TrainingPhoto(
                    name, shard, photo["sha256"], tuple(captions or ()), photo["offset"], photo["length"]
                )

    def _contents(self, path: Path) -> shards.Contents | None:
        key = self._key(path)
        return self._cut_off.get(key) or self.notes.get(key)

    @staticmethod
    def _key(path: Path) -> str:
        return "\0".join(map(str, (path.absolute(), *(_stamp(path) or ()))))


def _held(place: str, skipped: dict[str, list[str]], cache: Path | None) -> _Files | _Shards:
    """What a place holds, before the bytes of any photo are looked at."""
    path = Path(place)
    if "{" in path.name and not path.exists():
        import braceexpand

        return _Shards([Path(p) for p in braceexpand.braceexpand(place)], notes.of_shards(cache))
    if not path.exists():
        raise DatasetError(f"The data set {place} does not exist.")
    if path.is_dir():
        return _in_folder(path, skipped, cache)
    if path.suffix.lower() == ".tar":
        return _Shards([path], notes.of_shards(cache))
    if path.suffix in (".json", ".jsonl"):
        return _in_table(path, tables.json_pairs(path), skipped, cache)
    if path.suffix in (".tsv", ".txt"):
        return _in_table(path, tables.tsv_pairs(path, skipped), skipped, cache)
    raise DatasetError(f"{path.name} is no data set: give a .tsv, .json, .jsonl or .tar file, or a folder of photos.")


def _in_folder(folder: Path, skipped: dict[str, list[str]], cache: Path | None) -> _Files | _Shards:
    tars = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".tar" and not path.name.startswith("."))
    if (folder / "captions.tsv").is_file():
        return _held(str(folder / "captions.tsv"), skipped, cache)
    if tars:
        return _Shards(tars, notes.of_shards(cache))
    found: list[tuple[str, Path, tuple[str, ...]]] = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in images.SUFFIXES and p.is_file()):
        beside = path.with_suffix(".txt")
        captions: tuple[str, ...] = ()
        if beside.is_file():
            captions = tidy(beside.read_text(encoding="utf-8", errors="replace").splitlines())
            if not captions:
                skipped.setdefault("captions without text", []).append(beside.name)
        found.append((str(path.relative_to(folder)), path, captions))
    return _Files(found, notes.of_files(cache, folder))


def _in_table(
    table: Path, pairs: Iterable[tuple[str, list[str]]], skipped: dict[str, list[str]], cache: Path | None
) -> _Files:
    """Photos of a table; their files lie beside it, or in `images/` beside it, or where an absolute path says."""
    captions: dict[str, list[str]] = {}
    for file, texts in pairs:
        if not all(text.strip() for text in texts):
            skipped.setdefault("captions without text", []).append(file)
        captions.setdefault(file, []).extend(texts)
    found = []
    for file, texts in captions.items():
        path = next((p for p in (table.parent / "images" / file, table.parent / file) if p.is_file()), None)
        if path is None:
            skipped.setdefault("missing photos", []).append(file)
        else:
            found.append((file, path, tidy(texts)))
    return _Files(found, notes.of_files(cache, table))


def _hashed(path: Path) -> list[Any] | None:
    """[size, time of change in ns, SHA-256] of a file; None when it cannot be read."""
    stamp = _stamp(path)
    try:
        with path.open("rb") as file:
            return [*stamp, hashlib.file_digest(file, "sha256").hexdigest()] if stamp else None
    except OSError:
        return None


def _stamp(path: Path) -> list[int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return [facts.st_size, facts.st_mtime_ns]


def _bar(total: int, what: str, unit: str, share: tuple[int, int]) -> Any:
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit=unit, disable=not sys.stderr.isatty() or share[0] > 0, file=sys.stderr)
