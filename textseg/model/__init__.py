"""A model is a backbone with a head: it encodes photos into scenes and words into vectors of the same space."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from os import PathLike
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image

from textseg import images
from textseg.errors import HeadError
from textseg.model import backbones, heads
from textseg.model.backbones import Backbone
from textseg.model.embedding import embed_words
from textseg.model.heads import Head
from textseg.model.scene import Scene, SceneCache
from textseg.model.windows import Box, laid, windows
from textseg.shipped import asset
from textseg.vocabulary import Vocabulary

Pieces = tuple[tuple[int, int], list[tuple[Box, torch.Tensor]]]
"""(width, height) of a photo as it is encoded, and the features of each of its windows."""

MOST_TEXTS = 20_000
"""Embedded texts that a model keeps."""

__all__ = ["Model", "Scene", "SceneCache", "load_model"]


def load_model(
    name: str | Backbone = "lite",
    head: str | PathLike[str] = "default",
    device: str | None = None,
    readout: str | None = None,
) -> Model:
    """Load a backbone and its head.

    `head` is a head file, "default" (the one shipped for this backbone, else none) or "none" (the backbone's own
    untrained alignment); a file brings the text side of a DINO that is named without one. `readout` is how a backbone
    that has several is read out (default: as the head was trained, else the backbone's own default). A backbone that is
    loaded already stays where it is, and the head comes to `device` (default: the CPU). Raises WeightsError or
    HeadError with one sentence that says what to do.
    """
    called = name if isinstance(name, str) else name.name
    path = None if head == "none" else default_head(called) if head == "default" else head
    if isinstance(name, str):
        device = device or backbones.best_device()
        if path is not None:
            name, readout = heads.full_name(path, name), readout or heads.trained_readout(path)
        backbone = backbones.load(name, device, readout)
    else:
        device, backbone = device or "cpu", name
    if path is not None:
        return Model(backbone, heads.load(path, backbone).to(device), str(head))
    alignment = backbone.alignment()
    if alignment is None:
        raise HeadError(f"The backbone '{backbone.name}' needs a trained head; give one with --head FILE.")
    return Model(backbone, alignment.eval(), "none")


def default_head(name: str) -> PathLike[str] | None:
    """The head shipped for the backbone called `name`, if there is one."""
    path = asset(f"heads/{name.replace(':', '-').replace('/', '-')}.safetensors")
    return path if path.is_file() else None


class Model:
    """A backbone and a head; `encode` once, ask the scene often."""

    def __init__(self, backbone: Backbone, head: Head, head_name: str) -> None:
        self.backbone, self.head, self.head_name = backbone, head, head_name
        self.logit_scale: float = head.logit_scale or backbone.logit_scale
        self._texts: dict[tuple[str, str], torch.Tensor] = {}
        self._raw: dict[tuple[str, str], torch.Tensor] = {}
        self._derived: dict[Any, Any] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.backbone.name

    @property
    def readout(self) -> str | None:
        """How the backbone is read out; None for one that has one way only."""
        return heads.readout_of(self.backbone)

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of backbone and head: models that share it answer alike, whatever their heads are called."""
        digest = hashlib.sha256("\0".join([self.name, self.backbone.weights_hash, self.head.kind]).encode())
        digest.update(json.dumps([self.head.config, self.head.calibration.facts()], sort_keys=True).encode())
        for name, tensor in sorted(self.head.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]

    def at(self, short_side: int, window: int | None) -> Model:
        """The same model at another working size, in windows of `window` pixels; this one stays as it is."""
        backbone, head = copy.copy(self.backbone), copy.copy(self.head)
        backbone.short_side, backbone.window, head.sizes = short_side, window, ()
        return Model(backbone, head, self.head_name)

    @property
    def device(self) -> torch.device:
        """Where the head is; embeddings and similarities are made there."""
        return next((t.device for t in [*self.head.parameters(), *self.head.buffers()]), torch.device("cpu"))

    @torch.inference_mode()
    def encode(self, photo: Image.Image) -> Scene:
        """Encode one photo (any PIL image) into a scene."""
        return self.encode_all([photo])[0]

    @torch.inference_mode()
    def encode_all(self, photos: Sequence[Image.Image]) -> list[Scene]:
        """Encode some photos (any PIL images); the backbone takes those of one shape together."""
        photos = [images.open(photo) for photo in photos]
        with self._lock:
            pieces = self._all_pieces(photos)
            return [Scene(photo, *self._encoded(of), self) for photo, of in zip(photos, pieces, strict=True)]

    def _encoded(self, pieces: Sequence[Pieces]) -> tuple[torch.Tensor, torch.Tensor]:
        """((E, h, w) embedding, (D, h, w) float16 features) of a photo, from its pieces at each working size."""
        if self.head.sizes:
            features = self._averaged(pieces)
            embedding = self.head(features[None])[0]
        else:  # of several windows the embeddings are averaged: similarities are linear in them
            whole, parts = pieces[0]
            features = laid(whole, parts)
            embedding = laid(whole, [(box, self.head(part[None])[0]) for box, part in parts])
        return embedding, features.half()

    @torch.inference_mode()
    def features(self, photo: Image.Image) -> torch.Tensor:
        """(D, h, w) float16 features of one photo (any PIL image), as its scene holds them; the head does not run."""
        photo = images.open(photo)
        with self._lock:
            pieces = self._all_pieces([photo])[0]
            return (self._averaged(pieces) if self.head.sizes else laid(*pieces[0])).half()

    @torch.inference_mode()
    def scene(self, photo: Image.Image, features: torch.Tensor) -> Scene:
        """The scene of a photo whose (D, h, w) features this backbone has made before: only the head runs.

        With sliding windows it is close to what `encode` gives, not equal.
        """
        return Scene(photo, self.embedding(features), features, self)

    @torch.inference_mode()
    def embedding(self, features: torch.Tensor) -> torch.Tensor:
        """(D, h, w) features -> (E, h', w'), what the head makes of them."""
        return self.head(features[None].float().to(self.device))[0]

    def _averaged(self, pieces: Sequence[Pieces]) -> torch.Tensor:
        """(D, h, w) the weighted mean of the features at the head's own sizes, on the grid of the finest, the last."""
        weights = [weight for _, weight in self.head.sizes]
        features = weights[-1] * laid(*pieces[-1])
        for part, weight in zip(pieces[:-1], weights, strict=False):
            resized = F.interpolate(laid(*part)[None], features.shape[-2:], mode="bilinear")
            features += weight * resized[0]
        return features

    def _all_pieces(self, photos: Sequence[Image.Image]) -> list[list[Pieces]]:
        """Of each photo its pieces at each of the working sizes: the head's own, else the backbone's."""
        sides = [side for side, _ in self.head.sizes] or [self.backbone.short_side]
        by_side = [self._pieces(photos, side) for side in sides]
        return [list(pieces) for pieces in zip(*by_side, strict=True)]

    def _pieces(self, photos: Sequence[Image.Image], short_side: int) -> list[Pieces]:
        """Of each photo the size it is encoded at, and the (D, h, w) features of each window that covers it."""
        fitted = [images.fit(photo, short_side, self.backbone.multiple) for photo in photos]
        found: list[Pieces] = [(image.size, []) for image in fitted]
        for size in dict.fromkeys(image.size for image in fitted):
            alike = [k for k, image in enumerate(fitted) if image.size == size]
            side = self.backbone.window or max(size)
            for box in windows(size, side, side // 2, self.backbone.multiple):
                features = self.backbone.encode([fitted[k].crop(box) for k in alike])
                for k, part in zip(alike, features, strict=True):
                    found[k][1].append((box, part))
        return found

    def text(self, texts: Sequence[str], templates: str | None = None) -> torch.Tensor:
        """(K, T) unit embeddings of texts, before the head maps them; cached."""
        templates = templates or self.backbone.templates
        missing = list(dict.fromkeys(text for text in texts if (text, templates) not in self._raw))
        if missing:
            with torch.inference_mode():
                vectors = embed_words(self.backbone.embed, missing, templates)
            if len(self._raw) > MOST_TEXTS:
                self._raw = {key: row for key, row in self._raw.items() if key[0] in texts}
            self._raw.update({(text, templates): row for text, row in zip(missing, vectors, strict=True)})
        return torch.stack([self._raw[text, templates] for text in texts])

    def once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The value under `key`, computed at the first call: for what depends on the model alone."""
        if key not in self._derived:  # two threads may both compute it, and get the same
            self._derived[key] = compute()
        return self._derived[key]

    def embed(self, vocabulary: Vocabulary, templates: str | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """((T, E) mapped embeddings of all names and aliases, (T,) index of the word each belongs to); cached."""
        templates = templates or self.backbone.templates
        texts = [text for word in vocabulary for text in word.texts]
        missing = list(dict.fromkeys(text for text in texts if (text, templates) not in self._texts))
        if missing:
            with torch.inference_mode():
                mapped = self.head.text(self.text(missing, templates).to(self.device))
            if len(self._texts) > MOST_TEXTS:
                self._texts = {key: row for key, row in self._texts.items() if key[0] in texts}
            self._texts.update({(text, templates): row for text, row in zip(missing, mapped, strict=True)})
        owner = [k for k, word in enumerate(vocabulary) for _ in word.texts]
        vectors = torch.stack([self._texts[text, templates] for text in texts])
        return vectors, torch.tensor(owner, device=vectors.device)
