"""Figures from few photos: all of them teach, and each is scored by a head that has not seen it (cross-validation).

The tiles of a huge photo are left out together, as they have much in common; where it is the only photo, one by one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from textseg.model import Model
from textseg.model.heads.corrected import CorrectedHead
from trainer.corrections import fit
from trainer.corrections.corpus import CorrectedPhoto
from trainer.corrections.progress import Progress
from trainer.objectives.corrections import Corrections, Patches
from trainer.recipes import Recipe

FOLDS = 5
"""The photos are left out in at most so many groups; up to as many photos, one at a time."""


def unseeing(
    model: Model,
    head: CorrectedHead,
    photos: Sequence[CorrectedPhoto],
    data: Sequence[Patches],
    recipe: Recipe,
    settings: dict[str, Any],
    watch: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Model]:
    """By each photo's key a model that was fitted to the other groups' patches; {} for a single photo.

    `head` is not fitted yet; `data` holds the patches of each of `photos`. Groups go by the photos' hashes, so that the
    order in which they were corrected decides nothing.
    """
    if len(photos) < 2:
        return {}
    alone = len({photo.stored.sha256 for photo in photos}) == 1
    apart = [photo.key if alone else photo.stored.sha256 for photo in photos]
    order = sorted(set(apart))
    count, found = min(FOLDS, len(order)), {}
    for fold in range(count):
        left_out = {i for i, one in enumerate(apart) if one in order[fold::count]}
        others = [patches for i, patches in enumerate(data) if i not in left_out]
        learner = copy.deepcopy(head)
        if watch is not None:
            watch(Progress(f"Checking what it has not seen, part {fold + 1} of {count}", 0.95 + 0.04 * fold / count))
        objective = Corrections(learner, model.backbone, len(others), **settings)
        fit.fit(objective, Patches.joined(others), recipe, None, cancel)
        one = Model(model.backbone, learner.eval(), "left out")
        found |= {photos[i].key: one for i in left_out}
    return found
