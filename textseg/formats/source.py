"""The files of an import, read with suspicion: nothing outside its folder, nothing without a limit.

Every refusal is one sentence that names file, field and value.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from textseg import images
from textseg.errors import DatasetError, PhotoError, brief
from textseg.formats.filenames import same
from textseg.labelmap import read_index_png
from textseg.vocabulary import MAX_WORD_LENGTH

MAX_JSON_BYTES = 512 * 2**20
MAX_TEXT_BYTES = 16 * 2**20
MAX_NESTING = 64
MAX_NAME_BYTES = 255
MAX_YAML_BYTES = 256 * 2**10
"""YAML is read some hundred times slower than JSON."""
MAX_ZIP_FILES = 200_000
MAX_ZIP_BYTES = 64 * 2**30
"""A zip that unpacks to more files or bytes than this is refused before anything is unpacked."""
MAX_ZIP_RATIO = 1000

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))

PHOTO_FOLDERS = ("images", "photos", "JPEGImages", "imgs", "data")


class Source:
    """A folder to import from, and what the user said about it."""

    def __init__(self, path: Path, background: str | None = None) -> None:
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

    def inside(self, text: Any, where: str, base: Path | None = None) -> Path:
        """The path that a file names, relative to `base`; one that is absolute or leaves the folder is refused."""
        if not isinstance(text, str) or not text.strip() or "\0" in text or len(text) > 4096:
            raise DatasetError(f"{where}: {brief(text)} is no file name.")
        plain = text.replace("\\", "/")
        if any(len(part.encode("utf-8", "replace")) > MAX_NAME_BYTES for part in plain.split("/")):
            raise DatasetError(f"{where}: {brief(text)} is longer than a file name can be.")
        if plain.startswith("/") or re.match("[A-Za-z]:", plain):
            raise DatasetError(f"{where}: {brief(text)} is an absolute path; only paths inside the folder are read.")
        above = (base or self.root).relative_to(self.root).as_posix()
        joined = posixpath.normpath(posixpath.join(above, plain))
        if joined == ".." or joined.startswith("../"):
            raise DatasetError(f"{where}: {brief(text)} leads out of the folder {self.root}.")
        return self.root / joined

    def text(self, path: Path) -> str:
        """A UTF-8 text file."""
        content = self._bytes(path, MAX_TEXT_BYTES)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DatasetError(f"{self.shown(path)} is not UTF-8 text.") from None

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """The non-empty lines of a text file with their numbers, from 1."""
        for number, line in enumerate(self.text(path).splitlines(), start=1):
            if line.strip():
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


@contextmanager
def opened(path: Path, background: str | None) -> Iterator[Source]:
    """The source at `path`; a zip is unpacked into a temporary folder first, checked before its first byte."""
    with ExitStack() as stack:
        if path.is_file() and zipfile.is_zipfile(path):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="textseg-import-")))
            unzip(path, folder)
            inner = [p for p in folder.iterdir() if p.name != "__MACOSX"]
            # A zip of one folder is that folder.
            path = inner[0] if len(inner) == 1 and inner[0].is_dir() else folder
        yield stack.enter_context(closing(Source(path, background)))


def unzip(path: Path, folder: Path) -> list[Path]:
    """Unpack a zip into `folder`; one with a path that leads elsewhere, a link or too many bytes is refused whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_zip(path, members)
            written = []
            for member in members:
                target = folder / member.filename.replace("\\", "/")
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file)
                written.append(target)
            return written
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        reason = brief(str(error), 120)
        raise DatasetError(f"{path.name} is damaged, locked or no zip, and cannot be unpacked ({reason}).") from None


def _check_zip(path: Path, members: list[zipfile.ZipInfo]) -> None:
    total, names = sum(member.file_size for member in members), set()
    packed = sum(member.compress_size for member in members)
    if len(members) > MAX_ZIP_FILES or total > MAX_ZIP_BYTES or total > MAX_ZIP_RATIO * max(packed, 2**20):
        raise DatasetError(f"{path.name} would unpack to {len(members):,} files and {total:,} bytes: too much.")
    for member in members:
        name = member.filename.replace("\\", "/")
        if name.startswith("/") or re.match("[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name:
            raise DatasetError(f"{path.name}: the entry {brief(member.filename)} leads out of the zip; it is refused.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DatasetError(f"{path.name}: the entry {brief(member.filename)} is a link; a zip holds plain files.")
        if same(name) in names:
            raise DatasetError(f"{path.name}: the entry {brief(member.filename)} is in it twice.")
        names.add(same(name))


def _check_nesting(content: bytes, name: str) -> None:
    """Refuse JSON that is nested deeper than any format is, before it is parsed."""
    # Brackets inside strings do not count: without escapes, every second piece between quotes is a string.
    plain = b"".join(content.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    marks = np.frombuffer(plain.translate(None, _NO_BRACKETS), np.uint8)
    opening = (marks == ord("[")) | (marks == ord("{"))
    depth = int(np.cumsum(np.where(opening, 1, -1), dtype=np.int64).max(initial=0))
    if depth > MAX_NESTING:
        raise DatasetError(f"{name} is nested {depth:,} levels deep; the limit is {MAX_NESTING}.")


# Values


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
    """The name of a class."""
    name = " ".join(value.split()) if isinstance(value, str) else ""
    if not name or len(name) > MAX_WORD_LENGTH or not name.isprintable():
        raise DatasetError(f"{where} is {brief(value)} and must be a name of at most {MAX_WORD_LENGTH} characters.")
    return name


def a_number(value: Any, where: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number within bounds."""
    number = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12:
        number = float(value)
    if not low <= number <= high or not math.isfinite(number):
        bounds = f" from {low:g} to {high:g}" if math.isfinite(low) and math.isfinite(high) else ""
        raise DatasetError(f"{where} is {brief(value)} and must be a number{bounds}.")
    return number


def an_id(value: Any, where: str, least: int = 0) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise DatasetError(f"{where} is {brief(value)} and must be a whole number from {least}.")
    return value


def points(values: Any, where: str, least: int) -> np.ndarray:
    """(N, 2) finite coordinates from pairs [[x, y], ...] or a flat [x, y, ...] list."""
    listed = a_list(values, where)
    if listed and not isinstance(listed[0], list):
        if len(listed) % 2:
            raise DatasetError(f"{where} has {len(listed)} coordinates; they come in pairs x, y.")
        listed = [listed[k : k + 2] for k in range(0, len(listed), 2)]
    line = np.empty((len(listed), 2))
    for k, pair in enumerate(listed):
        if not isinstance(pair, list) or len(pair) != 2:
            raise DatasetError(f"{where}[{k}] is {brief(pair)} and must be two numbers x, y.")
        line[k] = [a_number(value, f"{where}[{k}].{axis}", -1e7, 1e7) for value, axis in zip(pair, "xy", strict=True)]
    if len(line) < least:
        raise DatasetError(f"{where} has {len(line)} points; at least {least} are needed.")
    return line
