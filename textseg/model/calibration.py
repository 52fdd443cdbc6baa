"""From similarities to probabilities: presence of a word in a photo, and of a label at a pixel (our own).

All evidence is in logits, similarities times the model's logit scale, so that one set of numbers serves every head. A
head file may bring numbers of its own (`calibration` in its facts); `trainer.recipes.others.fit` finds them from
captions and object names, never from masks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

BEST = 0.05
"""Share of a photo's positions that must speak for a word: small things count, a lucky cell does not."""


@dataclass(frozen=True)
class Calibration:
    """The few numbers that all words share."""

    bias: float = -4.0
    """Added, with the log of the number of asked words, to the best other word: one word asked is likely meant, and of
    many the best of them leads by chance."""
    temperature: float = 0.4
    """Logits are multiplied by this before the softmax over words and other words."""
    gate: float = 2.0
    """So many times the log of its presence is added to a word's logit, at every pixel."""
    presence: tuple[float, float, float] = (3.9, 0.3, 0.2)
    """Logit of a word's presence: a constant, the weights of its lead at its best positions and in the pooled photo."""


def presence(calibration: Calibration, patches: torch.Tensor, pooled: torch.Tensor) -> torch.Tensor:
    """(K,) probability that each word is somewhere in the photo.

    `patches` (K + 1, h, w) and `pooled` (K + 1, 1, 1) are logits of K words and of the best other word, at each
    position and of the mean feature.
    """
    constant, local, whole = calibration.presence
    return (constant + local * lead(patches) + whole * lead(pooled)).sigmoid()


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
