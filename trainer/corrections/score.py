"""How well a head answers on corrected photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch

from textseg.model import Model
from textseg.project.schema import Class
from textseg.vocabulary import Vocabulary, Word
from trainer.confusion import Confusion
from trainer.corrections.corpus import CorrectedPhoto, named


def similarities(model: Model, features: torch.Tensor, vocabulary: Vocabulary) -> torch.Tensor:
    """(K, h, w) what a model with this backbone and head says of a photo whose features are known; on the CPU."""
    with torch.inference_mode():
        z = model.head(features[None].float().to(model.device))[0]
        texts, owner = model.embed(vocabulary)
        scores = torch.einsum("ehw,te->thw", z, texts)
        best = scores.new_full((len(vocabulary), *z.shape[-2:]), -torch.inf)
        return best.scatter_reduce_(0, owner[:, None, None].expand_as(scores), scores, "amax").cpu()


def score(
    models: Model | Mapping[str, Model], photos: Sequence[CorrectedPhoto], classes: Sequence[Class]
) -> dict[str, Any] | None:
    """mIoU, pixel accuracy and IoU by class in per cent, on what a person labelled; None without photos.

    `models` is one for all photos, or one by each photo's key. `spread` is the standard deviation of the photos' own
    mIoU, each over all its tiles. All words of `classes` compete, averaged inside the photo's regions, as `textseg
    segment` answers by default.
    """
    if not photos:
        return None
    vocabulary = Vocabulary(tuple(Word(one.name, tuple(one.aliases)) for one in classes))
    index = np.full(max(one.id for one in classes) + 2, -1)
    index[[one.id for one in classes]] = range(len(classes))  # -1 ("none of these") reads the last place: not scored
    confusion, own = Confusion(len(classes)), []
    for _, tiles in groupby(sorted(photos, key=_whole), key=_whole):
        seen = Confusion(len(classes))
        for photo in tiles:
            model = models if isinstance(models, Model) else models[photo.key]
            grid = similarities(model, photo.features, vocabulary)
            winner = photo.regions.pool(grid).argmax(0).numpy()
            for one in (confusion, seen):
                one.add(index[photo.said], photo.regions.spread(winner, photo.said.shape))
        own += [seen.miou()] if seen.counted().any() else []
    counted, iou = confusion.counted(), confusion.iou()
    if not counted.any():
        return None
    return {
        "miou": round(confusion.miou(), 2),
        "pixel_accuracy": round(confusion.pixel_accuracy(), 2),
        "per_class": {one.name: round(float(iou[k]), 2) for k, one in enumerate(classes) if counted[k]},
        "photos": len({photo.stored.sha256 for photo in photos}),
        "on": named(photos),
        "spread": round(float(np.std(own)), 2),
    }


def _whole(photo: CorrectedPhoto) -> str:
    """Which photo a tile is of."""
    return photo.stored.sha256


def helped(scores: dict[str, Any]) -> str:
    """Before and after in one sentence."""
    before, after = scores["before"], scores["after"]
    if before is None or after is None:
        return "Every corrected photo was learnt from, so nothing says whether it helps; correct another one."
    on = after.get("on") or f"{after['photos']} photos"
    several = after["photos"] > 1 and "spread" in after
    varies = f"; from photo to photo it varies by {after['spread']:.1f}" if several else ""
    return (
        f"mIoU on {on} {scores['photos']}: {before['miou']:.1f} before, {after['miou']:.1f} after "
        f"({after['miou'] - before['miou']:+.1f}{varies})."
    )
