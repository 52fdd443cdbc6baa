"""`textseg train --dry-run`: what a training will prepare and do, in bytes and hours, before any of it is done.

Rates are measured here and now on a few of the photos. Where a whole step takes less than a minute it is taken, so that
what does not fit into memory is told at once and not after a night of preparation. Nothing is written but what reading
the data set leaves in the cache.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from textseg.errors import PhotoError, TrainingError
from textseg.model.backbones import Backbone
from textseg.proposals import Proposer
from textseg.vocabulary import Vocabulary
from trainer import features, notes, prepare
from trainer.data import TrainingPhoto, TrainingSet
from trainer.features import FeatureCache, size_of
from trainer.labelling import likely_words
from trainer.masks import MaskStore
from trainer.nouns import default_nouns
from trainer.objectives import Batch, Objective
from trainer.prepare import Say
from trainer.recipes import Recipe

SAMPLE = 8
"""Photos that rates are measured on."""
TEXT_SAMPLE = 64
MASK_SAMPLE = 2
SMALL_STEPS = 2, 4
"""Photos of the steps that the whole one is worked out from."""
PATIENCE = 60.0
"""Seconds that a whole step may take to be taken."""


def rehearse(
    photos: TrainingSet,
    backbone: Backbone,
    recipe: Recipe,
    module: Objective,
    proposer: Proposer | None,
    accelerator: Any,
    root: Path,
    limit: int,
    say: Say,
) -> None:
    """Say what the training will prepare and how long it will take; raises TrainingError when none can be read.

    `module` is the objective with its head, on the accelerator's device; `proposer` is for objectives that learn from
    pseudo-labels.
    """
    processes = accelerator.num_processes
    caches = [FeatureCache(root, backbone, size, recipe.packing) for size in prepare.sizes(recipe, backbone)]
    readable = notes.of_readability(root)
    kept, told = features.plan(photos.photos, caches, root, limit, readable)
    say(told)

    sample = _openable(photos.photos, readable)
    with _timed() as decoding:
        opened = [photo.open() for photo in sample]
    for cache in caches:
        cache.encode(opened[:1], backbone)  # libraries load and kernels are chosen at the first call
    with _timed() as encoding:
        encoded = [cache.encode(opened, backbone) for cache in caches]
    each = (decoding() / features.decoding_threads() + encoding()) / len(sample)
    total = _part(
        say, "Encoding", len(kept), "photos", each, processes, f"{size_of(len(kept) * _bytes_of(caches))} to be written"
    )
    if proposer is None:
        total += _texts(photos.photos, backbone, processes, say)
    else:
        total += _labels(photos.photos, sample, backbone, recipe, proposer, accelerator, root, say)
    total += _steps(photos.photos, caches[0].unpack(encoded[0]), backbone, recipe, module, accelerator, say)
    say(f"All together about {_span(total)}, as measured on {accelerator.device} of this machine.")


def _openable(photos: Sequence[TrainingPhoto], readable: notes.Notes) -> list[TrainingPhoto]:
    """Up to SAMPLE photos, from all over the set, that open."""
    found: list[TrainingPhoto] = []
    for photo in photos[:: max(1, len(photos) // SAMPLE)]:
        if len(found) < SAMPLE and not readable.get(photo.sha256):
            try:
                photo.open()
                found.append(photo)
            except PhotoError:
                continue
    if not found:
        raise TrainingError("None of the photos that were tried can be read.")
    return found


def _texts(photos: Sequence[TrainingPhoto], backbone: Backbone, processes: int, say: Say) -> float:
    captions = list(dict.fromkeys(text for photo in photos for text in photo.captions))
    some = captions[:: max(1, len(captions) // TEXT_SAMPLE)][:TEXT_SAMPLE]
    backbone.embed(some[:2])
    with _timed() as embedding:
        backbone.embed(some)
    nouns = {noun for text in some for noun in default_nouns().find(text)}
    say(f"Of {len(some)} captions {len(nouns)} different nouns were found; each is embedded once.")
    return _part(say, "Embedding", len(captions), "different captions", embedding() / len(some), processes)


def _labels(
    photos: Sequence[TrainingPhoto],
    sample: Sequence[TrainingPhoto],
    backbone: Backbone,
    recipe: Recipe,
    proposer: Proposer,
    accelerator: Any,
    root: Path,
    say: Say,
) -> float:
    teacher = prepare.teacher_of(backbone, recipe, str(accelerator.device))
    masks = MaskStore.of(root, proposer, teacher)
    missing = [photo for photo in photos if photo.sha256 not in masks]
    say(f"Masks of {len(photos) - len(missing):,} photos by '{recipe.proposer}' are there already.")
    some, words = sample[:MASK_SAMPLE], Vocabulary.from_names(recipe.words or default_nouns().names[: recipe.max_words])
    with _timed() as seeing:
        scenes = [teacher.encode(photo.open()) for photo in some]
        for scene in scenes:
            likely_words(scene, words, recipe.words_a_photo, recipe.class_proposal)
    with _timed() as proposing:
        for scene in scenes:
            proposer.open(scene.photo, scene).everything()
    processes = accelerator.num_processes
    total = _part(say, "The teacher's look", len(photos), "photos", seeing() / len(some), processes)
    return total + _part(say, "Masks", len(missing), "photos", proposing() / len(some), processes)


def _steps(
    photos: Sequence[TrainingPhoto],
    encoded: torch.Tensor,
    backbone: Backbone,
    recipe: Recipe,
    module: Objective,
    accelerator: Any,
    say: Say,
) -> float:
    size, steps = min(recipe.batch, len(photos)), recipe.step_count(len(photos))

    def step(count: int) -> float:
        """Seconds of a step of `count` photos."""
        batch = _batch_like(encoded.to(accelerator.device), count, photos, backbone, recipe, module)
        with _timed() as took:
            with accelerator.autocast():
                terms = module(batch)
            loss = torch.stack([term.float() for name, term in terms.items() if not name.startswith("_")]).sum()
            loss.backward()
            float(loss.detach())
        module.zero_grad()
        return took()

    few, twice = SMALL_STEPS
    first = step(min(few, size))  # libraries load at the first call
    small = min(first, step(min(few, size))) if first < PATIENCE / 10 else first
    each = whole_step(size, (few, small), (twice, step(min(twice, size))))
    how = f"worked out from steps of {few} and {twice}"
    if each < PATIENCE:
        try:
            # Whatever else the machine does lengthens one step and seldom the next, too.
            each, how = min(step(size), step(size) if each < PATIENCE / 2 else math.inf), "measured"
        except torch.OutOfMemoryError:
            raise TrainingError(
                f"A step of {size:,} photos does not fit into the memory of {accelerator.device}; lower the recipe's "
                "'batch'."
            ) from None
        if accelerator.device.type == "cuda":
            how += f", at most {size_of(torch.cuda.max_memory_allocated())} of the GPU's memory"
    return _part(say, "Training", steps, f"steps of {size:,} photos", each, 1, how)


def whole_step(size: int, small: tuple[int, float], twice: tuple[int, float]) -> float:
    """Seconds of a step of `size` photos, from two small ones, (photos, seconds) each.

    A step costs a b + c b^2: each photo, and each photo against the texts of all.
    """
    (few, seconds), (more, seconds_more) = small, twice
    square = max(0.0, (seconds_more / more - seconds / few) / (more - few))
    return max(0.0, seconds_more / more - square * more) * size + square * size**2


def _batch_like(
    encoded: torch.Tensor,
    size: int,
    photos: Sequence[TrainingPhoto],
    backbone: Backbone,
    recipe: Recipe,
    module: Objective,
) -> Batch:
    """A batch of the full size: the sampled photos again and again, with as many texts as theirs, all different."""

    def units(count: int) -> torch.Tensor:
        return F.normalize(torch.randn(count, backbone.text_dim, device=encoded.device), dim=1)

    batch = Batch(encoded.repeat(-(-size // len(encoded)), 1, 1, 1)[:size].float())
    if module.needs == "labels":
        words = recipe.max_words if not recipe.words else min(recipe.max_words, len(recipe.words))
        grid = (size, *encoded.shape[2:])
        batch.labels = torch.randint(words, grid, device=encoded.device)
        batch.confidence, batch.classes = torch.ones(grid, device=encoded.device), units(words)
        batch.shares = torch.full((words,), 1 / words, device=encoded.device)
        return batch
    batch.captions, batch.caption_ids = units(size), torch.arange(size, device=encoded.device)
    owner, names = [], []
    for row in range(size):
        found = dict.fromkeys(n for text in photos[row].captions for n in default_nouns().find(text))
        chosen = list(found)[: recipe.max_nouns or None]
        names += chosen
        owner += [row] * len(chosen)
    if names:
        place = {noun: k for k, noun in enumerate(dict.fromkeys(names))}
        batch.noun_ids = torch.tensor([place[noun] for noun in names], device=encoded.device)
        batch.nouns, batch.noun_owner = units(len(place))[batch.noun_ids], torch.tensor(owner, device=encoded.device)
    return batch


def _part(say: Say, what: str, count: int, of: str, each: float, processes: int, more: str = "") -> float:
    """Say how long a part of the work takes; -> its seconds."""
    seconds = count * each / processes
    shared = f", shared by {processes} processes" if processes > 1 else ""
    say(f"{what}: {count:,} {of} at {each:.3g} s{shared}: {_span(seconds)}{f', {more}' if more else ''}.")
    return seconds


def _bytes_of(caches: Sequence[FeatureCache]) -> int:
    return sum(cache.photo_bytes for cache in caches)


def _span(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def _timed() -> Iterator[Callable[[], float]]:
    """A function that gives, afterwards, the seconds that the block took."""
    began = time.perf_counter()
    took = 0.0
    yield lambda: took
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    took = time.perf_counter() - began
