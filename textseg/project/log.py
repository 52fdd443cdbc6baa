"""Every change of a label map is a step of its photo's log, which undo takes back and the history tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from textseg import images
from textseg.project import counts, patches, sureness
from textseg.project.author import at_work
from textseg.project.labels import Labels
from textseg.project.raster import Box, blocks
from textseg.project.schema import Edit, StoredPhoto

MAX_LOG_BYTES = 64 * 2**20
"""Undo keeps this many bytes a photo; when they are exceeded the oldest steps can no longer be taken back."""

MAX_ANSWER = 2**24
"""Pixels of a huge photo's label map that an answer carries; beyond, `Project.label_windows` reads what is to be seen.
A smaller photo has no bound."""

NOTHING: Box = (0, 0, 0, 0)
NO_IDS = np.zeros((0, 0), np.uint16)

RECORDED = (
    "type", "class", "radius", "points", "point", "rle", "from", "to", "above", "locked", "only_unlabelled", "head",
    "format", "merge", "kind", "window", "sure",
)  # fmt: skip
"""What the log keeps of an operation; anything else that came with it is left out."""

MAX_STEP_BYTES = 256 * 2**20
"""A step that changed more than this holds, which only one of a huge photo can, is kept without what it changed."""

Pixels = tuple[np.ndarray, np.ndarray]
"""(H, W) class ids and source ids."""

Change = Callable[[Box, np.ndarray, np.ndarray], Pixels]
"""Gives what the class ids and source ids of a box become; asked block by block, each once."""


@dataclass(frozen=True)
class EditResult:
    """The answer to a gesture, given when it is on disk."""

    revision: int
    changed: int
    """Pixels whose class changed."""
    box: Box
    ids: np.ndarray
    """(H, W) uint16 class ids inside `box` as they are now; (0, 0) where those are more than MAX_ANSWER pixels."""
    state: str
    """Of the photo, as it is now."""
    colours: list[str]
    """The colours of the classes 1, 2, ..., tombstones included."""
    warning: str | None = None
    """What the person should know although the gesture is kept: its class was deleted meanwhile."""


def unchanged(labels: Labels) -> EditResult:
    """The answer to a gesture that changes nothing; it leaves no trace."""
    return _result(labels, 0, NOTHING, NO_IDS)


def write(labels: Labels, operation: Mapping[str, Any], box: Box, change: Change) -> EditResult:
    """Write what `change` makes of the pixels in `box` as one step of undo."""
    before, after, boxes, ids = list[patches.Piece](), list[patches.Piece](), list[Box](), NO_IDS
    changed, held = 0, 0
    for block in blocks(box):
        old = labels.read(block)
        new = change(block, *old)
        small, differs = shrink(block, (old[0] != new[0]) | (old[1] != new[1]))
        if not differs.size:
            continue
        cut = slice(small[1] - block[1], small[3] - block[1]), slice(small[0] - block[0], small[2] - block[0])
        old, new = (old[0][cut], old[1][cut]), (new[0][cut], new[1][cut])
        changed += int((labels.shown(old[0]) != labels.shown(new[0])).sum())
        if held <= MAX_STEP_BYTES:
            before.append((small, patches.packed(*old)))
            after.append((small, patches.packed(*new)))
            held += len(before[-1][1]) + len(after[-1][1])
            if held > MAX_STEP_BYTES:  # kept no longer than it may be used
                before, after = [], []
        labels.write(small, *new)
        boxes.append(small)
        ids = new[0]
    if not boxes:
        return unchanged(labels)
    photo = labels.photo
    edit = Edit(
        photo_id=photo.id,
        kind=operation["type"],
        operation={key: operation[key] for key in RECORDED if key in operation},
        changed=changed,
        undo_parent=photo.undo_top,
    )
    if held <= MAX_STEP_BYTES:
        edit.before, edit.after = patches.joined(before), patches.joined(after)
    around = _around(boxes)
    _append(labels, edit, around)
    photo.undo_top, photo.redo_top = edit.id, None
    if photo.state in ("new", "pseudo-labelled") and edit.kind != "pseudolabel":
        photo.state = "in work"
    _forget_oldest(labels.session, photo)
    result = _result(labels, changed, around, ids if len(boxes) == 1 else None)
    return result if edit.before is not None else replace(result, warning="This step is too large to be undone.")


def becomes(box: Box, ids: np.ndarray, sources: np.ndarray) -> Change:
    """The change of `box` into these pixels."""

    def change(block: Box, *_: np.ndarray) -> Pixels:
        cut = slice(block[1] - box[1], block[3] - box[1]), slice(block[0] - box[0], block[2] - box[0])
        return ids[cut], sources[cut]

    return change


def undo(labels: Labels) -> EditResult:
    """Take the newest step back; with nothing left, the current revision and no change."""
    photo = labels.photo
    gesture = labels.session.get(Edit, photo.undo_top) if photo.undo_top else None
    if gesture is None or gesture.before is None:
        return unchanged(labels)
    step = Edit(kind="undo", redo_parent=photo.redo_top)
    result = _repeat(labels, gesture, gesture.before, step)
    photo.undo_top, photo.redo_top = gesture.undo_parent, step.id
    return result


def redo(labels: Labels) -> EditResult:
    """Do again what the newest undo took back; with nothing left, the current revision and no change."""
    photo = labels.photo
    undone = labels.session.get(Edit, photo.redo_top) if photo.redo_top else None
    gesture = None if undone is None else labels.session.get(Edit, undone.target)
    if undone is None or gesture is None or gesture.after is None:
        return unchanged(labels)
    result = _repeat(labels, gesture, gesture.after, Edit(kind="redo"))
    photo.undo_top, photo.redo_top = gesture.id, undone.redo_parent
    return result


def history(session: Session, photo: StoredPhoto) -> list[dict[str, Any]]:
    """Every step of a photo, oldest first; see `Project.history`."""
    rows = session.execute(
        select(
            Edit.revision,
            Edit.kind,
            Edit.operation,
            Edit.changed,
            Edit.created,
            Edit.x0,
            Edit.y0,
            Edit.x1,
            Edit.y1,
            Edit.author,
        )
        .where(Edit.photo_id == photo.id)
        .order_by(Edit.revision)
    )
    return [
        {
            "revision": row.revision,
            "type": row.kind,
            "class": row.operation.get("class", row.operation.get("to")),
            "changed_pixels": row.changed,
            "box": [row.x0, row.y0, row.x1, row.y1],
            "time": row.created.isoformat(timespec="seconds"),
            **({"by": row.author} if row.author else {}),
        }
        for row in rows
    ]


def touched(session: Session, photo: StoredPhoto) -> list[Box]:
    """The box of every step of a photo that is not a model's; see `Project.touched`."""
    query = select(Edit.x0, Edit.y0, Edit.x1, Edit.y1).where(Edit.photo_id == photo.id, Edit.kind != "pseudolabel")
    return [(row.x0, row.y0, row.x1, row.y1) for row in session.execute(query.distinct())]


def looked_at(session: Session, photo: StoredPhoto) -> int | None:
    """The step of the newest labels of a model that are of the whole photo; see `Project.looked_at`."""
    query = select(Edit.operation).where(Edit.photo_id == photo.id, Edit.kind == "pseudolabel")
    whole = [0, 0, photo.width, photo.height]
    windows = (operation.get("window") or {} for operation in session.scalars(query.order_by(Edit.revision.desc())))
    return next((window["step"] for window in windows if window.get("box") == whole), None)


def shrink(box: Box, mask: np.ndarray) -> tuple[Box, np.ndarray]:
    """The smallest box around what `mask` marks inside `box`, and the mask cut to it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return NOTHING, mask[:0, :0]
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return (box[0] + left, box[1] + top, box[0] + right, box[1] + bottom), mask[top:bottom, left:right]


def _repeat(labels: Labels, gesture: Edit, patch: bytes, step: Edit) -> EditResult:
    """Lay a patch of `gesture` over its box again, as the new `step`."""
    box = gesture.x0, gesture.y0, gesture.x1, gesture.y1
    laid = 0
    for part, ids, sources in patches.pieces(patch, box):
        labels.write(part, ids, sources)
        laid += 1
    if "sure" in gesture.operation:
        before, after = gesture.operation["sure"]
        sureness.put(labels.session, labels.photo.id, before if step.kind == "undo" else after)
    step.photo_id, step.operation = labels.photo.id, {"type": step.kind}
    step.changed, step.target = gesture.changed, gesture.id
    _append(labels, step, box)
    if labels.photo.state in ("new", "pseudo-labelled"):  # no person has worked here: it is what the model left
        labels.photo.state = "pseudo-labelled" if counts.labelled(labels.session, labels.photo.id) else "new"
    return _result(labels, gesture.changed, box, ids if laid == 1 else None)


def _result(labels: Labels, changed: int, box: Box, ids: np.ndarray | None) -> EditResult:
    """The answer, with the `ids` of `box`; None: they are read again, where they are not too many."""
    photo, classes = labels.photo, labels.classes
    if ids is None:
        huge = photo.width * photo.height > images.MAX_PIXELS
        many = huge and (box[2] - box[0]) * (box[3] - box[1]) > MAX_ANSWER
        ids = NO_IDS if many else labels.read(box)[0]
    return EditResult(photo.revision, changed, box, labels.shown(ids), photo.state, classes.colours)


def _append(labels: Labels, edit: Edit, box: Box) -> None:
    labels.photo.revision += 1
    edit.revision = labels.photo.revision
    edit.author = at_work()
    edit.x0, edit.y0, edit.x1, edit.y1 = box
    labels.session.add(edit)
    labels.session.flush()


def _around(boxes: Sequence[Box]) -> Box:
    """The smallest box around all."""
    x0, y0, x1, y1 = np.array(boxes).T
    return int(x0.min()), int(y0.min()), int(x1.max()), int(y1.max())


def _forget_oldest(session: Session, photo: StoredPhoto) -> None:
    """Empty the patches of the oldest gestures once all of the photo's are larger than MAX_LOG_BYTES."""
    size = func.length(Edit.before) + func.length(Edit.after)
    rows = session.execute(
        select(Edit.id, size).where(Edit.photo_id == photo.id, Edit.before.is_not(None)).order_by(Edit.id.desc())
    )
    total, forgotten = 0, []
    for edit_id, length in rows:
        total += length
        if total > MAX_LOG_BYTES and edit_id != photo.undo_top:
            forgotten.append(edit_id)
    if forgotten:
        session.execute(update(Edit).where(Edit.id.in_(forgotten)).values(before=None, after=None))
