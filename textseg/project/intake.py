"""Photos, classes and whole label maps taken into a project together: all of it, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from textseg.files import write_atomically
from textseg.project import log
from textseg.project.classes import Classes
from textseg.project.labels import Labels, present
from textseg.project.schema import Provenance, StoredPhoto, clean
from textseg.vocabulary import Word

Merge = Literal["mine", "theirs", "unlabelled"]
MERGES = ("mine", "theirs", "unlabelled")


class Intake:
    """What is done here is one transaction of `Project.taking_in`; photo files that it wrote leave with it."""

    def __init__(self, folder: Path, session: Session, dry_run: bool, written: list[Path]) -> None:
        """`folder` is the project's; `written` takes the photo files that were written, for whoever takes them back."""
        self._folder, self._session, self._dry_run, self._written = folder, session, dry_run, written

    def add_class(self, word: Word) -> int:
        """A new class; its id was never used before."""
        return Classes(self._session).add(word)

    def add_photo(self, name: str, suffix: str, content: bytes, size: tuple[int, int]) -> tuple[StoredPhoto, bool]:
        """(the photo, whether it is new): one of equal bytes is not taken in again. `size` is (width, height)."""
        sha256 = hashlib.sha256(content).hexdigest()
        known = self._session.scalar(select(StoredPhoto).where(StoredPhoto.sha256 == sha256))
        if known is not None:
            return known, False
        path = self._folder / "photos" / f"{sha256}{suffix}"
        if not self._dry_run and not path.exists():
            self._written.append(path)
            write_atomically(path, content)
        width, height = size
        row = StoredPhoto(sha256=sha256, name=clean(name), suffix=suffix, width=width, height=height)
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
        return log.write(labels, operation, labels.box, (old_ids, old_sources), (new_ids, new_sources)).changed


def take_back(written: list[Path]) -> None:
    """Remove the photo files that an intake wrote."""
    while written:
        written.pop().unlink(missing_ok=True)
