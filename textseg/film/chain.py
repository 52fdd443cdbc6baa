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
from textseg.project.films import CLOSED, Film, Still

STOP = 0.9
"""How sure the labels of a frame must be for carrying to go on by itself: a tenth of the pixels is likely wrong."""

Seen = Callable[[int], Scene]
"""A photo of the project, by its id, as the model sees it."""


@dataclass(frozen=True)
class Step:
    """Labels that were carried from one frame to the one beside it."""

    before: Still
    to: Still
    sure: float
    """How sure they are, 0..1 over the photo."""
    revision: int = 0
    changed: int = 0
    """Pixels of the frame that changed."""
    kept: bool = False
    """Whether the labels that the frame has are surer: they stay."""

    @property
    def stops(self) -> bool:
        """Whether a person should look at the frame before its labels are carried on."""
        return self.sure < STOP


def carry_to_next(project: Project, photo: int, seen: Seen, film: int | None = None) -> Step:
    """Carry the labels of a frame to the one after it; a person's pixels there stay.

    `film` says which is meant where the photo is a frame of several. Raises FilmError, ProjectError.
    """
    found = project.films.of(photo, film)
    if found is None:
        raise FilmError("This photo is no frame of a film; textseg film add takes one in.")
    stills = project.films.stills(found)
    at = next(k for k, still in enumerate(stills) if still.photo == photo)
    if at + 1 == len(stills):
        raise FilmError(f"This is the last frame of {found.name}.")
    if not labelled(project, stills[at]):
        raise FilmError("This frame has no labels yet; label it, then carry them on.")
    step = None if stills[at + 1].state in CLOSED else _step(project, stills, at, seen)
    if step is None:
        raise FilmError(
            "The next frame is skipped; put it back into work to have labels carried to it."
            if project.photo(stills[at + 1].photo).state == "skipped"
            else "The next frame is done; put it back into work to have labels carried to it."
        )
    return step


def begin(project: Project, film: Film, start: int | None = None, back: bool = False) -> Still:
    """The frame from which labels are carried: `start`, or the first one (`back`: the last) that a person worked on.

    Raises FilmError where there is none, or nothing on it.
    """
    stills = _stills(project, film, back)
    if start is None:
        found = [still for still in stills if still.confirmed or still.by_person > 0]
        if not found:
            raise FilmError(
                f"No frame of {film.name} was labelled by a person yet; label one, or say from which to go "
                "(--from PHOTO)."
            )
    else:
        found = [still for still in stills if still.photo == start]
        if not found:
            raise FilmError(f"The photo {project.photo(start).name} is no frame of {film.name}.")
    if not labelled(project, found[0]):
        raise FilmError(f"{found[0].name} has no labels yet; label it, then carry them on.")
    return found[0]


def ahead(project: Project, film: Film, start: Still, back: bool = False) -> int:
    """How many frames may be labelled from `start` on."""
    stills = _stills(project, film, back)
    return sum(still.state not in CLOSED for still in stills[_place(stills, start) + 1 :])


def carry_on(
    project: Project, film: Film, seen: Seen, start: Still, until: float = STOP, back: bool = False
) -> Iterator[Step]:
    """Carry labels from frame to frame to the end of the film, or to where they are less sure than `until`.

    It goes on from the frame `start`, `back` towards the beginning and then no further than to labels that are surer
    already. Frames that are done stay as they are, and labels go on from them. Each frame is written when it is done;
    carrying again begins anew.
    """
    stills = _stills(project, film, back)
    for at in range(_place(stills, start), len(stills) - 1):
        if stills[at + 1].state in CLOSED:
            continue
        step = _step(project, stills, at, seen, surer_stays=back)
        if step is not None:
            yield step
            if step.kept or step.sure < until:
                return
        stills = _stills(project, film, back)


def labelled(project: Project, still: Still) -> bool:
    """Whether there is something to carry; a frame that a person called done may be empty."""
    return still.confirmed or any(row.class_id or row.kind == "person" for row, _ in project.shares(still.photo))


def _stills(project: Project, film: Film, back: bool) -> list[Still]:
    """The frames in the order in which labels go through them."""
    stills = project.films.stills(film)
    return stills[::-1] if back else stills


def _place(stills: list[Still], still: Still) -> int:
    return next(k for k, one in enumerate(stills) if one.photo == still.photo)


def _step(project: Project, stills: list[Still], at: int, seen: Seen, surer_stays: bool = False) -> Step | None:
    """Carry from the last frame before `at + 1` that was not skipped; None where that is done or skipped meanwhile."""
    before = max((k for k in range(at + 1) if stills[k].state != "skipped"), default=at)
    right = max((k for k in range(before) if stills[k].sure == 1.0 and stills[k].state != "skipped"), default=None)
    confirmed = None if right is None or stills[before].sure == 1.0 else _labels(project, stills[right], seen)
    to = stills[at + 1]
    carried = carry(_labels(project, stills[before], seen), seen(to.photo), confirmed)
    if surer_stays and to.sure is not None and to.sure >= carried.overall:
        return Step(stills[before], to, carried.overall, kept=True)
    index, regions = proposal(carried)
    result = project.films.carry(to.photo, index, regions, carried.overall)
    if result is None:
        return None
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
