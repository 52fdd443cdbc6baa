"""The photos that open pages have in hand, in memory only, each under a token that nobody can guess."""

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from textseg import images
from textseg.errors import TextsegError

MAX_FILE_MB = 64
"""What one file may weigh that a page or a program sends."""


class PhotoGoneError(TextsegError):
    """The server no longer holds this photo; the page sends it again by itself."""

    def __init__(self) -> None:
        super().__init__("The server no longer holds this photo; open it again.")


@dataclass(frozen=True)
class UploadedPhoto:
    """The bytes of one photo as they came. `key` is their hash: equal photos share one scene, never one token."""

    name: str
    data: bytes = field(repr=False)

    @property
    def key(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def open(self) -> Image.Image:
        """The upright RGB photo; raises PhotoError."""
        return images.open(self.data)


@dataclass(frozen=True)
class WindowPhoto:
    """What a window onto a huge photo shows, as a photo of its own. `key` tells it from all other windows."""

    name: str
    key: str
    read: Callable[[], Image.Image] = field(repr=False)
    data: bytes = b""
    """Nothing of it is held: the photo's file is."""

    def open(self) -> Image.Image:
        """The RGB picture, a pixel a cell; raises PhotoError."""
        return self.read()


Photo = UploadedPhoto | WindowPhoto
"""What a model can be asked about."""


class Photos:
    """Photos by token, least recently used first out, bounded by bytes and number. Nothing is written to disk."""

    def __init__(self, max_bytes: int = 512 * 2**20, most: int = 10_000) -> None:
        self.max_bytes, self.most = max_bytes, most
        self._photos: OrderedDict[str, Photo] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, photo: Photo) -> str:
        """Keep `photo`; returns its token."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._photos[token] = photo
            while len(self._photos) > 1 and self._too_many():
                self._photos.popitem(last=False)
        return token

    def get(self, token: str) -> Photo:
        """The photo of `token`; raises PhotoGoneError."""
        with self._lock:
            photo = self._photos.get(token)
            if photo is None:
                raise PhotoGoneError
            self._photos.move_to_end(token)
            return photo

    def _too_many(self) -> bool:
        held = sum(len(photo.data) for photo in self._photos.values())
        return held > self.max_bytes or len(self._photos) > self.most  # windows onto huge photos hold no bytes
