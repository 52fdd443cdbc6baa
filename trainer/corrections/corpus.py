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
class Lesson:
    """One corrected photo: its encoding, and what a person says of it."""

    photo: StoredPhoto
    features: torch.Tensor
    """(D, h, w) float16."""
    regions: Partition
    said: np.ndarray
    """(H, W) int32: class id, 0 nothing, -1 none of these."""


@dataclass
class Corpus:
    """What a project has to teach."""

    classes: list[Class]
    """Those with corrected pixels in the lessons, by id."""
    unlearnt: list[Class]
    """The project's other classes: their words stay as they are."""
    lessons: list[Lesson]
    held_back: list[Lesson]
    skipped: dict[str, str] = field(default_factory=dict)
    """Photos that could not be read, with the reasons."""

    @property
    def fingerprint(self) -> str:
        """Identifies photos, corrections and classes."""
        digest = hashlib.sha256()
        for lesson in sorted([*self.lessons, *self.held_back], key=lambda one: one.photo.sha256):
            digest.update(lesson.photo.sha256.encode() + lesson.said.astype("<i4").tobytes())
        for one in self.classes:
            digest.update("\0".join([str(one.id), one.name, *one.aliases, "\n"]).encode())
        return digest.hexdigest()[:16]

    def facts(self) -> dict[str, Any]:
        """What a head says about its data."""
        pixels = {one.id: 0 for one in self.classes}
        for lesson in self.lessons:
            for class_id in pixels:
                pixels[class_id] += int((lesson.said == class_id).sum())
        return {
            "fingerprint": self.fingerprint,
            "photos": len(self.lessons),
            "held_back": [lesson.photo.name for lesson in self.held_back],
            "pixels": {one.name: pixels[one.id] for one in self.classes},
            "skipped": self.skipped,
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
) -> Corpus:
    """All corrections of `project`, photos encoded where they are not yet; raises TrainingError when there are none."""
    living = [one for one in project.classes() if one.name.casefold() not in IGNORED]
    ids = np.array([one.id for one in living], np.int32)
    lessons: list[Lesson] = []
    skipped: dict[str, str] = {}
    rows = project.corrected()
    for n, photo in enumerate(rows):
        stop_if(cancel)
        if watch is not None:
            fresh = "Reading" if photo in encodings else "Encoding"
            watch(Progress(f"{fresh} {photo.name} ({n + 1} of {len(rows)})", 0.8 * n / len(rows)))
        said = project.corrections(photo.id)
        said[~np.isin(said, ids) & (said > 0)] = 0
        if not said.any():
            continue
        try:
            lessons.append(Lesson(photo, *encodings.of(photo), said))
        except PhotoError as error:
            skipped[photo.name] = str(error)
    held = [one for one in lessons if is_held_back(one.photo, hold_back)]
    kept = [one for one in lessons if not is_held_back(one.photo, hold_back)]
    if not kept:  # the first corrections of all: something must be learnt from
        kept, held = held, []
    found = set(np.unique(np.concatenate([np.unique(one.said) for one in kept]))) if kept else set()
    if not found - {0, -1}:
        why = f" ({len(skipped)} photos cannot be read: {next(iter(skipped.values()))})" if skipped else ""
        raise TrainingError(
            f"There is nothing to learn from in {project.name}: label a region, or accept one, then train{why}."
        )
    classes = [one for one in living if one.id in found]
    return Corpus(classes, [one for one in living if one.id not in found], kept, held, skipped)
