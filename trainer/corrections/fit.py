"""A corrected head, the patches it is fitted to, and the fit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textseg.errors import TrainingError
from textseg.model import Model
from textseg.model.embedding import embed_words
from textseg.model.heads import Head
from textseg.model.heads.corrected import CorrectedHead
from trainer.corrections.corpus import Corpus, CorrectedPhoto
from trainer.corrections.progress import Progress, stop_if
from trainer.features import Texts
from trainer.nouns import default_nouns
from trainer.objectives.corrections import Corrections, Patches
from trainer.recipes import Recipe

PATCHES_A_PHOTO = 150
"""At most so many labelled and so many other patches of a photo, drawn anew from a seed."""

MOST_PATCHES = 150_000
"""Over all photos together: about half a gigabyte."""

OTHER_WORDS = 400

UNLIKE = 0.55
"""An "other word" has a lower cosine than this to every class."""

LEAST_LABELLED = 0.25
"""A patch is labelled when a person labelled this share of it, and "none of these" at three quarters."""


def new_head(model: Model, corpus: Corpus, root: Path, presence: float) -> CorrectedHead:
    """A head for the corpus's classes that answers as the base of `model`'s head does, until it is fitted."""
    base, facts = base_of(model.head)
    backbone = model.backbone
    texts = [(text, k) for k, one in enumerate(corpus.classes) for text in (one.name, *one.aliases)]
    names = embed_words(backbone.embed, [text for text, _ in texts], backbone.templates)
    nouns = default_nouns().names[: 2 * OTHER_WORDS]
    others = Texts(root, backbone, nouns, backbone.templates)[range(len(nouns))]
    others = others[(others @ names.T).amax(1) < UNLIKE][:OTHER_WORDS]
    if corpus.unlearnt:
        unlearnt = embed_words(backbone.embed, [one.name for one in corpus.unlearnt], backbone.templates)
        others = torch.cat([others, unlearnt])
    scale = base.logit_scale or backbone.logit_scale
    head = CorrectedHead(base, facts, scale, backbone.text_dim, [k for _, k in texts], len(others), presence)
    head.names.copy_(names)
    head.others.copy_(others)
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


@torch.no_grad()
def patches(
    head: CorrectedHead,
    corpus: Corpus,
    seed: int = 0,
    embed: Callable[[CorrectedHead, CorrectedPhoto], torch.Tensor] = embedded,
) -> list[Patches]:
    """The patches of each photo that a fit sees, drawn from every photo alike."""
    most = max(4, min(PATCHES_A_PHOTO, MOST_PATCHES // (2 * len(corpus.photos))))
    ids = [one.id for one in corpus.classes]
    parts = []
    for photo in corpus.photos:
        draw = np.random.default_rng([seed, int(photo.stored.sha256[:8], 16)])
        height, width = photo.features.shape[1:]
        share = shares(photo.said, (height, width), [*ids, -1])
        labelled, none = share[:, :-1].sum(1) > LEAST_LABELLED, share[:, -1] > 0.75
        kind = np.where(labelled, Patches.LABELLED, np.where(none, Patches.NONE, Patches.UNLABELLED))
        # A patch that is labelled in part, but below the least share, says nothing.
        clear = labelled | none | (share.sum(1) == 0)
        drawn = [draw.permutation(np.flatnonzero((kind == 0) == one & clear))[:most] for one in (True, False)]
        index = torch.from_numpy(np.concatenate(drawn))
        z = embed(head, photo)
        place = index.to(z.device)
        if z.shape[-2:] != (height, width):
            z = torch.nn.functional.interpolate(z, (height, width), mode="area")
        start = torch.cat([head.logit_scale * head.start(z), head.rest(z)], 1)[0].flatten(1).T
        parts.append(
            Patches(
                head.evidence(z)[0].flatten(1).T[place],
                start[place],
                torch.from_numpy(share[:, :-1].astype(np.float32))[index].to(z.device),
                torch.from_numpy(kind)[index].to(z.device),
            )
        )
    return parts


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
    optimizer = torch.optim.Adam([head.weight, head.bias], lr=recipe.lr)
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
    head.requires_grad_(False)
    return float(loss.detach())
