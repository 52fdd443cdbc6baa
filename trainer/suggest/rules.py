"""The ordering rules. Settles (2009), "Active Learning Literature Survey", has the first three; core-set selection is
Sener & Savarese's greedy k-centre (ICLR 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from textseg.vocabulary import Vocabulary
from trainer.suggest import Suggestion, View, register


@register("random")
def random(pool: Sequence[View], known: Sequence[View], words: Vocabulary, seed: int) -> list[Suggestion]:
    """Any order: what every other rule is compared with."""
    order = np.random.default_rng(seed).permutation(len(pool))
    return [Suggestion(pool[i].key, "drawn by lot") for i in order]


@register("margin")
def margin(pool: Sequence[View], known: Sequence[View], words: Vocabulary, seed: int) -> list[Suggestion]:
    """Photos whose two best words are closest come first."""
    return [
        Suggestion(view.key, f"{words[view.rivals[0]].name} or {words[view.rivals[1]].name}? They are close here")
        for view in sorted(pool, key=lambda view: view.margin)
    ]


@register("entropy")
def entropy(pool: Sequence[View], known: Sequence[View], words: Vocabulary, seed: int) -> list[Suggestion]:
    """Photos on which the model spreads itself over most words come first."""
    return [
        Suggestion(view.key, f"unsure over many words ({100 * view.entropy:.0f} % of the greatest entropy)")
        for view in sorted(pool, key=lambda view: -view.entropy)
    ]


@register("disagreement")
def disagreement(pool: Sequence[View], known: Sequence[View], words: Vocabulary, seed: int) -> list[Suggestion]:
    """Photos that the newest head sees otherwise than the one before it come first."""
    return [
        Suggestion(view.key, f"the last two heads differ on {100 * view.disagreement:.0f} % of it")
        for view in sorted(pool, key=lambda view: -view.disagreement)
    ]


@register("diversity")
def diversity(pool: Sequence[View], known: Sequence[View], words: Vocabulary, seed: int) -> list[Suggestion]:
    """Greedy k-centre: each next photo is the one least like all that are corrected or chosen."""
    if not pool:
        return []
    points = torch.stack([view.embedding for view in pool])
    if known:
        near = (points @ torch.stack([view.embedding for view in known]).T).amax(1)
    else:
        near = 1 - points @ torch.nn.functional.normalize(points.mean(0), dim=0)  # begin with the most typical one
    left, chosen = set(range(len(pool))), []
    while left:
        i = min(left, key=lambda one: float(near[one]))
        left.remove(i)
        chosen.append(Suggestion(pool[i].key, f"unlike what is corrected (likeness {float(near[i]):.2f})"))
        near = torch.maximum(near, points @ points[i]) if known or len(chosen) > 1 else points @ points[i]
    return chosen


@register("rarity")
def rarity(pool: Sequence[View], known: Sequence[View], words: Vocabulary, seed: int) -> list[Suggestion]:
    """Each next photo promises most of the words that have been corrected least: sum over words of
    presence / (1 + photos with it so far)^2, those already chosen counted by their promise."""
    have = np.sum([view.presence for view in known], axis=0) if known else np.zeros(len(words))
    known_photos = have
    promise = np.stack([view.presence for view in pool]) if pool else np.zeros((0, len(words)))
    left, chosen = list(range(len(pool))), []
    while left:
        worth = promise[left] / (1 + have) ** 2
        i = left[int(worth.sum(1).argmax())]
        word = int((promise[i] / (1 + have) ** 2).argmax())
        seen = round(float(known_photos[word]))
        photos = {0: "no corrected photos", 1: "1 corrected photo"}.get(seen, f"{seen} corrected photos")
        chosen.append(Suggestion(pool[i].key, f"may show {words[word].name}, in {photos} so far"))
        left.remove(i)
        have = have + promise[i]
    return chosen
