"""A corrected head, the patches it is fitted to, and the fit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from textseg.errors import TrainingError
from textseg.model import Model, calibration, others
from textseg.model.embedding import embed_words
from textseg.model.heads import Head
from textseg.model.heads.corrected import CorrectedHead
from textseg.vocabulary import Vocabulary, Word
from trainer.corrections.corpus import Corpus, CorrectedPhoto
from trainer.corrections.progress import Progress, stop_if
from trainer.objectives.corrections import Corrections, Patches
from trainer.recipes import Recipe

PATCHES_A_PHOTO = 150
"""At most so many labelled and so many other patches of a photo, drawn anew from a seed."""

MOST_PATCHES = 150_000
"""Over all photos together: about half a gigabyte."""

OTHER_WORDS = 400

UNLIKE = 0.55
"""An "other word" has a lower cosine than this to every class."""

RIVALS = 24
"""So many of the best nouns are kept at each patch: what they learn may change which of them is best."""

QUICK = 5
"""Numbers that stand alone move so many times as fast as the weights, of which many act together."""

LEAST_LABELLED = 0.25
"""A patch is labelled when a person labelled this share of it, and "none of these" at three quarters."""


def new_head(model: Model, corpus: Corpus, presence: float) -> CorrectedHead:
    """A head for the corpus's classes that answers as the base of `model`'s head does, until it is fitted."""
    base, facts = base_of(model.head)
    backbone = model.backbone
    texts = [(text, k) for k, one in enumerate(corpus.classes) for text in (one.name, *one.aliases)]
    names = embed_words(backbone.embed, [text for text, _ in texts], backbone.templates)
    nouns = others.shipped_nouns()[: others.COUNT]
    rest = others.embedded(model, nouns).to(names)
    rest = rest[(rest @ names.T).amax(1) < UNLIKE][:OTHER_WORDS]
    if corpus.unlearnt:
        unlearnt = embed_words(backbone.embed, [one.name for one in corpus.unlearnt], backbone.templates)
        rest = torch.cat([rest, unlearnt])
    scale = base.logit_scale or backbone.logit_scale
    head = CorrectedHead(base, facts, scale, backbone.text_dim, [k for _, k in texts], len(rest), nouns, presence)
    head.names.copy_(names)
    head.others.copy_(rest)
    return head.to(model.device)


def base_of(head: Head) -> tuple[Head, dict[str, Any]]:
    """(a copy of the head below all corrections, how to build it again)."""
    if isinstance(head, CorrectedHead):
        return copy.deepcopy(head.base), head.config["base"]
    facts = {
        "type": head.kind,
        "config": head.config,
        "logit_scale": head.logit_scale,
        "calibration": head.calibration.facts(),
    }
    return copy.deepcopy(head), facts


@torch.no_grad()
def embedded(head: CorrectedHead, photo: CorrectedPhoto) -> torch.Tensor:
    """(1, E, h', w') the base's embedding of a photo: the same at every step of a fit."""
    return head.base(photo.features[None].float().to(head.weight.device))


@dataclass(frozen=True)
class Rivals:
    """What competes with the person's classes, as the base maps it."""

    mapped: torch.Tensor
    """(N + U, E) the nouns, then the project's classes that learn nothing."""
    nouns: torch.Tensor
    """(N + U,) the number of each noun among the head's; their count for a class."""

    @classmethod
    def of(cls, head: CorrectedHead, model: Model, corpus: Corpus) -> Rivals:
        """Every noun that competes with all classes of the project; where none does, a similarity of 0."""
        base = Model(model.backbone, head.base, "base")
        rest = others.of(base)
        every = Vocabulary(tuple(Word(one.name, tuple(one.aliases)) for one in (*corpus.classes, *corpus.unlearnt)))
        texts = [text for one in corpus.unlearnt for text in (one.name, *one.aliases)]
        mapped, nouns = [], []
        if rest is not None:
            index = rest.rivals(base, every).nonzero()[:, 0].to(rest.mapped.device)
            mapped.append(rest.mapped[index])
            nouns += index.tolist()
        if texts:
            raw = embed_words(model.backbone.embed, texts, model.backbone.templates)
            mapped.append(head.base.text(raw.to(model.device)))
        if not nouns and not texts:
            texts, mapped = [""], [torch.zeros(1, head.weight.shape[1], device=model.device)]
        nouns += [len(head.config["nouns"])] * len(texts)
        return cls(torch.cat(mapped), torch.tensor(nouns, device=model.device))


@torch.no_grad()
def patches(
    head: CorrectedHead,
    corpus: Corpus,
    rivals: Rivals,
    seed: int = 0,
    embed: Callable[[CorrectedHead, CorrectedPhoto], torch.Tensor] = embedded,
) -> list[Patches]:
    """The patches of each photo that a fit sees, drawn from every photo alike."""
    most = max(4, min(PATCHES_A_PHOTO, MOST_PATCHES // (2 * len(corpus.photos))))
    ids = [one.id for one in corpus.classes]
    parts = []
    for photo in corpus.photos:
        draw = np.random.default_rng([seed, *photo.seed])
        z = embed(head, photo)
        grid = z.shape[-2], z.shape[-1]
        share = shares(photo.said, grid, [*ids, -1])
        labelled, none = share[:, :-1].sum(1) > LEAST_LABELLED, share[:, -1] > 0.75
        kind = np.where(labelled, Patches.LABELLED, np.where(none, Patches.NONE, Patches.UNLABELLED))
        # A patch that is labelled in part, but below the least share, says nothing.
        clear = labelled | none | (share.sum(1) == 0)
        drawn = [draw.permutation(np.flatnonzero((kind == 0) == one & clear))[:most] for one in (True, False)]
        index = torch.from_numpy(np.concatenate(drawn))
        place = index.to(z.device)
        # Answers are averaged over regions, so that is what is learnt from.
        region = torch.from_numpy(photo.regions.spread(np.arange(photo.regions.count), grid).ravel())[index]
        near = photo.regions.pool(z[0])[:, region.to(z.device)][None, :, None]  # (1, E, 1, N)
        best = (head.logit_scale * (rivals.mapped @ near[0, :, 0])).topk(min(RIVALS, len(rivals.nouns)), dim=0)
        gate = gates(head, z, rivals)
        parts.append(
            Patches(
                head.evidence(near)[0, :, 0].T,
                head.logit_scale * head.start(near)[0, :, 0].T,
                gate.expand(len(place), -1),
                best.values.T,
                rivals.nouns[best.indices.T],
                torch.from_numpy(share[:, :-1].astype(np.float32))[index].to(z.device),
                torch.from_numpy(kind)[index].to(z.device),
            )
        )
    return parts


def gates(head: CorrectedHead, z: torch.Tensor, rivals: Rivals) -> torch.Tensor:
    """(C,) what the presence of each class in a photo adds to its logit, as the base tells it from (1, E, h, w).

    The mean embedding stands for that of the mean feature.
    """
    found = head.calibration

    def rows(z: torch.Tensor) -> torch.Tensor:
        best = torch.einsum("behw,ne->bnhw", z, rivals.mapped).amax(1, keepdim=True)
        return head.logit_scale * torch.cat([head.start(z), best], 1)[0]

    present = calibration.presence(found, rows(z), rows(z.mean((2, 3), keepdim=True)))
    return found.gate * present.clamp(min=1e-6).log()


def shares(said: np.ndarray, grid: tuple[int, int], ids: Sequence[int]) -> np.ndarray:
    """(h * w, len(ids)): the share of each grid cell's pixels that has each id."""
    height, width = said.shape
    cell = (np.arange(height) * grid[0] // height)[:, None] * grid[1] + np.arange(width) * grid[1] // width
    cells = grid[0] * grid[1]
    pixels = np.bincount(cell.ravel(), minlength=cells)
    counts = [np.bincount(cell[said == one], minlength=cells) for one in ids]
    return np.stack(counts, 1) / np.maximum(pixels, 1)[:, None]


def fit(
    objective: Corrections,
    data: Patches,
    recipe: Recipe,
    watch: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> float:
    """Fit the objective's head to `data`, Adam on all or `recipe.batch` patches a step; -> the last loss."""
    if not recipe.steps:
        raise TrainingError("Corrections are learnt in a number of steps, not of epochs; give steps=80.")
    torch.manual_seed(recipe.seed)
    head = objective.corrected
    fast = [one for one in (head.bias, head.offset, objective.rest_bias, objective.log_temperature) if one is not None]
    optimizer = torch.optim.Adam([{"params": [head.weight]}, {"params": fast, "lr": QUICK * recipe.lr}], lr=recipe.lr)
    steps, loss = recipe.steps, torch.zeros(())
    for step in range(1, steps + 1):
        stop_if(cancel)
        batch = data
        if len(data) > recipe.batch:
            batch = data.take(torch.randperm(len(data))[: recipe.batch])
        terms = objective(batch)  # type: ignore[arg-type]
        loss = torch.stack([term for name, term in terms.items() if not name.startswith("_")]).sum()
        if not torch.isfinite(loss):
            raise TrainingError(f"The loss is {float(loss)} at step {step} of {steps}; try a lower lr.")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if watch is not None:
            watch(
                Progress(
                    f"Learning, step {step} of {steps}", 0.8 + 0.15 * step / steps, step, steps, float(loss.detach())
                )
            )
    head.calibration = objective.calibration
    head.requires_grad_(False)
    return float(loss.detach())
