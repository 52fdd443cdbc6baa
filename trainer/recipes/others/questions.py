"""Questions whose answer captions and object names know, in part: a noun, asked of two photos laid side by side.

A noun that is there is said of the first photo and competes with all that is said of the second, so no place of the
second photo shows it. A noun that is not there competes with all that is said of both. So a place can be known to be
wrong, and how wide a lead misleads can be learnt, though nobody drew an outline (our own; MixReorg, arXiv 2308.04829,
mixes photos to the same end).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from textseg.errors import PhotoError, TrainingError
from textseg.model import Model, calibration, others, partition
from textseg.model.others import Others, Ranked
from textseg.model.scene import similarities
from textseg.vocabulary import Vocabulary
from trainer.data import TrainingPhoto
from trainer.nouns import Nouns, default_nouns
from trainer.store import ArrayStore

PLACES = 128
"""So many places of each photo are looked at, drawn at random."""

ABSENT = 2
"""So many nouns that are not there for each that is."""

TRIES = 20
"""So many second photos are tried for a noun, until one shows nothing like it."""


@dataclass(frozen=True)
class Questions:
    """N nouns, each asked alone of a pair of photos."""

    evidence: np.ndarray
    """(N, 2) what presence is told from, `calibration.leads` of the pair."""
    ahead: np.ndarray
    """(N, 2, P) lead over the best noun that competes, in logits, at P places of both photos, averaged over regions."""
    there: np.ndarray
    """(N,) bool: whether the noun is in the first photo; it is never in the second."""
    photo: np.ndarray
    """(N,) number of the first photo."""

    def __len__(self) -> int:
        return len(self.there)

    def take(self, which: np.ndarray) -> Questions:
        """Those at `which`, indices or a mask."""
        return Questions(self.evidence[which], self.ahead[which], self.there[which], self.photo[which])


@dataclass(frozen=True)
class Seen:
    """What is kept of a photo."""

    there: list[str]
    said: list[str]
    embedding: torch.Tensor
    """(E, 2 P + 1, 1): at each place, averaged over the place's region, and of the whole photo."""
    nouns: Ranked
    """The best nouns in each of these 2 P + 1 columns."""
    competing: np.ndarray
    """(nouns,) bool: those that compete with all that is said of the photo."""


def named(captions: Sequence[str], nouns: Nouns) -> tuple[list[str], list[str]]:
    """(the nouns that are there, all that are named at all); an object's name counts though it is on no list."""
    if len(captions) == 1:
        found = list(nouns.find(captions[0])) if len(captions[0].split()) > 3 else [captions[0].strip().lower()]
        return found, found
    times = Counter(noun for caption in captions for noun in nouns.find(caption))
    return [noun for noun, n in times.items() if n > 1], list(times)


def gather(model: Model, photos: Sequence[TrainingPhoto], store: ArrayStore, seed: int = 0) -> Questions:
    """Questions of `photos`; features are kept in `store`. Raises TrainingError when no caption names a noun."""
    from tqdm import tqdm

    rest, draw = others.of(model), np.random.default_rng(seed)
    assert rest is not None  # the shipped nouns
    seen = []
    for photo in tqdm(photos, unit="photo", disable=None):
        there, said = named(photo.captions, default_nouns())
        if there:
            try:
                seen.append(see(model, photo, store, rest, there, said, draw))
            except PhotoError:
                continue
    asked = [question for number in range(len(seen)) for question in _questions(model, rest, seen, number, draw)]
    if not asked:
        raise TrainingError("No caption names a noun that two of a photo's captions agree on.")
    evidence, ahead, there_, number = map(np.array, zip(*asked, strict=True))
    return Questions(evidence, ahead, there_, number)


def see(
    model: Model, photo: TrainingPhoto, store: ArrayStore, rest: Others, there: list[str], said: list[str],
    draw: np.random.Generator,
) -> Seen:  # fmt: skip
    """Look at one photo."""
    picture = photo.open()
    key = f"{photo.sha256}-{model.backbone.weights_hash}-{model.head.sizes}"
    if key not in store:
        store.add({key: model.features(picture)})
    scene = model.scene(picture, store[key])
    place = torch.from_numpy(draw.integers(0, scene.grid[0] * scene.grid[1], PLACES))
    regions = partition.layers(picture)
    region = torch.from_numpy(regions.spread(np.arange(regions.count), scene.grid).ravel())[place]
    columns = [scene.embedding.flatten(1)[:, place], regions.pool(scene.embedding)[:, region], scene.pooled[:, :, 0]]
    embedding = torch.cat(columns, 1)[..., None]
    competing = rest.rivals(model, Vocabulary.from_names(said)).numpy()
    return Seen(there, said, embedding, Ranked.of(rest.scores(embedding)[..., 0]), competing)


def _questions(
    model: Model, rest: Others, seen: Sequence[Seen], number: int, draw: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray, bool, int]]:
    """(evidence, ahead, there, number) of each noun that is there, and of `ABSENT` times as many that are not."""
    first, place = seen[number], {noun: i for i, noun in enumerate(rest.names)}
    found = []
    for noun in first.there:
        for other in draw.permutation(len(seen))[:TRIES]:
            second = seen[other]
            if other != number and noun in place and second.competing[place[noun]]:
                found.append((*_asked(model, rest, (first, second), noun), True, number))
                break
    for _ in range(ABSENT * len(found)):
        second = seen[int(draw.integers(len(seen)))]
        absent = np.flatnonzero(first.competing & second.competing)
        if len(absent):
            noun = rest.names[draw.choice(absent)]
            found.append((*_asked(model, rest, (first, second), noun), False, number))
    return found


def _asked(model: Model, rest: Others, pair: tuple[Seen, Seen], noun: str) -> tuple[np.ndarray, np.ndarray]:
    """((2,) what its presence in the pair is told from, (2, P) its lead at the places of both photos)."""
    vocabulary = Vocabulary.from_names([noun])
    rivals = rest.rivals(model, vocabulary).to(model.device)
    rows = [
        torch.cat([similarities(model, one.embedding, vocabulary)[..., 0], one.nouns.strongest(rivals)[0][None]])
        for one in pair
    ]
    logits = torch.stack(rows).float().cpu() * model.logit_scale  # (2 photos, noun and rival, 2 P + 1)
    cells, whole = logits[..., :PLACES].movedim(0, 1), logits[..., -1].mean(0)
    # The head is not linear; the mean of two photos' embeddings stands for the embedding of their mean feature.
    evidence = calibration.leads(cells, whole[:, None, None])[0]
    ahead = logits[:, 0, PLACES:-1] - logits[:, 1, PLACES:-1]
    return evidence.double().numpy(), ahead.double().numpy()
