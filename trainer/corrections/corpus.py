"""What a project has to teach: its corrected photos, split into those to learn from and those held back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from textseg.errors import PhotoError, TrainingError
from textseg.model.partition import Partition
from textseg.project import Project
from textseg.project.schema import Class, StoredPhoto
from trainer.corrections.encodings import Encodings
from trainer.corrections.progress import Progress, stop_if

IGNORED = frozenset({"ignore", "void"})
"""Classes of these names mean: do not look here."""


@dataclass
class CorrectedPhoto:
    """A photo with its encoding, and what a person says of it."""

    stored: StoredPhoto
    features: torch.Tensor
    """(D, h, w) float16."""
    regions: Partition
    said: np.ndarray
    """(H, W) int32: class id, 0 nothing, -1 none of these."""


@dataclass
class Corpus:
    """What a project has to teach."""

    classes: list[Class]
    """Those with corrected pixels in the photos, by id."""
    unlearnt: list[Class]
    """The project's other classes: their words stay as they are."""
    photos: list[CorrectedPhoto]
    """Those to learn from."""
    held_back: list[CorrectedPhoto]
    """Those that only say whether it helped."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Photos that could not be read, with the reasons."""
    complete: bool = True
    """Photos marked done show everything: what has no label in one, a person's or a model's, is none of the classes."""

    @property
    def fingerprint(self) -> str:
        """Identifies photos, corrections and classes."""
        digest = hashlib.sha256()
        for photo in sorted([*self.photos, *self.held_back], key=lambda one: one.stored.sha256):
            digest.update(photo.stored.sha256.encode() + photo.said.astype("<i4").tobytes())
        for one in self.classes:
            digest.update("\0".join([str(one.id), one.name, *one.aliases, "\n"]).encode())
        return digest.hexdigest()[:16]

    def facts(self) -> dict[str, Any]:
        """What a head says about its data."""
        pixels = {one.id: 0 for one in self.classes}
        for photo in self.photos:
            for class_id in pixels:
                pixels[class_id] += int((photo.said == class_id).sum())
        return {
            "fingerprint": self.fingerprint,
            "photos": len(self.photos),
            "held_back": [photo.stored.name for photo in self.held_back],
            "pixels": {one.name: pixels[one.id] for one in self.classes},
            "skipped": self.skipped,
            "complete": self.complete,
        }


def is_held_back(photo: StoredPhoto, share: float) -> bool:
    """Whether a photo is for scoring only: decided by its hash, so the same ones at every training."""
    return int(photo.sha256[:8], 16) / 0x1_0000_0000 < share


def read(
    project: Project,
    encodings: Encodings,
    hold_back: float,
    watch: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    complete: bool = True,
) -> Corpus:
    """All corrections of `project`, photos encoded where they are not yet; raises TrainingError when there are none.

    `complete`: photos marked done show everything, see `Corpus.complete`.
    """
    living = [one for one in project.classes() if one.name.casefold() not in IGNORED]
    ids = np.array([one.id for one in living], np.int32)
    found: list[CorrectedPhoto] = []
    skipped: dict[str, str] = {}
    rows = project.corrected()
    for n, row in enumerate(rows):
        stop_if(cancel)
        if watch is not None:
            fresh = "Reading" if row in encodings else "Encoding"
            watch(Progress(f"{fresh} {row.name} ({n + 1} of {len(rows)})", 0.8 * n / len(rows)))
        if project.is_large(row.id):
            skipped[row.name] = f"{row.name} is too large to be learnt from; save parts of it as photos of their own."
            continue
        said = project.corrections(row.id)
        ignored = ~np.isin(said, ids) & (said > 0)
        said[ignored] = 0
        if not said.any():
            continue
        if complete and row.state == "done":
            # What a model labelled and nobody touched shows something: it teaches nothing, not that nothing is there.
            said[project.label_map(row.id)[0] == 0] = -1
        try:
            found.append(CorrectedPhoto(row, *encodings.of(row), said))
        except PhotoError as error:
            skipped[row.name] = str(error)
    held = [one for one in found if is_held_back(one.stored, hold_back)]
    kept = [one for one in found if not is_held_back(one.stored, hold_back)]
    if not kept:  # the first corrections of all: something must be learnt from
        kept, held = held, []
    taught = {class_id for one in kept for class_id in np.unique(one.said).tolist()}
    if not taught - {0, -1}:
        why = f" ({len(skipped)} photos cannot be read: {next(iter(skipped.values()))})" if skipped else ""
        raise TrainingError(
            f"There is nothing to learn from in {project.name}: label a region, or accept one, then train{why}."
        )
    classes = [one for one in living if one.id in taught]
    return Corpus(classes, [one for one in living if one.id not in taught], kept, held, skipped, complete)
