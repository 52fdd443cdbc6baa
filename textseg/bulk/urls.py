"""Photos and labels at an address: a folder, `s3://`, `gs://`, `hf://`, as far as fsspec carries it; tar shards too.

Nothing here holds a list of what is done: whether a photo has its labels is asked of the sink, photo by photo, by
whoever reads it. What a run holds of each photo is its name, for the report.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from textseg import images, pages
from textseg.bulk.answerer import Facts, Question
from textseg.bulk.files import check_same
from textseg.errors import PhotoError, TextsegError, UsageError, explain
from textseg.files import write_atomically
from textseg.folders import Found, hidden
from textseg.tones import Span

SHARD = ".tar"


def is_url(text: str) -> bool:
    """Whether a place is an address and no path."""
    return "://" in text


@dataclass(frozen=True)
class Held(Found):
    """A photo whose file is in memory."""

    data: bytes = field(default=b"", repr=False)

    def content(self) -> bytes:
        return self.data

    def open(self, span: Span | None = None) -> Image.Image:
        return images.open(self.data) if span is None else images.open(self.data, span)


@dataclass(frozen=True)
class Source:
    """Where one photo, or one shard of photos, is read: a `Found` of this machine, or an address with its name."""

    number: int
    name: str
    url: str
    page: int | None = None

    @property
    def is_shard(self) -> bool:
        return self.url.endswith(SHARD)

    def read(self) -> Iterator[tuple[str, bytes]]:
        """(name, file) of the photo, or of each photo of the shard. Raises PhotoError and OSError."""
        if not is_url(self.url) and not self.is_shard:
            yield self.name, Found(Path(self.url), self.name, self.page).content()
            return
        with opened(self.url) as file:
            if self.is_shard:
                yield from _members(file, self.name)
                return
            data = file.read()
        many = pages.count(data)[0] if PurePosixPath(self.name).suffix.lower() in (".tif", ".tiff") else 1
        if many > 1:
            raise PhotoError(f"{self.name} has {many} pages; make each a photo of its own.")
        yield self.name, data


def sources(url: str, flat: bool = False) -> list[Source]:
    """The photos in and below a folder at an address, or its tar shards if it has any; one file stands for itself.

    Raises PhotoError.
    """
    fs, root = filesystem(url)
    protocol = url.partition("://")[0]
    try:
        found = [root] if fs.isfile(root) else sorted(fs.find(root, maxdepth=1 if flat else None))
    except Exception as error:  # every service has errors of its own
        raise PhotoError(f"{url} cannot be listed ({_told(error)}).") from None
    names = {path: PurePosixPath(path).name if path == root else path.removeprefix(root).strip("/") for path in found}
    shown = [path for path in found if not any(hidden(part) for part in PurePosixPath(names[path]).parts)]
    taken = [path for path in shown if path.endswith(SHARD)] or [
        path for path in shown if PurePosixPath(path).suffix.lower() in images.SUFFIXES
    ]
    if not taken:
        raise PhotoError(f"There are no photos in {url}.")
    return [Source(number, names[path], f"{protocol}://{path}") for number, path in enumerate(taken)]


def local(photos: list[Found]) -> list[Source]:
    """Photos of this machine, which every worker must see under the same path."""
    return [Source(k, one.name, str(one.path.absolute()), one.page) for k, one in enumerate(photos)]


def check_stems(found: list[Source], place: str, out: str) -> None:
    """Raise UsageError where labels of two photos would have one name, or labels would be written over a photo."""
    names = {source.name for source in found}
    stems: dict[str, str] = {}
    for name in sorted(names):
        if (other := stems.setdefault(stem(name), name)) != name:
            raise UsageError(f"{other} and {name} would have labels of one name; give one of them another name.")
        if f"{stem(name)}.png" in names and out.rstrip("/") == place.rstrip("/"):
            raise UsageError(f"{stem(name)}.png is a photo and would be overwritten; use another --out.")


class SinkError(TextsegError):
    """A service takes no labels."""


@dataclass(frozen=True)
class Sink:
    """Where labels are written: a folder of this machine, or at an address."""

    place: str

    def has(self, name: str, question: Question, facts: Facts) -> bool:
        """Whether the labels of the photo called `name` are there; raises VocabularyError if another run made them."""
        place = stem(name)
        try:
            found = json.loads(self._read(f"{place}.json"))
            if found["photo"] != name or not self._fs.exists(self._path(f"{place}.png")):
                return False
            check_same(found, facts.maker, question.vocabulary, question.others, facts.proposals, self.place, place)
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def write(self, name: str, files: Mapping[str, bytes]) -> None:
        """Put the files of a photo there, its facts last, each whole or not at all.

        Facts of an earlier run go first: they must not stand beside another run's map. Raises OSError, and of a service
        SinkError.
        """
        place = self._path(stem(name))
        if self._is_local:
            Path(f"{place}.json").unlink(missing_ok=True)
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            for ending, content in files.items():
                write_atomically(Path(f"{place}{ending}"), content)
            return
        try:
            if self._fs.exists(f"{place}.json"):
                self._fs.rm_file(f"{place}.json")
            for ending, content in files.items():  # a service shows an object when all of it has come
                self._fs.pipe_file(f"{place}{ending}", content)
        except Exception as error:  # every service has errors of its own
            raise SinkError(f"Labels cannot be written to {self.place} ({_told(error)}).") from None

    def _read(self, name: str) -> bytes:
        try:
            return self._fs.cat_file(self._path(name))
        except OSError:
            raise
        except Exception as error:  # every service has errors of its own
            raise OSError(_told(error)) from None

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        return filesystem(self.place if is_url(self.place) else Path(self.place).absolute().as_uri())

    @property
    def _fs(self) -> Any:
        return self._opened[0]

    @property
    def _root(self) -> str:
        return self._opened[1].rstrip("/")

    @property
    def _is_local(self) -> bool:
        return not is_url(self.place) or self.place.startswith(("file://", "local://"))


def filesystem(url: str) -> tuple[Any, str]:
    """(fsspec's file system, path in it) of an address; raises UsageError where a package lacks."""
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url} cannot be read here: {_told(error)}.") from None


def opened(url: str) -> Any:
    """A file at an address, or of this machine, open to be read."""
    fs, path = filesystem(url if is_url(url) else Path(url).absolute().as_uri())
    return fs.open(path, "rb")


def _members(file: Any, shard: str) -> Iterator[tuple[str, bytes]]:
    """The photos of a tar shard as it is read through; each is called by its name there, in a folder of the shard's."""
    folder = stem(shard)
    try:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in images.SUFFIXES:
                    content = archive.extractfile(member)
                    if content is not None:
                        parts = PurePosixPath(member.name).parts
                        # A stranger's shard must not name files outside the sink.
                        inside = [part for part in parts if part not in ("..", "/")]
                        yield "/".join([folder, *inside]), content.read()
    except tarfile.TarError as error:
        raise PhotoError(f"{shard} is no tar file, or it is cut short ({_told(error)}).") from None


def stem(name: str) -> str:
    """A photo's name without its ending, as its labels are called."""
    return PurePosixPath(name).with_suffix("").as_posix()


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return explain(error).rstrip(".")
    return (str(error).strip().rstrip(".") or type(error).__name__).splitlines()[0][:160]
