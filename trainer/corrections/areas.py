"""What a person said of a huge photo, as the tiles that labelling looks at: each teaches as a photo of its own.

A pixel that several tiles see is said in the one in whose middle it lies, so that nothing is taught twice. Corrections
are looked at as coarsely as the photo is: what is smaller than a patch then teaches little.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from textseg.project import Project
from textseg.project.schema import StoredPhoto
from textseg.project.windows import Window
from textseg.pyramids import Box, plan
from trainer.corrections.progress import stop_if

CELL = 2
"""Edges of tiles are multiples of it, as where a photo is labelled with few words."""

MOST_TILES = 48
"""Tiles of a huge photo that teach: it takes the memory of as many photos, and their time to be encoded once."""


@dataclass(frozen=True)
class Area:
    """A tile of a huge photo."""

    box: Box
    """In looked-at pixels; it may reach over the photo's right and lower edges."""
    scale: int
    """Full pixels a side of a looked-at one."""

    @property
    def key(self) -> str:
        """Tells it from the other tiles of its photo."""
        return f"{self.scale}-{self.box[0]}-{self.box[1]}"


def scale_of(project: Project, photo: StoredPhoto) -> int:
    """How coarsely a photo is looked at: as when it was labelled last, else as it would be."""
    return project.looked_at(photo.id) or plan.sensible_scale((photo.width, photo.height))


def corrected(
    project: Project, photo: StoredPhoto, ids: np.ndarray, complete: bool, cancel: Callable[[], bool] | None = None
) -> list[tuple[Area, np.ndarray]]:
    """The tiles of a huge photo that teach, each with the (H, W) int32 that is said of its pixels, as a photo's is.

    `ids` are the classes that count; with `complete` what has no label there is none of them. Of more than MOST_TILES
    each class in turn takes the one that has most of it.
    """
    found: list[tuple[Area, bytes]] = []
    counts: list[dict[int, int]] = []
    for area, own in _touched(project, photo, scale_of(project, photo)):
        stop_if(cancel)
        said = _said(project, photo, area, own, ids, complete)
        if said is not None:
            found.append((area, zlib.compress(said.tobytes(), 1)))
            classes, pixels = np.unique(said[said != 0], return_counts=True)
            counts.append(dict(zip(classes.tolist(), pixels.tolist(), strict=True)))
    return [(found[k][0], _unpacked(*found[k])) for k in chosen(counts, MOST_TILES)]


def chosen(counts: Sequence[dict[int, int]], most: int) -> list[int]:
    """The places of at most `most` tiles, given the pixels that each has of each class: each class takes its best."""
    classes = sorted({one for count in counts for one in count})
    best = {one: sorted((k for k, count in enumerate(counts) if one in count), key=lambda k: -counts[k][one])
            for one in classes}  # fmt: skip
    taken: set[int] = set()
    for rank in range(len(counts)):
        for one in classes:
            if rank < len(best[one]) and len(taken) < most:
                taken.add(best[one][rank])
    return sorted(taken)


def _touched(project: Project, photo: StoredPhoto, scale: int) -> Iterator[tuple[Area, Box]]:
    """The tiles in which a person has worked, and what of each is its own, in looked-at pixels."""
    size = plan.looked_at((photo.width, photo.height), scale)
    steps = np.array(project.touched(photo.id), np.int64).reshape(-1, 4)
    for boxes, own_boxes in zip(plan.tiles(size, CELL), plan.own(size, CELL), strict=True):
        for box, own in zip(boxes, own_boxes, strict=True):
            left, top, right, bottom = (edge * scale for edge in own)
            met = (steps[:, 0] < right) & (steps[:, 2] > left) & (steps[:, 1] < bottom) & (steps[:, 3] > top)
            if met.any():
                yield Area(box, scale), own


def _said(
    project: Project, photo: StoredPhoto, area: Area, own: Box, ids: np.ndarray, complete: bool
) -> np.ndarray | None:
    """(H, W) what is said in a tile, nothing outside of its own part; None where a person says nothing."""
    left, top, right, bottom = (edge * area.scale for edge in own)
    window = Window((left, top, min(right, photo.width), min(bottom, photo.height)), area.scale)
    seen = project.corrections(photo.id, window)
    seen[~np.isin(seen, ids) & (seen > 0)] = 0
    if not seen.any():
        return None
    if complete:
        seen[project.label_windows(photo.id, [window])[0][0] == 0] = -1
    said = np.zeros((area.box[3] - area.box[1], area.box[2] - area.box[0]), np.int32)
    said[own[1] - area.box[1] : own[3] - area.box[1], own[0] - area.box[0] : own[2] - area.box[0]] = seen
    return said


def _unpacked(area: Area, packed: bytes) -> np.ndarray:
    left, top, right, bottom = area.box
    return np.frombuffer(zlib.decompress(packed), np.int32).reshape(bottom - top, right - left)
