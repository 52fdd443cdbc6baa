"""What to label next: photos in the order of a named rule, each with its reason, and the region to click in one.

A rule is a function with `@register("name")` in a module of this package. It sees photos as the model of the project
sees them (`View`) and orders them; it never sees what a person would say of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from textseg.model import Model
from textseg.model.partition import Partition
from textseg.registry import Registry
from textseg.vocabulary import Vocabulary

BEST = 0.05
"""A word is in a photo as far as it is sure at this share of the patches, its best ones."""


@dataclass
class View:
    """What a model makes of one photo: K words over its patches."""

    key: Any
    embedding: torch.Tensor
    """(D,) unit mean feature: photos that look alike have a cosine near 1."""
    presence: np.ndarray
    """(K,) how sure each word is somewhere in the photo, 0..1; of a corrected photo, what the person said."""
    margin: float = 1.0
    """Mean over patches of how far the second word's probability lies below the first's."""
    entropy: float = 0.0
    """Mean over patches, as a share of the greatest possible."""
    disagreement: float = 0.0
    """Share of the patches where the project's head and the one before it name different words."""
    rivals: tuple[int, int] = (0, 0)
    """The two words that are close most often."""


@dataclass(frozen=True)
class Suggestion:
    """A photo to label, and why."""

    key: Any
    reason: str


Rule = Callable[[Sequence[View], Sequence[View], Vocabulary, int], list[Suggestion]]
"""(photos to order, photos corrected already, the words, seed) -> all of the first, most useful first."""

_registry: Registry[Rule] = Registry("ordering rule", __name__)
register, names, get = _registry.register, _registry.names, _registry.get

DEFAULT = "rarity"


def view(
    key: Any, features: torch.Tensor, scores: torch.Tensor, scale: float, before: torch.Tensor | None = None
) -> View:
    """The view of a photo from its (D, h, w) features and (K, h, w) similarities, `before` those of another head."""
    words = len(scores)
    probability = (scale * scores.flatten(1)).softmax(0)
    best = probability.topk(min(2, words), dim=0)
    gap = best.values[0] - (best.values[1] if words > 1 else 0)
    entropy = -(probability * probability.clamp(min=1e-9).log()).sum(0).mean() / max(np.log(words), 1e-9)
    pairs = best.indices.sort(0).values[:, gap <= gap.median()] if words > 1 else best.indices
    rivals = (0, 0)
    if words > 1 and pairs.shape[1]:
        code = int((pairs[0] * words + pairs[1]).mode().values)
        rivals = divmod(code, words)
    other = 0.0
    if before is not None:
        other = float((before.flatten(1).argmax(0) != best.indices[0]).float().mean())
    return View(
        key,
        torch.nn.functional.normalize(features.flatten(1).float().mean(1), dim=0),
        presence(probability),
        float(gap.mean()),
        float(entropy),
        other,
        rivals,
    )


def presence(probability: torch.Tensor) -> np.ndarray:
    """(K,) mean of each word's probability (K, T) over the patches where it is greatest."""
    count = max(1, int(BEST * probability.shape[1]))
    return probability.topk(count, dim=1).values.mean(1).numpy()


def next_region(
    scores: torch.Tensor, regions: Partition, free: np.ndarray, scale: float
) -> tuple[int, int, str] | None:
    """Where one click says most in a photo: (region, first word, reason) or None when nothing is left.

    The region whose answer is least sure, weighted by its area: of (K, h, w) `scores` pooled over `regions`, among
    those of which a person has not labelled more than half. `free` (H', W') bool is where nobody has been, at the
    partition's own size.
    """
    pooled = (scale * regions.pool(scores)).softmax(0)
    best = pooled.topk(min(2, len(pooled)), dim=0).values
    unsure = 1 - (best[0] - best[1] if len(pooled) > 1 else best[0])
    left = np.bincount(regions.ids[free], minlength=regions.count)
    worth = unsure.numpy() * np.sqrt(left) * (left > 0.5 * regions.areas)
    if not worth.any():
        return None
    region = int(worth.argmax())
    share = 100 * regions.areas[region] / regions.ids.size
    size = f"{share:.0f} %" if share >= 1 else "under 1 %"
    return region, int(pooled[:, region].argmax()), f"the region the model is least certain of ({size} of the photo)"


def views(
    model: Model,
    before: Model | None,
    photos: Sequence[tuple[Any, torch.Tensor]],
    vocabulary: Vocabulary,
) -> list[View]:
    """The `view` of photos given as (key, features); `before` is the head that came before, for disagreement."""
    from trainer.corrections.score import similarities

    return [
        view(
            key,
            features,
            similarities(model, features, vocabulary),
            model.logit_scale,
            None if before is None else similarities(before, features, vocabulary),
        )
        for key, features in photos
    ]
