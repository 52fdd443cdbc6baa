"""Before and after on the Learn page: one photo as two heads see it."""

import base64
from typing import Any

import numpy as np

from textseg import images
from textseg.errors import HeadError, PhotoError, ProjectError
from textseg.labelmap import index_png
from textseg.model import Model
from textseg.project.photos import is_large
from textseg.project.schema import StoredPhoto
from textseg.segmentation import segment
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.rpc import pictures
from textseg.web.rpc.messages import Message

SHOWN_SIDE = 1024
"""Long side at most of the photo in the before/after view."""


class ComparisonFunctions:
    """Server functions that compare a head with the one that it started from."""

    _api: ProjectApi
    _engine: Engine

    def compare(self, message: Any) -> dict[str, Any]:
        """`{"photo"?, "head"?}` -> one photo as the head that a head started from sees it, and as that head does.

        Without a photo one that was held back, else any that is corrected; without a head the newest.
        """
        asked = Message(message)
        heads = self._api.project.heads.all()
        if not heads:
            raise HeadError("There is no head to compare yet; train one.")
        wanted = asked.whole("head") if asked.has("head") else None
        head = heads[0] if wanted is None else next((one for one in heads if one["id"] == wanted), None)
        if head is None:
            raise HeadError(f"The project has no head {wanted}.")
        row = self._photo_to_compare(asked.whole("photo") if asked.has("photo") else None, head)
        before, after = self._model_before(head), self._learnt(head["id"])
        then, now = self._api.scene(row, before), self._api.scene(row, after)
        vocabulary, ids = self._api.project.vocabulary()
        shown = images.limit(now.photo, SHOWN_SIDE)
        table = np.array([0, *ids])
        maps = [table[segment(scene, vocabulary).ids] for scene in (then, now)]
        said = self._api.project.corrections(row.id)
        classes = []
        for word, class_id in zip(vocabulary, ids, strict=True):
            areas = [float((one == class_id).mean()) for one in maps]
            ious = [_iou(one == class_id, said == class_id, said > 0) for one in maps]
            if any(areas) or ious[0] is not None:
                classes.append({"id": class_id, "name": word.name, "colour": word.colour, "area": areas, "iou": ious})
        small = [_at(one, shown.size) for one in maps]
        return {
            "photo": row.id, "name": row.name, "size": list(now.size), "shown": list(shown.size), "head": head["id"],
            "held_back": row.name in head["data"]["held_back"],
            "names": [_name(before), f"head {head['id']}"],
            "jpeg": pictures.jpeg(shown, SHOWN_SIDE),
            "maps": [base64.b64encode(index_png(one, [])).decode("ascii") for one in small],
            "changed": float((maps[0] != maps[1]).mean()), "classes": classes,
            "photos": [{"photo": one.id, "name": one.name} for one in self._photos_to_compare(head)[:200]],
        }  # fmt: skip

    def _photos_to_compare(self, head: dict[str, Any]) -> list[StoredPhoto]:
        held = set(head["data"]["held_back"])
        shown = [row for row in self._api.project.photos() if not is_large(row)]
        return sorted(shown, key=lambda row: (row.name not in held, row.id))

    def _photo_to_compare(self, key: Any, head: dict[str, Any]) -> StoredPhoto:
        if key is not None:
            return self._api.project.photo(key)
        rows = self._photos_to_compare(head)
        if not rows:
            raise PhotoError("The project has no photo to compare on that is seen whole.")
        return rows[0]

    def _model_before(self, head: dict[str, Any]) -> Model:
        """The head that was active when `head` was trained, as far as it is still there."""
        number = head["started_from"]
        try:
            return self._engine.model() if number is None else self._learnt(number)
        except (HeadError, ProjectError):
            return self._engine.model()

    def _learnt(self, head_id: int) -> Model:
        return self._engine.learnt(self._api.project.heads.path(head_id), f"head {head_id}")


def _iou(answer: np.ndarray, truth: np.ndarray, scored: np.ndarray) -> float | None:
    """IoU in per cent where a person labelled; None where the class is not among that."""
    if not truth.any():
        return None
    answer = answer & scored
    return round(100 * float((answer & truth).sum() / (answer | truth).sum()), 1)


def _at(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nearest ids at (width, height)."""
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(np.intp) for n, m in zip(size[::-1], ids.shape, strict=True))
    return ids[rows[:, None], columns[None, :]]


def _name(model: Model) -> str:
    return model.head_name if model.head_name.startswith("head ") else "the head it began with"
