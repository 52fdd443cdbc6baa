"""Which photo of the project an entry of an import is about: of the same bytes, picture or name, or none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from textseg import images
from textseg.errors import DatasetError, PhotoError, PhotoTooLargeError
from textseg.formats.filenames import same
from textseg.formats.incoming import Entry
from textseg.formats.lookalikes import Look
from textseg.formats.source import Source
from textseg.formats.tally import AMBIGUOUS, NO_PHOTO, UNREADABLE, BadAnnotation
from textseg.project import Project
from textseg.project.schema import StoredPhoto


@dataclass
class Checked:
    """A photo that passed every check: its label map waits, packed, in a temporary file."""

    name: str
    size: tuple[int, int]
    known: int | None
    """The project's photo that it is; None: it is taken in."""
    content: Callable[[], bytes]
    suffix: str
    labels: Path | None
    path: str


class Known:
    """The project's photos, by what an import may know of them."""

    def __init__(self, project: Project) -> None:
        self._project, self._looks = project, dict[int, Look]()
        self._by_hash: dict[str, StoredPhoto] = {}
        self._by_name: dict[str, list[StoredPhoto]] = {}
        self._by_stem: dict[str, list[StoredPhoto]] = {}
        for photo in project.photos():
            name = PurePosixPath(photo.name)
            self._by_hash[photo.sha256] = photo
            self._by_name.setdefault(same(name.name), []).append(photo)
            self._by_stem.setdefault(same(name.stem), []).append(photo)

    def same_picture(self, hashes: Sequence[str], name: str, picture: Image.Image) -> StoredPhoto | None:
        """The photo with one of these hashes, or the same picture saved again under this name, of the same size."""
        found = next((self._by_hash[one] for one in hashes if one in self._by_hash), None)
        for photo in [] if found else self._by_stem.get(same(PurePosixPath(name).stem), []):
            if (photo.width, photo.height) == picture.size:
                if photo.id not in self._looks:
                    self._looks[photo.id] = Look(self._project.picture(photo.id))
                if self._looks[photo.id].same(Look(picture)):
                    found = photo
                    break
        return found if found is not None and (found.width, found.height) == picture.size else None

    def called(self, name: str) -> list[StoredPhoto]:
        """The photos of this name; with folders in it, those in such folders if there are any."""
        path = PurePosixPath(name)
        found = self._by_name.get(same(path.name)) or self._by_stem.get(same(path.stem)) or []
        found = found or self._by_stem.get(same(path.name), [])
        for k in range(len(path.parts), 1, -1):
            nearer = [photo for photo in found if _ends(photo.name, path.parts[-k:])]
            if nearer:
                return nearer
        return found


def _ends(name: str, parts: tuple[str, ...]) -> bool:
    at = PurePosixPath(name).with_suffix("").parts
    return tuple(map(same, at[-len(parts) :])) == tuple(map(same, (*parts[:-1], PurePosixPath(parts[-1]).stem)))


def identify(entry: Entry, name: str, files: Source, known: Known, originals: Mapping[str, tuple[str, str]]) -> Checked:
    """Which photo an entry is about, and its upright size; a new one is called `name`, or as `originals` say.

    Raises BadAnnotation for one that is not there or cannot be read.
    """
    if entry.photo is None:
        photo = _by_name(entry, files, known)
        return Checked(photo.name, (photo.width, photo.height), photo.id, bytes, "", None, f"known {photo.id}")
    if isinstance(entry.photo, Path):
        files.check_link(entry.photo)
    content = entry.photo if isinstance(entry.photo, bytes) else entry.photo.read_bytes()
    try:
        picture = images.open(content)
    except PhotoError as error:
        sentence = f"{entry.where}: {str(error).replace('The photo', PurePosixPath(entry.name).name, 1)}"
        if isinstance(error, PhotoTooLargeError):
            raise DatasetError(sentence) from None
        raise BadAnnotation(UNREADABLE, entry.name, sentence) from None
    sha256 = hashlib.sha256(content).hexdigest()
    name, original = originals.get(sha256, (name, sha256))
    found = known.same_picture((original, sha256), name, picture)
    if found is not None:
        return Checked(found.name, picture.size, found.id, bytes, "", None, f"known {found.id}")
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in images.SUFFIXES:
        with images.stored(content) as header:
            suffix = "." + (header.format or "png").lower()
        name += suffix
    read = (lambda: content) if isinstance(entry.photo, bytes) else entry.photo.read_bytes
    return Checked(name, picture.size, None, read, suffix, None, f"new {sha256}")


def _by_name(entry: Entry, files: Source, known: Known) -> StoredPhoto:
    found = known.called(entry.name)
    if not found:
        sentence = f"{entry.where}: there is no photo '{entry.name}' in {files.root}, and none in the project."
        raise BadAnnotation(NO_PHOTO, entry.name, sentence)
    if len(found) > 1:
        sentence = f"{entry.where}: the project has {len(found)} photos called '{entry.name}'; add the photos."
        raise BadAnnotation(AMBIGUOUS, entry.name, sentence)
    return found[0]
