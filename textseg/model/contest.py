"""One question in the open world: the vocabulary against the other words of a photo."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from textseg.model import calibration
from textseg.model.others import Others, Ranked
from textseg.model.scene import Scene, similarities
from textseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class Contest:
    """Words and other words of one scene. `Contest.of` makes it; nothing in it runs the image encoder."""

    scene: Scene
    vocabulary: Vocabulary
    others: Others
    rivals: torch.Tensor
    """(N,) the other words that compete."""
    grid: torch.Tensor
    """(K, h, w) similarities of the words."""
    presence: torch.Tensor
    """(K,) probability that each word is in the photo; 1 for background words, which are not gated."""

    @classmethod
    def of(cls, scene: Scene, vocabulary: Vocabulary, others: Others, templates: str | None = None) -> Contest:
        model = scene.model
        rivals = others.rivals(model, vocabulary, templates).to(model.device)
        grid = scene.scores(vocabulary, templates)
        rows = evidence(scene, vocabulary, grid, others, rivals, templates)
        presence = calibration.presence(model.head.calibration, *rows)
        return cls(scene, vocabulary, others, rivals, grid, presence)

    def probabilities(self, words: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
        """(K + 1, ...) probabilities from (K, ...) similarities of the words and (...) of the best other word."""
        model = self.scene.model
        behind = torch.tensor([word.background for word in self.vocabulary], device=words.device)
        present = self.presence.to(words.device).masked_fill(behind, 1.0)
        logits = torch.cat([words, rest[None].to(words)]) * model.logit_scale
        return calibration.posterior(model.head.calibration, logits, present)

    def told(self) -> dict[int, float]:
        """Presence by class id."""
        return {k: round(float(p), 4) for k, p in enumerate(self.presence, start=1)}


def evidence(
    scene: Scene,
    vocabulary: Vocabulary,
    grid: torch.Tensor,
    others: Others,
    rivals: torch.Tensor,
    templates: str | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """((K + 1, h, w) at each position, (K + 1, 1, 1) of the mean feature): logits of the words and of the best rival.

    `grid` (K, h, w) are the words' similarities, `rivals` (N,) the other words that compete.
    """
    model = scene.model
    best = others.strongest(scene, rivals).view(1, *scene.grid)
    pooled = similarities(model, scene.pooled, vocabulary, templates)
    whole = Ranked.of(others.scores(scene.pooled)[:, 0]).strongest(rivals)[0].view(1, 1, 1)
    return torch.cat([grid, best]) * model.logit_scale, torch.cat([pooled, whole]) * model.logit_scale
