"""Proposers that encode a photo before they answer: once, kept in memory by content, and on disk where there is room.

What is kept is what every question about the photo begins with, so a click does not encode again.
"""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch

if TYPE_CHECKING:
    from textseg.model.encodings import EncodingStore

EMBEDDING_BYTES = 256 * 2**20
"""Embeddings kept by one proposer: 64 photos of SAM at 4 MiB each, 15 of SAM 2."""

Embedding = Mapping[str, torch.Tensor]
"""What a photo was encoded to, by names of the encoder's own."""


class PhotoEncoder(ABC):
    """A model that encodes photos; keeps embeddings, by the photos' content, for a while."""

    name: str
    device: torch.device
    encoder: str
    """Short hash of all that decides an embedding."""

    def __init__(self, max_bytes: int = EMBEDDING_BYTES) -> None:
        self.max_bytes = max_bytes
        self._embeddings: OrderedDict[str, Embedding] = OrderedDict()
        self._lock = threading.RLock()

    @abstractmethod
    def encode(self, pixels: np.ndarray) -> Embedding:
        """The embedding of (H, W, 3) uint8 pixels."""

    @property
    def nbytes(self) -> int:
        """Bytes of the embeddings that are kept."""
        return sum(tensor.nbytes for embedding in self._embeddings.values() for tensor in embedding.values())

    def embedding(self, key: str, encode: Callable[[], Embedding]) -> Embedding:
        """What is kept under `key`; what `encode` gives where nothing is."""
        with self._lock:
            if key in self._embeddings:
                self._embeddings.move_to_end(key)
            else:
                self._embeddings[key] = {name: part.to(self.device) for name, part in encode().items()}
                while len(self._embeddings) > 1 and self.nbytes > self.max_bytes:
                    self._embeddings.popitem(last=False)
            return self._embeddings[key]


Model = TypeVar("Model", bound=PhotoEncoder)


class EncodedPhoto(Generic[Model]):
    """One photo in front of such a model; it is encoded at the first question."""

    def __init__(self, model: Model, pixels: np.ndarray) -> None:
        self.model, self._pixels = model, pixels
        height, width = pixels.shape[:2]
        self.size = (width, height)
        self.key = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        self._kept: tuple[EncodingStore, str] | None = None

    def keep_in(self, encodings: EncodingStore, photo: str) -> None:
        """What the photo is encoded to is read from `encodings`, or kept there, under the photo's sha256."""
        self._kept = encodings, photo

    def encoded(self) -> Embedding:
        """What the photo was encoded to: in this process, on disk, or now."""
        return self.model.embedding(self.key, self._encode)

    @torch.inference_mode()
    def _encode(self) -> Embedding:
        if self._kept is None:
            return self.model.encode(self._pixels)
        encodings, photo = self._kept
        return encodings.embedding(self.model.encoder, photo, lambda: self.model.encode(self._pixels))
