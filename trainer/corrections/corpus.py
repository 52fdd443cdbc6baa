"""What a project has to teach: its corrected photos, split into those to learn from and those held back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from textseg.errors import PhotoError, TrainingError
from textseg.model.partition import Partition
from textseg.project import Project
from textseg.project.schema import Class, StoredPhoto
from trainer.corrections import areas
from trainer.corrections.areas import Area
from trainer.corrections.encodings import Encodings
from trainer.corrections.progress import Progress, stop_if

IGNORED = frozenset({"ignore", "void"})
"""Classes of these names mean: do not look here."""


@dataclass
class CorrectedPhoto:
    """A photo, or a tile of a huge one, with its encoding, and what a person says of it."""

    stored: StoredPhoto
    features: torch.Tensor
    """(D, h, w) float16."""
    regions: Partition
    said: np.ndarray
    """(H, W) int32: class id, 0 nothing, -1 none of these."""
    area: Area | None = None
    """Which tile it is."""

    @property
    def key(self) -> str:
        """Tells it from all others."""
        return self.stored.sha256 if self.area is None else f"{self.stored.sha256}-{self.area.key}"

    @property
    def seed(self) -> list[int]:
        """What is drawn from it is drawn anew alike."""
        place = [] if self.area is None else [self.area.scale, *self.area.box[:2]]
        return [int(self.stored.sha256[:8], 16), *place]


def named(photos: Sequence[CorrectedPhoto]) -> str:
    """How many they are: "3 photos", or with tiles of huge ones "12 tiles of 3 photos"."""
    whole = len({photo.stored.sha256 for photo in photos})
    told = f"{whole} photo" if whole == 1 else f"{whole} photos"
    return told if all(photo.area is None for photo in photos) else f"{len(photos)} parts of {told}"


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
        for photo in sorted([*self.photos, *self.held_back], key=lambda one: one.key):
            digest.update(photo.key.encode() + photo.said.astype("<i4").tobytes())
        for one in self.classes:
            digest.update("\0".join([str(one.id), one.name, *one.aliases, "\n"]).encode())
        return digest.hexdigest()[:16]

    def facts(self) -> dict[str, Any]:
        """What a head says about its data."""
        pixels = {one.id: 0 for one in self.classes}
        for photo in self.photos:
            for class_id in pixels:
                pixels[class_id] += int((photo.said == class_id).sum()) * (photo.area.scale**2 if photo.area else 1)
        return {
            "fingerprint": self.fingerprint,
            "photos": len({photo.stored.sha256 for photo in self.photos}),
            "held_back": list(dict.fromkeys(photo.stored.name for photo in self.held_back)),
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
        large = project.is_large(row.id)
        if watch is not None:
            known = large or row in encodings
            many = len(rows)
            doing = f"Reading {row.name} ({n + 1} of {many})" if known else f"Encoding {row.name} ({n + 1} of {many})"
            watch(Progress(doing, 0.8 * n / many))
        if large:
            try:
                tell = None if watch is None else partial(_tell, watch, row.name, n, len(rows))
                found += _tiles(project, encodings, row, ids, complete and row.state == "done", tell, cancel)
            except PhotoError as error:
                skipped[row.name] = str(error)
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


def _tiles(
    project: Project,
    encodings: Encodings,
    row: StoredPhoto,
    ids: np.ndarray,
    complete: bool,
    tell: Callable[[int, int], None] | None,
    cancel: Callable[[], bool] | None,
) -> list[CorrectedPhoto]:
    """The tiles of a huge photo that teach, encoded where they are not yet; `tell(done, all)` counts them."""
    found = []
    told = areas.corrected(project, row, ids, complete, cancel)
    for done, (area, said) in enumerate(told):
        stop_if(cancel)
        if tell is not None:
            tell(done, len(told))
        found.append(CorrectedPhoto(row, *encodings.of_area(row, area), said, area))
    return found


def _tell(watch: Callable[[Progress], None], name: str, n: int, photos: int, done: int, of: int) -> None:
    watch(Progress(f"Encoding {name}, part {done + 1} of {of}", 0.8 * (n + done / of) / photos))
