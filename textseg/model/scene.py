"""A scene: one photo, encoded once, which then answers any number of vocabularies."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from textseg import grids
from textseg.labelmap import LabelMap
from textseg.model import dense
from textseg.model.decision import decide
from textseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textseg.model import Model
    from textseg.model.units import Units


class Scene:
    """One encoded photo. No method runs the image encoder again.

    `embedding` (E, h, w) is the head's output on the feature grid, `features` (D, h', w') the backbone's (half
    precision). Similarities are dot products of `embedding` with mapped word embeddings: cosines for most heads.
    """

    def __init__(self, photo: Image.Image, embedding: torch.Tensor, features: torch.Tensor, model: Model) -> None:
        self.photo, self.model = photo, model
        self.embedding, self.features = embedding, features
        self._derived: dict[Any, Any] = {}
        self._lock = threading.RLock()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the photo in pixels."""
        return self.photo.size

    @property
    def grid(self) -> tuple[int, int]:
        """(height, width) of the similarity grid."""
        height, width = self.embedding.shape[-2:]
        return height, width

    @property
    def nbytes(self) -> int:
        """Memory that the scene holds, for caches bounded by bytes."""
        # A copy in one step: another thread may be adding to it, and its lock is held for as long as that computes.
        held = [self.embedding, self.features, *self._derived.copy().values()]
        return self.photo.width * self.photo.height * 3 + sum(getattr(x, "nbytes", 0) for x in held)

    def once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The value under `key`, computed at the first call: for what depends on the photo alone, such as regions."""
        with self._lock:
            if key not in self._derived:
                self._derived[key] = compute()
            return self._derived[key]

    def scores(self, vocabulary: Vocabulary, templates: str | None = None) -> torch.Tensor:
        """`similarity` as a (K, h, w) tensor on the model's device."""
        return similarities(self.model, self.embedding, vocabulary, templates)

    @property
    def pooled(self) -> torch.Tensor:
        """(E, 1, 1) what the head makes of the mean of all features: the photo as a whole."""
        return self.once("pooled", lambda: self.model.embedding(self.features.float().mean((1, 2), keepdim=True)))

    def similarity(
        self, vocabulary: Vocabulary, *, full_size: bool = False, templates: str | None = None
    ) -> np.ndarray:
        """(K, h, w) float32 similarity of each word at the feature grid: the maximum over the word's aliases.

        With `full_size` it is upsampled to the photo, (K, H, W), which takes 4 K H W bytes.
        """
        grid = self.scores(vocabulary, templates)
        if full_size:
            grid = dense.upsample(grid, (self.photo.height, self.photo.width))
        return grid.cpu().numpy()

    def label(
        self,
        vocabulary: Vocabulary,
        by: str = "pixel",
        threshold: float | None = None,
        templates: str | None = None,
    ) -> LabelMap:
        """The word that wins each pixel.

        `by` is "pixel", or "unit" to smooth the scores over the photo's semantic units first. Where the winner's
        similarity is below its own threshold (or `threshold`), or the winner is a background word, the pixel is 0.
        """
        grid = self.scores(vocabulary, templates)
        if by == "unit":
            grid = self.units().smooth(grid)
        elif by != "pixel":
            raise ValueError(f"a scene labels by 'pixel' or 'unit', not by '{by}'")
        ids, score = decide(grid, vocabulary, (self.photo.height, self.photo.width), threshold)
        return LabelMap(ids, vocabulary, self.confidence(grid, ids), score)

    def confidence(self, grid: torch.Tensor, ids: np.ndarray) -> dict[int, float]:
        """Per class id in `ids` (H, W): the mean probability (softmax over words) of the class over its pixels."""
        probability = (grid * self.model.logit_scale).softmax(0).cpu().numpy()
        words, height, width = probability.shape
        rows, columns = grids.cells(ids.shape[0], height), grids.cells(ids.shape[1], width)
        # How many pixels of each class fall into each grid cell, row of cells by row of cells.
        total, pixels = np.zeros(words + 1), np.zeros(words + 1)
        for row in range(height):
            band = ids[rows == row].astype(np.int64)
            if band.size:
                count = np.bincount((band * width + columns).ravel(), minlength=(words + 1) * width)
                count = count.reshape(words + 1, width)
                pixels += count.sum(1)
                total[1:] += (count[1:] * probability[:, row]).sum(1)
        return {int(k): float(total[k] / pixels[k]) for k in np.flatnonzero(pixels) if k > 0}

    def units(self, granularity: float = 0.5) -> Units:
        """MGCA's adaptive semantic units of this photo, from coarse (0) to fine (1)."""
        from textseg.model.units import adaptive_units

        return self.once(("units", granularity), lambda: adaptive_units(self.embedding, granularity))

    def top(self, x: int, y: int, vocabulary: Vocabulary, n: int = 5) -> list[tuple[str, float]]:
        """The `n` words that score best at pixel (x, y), best first, each with its similarity there."""
        width, height = self.size
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(f"the pixel ({x}, {y}) lies outside the photo of {width} x {height} pixels")
        grid = self.scores(vocabulary)
        # grid_sample with align_corners=False reads the same bilinear surface that labelling upsamples to.
        at = torch.tensor([[[[(2 * x + 1) / width - 1, (2 * y + 1) / height - 1]]]], device=grid.device)
        scores = torch.nn.functional.grid_sample(grid[None], at, padding_mode="border", align_corners=False).flatten()
        best = scores.topk(min(n, len(vocabulary)))
        return [(vocabulary[int(i)].name, float(s)) for s, i in zip(best.values, best.indices, strict=True)]

    @cached_property
    def thumbnail(self) -> Image.Image:
        """A copy whose long side is at most 256 pixels."""
        small = self.photo.copy()
        small.thumbnail((256, 256))
        return small


def similarities(
    model: Model, embedding: torch.Tensor, vocabulary: Vocabulary, templates: str | None = None
) -> torch.Tensor:
    """(K, h, w) similarity of each word with an (E, h, w) embedding: the maximum over the word's aliases."""
    texts, owner = model.embed(vocabulary, templates)
    scores = torch.einsum("ehw,ke->khw", embedding, texts)
    if len(scores) == len(vocabulary):
        return scores
    best = scores.new_full((len(vocabulary), *embedding.shape[1:]), -torch.inf)
    return best.scatter_reduce_(0, owner[:, None, None].expand_as(scores), scores, "amax")


class SceneCache:
    """Scenes by key, least recently used first out, bounded by the bytes they hold."""

    def __init__(self, max_bytes: int = 512 * 2**20) -> None:
        self.max_bytes = max_bytes
        self._scenes: OrderedDict[Any, Scene] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> Scene | None:
        with self._lock:
            scene = self._scenes.get(key)
            if scene is not None:
                self._scenes.move_to_end(key)
            return scene

    def put(self, key: Any, scene: Scene) -> None:
        """Keep `scene`; the oldest others leave while all together hold more than `max_bytes`."""
        with self._lock:
            self._scenes[key] = scene
            self._scenes.move_to_end(key)
            while len(self._scenes) > 1 and self._held() > self.max_bytes:
                self._scenes.popitem(last=False)

    def retain(self, wanted: Callable[[Scene], bool]) -> None:
        """Let go of all scenes that are not wanted, and with them of their models."""
        with self._lock:
            for key in [key for key, scene in self._scenes.items() if not wanted(scene)]:
                del self._scenes[key]

    def forget(self, unwanted: Callable[[Any], bool]) -> None:
        """Let go of the scenes whose keys are not wanted any more."""
        with self._lock:
            for key in [key for key in self._scenes if unwanted(key)]:
                del self._scenes[key]

    def __len__(self) -> int:
        return len(self._scenes)

    @property
    def nbytes(self) -> int:
        """Bytes that all scenes hold together."""
        with self._lock:
            return self._held()

    def _held(self) -> int:
        return sum(scene.nbytes for scene in self._scenes.values())
