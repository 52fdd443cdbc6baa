"""The files of an import, read with suspicion: nothing outside its folder, nothing without a limit.

Every refusal is one sentence that names file, field and value.
"""

from __future__ import annotations

import codecs
import itertools
import json
import mmap
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import yaml
from PIL import Image

from textseg import images
from textseg.errors import DatasetError, PhotoError, brief
from textseg.folders import hidden
from textseg.formats.filenames import same
from textseg.formats.lookup import Ambiguous, Lookup, ending, is_absolute, joined, written
from textseg.formats.tally import AMBIGUOUS, BadAnnotation, Tally
from textseg.labelmap import read_index_png

MAX_JSON_BYTES = 512 * 2**20
MAX_TEXT_BYTES = 16 * 2**20
MAX_NESTING = 64
MAX_YAML_BYTES = 256 * 2**10
"""YAML is read some hundred times slower than JSON."""

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

PHOTO_FOLDERS = ("images", "photos", "JPEGImages", "imgs", "data")


class Source:
    """A folder to import from, and what the user said about it."""

    def __init__(self, path: Path, background: str | None = None, strict: bool = False) -> None:
        """`path` is the folder, or a file in it that the format begins with; raises DatasetError."""
        if not path.exists():
            raise DatasetError(f"{path} does not exist.")
        self.file = path if path.is_file() else None
        """The file that was named, if one was."""
        self.root = path.parent if self.file else path
        if self.root.absolute().name == "annotations":  # of COCO: photos lie beside it
            self.root = self.root.absolute().parent
            self.file = path.absolute() if self.file else None
        self.background = background
        """The class that id 0 stands for; None: such pixels are unlabelled."""
        self.strict = strict
        """Whether what is bad about single annotations and photos refuses the whole import."""
        self.tally = Tally()
        """What was left out or mended."""
        self._lookup: Lookup | None = None
        self._scratch: list[tempfile.TemporaryDirectory[str]] = []

    def scratch(self) -> Path:
        """An empty folder that lasts as long as the source is read."""
        self._scratch.append(tempfile.TemporaryDirectory(prefix="textseg-import-"))
        return Path(self._scratch[-1].name)

    def close(self) -> None:
        while self._scratch:
            self._scratch.pop().cleanup()

    def shown(self, path: Path) -> str:
        """`path` as messages name it."""
        try:
            return path.relative_to(self.root).as_posix() or path.name
        except ValueError:
            return str(path)

    @contextmanager
    def sparing(self) -> Iterator[None]:
        """A bad annotation inside is left out and counted, and what comes after it goes on, unless `strict`."""
        try:
            yield
        except BadAnnotation as error:
            if self.strict:
                raise
            self.tally.add(error.reason, error.where)

    def mend(self, reason: str, where: str, refusal: str) -> None:
        """Count something that is mended or left out; raises DatasetError with `refusal` if `strict`."""
        if self.strict:
            raise DatasetError(refusal)
        self.tally.add(reason, where)

    def inside(self, text: Any, where: str, base: Path | None = None) -> Path:
        """The path that a file names, relative to `base`; one that is absolute or leaves the folder is refused."""
        plain = written(text, where)
        if is_absolute(plain):
            raise DatasetError(f"{where}: {brief(text)} is an absolute path; only paths inside the folder are read.")
        place = joined((base or self.root).relative_to(self.root).as_posix(), plain)
        if place is None:
            raise DatasetError(f"{where}: {brief(text)} leads out of the folder {self.root}.")
        return self.root / place

    def photos_named(self, named: Sequence[tuple[Any, str, Sequence[Path]]]) -> list[Path | None]:
        """The photo that each path means, None where there is none; a path comes with its field and its base folders.

        Paths that name a file exactly come first, so that no other one takes it by its name alone.
        """
        plain = [written(text, where) for text, where, _ in named]
        found = [self._exactly(path, bases) for path, (_, _, bases) in zip(plain, named, strict=True)]
        taken = {path for path in found if path is not None}
        for k, (text, where, bases) in enumerate(named):
            if found[k] is not None:
                continue
            outside = self._outside(plain[k], bases)
            if outside and (self.strict or Path(plain[k]).suffix.lower() not in images.SUFFIXES):
                self.inside(text, where, bases[0] if bases else None)
            try:
                for spelt in dict.fromkeys((plain[k], unquote(plain[k]))):
                    if found[k] is None and (parts := ending(spelt)):
                        found[k] = self.lookup.file(parts, bases, taken)
            except Ambiguous:
                self.mend(AMBIGUOUS, where, f"{where}: several files of the folder fit {brief(text)}.")
        return found

    def folder_named(self, text: Any, where: str, base: Path) -> Path | None:
        """The folder or file that a path means, None where there is none in this import."""
        plain = written(text, where)
        climbed = plain
        while climbed.startswith("../"):  # some tools write paths as seen from a folder below
            climbed = climbed.removeprefix("../")
        for tried in (plain, climbed):
            place = joined(base.relative_to(self.root).as_posix(), tried)
            if place is not None and (self.root / place).exists():
                return self.root / place
        parts = ending(plain)
        return self.lookup.folder(parts) if parts else None

    @property
    def lookup(self) -> Lookup:
        if self._lookup is None:
            self._lookup = Lookup(self.root)
        return self._lookup

    def _exactly(self, plain: str, bases: Sequence[Path]) -> Path | None:
        for base in bases:
            place = joined(base.relative_to(self.root).as_posix(), plain)
            if place is not None and (self.root / place).is_file():
                return self.root / place
        return None

    def _outside(self, plain: str, bases: Sequence[Path]) -> bool:
        return all(joined(base.relative_to(self.root).as_posix(), plain) is None for base in bases)

    def check_link(self, path: Path) -> None:
        """Raise DatasetError for a link that leads out of the folder."""
        if path.is_relative_to(self.root) and not path.resolve().is_relative_to(self.root.resolve()):
            raise DatasetError(f"{self.shown(path)} is a link that leads out of the folder; copy the file into it.")

    def enter(self, folder: Path) -> None:
        """From now on the source is this subfolder."""
        self.root, self._lookup = folder, None

    def files(self, pattern: str, most: int | None = None) -> list[Path]:
        """The files below the folder whose names fit, sorted, without those that systems leave about."""
        found = (path for path in self.root.rglob(pattern) if path.is_file())
        seen = (path for path in found if not any(map(hidden, path.relative_to(self.root).parts)))
        return sorted(itertools.islice(seen, most))

    def mentions(self, path: Path, *texts: str) -> bool:
        """Whether a file holds all of these texts; it is looked through and not read."""
        if path.suffix.lower() not in (".json", ".txt", ".xml", ".yaml", ".yml") or path.stat().st_size == 0:
            return False
        self.check_link(path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(text.encode()) >= 0 for text in texts)

    def text(self, path: Path) -> str:
        """A text file: UTF-8, or UTF-16 that begins with its mark."""
        content = self._bytes(path, MAX_TEXT_BYTES)
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        try:
            return content.decode("utf-16" if wide else "utf-8-sig")
        except UnicodeDecodeError:
            raise DatasetError(f"{self.shown(path)} is not UTF-8 text.") from None

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """The lines of a text file with their numbers, from 1, without empty ones and comments (`# ...`)."""
        for number, line in enumerate(self.text(path).splitlines(), start=1):
            if line.strip() and line.split()[0] != "#":
                yield number, line

    def json(self, path: Path) -> Any:
        """A JSON file; NaN comes through as a float, for the format to name its field."""
        content = self._bytes(path, MAX_JSON_BYTES)
        _check_nesting(content, self.shown(path))
        try:
            return json.loads(content)
        except RecursionError:
            raise DatasetError(f"{self.shown(path)} is nested too deep; the limit is {MAX_NESTING} levels.") from None
        except UnicodeDecodeError:
            raise DatasetError(f"{self.shown(path)} is not UTF-8 text.") from None
        except ValueError as error:
            raise DatasetError(f"{self.shown(path)} is not JSON ({brief(str(error), 120)}).") from None

    def yaml(self, path: Path) -> Any:
        """A YAML file; one with aliases is refused, for a few lines of them stand for more than any memory holds."""
        try:
            return yaml.load(self._bytes(path, MAX_YAML_BYTES).decode("utf-8-sig"), _YamlWithoutAliases)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise DatasetError(
                f"{self.shown(path)} is not YAML ({brief(' '.join(str(error).split()), 120)})."
            ) from None

    def labels(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """An (H, W) index PNG; raises DatasetError unless it has the photo's `size` (width, height)."""
        self.check_size(path, size)
        try:
            return read_index_png(path)
        except DatasetError as error:
            raise DatasetError(f"{self.shown(path)}: {error}") from None

    def check_size(self, path: Path, size: tuple[int, int]) -> str:
        """The mode of the PNG at `path`, once it is known to be as large as its photo; nothing is decoded."""
        if not path.is_file():
            raise DatasetError(f"{self.shown(path)} does not exist; every photo listed needs its label map.")
        self.check_link(path)
        with picture(path, self.shown(path)) as image:
            found, mode = image.size, image.mode
        if found != size:
            raise DatasetError(
                f"{self.shown(path)} is {found[0]} x {found[1]} pixels but its photo is {size[0]} x {size[1]}; "
                "a label map has the size of its upright photo."
            )
        return mode

    def colours(self, path: Path) -> np.ndarray:
        """The (H, W, 3) RGB values of a picture, integers wide enough to make one number of them."""
        with picture(path, self.shown(path)) as image:
            return np.asarray(image.convert("RGB"), np.int64)

    def photo(self, stem: str, *folders: Path) -> Path | None:
        """The photo with this stem in the first of `folders` that has one."""
        for folder in folders:
            found = self._stems(folder).get(same(stem))
            if found is not None:
                return found
        return None

    def _stems(self, folder: Path) -> dict[str, Path]:
        cache: dict[Path, dict[str, Path]] = self.__dict__.setdefault("_listed", {})
        if folder not in cache:
            found = images.find([folder]) if folder.is_dir() else []
            cache[folder] = {same(path.stem): path for path in reversed(found)}
        return cache[folder]

    def _bytes(self, path: Path, limit: int) -> bytes:
        if not path.is_file():
            raise DatasetError(f"{self.shown(path)} does not exist.")
        self.check_link(path)
        size = path.stat().st_size
        if size > limit:
            raise DatasetError(f"{self.shown(path)} has {size:,} bytes; the limit is {limit:,}.")
        return path.read_bytes()


class _YamlWithoutAliases(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read; write the values out")
        return super().compose_node(parent, index)


@contextmanager
def picture(source: Path | bytes, where: str) -> Iterator[Image.Image]:
    """A picture of an import as its file holds it, not decoded yet (`images.stored`); raises DatasetError."""
    try:
        with images.stored(source, where) as image:
            yield image
    except PhotoError as error:
        raise DatasetError(str(error)) from None


def _check_nesting(content: bytes, name: str) -> None:
    """Refuse JSON that is nested deeper than any format is, before it is parsed."""
    # Brackets inside strings do not count: without escapes, every second piece between quotes is a string.
    plain = b"".join(content.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    marks = np.frombuffer(plain.translate(None, _NO_BRACKETS), np.uint8)
    opening = (marks == ord("[")) | (marks == ord("{"))
    depth = int(np.cumsum(np.where(opening, 1, -1), dtype=np.int64).max(initial=0))
    if depth > MAX_NESTING:
        raise DatasetError(f"{name} is nested {depth:,} levels deep; the limit is {MAX_NESTING}.")
