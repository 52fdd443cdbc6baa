"""Pseudo-labels: proposals x scene x vocabulary -> label map (AFSS, arXiv 2403.09307, stage 1).

The paper's detection procedure, thresholds and filters are not public; mask-average of dense similarities, that
of the mask around it counted in, with a confidence and a margin filter, small masks over large ones, is our reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from textseg import grids
from textseg.labelmap import LabelMap
from textseg.model import Scene
from textseg.model import others as other_words
from textseg.model.contest import Contest
from textseg.model.others import Choice, Ranked
from textseg.proposals import Everything, Mask, Named, Naming, coverages, laid, opened
from textseg.vocabulary import Vocabulary

CONFIDENCE = 0.5
MARGIN = 0.1
THERE = 0.5
"""Least presence at which a word that no single thing was found for has a mask of all its pixels."""
INSIDE = 0.85
"""A mask lies in another one when this share of it does."""


@dataclass(frozen=True)
class LabelledRegion:
    """A proposal with the word that describes it best."""

    mask: Mask
    word: int
    """The word's id in the label map, from 1; 0 where an other word describes it best."""
    confidence: float
    """The probability of what describes it best; in a closed vocabulary the softmax of its mean similarity."""
    margin: float
    """How far the runner-up's probability lies below."""
    scores: np.ndarray
    """(K,) its mean similarity to each word, averaged with those of the regions that it lies in."""
    other: tuple[str, float] | None = None
    """The other word that fits it best, with its similarity; None where none competes."""


@dataclass(frozen=True)
class PseudoLabels:
    """Every proposal of one photo with its word; `paint` keeps the sure ones."""

    regions: list[LabelledRegion]
    vocabulary: Vocabulary
    size: tuple[int, int]
    """(width, height) of the photo."""
    presence: dict[int, float] = field(default_factory=dict)
    """As in a label map: by class id, empty in a closed vocabulary."""
    heat: np.ndarray | None = field(default=None, repr=False)
    """As in a label map: (K, h, w), where the proposals were found by words."""

    def sure(self, confidence: float = CONFIDENCE, margin: float = MARGIN) -> list[LabelledRegion]:
        """The regions that pass both filters, large ones first."""
        passed = [region for region in self.regions if region.confidence >= confidence and region.margin >= margin]
        return sorted(passed, key=lambda region: -region.mask.area)

    def paint(self, confidence: float = CONFIDENCE, margin: float = MARGIN) -> LabelMap:
        """The label map of the sure regions, small over large; 0 where no region is sure or another word won."""
        return self._named(*self.index(confidence, margin))

    def patches(
        self, grid: tuple[int, int], confidence: float = CONFIDENCE, margin: float = MARGIN, coverage: float = 0.5
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """((h, w) int64 word index from 0, -1 unlabelled; (h, w) confidence 0..1) for training on a feature grid.

        A cell takes the word that covers most of it if that is more than `coverage` of the cell.
        """
        index, sure = self.index(confidence, margin)
        ids, surety = self._named(index, sure).ids, _surety(sure)[index]
        cell = grids.cell_numbers(ids.shape, grid)
        cells, words = grid[0] * grid[1], len(self.vocabulary) + 1
        votes = np.bincount((cell * words + ids).ravel(), minlength=cells * words).reshape(cells, words)
        share = votes / np.maximum(votes.sum(1, keepdims=True), 1)
        word = share[:, 1:].argmax(1)
        kept = share[np.arange(cells), word + 1] > coverage
        mean = np.bincount(cell.ravel(), surety.ravel(), cells) / np.maximum(votes.sum(1), 1)
        word = np.where(kept, word, -1).reshape(grid)
        weight = np.where(kept, mean, 0).reshape(grid)
        return torch.from_numpy(word), torch.from_numpy(weight.astype(np.float32))

    def index(self, confidence: float = CONFIDENCE, margin: float = MARGIN) -> tuple[np.ndarray, list[LabelledRegion]]:
        """((H, W) uint16, the sure regions): which of them, from 1, each pixel belongs to; small over large.

        0 where no region is sure, a background word won or an other word.
        """
        sure = self.sure(confidence, margin)
        unnamed = [region.word == 0 or self.vocabulary[region.word - 1].background for region in sure]
        numbers = [0 if none else k for k, none in enumerate(unnamed, start=1)]
        return laid([region.mask for region in sure], numbers, self.size), sure

    def _named(self, index: np.ndarray, sure: list[LabelledRegion]) -> LabelMap:
        """The label map of what `index` gave."""
        words = np.array([0, *(region.word for region in sure)])
        counts = np.bincount(index.ravel(), minlength=len(words))
        pixels = np.bincount(words, counts, len(self.vocabulary) + 1)
        total = np.bincount(words, counts * _surety(sure), len(self.vocabulary) + 1)
        means = {int(k): float(total[k] / pixels[k]) for k in np.flatnonzero(pixels) if k}
        ids = words.astype(np.uint8 if len(self.vocabulary) <= 255 else np.uint16)[index]
        return LabelMap(ids, self.vocabulary, means, presence=self.presence)


def _surety(sure: list[LabelledRegion]) -> np.ndarray:
    """(1 + N,) float16 confidence of each number in what `index` gave; 0 of none."""
    return np.array([0, *(region.confidence for region in sure)], np.float16)


def label_regions(
    scene: Scene,
    vocabulary: Vocabulary,
    proposals: Everything | None = None,
    templates: str | None = None,
    others: Choice = "default",
) -> PseudoLabels:
    """Name every proposal of the scene's photo; without `proposals` those of `regions`.

    `others` are the words that nobody typed and that compete all the same; see `textseg.segment`. Proposals that know
    words themselves are asked by them, see `named_regions`; whatever else there is lowers their presence already.
    """
    if isinstance(proposals, Naming):
        return named_regions(proposals.named(vocabulary), vocabulary, scene.size)
    masks = (proposals or opened(scene)).everything()
    grid = scene.scores(vocabulary, templates)
    cover = Cover(masks, grid)
    scores, presence = cover.nested(grid), {}
    nearest: list[tuple[str, float] | None] = [None] * len(masks)
    rest = other_words.of(scene.model, others)
    if rest is None:
        probability = (scores * scene.model.logit_scale).softmax(1)
    else:
        contest = Contest.of(scene, vocabulary, rest, templates)
        # Similarity with one noun is linear: each mask's mean embedding is compared, not each position's.
        ranked = Ranked.of(rest.scores(cover.nested(scene.embedding).T[..., None])[..., 0])
        similarity, noun = ranked.strongest(contest.rivals)
        probability = contest.probabilities(scores.T, similarity).T
        presence = contest.told()
        if contest.rivals.any():
            nearest = [(rest.names[k], s) for k, s in zip(noun.tolist(), similarity.tolist(), strict=True)]
    best = probability.topk(min(2, probability.shape[1]), dim=1)
    surety = best.values[:, 0]
    margin = surety - best.values[:, 1] if probability.shape[1] > 1 else surety
    words = (best.indices[:, 0] + 1) * (best.indices[:, 0] < len(vocabulary))
    regions = [
        LabelledRegion(mask, int(word), float(p), float(gap), region_scores, other)
        for mask, word, p, gap, region_scores, other in zip(
            masks, words, surety, margin, scores.cpu().numpy(), nearest, strict=True
        )
    ]
    return PseudoLabels(regions, vocabulary, scene.size, presence)


def named_regions(named: Sequence[Named], vocabulary: Vocabulary, size: tuple[int, int]) -> PseudoLabels:
    """The masks that a proposer found for words, each with the word that it shows most surely (our own).

    A word that is likely there as a whole, but of which no single thing was found, has one mask of all its pixels.
    Words compete in each mask: that which it was found for has the mask's score, any other its presence times its
    mean probability there. `size` is the (width, height) of the photo.
    """
    masks: list[Mask] = []
    owner: list[int] = []
    for one in named:
        whole = one.whole() if not one.masks and one.presence >= THERE else None
        found = one.masks or ([whole] if whole is not None and whole.area else [])
        masks += found
        owner += [one.word - 1] * len(found)
    heat = np.stack([one.presence * one.heat for one in named])
    scores = torch.from_numpy(heat)
    probability = Cover(masks, scores).mean(scores)
    probability[torch.arange(len(masks)), torch.tensor(owner, dtype=torch.long)] = torch.tensor(
        [mask.score for mask in masks]
    )
    best = probability.topk(min(2, len(named)), dim=1)
    margin = best.values[:, 0] - (best.values[:, 1] if len(named) > 1 else 0)
    regions = [
        LabelledRegion(mask, int(word) + 1, float(p), float(gap), scores)
        for mask, word, p, gap, scores in zip(
            masks, best.indices[:, 0], best.values[:, 0], margin, probability.numpy(), strict=True
        )
    ]
    return PseudoLabels(regions, vocabulary, size, {one.word: one.presence for one in named}, heat)


class Cover:
    """How M masks lie on a grid (h, w), and in each other."""

    def __init__(self, masks: Sequence[Mask], grid: torch.Tensor) -> None:
        """`grid` (K, h, w) gives size and device."""
        shares = coverages(masks, (grid.shape[1], grid.shape[2])).astype(np.float32)
        self._shares = torch.from_numpy(shares).flatten(1).to(grid.device)
        self._area = self._shares.sum(1)

    def mean(self, grid: torch.Tensor) -> torch.Tensor:
        """(M, K) mean of (K, h, w) scores over each mask, each cell by the share of it that the mask covers."""
        return self._shares @ grid.flatten(1).T.float() / self._area[:, None].clamp(min=1e-9)

    def nested(self, grid: torch.Tensor) -> torch.Tensor:
        """(M, K) `mean`, averaged over each mask and the smallest of the masks that it lies in (our own).

        What a part shows and what the whole around it shows have one voice each, so a small mask overrules a large one
        only where it is sure. With a voice for every mask around it, the largest thing in a photo takes all of it.
        """
        means, (lies_in, around) = self.mean(grid), self._around
        return torch.where(lies_in[:, None], (means + means[around]) / 2, means)

    @cached_property
    def _around(self) -> tuple[torch.Tensor, torch.Tensor]:
        """((M,) whether a mask lies in another one, (M,) the smallest of those)."""
        if not len(self._area):
            return self._area > 0, self._area.long()
        inside = self._shares @ (self._shares > 0.5).float().T > INSIDE * self._area[:, None]
        around = inside & (self._area > self._area[:, None])
        return around.any(1), torch.where(around, self._area.expand_as(around), torch.inf).argmin(1)
