"""What several people say of one photo, each by themselves: kept, compared, and decided between."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from textseg.errors import EditError
from textseg.project import log
from textseg.project.labels import Labels
from textseg.project.log import EditResult
from textseg.project.schema import Opinion, StoredPhoto

AGREED = "agreed"


@dataclass(frozen=True)
class Agreement:
    """How far two people agree on a photo."""

    people: tuple[str, str]
    iou: dict[int, float]
    """By class id, of the classes that either has: pixels that both give it, of those that one of them does."""
    pixels: float
    """Share of the pixels on which both say the same, of those that either labelled; 1 where neither labelled any."""
    differs: np.ndarray
    """(H, W) bool: where they do not say the same."""


def keep(session: Session, photo: StoredPhoto, who: str) -> None:
    """Keep the label map as it is as what `who` says of the photo, in place of what they said before."""
    ids = Labels(session, photo).read()[0]
    row = session.get(Opinion, (photo.id, who)) or Opinion(photo_id=photo.id, who=who)
    row.ids, row.revision = zlib.compress(ids.astype("<u2").tobytes(), 1), photo.revision
    session.add(row)


def authors(session: Session, photo: StoredPhoto) -> list[str]:
    """Whose opinions there are, oldest first."""
    query = select(Opinion.who).where(Opinion.photo_id == photo.id).order_by(Opinion.revision, Opinion.who)
    return list(session.scalars(query))


def compare(labels: Labels) -> Agreement:
    """The two newest opinions; raises EditError while there are not two. Classes read as they do today."""
    rows = list(
        labels.session.scalars(
            select(Opinion).where(Opinion.photo_id == labels.photo.id).order_by(Opinion.revision, Opinion.who)
        )
    )
    if len(rows) < 2:
        raise EditError(f"Two people have to call {labels.photo.name} done before they can be compared.")
    first, second = (labels.shown(_ids(row, labels.photo)) for row in rows[-2:])
    differs = first != second
    either = (first > 0) | (second > 0)
    iou = {}
    for k in sorted({*np.unique(first).tolist(), *np.unique(second).tolist()} - {0}):
        one, other = first == k, second == k
        iou[int(k)] = float((one & other).sum() / (one | other).sum())
    pixels = 1.0 - float(differs.sum() / either.sum()) if either.any() else 1.0
    return Agreement((rows[-2].who, rows[-1].who), iou, pixels, differs)


def clear(labels: Labels) -> EditResult:
    """Unlabel the photo, so that somebody begins with nothing."""
    return log.write(
        labels, {"type": "second"}, labels.box, lambda _, ids, sources: (np.zeros_like(ids), np.zeros_like(sources))
    )


def choose(labels: Labels, choice: str) -> EditResult:
    """Make one person's opinion the label map, or with `AGREED` what the two newest have in common."""
    photo = labels.photo
    if choice == AGREED:
        found = compare(labels)
        wanted = np.where(found.differs, 0, _ids(_of(labels, found.people[0]), photo))
    else:
        wanted = _ids(_of(labels, choice), photo)
    sources = np.where(wanted > 0, labels.person(), 0).astype(np.uint32)
    change = log.becomes(labels.box, wanted.astype(np.uint16), sources)
    return log.write(labels, {"type": "adjudicate", "kind": choice}, labels.box, change)


def _of(labels: Labels, who: str) -> Opinion:
    row = labels.session.get(Opinion, (labels.photo.id, who))
    if row is None:
        raise EditError(f"{who} has not called {labels.photo.name} done; nothing of theirs is kept.")
    return row


def _ids(row: Opinion, photo: StoredPhoto) -> np.ndarray:
    return np.frombuffer(zlib.decompress(row.ids), "<u2").reshape(photo.height, photo.width)
