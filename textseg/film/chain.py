"""Labels carried from frame to frame of a film in a project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from textseg.errors import FilmError
from textseg.film.carry import Labelled, carry, proposal
from textseg.model import Scene
from textseg.project import Project
from textseg.project.counts import PERSONS
from textseg.project.films import Film, Still

STOP = 0.9
"""How sure the labels of a frame must be for carrying to go on by itself: a tenth of the pixels is likely wrong."""

Seen = Callable[[int], Scene]
"""A photo of the project, by its id, as the model sees it."""


@dataclass(frozen=True)
class Step:
    """Labels that were carried from one frame to the next."""

    before: Still
    to: Still
    sure: float
    """How sure they are, 0..1 over the photo."""
    revision: int
    changed: int
    """Pixels of the frame that changed."""

    @property
    def stops(self) -> bool:
        """Whether a person should look at the frame before its labels are carried on."""
        return self.sure < STOP


def carry_to_next(project: Project, photo: int, seen: Seen) -> Step:
    """Carry the labels of a frame to the one after it; a person's pixels there stay. Raises FilmError, ProjectError."""
    film = project.films.of(photo)
    if film is None:
        raise FilmError("This photo is no frame of a film; textseg film add takes one in.")
    stills = project.films.stills(film)
    at = next(k for k, still in enumerate(stills) if still.photo == photo)
    if at + 1 == len(stills):
        raise FilmError(f"This is the last frame of {film.name}.")
    if not labelled(project, stills[at]):
        raise FilmError("This frame has no labels yet; label it, then carry them on.")
    if stills[at + 1].confirmed:
        raise FilmError("The next frame is done; put it back into work to have labels carried to it.")
    return _step(project, stills, at, seen)


def carry_on(project: Project, film: Film, seen: Seen, start: int | None = None, until: float = STOP) -> Iterator[Step]:
    """Carry labels from frame to frame to the end of the film, or to where they are less sure than `until`.

    It begins at the frame `start`, by default the first one on which a person has worked. Frames that are done stay as
    they are, and labels go on from them. Each frame is written when it is done; carrying again begins anew.
    """
    stills = project.films.stills(film)
    begin = _begin(film, stills, start)
    if not labelled(project, stills[begin]):
        raise FilmError(f"{stills[begin].name} has no labels yet; label it, then carry them on.")
    for at in range(begin, len(stills) - 1):
        if stills[at + 1].confirmed or stills[at + 1].state == "skipped":
            continue
        step = _step(project, stills, at, seen)
        yield step
        stills = project.films.stills(film)
        if step.sure < until:
            return


def labelled(project: Project, still: Still) -> bool:
    """Whether there is something to carry; a frame that a person called done may be empty."""
    return still.confirmed or any(row.class_id or row.kind == "person" for row, _ in project.shares(still.photo))


def _begin(film: Film, stills: list[Still], start: int | None) -> int:
    if start is not None:
        found = [k for k, still in enumerate(stills) if still.photo == start]
        if not found:
            raise FilmError(f"The photo {start} is no frame of {film.name}.")
        return found[0]
    by_hand = [k for k, still in enumerate(stills) if still.confirmed or still.by_person > 0]
    if not by_hand:
        raise FilmError(
            f"No frame of {film.name} was labelled by a person yet; label one, or say from which to go (--from PHOTO)."
        )
    return by_hand[0]


def _step(project: Project, stills: list[Still], at: int, seen: Seen) -> Step:
    """Carry from the last frame before `at + 1` that was not skipped."""
    before = max((k for k in range(at + 1) if stills[k].state != "skipped"), default=at)
    right = max((k for k in range(before) if stills[k].sure == 1.0 and stills[k].state != "skipped"), default=None)
    confirmed = None if right is None or stills[before].sure == 1.0 else _labels(project, stills[right], seen)
    to = stills[at + 1]
    carried = carry(_labels(project, stills[before], seen), seen(to.photo), confirmed)
    index, regions = proposal(carried)
    result = project.films.carry(to.photo, index, regions, carried.overall)
    return Step(stills[before], to, carried.overall, result.revision, result.changed)


def _labels(project: Project, still: Still, seen: Seen) -> Labelled:
    """The labels of a frame as they are stored: a person's are sure, a model's as sure as it said.

    Where there is none, nobody labelled anything: as sure as the whole frame was when labels were carried to it.
    """
    ids, _ = project.label_map(still.photo)
    if still.confirmed:
        return Labelled(seen(still.photo), ids.astype(np.int64), np.ones(ids.shape, np.float32))
    sources, rows = project.provenance(still.photo)
    sure = np.full(max([0, *rows]) + 1, 1.0, np.float32)
    sure[0] = 1.0 if still.carried is None else still.carried
    for number, row in rows.items():
        if row.kind not in PERSONS:
            sure[number] = row.confidence or 0.0
    return Labelled(seen(still.photo), ids.astype(np.int64), sure[sources])
