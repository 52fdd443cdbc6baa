"""Batches: what one training step sees, a pure function of the seed and the step's number.

That is what makes a resumed training equal to one that was never killed, and lets several processes agree on a batch
without talking. With n processes each reads or encodes its n-th of the photos and the frozen features (no gradient
flows through them) are gathered, so that every process computes the loss of the whole batch: contrastive losses keep
all their negatives, objectives need not know that they are distributed, and the result is that of one process. The
cost: head and loss are computed n times over. What is shared out is the encoding, which costs several times as much
(benchmarks/train_step.py): several processes are quicker at filling the cache and where photos do not fit into it, and
no quicker once everything is read from it.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from textseg.model.backbones import Backbone
from trainer.data import TrainingPhoto
from trainer.features import FeatureCache, Texts, decoding_threads
from trainer.labelling import label_keys
from trainer.objectives import Batch
from trainer.recipes import Recipe
from trainer.store import ArrayStore


@dataclass(frozen=True)
class Words:
    """The texts of a training set, numbered over the whole set."""

    captions: Texts
    """Embeddings of the different captions."""
    captions_of: list[list[int]]
    """The captions of each photo."""
    nouns: Texts
    """Embeddings of the different nouns."""
    nouns_of: list[list[int]]
    """The nouns of each photo's captions."""


@dataclass(frozen=True)
class Labels:
    """Labelled patches by photo and grid (trainer/labelling.py, label_keys), and what the labels point to."""

    store: ArrayStore
    classes: torch.Tensor
    """(C, E) unit text embeddings."""
    shares: torch.Tensor
    """(C,) each class's share of all labelled patches, none of them 0."""


class Batches:
    """`batches(step)` is the step's batch on `accelerator.device`, the same on every process."""

    def __init__(
        self,
        photos: Sequence[TrainingPhoto],
        caches: Sequence[FeatureCache],
        backbone: Backbone,
        recipe: Recipe,
        accelerator: Any,
        words: Words | None = None,
        labels: Labels | None = None,
    ) -> None:
        self.photos, self.caches, self.backbone, self.recipe = photos, caches, backbone, recipe
        self.accelerator, self.words, self.labels = accelerator, words, labels
        self.size = min(recipe.batch, len(photos))
        self.per_epoch = len(photos) // self.size
        self._openers = ThreadPoolExecutor(decoding_threads())
        self._reader = ThreadPoolExecutor(1)
        self._next: tuple[int, Future[torch.Tensor]] | None = None

    def __call__(self, step: int) -> Batch:
        """The batch of `step` (from 0), while the next one is read in the background."""
        indices, cache = self._drawn(step)
        if self._next is not None and self._next[0] == step:
            local = self._next[1].result()
        else:
            local = self._local_features(step)
        self._next = (step + 1, self._reader.submit(self._local_features, step + 1))
        batch = Batch(cache.unpack(self._gathered(local.to(self.accelerator.device))))
        if self.words is not None:
            self._add_texts(batch, self.words, indices, np.random.default_rng([self.recipe.seed, step, 2]))
        if self.labels is not None:
            self._add_labels(batch, self.labels, indices, cache, self._seen(step, cache))
        return batch

    def close(self) -> None:
        """Let go of the threads."""
        self._reader.shutdown(cancel_futures=True)
        self._openers.shutdown(cancel_futures=True)

    def _drawn(self, step: int) -> tuple[np.ndarray, FeatureCache]:
        """(indices of the step's photos, the cache of the step's size): each photo once an epoch."""
        epoch, place = divmod(step, self.per_epoch)
        indices = _order(self.recipe.seed, epoch, len(self.photos))[place * self.size : (place + 1) * self.size]
        cache = self.caches[int(np.random.default_rng([self.recipe.seed, step, 1]).integers(len(self.caches)))]
        return indices, cache

    def _local_features(self, step: int) -> torch.Tensor:
        """Packed features of this process's share of the step's photos."""
        indices, cache = self._drawn(step)
        share = np.array_split(indices, self.accelerator.num_processes)[self.accelerator.process_index]
        photos = [self.photos[i] for i in share]
        fresh = [photo for photo in photos if photo.sha256 not in cache]
        encoded: dict[str, torch.Tensor] = {}
        if fresh:
            opened = list(self._openers.map(lambda photo: cache.squeezed(photo.open()), fresh))
            encoded = {p.sha256: f for p, f in zip(fresh, cache.encode(opened, self.backbone).cpu(), strict=True)}
        rows = [encoded[p.sha256] if p.sha256 in encoded else cache[p.sha256] for p in photos]
        seen = self._seen(step, cache)
        return torch.stack([row[seen] for row in rows]) if rows else cache.nothing()[seen]

    def _seen(self, step: int, cache: FeatureCache) -> tuple[Any, ...]:
        """Which rows and columns of patches the step sees (`thin` of the recipe), as an index of (..., h, w)."""
        draw = np.random.default_rng([self.recipe.seed, step, 3])
        every = [min(self.recipe.thin, side) for side in cache.shape[1:]]
        return (..., *(slice(int(draw.integers(n)), None, n) for n in every))

    def _gathered(self, local: torch.Tensor) -> torch.Tensor:
        """The whole batch from all processes' shares, which differ in size by one at most."""
        processes = self.accelerator.num_processes
        if processes == 1:
            return local
        counts = [len(share) for share in np.array_split(np.arange(self.size), processes)]
        padded = torch.cat([local, local.new_zeros(max(counts) - len(local), *local.shape[1:])])
        shares = self.accelerator.gather(padded).unflatten(0, (processes, max(counts)))
        return torch.cat([share[:count] for share, count in zip(shares, counts, strict=True)])

    def _add_texts(self, batch: Batch, words: Words, indices: np.ndarray, draw: np.random.Generator) -> None:
        """One caption of each photo, drawn; the nouns of all its captions."""
        device = batch.features.device
        caption_ids = [int(draw.choice(words.captions_of[i])) for i in indices]
        batch.captions = words.captions[caption_ids].to(device)
        batch.caption_ids = torch.tensor(caption_ids, device=device)
        noun_ids: list[int] = []
        owner: list[int] = []
        for row, i in enumerate(indices):
            found = words.nouns_of[i]
            if 0 < self.recipe.max_nouns < len(found):
                found = draw.choice(found, self.recipe.max_nouns, replace=False).tolist()
            noun_ids += found
            owner += [row] * len(found)
        if noun_ids:
            batch.nouns = words.nouns[noun_ids].to(device)
            batch.noun_ids = torch.tensor(noun_ids, device=device)
            batch.noun_owner = torch.tensor(owner, device=device)

    def _add_labels(
        self, batch: Batch, labels: Labels, indices: np.ndarray, cache: FeatureCache, seen: tuple[Any, ...]
    ) -> None:
        device, store = batch.features.device, labels.store
        keys = [label_keys(self.photos[i], cache.shape[1:]) for i in indices]
        batch.labels = torch.stack([store[label][seen] for label, _ in keys]).long().to(device)
        batch.confidence = torch.stack([store[confidence][seen] for _, confidence in keys]).float().to(device)
        batch.classes, batch.shares = labels.classes.to(device), labels.shares.to(device)


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, 0]).permutation(count)
