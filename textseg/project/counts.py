"""Pixels counted as they change: no question about how many there are reads a label map.

`PixelCount` holds them by photo, class and kind of author, `Provenance.pixels` by author; both are written in the
transaction that changes the label map. Ids are counted as they are stored and read through `Classes.meaning`, so that
deleting, merging or restoring a class changes no count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from textseg.project.schema import PixelCount, Provenance

PERSONS = ("person", "accepted")
"""Kinds of provenance that are a person's word."""

Tally = dict[tuple[int, int], int]
"""Pixels by (class id as stored, source id)."""


def tally(ids: np.ndarray, sources: np.ndarray) -> Tally:
    """How often each pair occurs in two uint arrays of one shape; regions make runs, so it costs their outlines."""
    pairs = (sources.astype(np.uint64) << np.uint64(16) | ids).ravel()
    starts = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]])) if pairs.size else np.zeros(0, int)
    found, which = np.unique(pairs[starts], return_inverse=True)
    pixels = np.bincount(which, np.diff(starts, append=pairs.size), len(found))
    return {(int(pair) & 0xFFFF, int(pair) >> 16): int(n) for pair, n in zip(found, pixels, strict=True)}


def change(session: Session, photo_id: int, difference: Mapping[tuple[int, int], int]) -> None:
    """Add a `Tally` of what changed in a photo, with signs, to what is kept; pixels of nobody (source 0) are not."""
    by_source: dict[int, int] = defaultdict(int)
    for (_, source_id), pixels in difference.items():
        by_source[source_id] += pixels
    by_source.pop(0, None)
    sources = {row.id: row for row in session.scalars(select(Provenance).where(Provenance.id.in_(by_source)))}
    for source_id, pixels in by_source.items():
        sources[source_id].pixels += pixels
    kept = {
        (row.class_id, row.kind): row
        for row in session.scalars(select(PixelCount).where(PixelCount.photo_id == photo_id))
    }
    for (class_id, source_id), pixels in difference.items():
        if source_id:
            key = class_id, sources[source_id].kind
            if key not in kept:
                kept[key] = PixelCount(photo_id=photo_id, class_id=key[0], kind=key[1], pixels=0)
                session.add(kept[key])
            kept[key].pixels += pixels
    session.flush()
    session.execute(delete(PixelCount).where(PixelCount.photo_id == photo_id, PixelCount.pixels == 0))


def by_class(session: Session, meaning: np.ndarray) -> np.ndarray:
    """(last id + 1,) pixels of each class in the whole project; what is unlabelled is not counted, so [0] is 0."""
    pixels = np.zeros(len(meaning), np.int64)
    query = select(PixelCount.class_id, func.sum(PixelCount.pixels)).group_by(PixelCount.class_id)
    for class_id, number in session.execute(query):
        pixels[meaning[class_id]] += int(number)
    pixels[0] = 0
    return pixels


def said(session: Session, meaning: np.ndarray) -> dict[int, dict[int, int]]:
    """What a person says, by photo and class id (-1 none of these), in pixels; see `Project.correction_counts`."""
    found: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    query = (
        select(PixelCount.photo_id, PixelCount.class_id, func.sum(PixelCount.pixels))
        .where(PixelCount.kind.in_(PERSONS))
        .group_by(PixelCount.photo_id, PixelCount.class_id)
    )
    for photo_id, class_id, pixels in session.execute(query):
        meant = int(meaning[class_id]) if class_id else -1
        if meant:
            found[photo_id][meant] += int(pixels)
    return {photo_id: dict(counts) for photo_id, counts in found.items()}


def person_pixels(session: Session, photo_id: int) -> int:
    """How many pixels of a photo are a person's."""
    query = select(func.sum(PixelCount.pixels)).where(PixelCount.photo_id == photo_id, PixelCount.kind.in_(PERSONS))
    return int(session.scalar(query) or 0)


def labelled(session: Session, photo_id: int) -> bool:
    """Whether any pixel of a photo has a label, or was erased by a person."""
    return session.scalar(select(PixelCount.photo_id).where(PixelCount.photo_id == photo_id).limit(1)) is not None


def shares(session: Session, photo_id: int) -> list[tuple[Provenance, int]]:
    """Who has how many pixels of a photo."""
    query = select(Provenance).where(Provenance.photo_id == photo_id, Provenance.pixels > 0).order_by(Provenance.id)
    return [(row, row.pixels) for row in session.scalars(query)]


def heads(session: Session) -> list[str]:
    """The names of all heads that ever labelled something, each found by the index, however many regions it made."""
    found: list[str] = []
    last: str | None = ""
    while last is not None:
        last = session.scalar(select(func.min(Provenance.head)).where(Provenance.head > last))
        found += [last] if last is not None else []
    return found
