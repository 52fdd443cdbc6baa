"""What a run into a project would do, found without a model and without writing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from textseg.errors import PhotoError
from textseg.folders import Found
from textseg.project import Project


@dataclass
class Count:
    """What a run into a project would do."""

    new: int = 0
    again: int = 0
    """In the project already, and labelled again where no person was."""
    finished: int = 0
    """Done or skipped: left alone."""
    person_photos: int = 0
    person_pixels: int = 0
    """Photos and pixels that a person has worked on, among those labelled again."""


def count(photos: Iterable[Found], project: Project | None) -> Count:
    """Look what `label` would find in the project (None: there is none yet); nothing is written."""
    total = Count()
    for photo in photos:
        try:
            content = photo.content()
        except (OSError, PhotoError):
            continue  # the run will say so
        row = None if project is None else project.photo_with(hashlib.sha256(content).hexdigest())
        if project is None or row is None:
            total.new += 1
        elif row.state in ("done", "skipped"):
            total.finished += 1
        else:
            pixels = project.person_pixels(row.id)
            total.again += 1
            total.person_pixels += pixels
            total.person_photos += pixels > 0
    return total
