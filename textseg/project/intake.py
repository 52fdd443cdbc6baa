"""Photos, classes and whole label maps taken into a project together: all of it, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sqlalchemy.orm import Session

from textseg.project import log
from textseg.project.classes import Classes
from textseg.project.labels import Labels, present
from textseg.project.originals import Arrivals
from textseg.project.photos import with_hash
from textseg.project.schema import Provenance, StoredPhoto, clean
from textseg.vocabulary import Word

Merge = Literal["mine", "theirs", "unlabelled"]
MERGES: tuple[Merge, ...] = ("mine", "theirs", "unlabelled")


class Intake:
    """What is done here is one transaction of `Project.taking_in`; photo files that it wrote leave with it."""

    def __init__(self, session: Session, arrivals: Arrivals, dry_run: bool) -> None:
        self._session, self._arrivals, self._dry_run = session, arrivals, dry_run

    def add_class(self, word: Word) -> int:
        """A new class; its id was never used before."""
        return Classes(self._session).add(word)

    def add_photo(self, name: str, suffix: str, content: bytes, size: tuple[int, int]) -> tuple[StoredPhoto, bool]:
        """(the photo, whether it is new): one of equal bytes is not taken in again. `size` is (width, height)."""
        sha256 = hashlib.sha256(content).hexdigest()
        known = with_hash(self._session, sha256)
        if known is not None:
            return known, False
        width, height = size
        row = StoredPhoto(sha256=sha256, name=clean(name), suffix=suffix, width=width, height=height)
        if self._dry_run:
            self._arrivals.check(row)
        else:
            self._arrivals.put(row, content)
        self._session.add(row)
        self._session.flush()
        return row, True

    def put_labels(
        self, photo_id: int, ids: np.ndarray, merge: Merge, kind: Literal["person", "model"],
        operation: Mapping[str, Any],
    ) -> int | None:  # fmt: skip
        """Lay a whole (H, W) label map into a photo as one step of undo; returns the pixels that changed.

        `merge` says what happens where both have labels: "mine", a photo that has any keeps its own (None is
        returned); "theirs", the photo's label map becomes this one; "unlabelled", only pixels without a label take
        one. A model's never goes over what a person drew or accepted.
        """
        session = self._session
        photo = session.get_one(StoredPhoto, photo_id)
        labels = Labels(session, photo)
        old_ids, old_sources = labels.read()
        shown = labels.shown(old_ids)
        if merge == "mine" and shown.any():
            return None
        takes = (ids > 0) & (shown == 0) if merge == "unlabelled" else (ids > 0) | (shown > 0)
        if kind == "model":
            takes &= ~labels.by_person(old_sources)
        new_sources = np.where(takes, 0, old_sources)  # a pixel that is unlabelled now is nobody's
        if kind == "person":
            new_sources[takes & (ids > 0)] = labels.person()
        else:
            classes = present(np.where(takes, ids, 0))
            sources = [Provenance(photo_id=photo.id, kind="model", class_id=k, head="imported") for k in classes if k]
            session.add_all(sources)
            session.flush()
            for source in sources:
                new_sources[takes & (ids == source.class_id)] = source.id
            if photo.state == "new":
                photo.state = "pseudo-labelled"
        new_ids = np.where(takes, ids, old_ids).astype(old_ids.dtype)
        return log.write(labels, operation, labels.box, log.becomes(labels.box, new_ids, new_sources)).changed
