"""What changes a label map: a person's gesture, or a model's labels. Each becomes one step of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import select

from textseg.errors import EditError, brief
from textseg.project import log, operations, sureness
from textseg.project.classes import an_id
from textseg.project.labels import Labels, present
from textseg.project.log import EditResult, Pixels
from textseg.project.raster import Box, blocks
from textseg.project.schema import Provenance
from textseg.project.windows import Cells, Window

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
    kind = operation["type"]
    window = _window(labels, operation)
    to = an_id(operation.get("to" if kind == "relabel" else "class"), "class")
    warning = labels.classes.deleted_class_warning(to) if to else None
    to = int(labels.classes.meaning[to]) or to  # merged into another class
    locked = _locked(operation)
    if kind == "relabel":
        left = an_id(operation.get("from"), "from")
        box = labels.box if window is None else window.box
    else:
        box, drawn = _drawn(labels, operation, window)
        if not drawn.any():
            return log.unchanged(labels)
    person = labels.person()

    def change(block: Box, ids: np.ndarray, sources: np.ndarray) -> Pixels:
        shown = labels.shown(ids)
        mask = (
            shown == left
            if kind == "relabel"
            else drawn[block[1] - box[1] : block[3] - box[1], block[0] - box[0] : block[2] - box[0]]
        )
        if operation.get("only_unlabelled"):
            mask = mask & (shown == 0)
        if locked:
            mask = mask & ~np.isin(shown, locked)
        mask = mask & ((ids != to) | (sources != person))
        return np.where(mask, to, ids), np.where(mask, person, sources)

    result = log.write(labels, operation, box, change)
    return replace(result, warning=warning or result.warning)


def _drawn(labels: Labels, operation: Mapping[str, Any], window: Window | None) -> tuple[Box, np.ndarray]:
    """(box, mask) of what a brush, polygon, fill or region paints."""
    kind, size = operation["type"], (labels.photo.width, labels.photo.height)
    box = labels.box
    if kind == "brush":
        box, mask = operations.brush(operation.get("points", ()), operation.get("radius", 0), size)
    elif kind == "polygon":
        box, mask = operations.polygon(operation.get("points", ()), size)
    elif kind == "fill":
        box = operations.scope(window, size)
        mask = operations.fill(operation.get("point", ()), labels.shown(labels.read(box)[0]), box[:2])
    elif window is None:
        mask = operations.region(operation.get("rle", {}), size)
    else:
        box, mask = operations.region_in(window, operation.get("rle", {}), size)
    return log.shrink(box, mask)


def _locked(operation: Mapping[str, Any]) -> list[int]:
    """The classes that must not be painted over."""
    locked = operation.get("locked") or []
    if not isinstance(locked, list):
        raise EditError(f"'locked' is a list of class ids, not {brief(locked)}.")
    return [an_id(one, "locked") for one in locked]


def _accept(labels: Labels, operation: Mapping[str, Any]) -> EditResult:
    """Take the model's regions over as a person's: all, of one class, from a confidence on, or both."""
    photo, meaning = labels.photo, labels.classes.meaning
    query = select(Provenance).where(Provenance.photo_id == photo.id, Provenance.kind == "model")
    if operation.get("above") is not None:
        query = query.where(Provenance.confidence >= _confidence(operation["above"]))
    wanted = operation.get("class")
    if wanted is not None:
        labels.classes.living(wanted)
    window, box, there = _window(labels, operation), labels.box, None
    if window is not None:
        box = window.box
        there = {k for block in blocks(box) for k in present(labels.read(block)[1])}
    rows = [
        row
        for row in labels.session.scalars(query.where(Provenance.pixels > 0).order_by(Provenance.id))
        if (there is None or row.id in there) and meaning[row.class_id] and wanted in (None, meaning[row.class_id])
    ]
    copies = [
        Provenance(photo_id=photo.id, kind="accepted", class_id=row.class_id, head=row.head, confidence=row.confidence)
        for row in rows
    ]
    labels.session.add_all(copies)
    labels.session.flush()
    become = np.arange(labels.last_source() + 1, dtype=np.uint32)
    for row, copy in zip(rows, copies, strict=True):
        become[row.id] = copy.id
    return log.write(labels, operation, box, lambda _, ids, sources: (ids, become[sources]))


def put_model_labels(
    labels: Labels,
    index: Cells,
    regions: Sequence[Region],
    head: str,
    over_person: int | None,
    window: Window | None = None,
    sure: float | None = None,
) -> EditResult:
    """A model's label map where no person has been; see `Project.put_model_labels`.

    `sure` is how sure labels are that were carried here.
    """
    photo = labels.photo
    told: dict[str, Any] = {} if window is None else {"window": {"box": list(window.box), "step": window.step}}
    was, revision = sureness.known(labels.session, photo.id), photo.revision
    if (was, sure) != (None, None):
        told["sure"] = [was, sure]
    window = window or Window(labels.box, 1)
    if tuple(index.shape) != window.size[::-1]:
        raise EditError(f"The label map is {tuple(index.shape)} and the photo {window.size[::-1]} (height, width).")
    rows = dict[int, Provenance]()
    to_id, to_source = np.zeros(len(regions) + 1, np.uint16), np.zeros(len(regions) + 1, np.uint32)
    lost = 0

    def sources_of(wanted: list[int]) -> None:
        """Make the sources of regions that were not met before."""
        new = {
            k: Provenance(
                photo_id=photo.id,
                kind="model",
                class_id=regions[k - 1].class_id,
                head=head,
                confidence=regions[k - 1].confidence,
            )
            for k in wanted
            if k and k not in rows
        }
        labels.session.add_all(new.values())
        labels.session.flush()
        for k, row in new.items():
            to_id[k], to_source[k] = regions[k - 1].class_id, row.id
        rows.update(new)

    def change(block: Box, ids: np.ndarray, sources: np.ndarray) -> Pixels:
        nonlocal lost
        part = window.repeated(index, block)
        made = labels.by_person(sources)
        if over_person is not None:
            over = made & (part > 0)
            lost += int(over.sum())
            made &= ~over
        part = np.where(made, 0, part)
        sources_of(present(part))
        return np.where(made, ids, to_id[part]), np.where(made, sources, to_source[part])

    if photo.state == "new":
        photo.state = "pseudo-labelled"
    result = log.write(labels, {"type": "pseudolabel", "head": head, **told}, window.box, change)
    if over_person is not None and lost > over_person:  # and nothing of it stays
        raise EditError(
            f"{photo.name} has {lost} pixels that a person made where the model has labels; "
            f"at most {over_person} may be written over."
        )
    if result.revision != revision or sure is not None:
        sureness.put(labels.session, photo.id, sure)
    return result


def _window(labels: Labels, operation: Mapping[str, Any]) -> Window | None:
    """The part of the photo that a gesture names, None where it means all of it."""
    if operation.get("window") is None:
        return None
    return Window.read(operation["window"], (labels.photo.width, labels.photo.height))


def _confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise EditError(f"'above' is a confidence from 0 to 1, not {brief(value)}.")
    return float(value)
