"""What changes a label map: a person's gesture, or a model's labels. Each becomes one step of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import select

from textseg.errors import EditError, brief
from textseg.project import log, operations
from textseg.project.classes import an_id
from textseg.project.labels import Labels, present
from textseg.project.log import EditResult
from textseg.project.schema import Provenance
from textseg.project.windows import Window

PAINTING = ("brush", "polygon", "fill", "region", "relabel")
GESTURES = (*PAINTING, "accept", "undo", "redo")


@dataclass(frozen=True)
class Region:
    """One region of a model's label map: which class, and how sure."""

    class_id: int
    confidence: float


def apply(labels: Labels, operation: Mapping[str, Any]) -> EditResult:
    """One gesture of a person; see `Project.edit`."""
    kind = operation["type"]
    if kind == "undo":
        return log.undo(labels)
    if kind == "redo":
        return log.redo(labels)
    if kind == "accept":
        return _accept(labels, operation)
    if kind in PAINTING:
        return _paint(labels, operation)
    raise EditError(f"There is no gesture {brief(kind)}; choose one of {', '.join(GESTURES)}.")


def _paint(labels: Labels, operation: Mapping[str, Any]) -> EditResult:
    kind, photo, box = operation["type"], labels.photo, labels.box
    size, window = (photo.width, photo.height), _window(labels, operation)
    to = an_id(operation.get("to" if kind == "relabel" else "class"), "class")
    warning = labels.classes.deleted_class_warning(to) if to else None
    to = int(labels.classes.meaning[to]) or to  # merged into another class
    if kind == "brush":
        box, mask = operations.brush(operation.get("points", ()), operation.get("radius", 0), size)
    elif kind == "polygon":
        box, mask = operations.polygon(operation.get("points", ()), size)
    elif kind == "region":
        code = operation.get("rle", {})
        if window is None:
            mask = operations.region(code, size)
        else:
            box, mask = operations.region_in(window, code, size)
    else:
        box = operations.scope(window, size)
        mask = np.ones((box[3] - box[1], box[2] - box[0]), bool)
    box, mask = log.shrink(box, mask)
    if not mask.any():
        return log.unchanged(labels)
    ids, sources = labels.read(box)
    shown = labels.shown(ids)
    if kind == "fill":
        mask = operations.fill(operation.get("point", ()), shown, box[:2])
    elif kind == "relabel":
        mask = shown == an_id(operation.get("from"), "from")
    if operation.get("only_unlabelled"):
        mask = mask & (shown == 0)
    locked = operation.get("locked") or []
    if locked:
        if not isinstance(locked, list):
            raise EditError(f"'locked' is a list of class ids, not {brief(locked)}.")
        mask = mask & ~np.isin(shown, [an_id(one, "locked") for one in locked])
    person = labels.person()
    mask = mask & ((ids != to) | (sources != person))
    after = np.where(mask, to, ids), np.where(mask, person, sources)
    return replace(log.write(labels, operation, box, (ids, sources), after), warning=warning)


def _accept(labels: Labels, operation: Mapping[str, Any]) -> EditResult:
    """Take the model's regions over as a person's: all, of one class, from a confidence on, or both."""
    photo, meaning = labels.photo, labels.classes.meaning
    query = select(Provenance).where(Provenance.photo_id == photo.id, Provenance.kind == "model")
    if operation.get("above") is not None:
        query = query.where(Provenance.confidence >= _confidence(operation["above"]))
    wanted = operation.get("class")
    if wanted is not None:
        labels.classes.living(wanted)
    box = operations.scope(_window(labels, operation), (photo.width, photo.height))
    ids, sources = labels.read(box)
    there = set(present(sources))
    rows = [
        row
        for row in labels.session.scalars(query.order_by(Provenance.id))
        if row.id in there and meaning[row.class_id] and wanted in (None, meaning[row.class_id])
    ]
    copies = [
        Provenance(photo_id=photo.id, kind="accepted", class_id=row.class_id, head=row.head, confidence=row.confidence)
        for row in rows
    ]
    labels.session.add_all(copies)
    labels.session.flush()
    become = np.arange(max(there) + 1, dtype=np.uint32)
    for row, copy in zip(rows, copies, strict=True):
        become[row.id] = copy.id
    return log.write(labels, operation, box, (ids, sources), (ids, become[sources]))


def put_model_labels(
    labels: Labels,
    index: np.ndarray,
    regions: Sequence[Region],
    head: str,
    over_person: int | None,
    window: Window | None = None,
) -> EditResult:
    """A model's label map where no person has been; see `Project.put_model_labels`."""
    photo = labels.photo
    box = operations.scope(window, (photo.width, photo.height))
    ids, sources = labels.read(box)
    if window is not None:
        index = window.repeated(index)
    if index.shape != ids.shape:
        raise EditError(f"The label map is {index.shape} and the photo {ids.shape} (height, width).")
    made = labels.by_person(sources)
    if over_person is not None:
        lost = made & (index > 0)
        if int(lost.sum()) > over_person:
            raise EditError(
                f"{photo.name} has {int(lost.sum())} pixels that a person made where the model has labels; "
                f"at most {over_person} may be written over."
            )
        made &= ~lost
    free = ~made
    index = np.where(free, index, 0)
    rows: dict[int, Provenance] = {
        k: Provenance(
            photo_id=photo.id,
            kind="model",
            class_id=regions[k - 1].class_id,
            head=head,
            confidence=regions[k - 1].confidence,
        )
        for k in present(index)
        if k
    }
    labels.session.add_all(rows.values())
    labels.session.flush()
    to_id, to_source = np.zeros(len(regions) + 1, np.uint16), np.zeros(len(regions) + 1, np.uint32)
    for k, row in rows.items():
        to_id[k], to_source[k] = regions[k - 1].class_id, row.id
    after = np.where(free, to_id[index], ids), np.where(free, to_source[index], sources)
    if photo.state == "new":
        photo.state = "pseudo-labelled"
    return log.write(labels, {"type": "pseudolabel", "head": head}, box, (ids, sources), after)


def _window(labels: Labels, operation: Mapping[str, Any]) -> Window | None:
    """The part of the photo that a gesture names, None where it means all of it."""
    if operation.get("window") is None:
        return None
    return Window.read(operation["window"], (labels.photo.width, labels.photo.height))


def _confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise EditError(f"'above' is a confidence from 0 to 1, not {brief(value)}.")
    return float(value)
