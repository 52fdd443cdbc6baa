"""From similarities to probabilities: presence of a word in a photo, and of a label at a pixel (our own).

All evidence is in logits, similarities times the model's logit scale, so that one set of numbers serves every head. A
head file may bring numbers of its own (`calibration` in its facts); one that does not is read with those below.

`trainer.recipes.others.fit` finds presence, bias and temperature from captions and object names, without masks, and
writes them into a head file; those below are what it found for the shipped head. The gate was chosen, once for all
heads (docs/others.md).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch

BEST = 0.05
"""Share of a photo's positions that must speak for a word: small things count, a lucky cell does not."""


@dataclass(frozen=True)
class Calibration:
    """The few numbers that all words share."""

    bias: float = -3.0
    """Added, with the log of the number of asked words, to the best other word: one word asked is likely meant, and of
    many the best of them leads by chance."""
    temperature: float = 0.31
    """Logits are multiplied by this before the softmax over words and other words."""
    gate: float = 2.0
    """So many times the log of its presence is added to a word's logit, at every pixel."""
    presence: tuple[float, float, float] = (2.4, 0.38, 0.06)
    """Logit of a word's presence: a constant, the weights of its lead at its best positions and in the pooled photo."""

    def facts(self) -> dict[str, Any] | None:
        """What a head file says; None for the shipped numbers, so that such a head follows them."""
        return None if self == Calibration() else asdict(self)

    @classmethod
    def read(cls, facts: Any) -> Calibration:
        """From `facts` of a head file, None or missing numbers being the shipped ones; raises ValueError."""
        try:
            given = dict(facts or {})
            given |= {name: float(given[name]) for name in ("bias", "temperature", "gate") if name in given}
            if "presence" in given:
                constant, local, whole = map(float, given["presence"])
                given["presence"] = (constant, local, whole)
            read = cls(**given)
        except (TypeError, ValueError):
            raise ValueError("it is not the numbers that this version knows") from None
        if not all(map(math.isfinite, (read.bias, read.temperature, read.gate, *read.presence))):
            raise ValueError("a number is not finite")
        return read


def presence(calibration: Calibration, patches: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
    """(K,) probability that each word is somewhere in the photo; arguments as those of `leads`."""
    constant, *weights = calibration.presence
    ahead = leads(patches, pooled)
    return (constant + ahead @ ahead.new_tensor(weights)).sigmoid()


def leads(patches: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
    """(K, 2) what presence is told from: the lead of each word at its best positions, and in the pooled photo.

    `patches` (K + 1, h, w) and `pooled` (K + 1, 1, 1) are logits of K words and of the best other word, at each
    position and of the mean feature.
    """
    return torch.stack([lead(patches), lead(pooled)], 1)


def lead(logits: torch.Tensor) -> torch.Tensor:
    """(K,) how far each of K words is ahead of the best of all others, the mean over the positions where it is most.

    `logits` is (K + 1, h, w), the last row what no word is meant by.
    """
    rows = logits.flatten(1).float()
    best = rows.topk(2, dim=0)
    words = torch.arange(len(rows) - 1, device=rows.device)[:, None]
    ahead = rows[:-1] - torch.where(best.indices[0] == words, best.values[1], best.values[0])
    return ahead.topk(max(1, round(BEST * rows.shape[1])), dim=1).values.mean(1)


def posterior(calibration: Calibration, logits: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """(K + 1, ...) probability of each word and, last, of anything else, from logits of the same shape.

    `present` (K,) is the presence of each word; 1 leaves a word as it is.
    """
    gate = calibration.gate * present.clamp(min=1e-6).log()
    offset = torch.cat([gate, gate.new_tensor([calibration.bias + math.log(len(gate))])])
    rows = logits + offset.view(-1, *[1] * (logits.dim() - 1))
    return (calibration.temperature * rows).softmax(0)
