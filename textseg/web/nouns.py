"""Everyday nouns against one photo: words worth asking, and the nearest concepts at a point."""

import hashlib
import logging
import os
import threading
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from textseg.files import write_atomically
from textseg.model import Model, Scene
from textseg.model.embedding import embed_words
from textseg.shipped import asset
from textseg.vocabulary import Vocabulary

log = logging.getLogger(__name__)

CHUNK = 16
"""Nouns embedded at a time, so that a person's own words never wait long for the text encoder."""

TOO_CLOSE = 0.7
"""Cosine above which two words are one suggestion: mug and coffee mug."""


class Nouns:
    """The shipped list of nouns, embedded once in the background and kept in the person's cache folder."""

    def __init__(self) -> None:
        self.words = asset("words/nouns.txt").read_text("utf-8").split("\n")
        self.words = [word.strip() for word in self.words if word.strip()]
        self.done = 0
        self._embedded: torch.Tensor | None = None
        self._of = self._embedded_of = ("", "")
        self._ready = threading.Event()

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    def embed(self, model: Model) -> None:
        """Embed all nouns with the text side of `model`; those of another one are no use to it."""
        self._of, self.done = _side(model), 0
        self._ready.clear()
        path = cache_file(model, self.words)
        try:
            embedded = torch.from_numpy(np.load(path))
        except (OSError, ValueError, EOFError):
            embedded = self._embed_slowly(model)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, lambda file: np.save(file, embedded.numpy()))
            except OSError:
                log.info("the embedded nouns could not be kept in %s", path.parent)
        if self._of != _side(model):  # another model came meanwhile
            return
        self._embedded, self._embedded_of = embedded, self._of
        self.done = len(self.words)
        self._ready.set()

    def _mapped(self, model: Model) -> torch.Tensor | None:
        """(nouns, E) as the head of `model` sees them, on its device; None while they are still being embedded."""
        if self._embedded is None or self._embedded_of != _side(model):
            return None
        with torch.inference_mode():
            return model.head.text(self._embedded.to(model.device)).float()

    def suggest(self, scene: Scene, vocabulary: Vocabulary | None, n: int = 12) -> list[str]:
        """The nouns that score best somewhere in the photo and are not asked yet, best first; None asks no word.

        A place is a 3 x 3 mean, so that no lucky cell decides; a noun close to an asked or a better one is left out.
        """
        mapped = self._mapped(scene.model)
        if mapped is None:
            return []
        peaks = []
        for nouns in mapped.split(256):  # not all nouns' maps at a time
            grid = torch.einsum("ehw,ke->khw", scene.embedding.float(), nouns)
            peaks.append(F.avg_pool2d(grid[None], 3, 1, 1, count_include_pad=False)[0].amax((1, 2)))
        vectors = F.normalize(mapped, dim=1)
        taken = vectors[:0] if vocabulary is None else F.normalize(scene.model.embed(vocabulary)[0].float(), dim=1)
        found: list[str] = []
        for i in torch.cat(peaks).argsort(descending=True)[: 20 * n].tolist():
            if len(taken) and float((taken @ vectors[i]).max()) > TOO_CLOSE:
                continue
            taken = torch.cat([taken, vectors[i : i + 1]])
            found.append(self.words[i])
            if len(found) == n:
                break
        return found

    def near(self, scene: Scene, x: float, y: float, n: int = 5) -> list[tuple[str, float]]:
        """The `n` nouns most similar to the photo at (x, y), each 0..1 across and down."""
        mapped = self._mapped(scene.model)
        if mapped is None:
            return []
        at = torch.tensor([[[[2 * x - 1, 2 * y - 1]]]], dtype=torch.float32, device=mapped.device)
        z = F.grid_sample(scene.embedding.float()[None], at, padding_mode="border", align_corners=False).flatten()
        best = (mapped @ z).topk(n)
        return [(self.words[int(i)], float(s)) for s, i in zip(best.values, best.indices, strict=True)]

    def _embed_slowly(self, model: Model) -> torch.Tensor:
        rows = []
        for start in range(0, len(self.words), CHUNK):
            chunk = self.words[start : start + CHUNK]
            with torch.inference_mode():
                rows.append(embed_words(model.backbone.embed, chunk, model.backbone.templates).cpu())
            if self._of == _side(model):
                self.done = start + len(chunk)
        return torch.cat(rows)


def _side(model: Model) -> tuple[str, str]:
    """What text side a model has."""
    return model.backbone.name, model.backbone.templates


def cache_file(model: Model, words: list[str]) -> Path:
    """Where the embedded nouns of this model's text side are kept."""
    backbone = model.backbone
    facts = "\n".join([backbone.name, backbone.weights_hash, backbone.templates, *words])
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "textseg" / f"nouns-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.npy"
