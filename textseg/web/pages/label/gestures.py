"""Gestures on the Label page, the masks that they are made with, and what the model says about the photo."""

from typing import Any

import numpy as np

from textseg.errors import EditError
from textseg.model import Scene
from textseg.project.labeller import view
from textseg.proposals import Encoded, Mask, Proposals
from textseg.web.api.project import ProjectApi
from textseg.web.rpc import pictures
from textseg.web.rpc.messages import Message, numbers, whole

MOST_LEVELS = 12
"""Masks of a hierarchy that travel to the page; of more, those spread evenly by area."""

MOST_POINTS = 100
FAR = 1e7
"""Image pixels that no photo reaches."""


class GestureFunctions:
    """Server functions that change a label map, or say what a gesture would take."""

    api: ProjectApi

    def edit(self, message: Any) -> dict[str, Any]:
        """`{"photo", "base_revision", "operation"}` -> revision, changed pixels and patch, once they are on disk."""
        asked = Message(message)
        key = str(asked.whole("photo"))
        return self.api.edit(self.api.project.name, key, asked.whole("base_revision"), asked.mapping("operation"))

    def hierarchy(self, message: Any) -> dict[str, Any]:
        """`{"photo", "x", "y"}` in image pixels -> the masks that hold this pixel, small to large."""
        asked = Message(message)
        x, y = (asked.number(axis, -FAR, FAR) for axis in ("x", "y"))
        masks = self._proposals(asked.whole("photo")).hierarchy(x, y)
        return {"masks": [_mask(mask) for mask in _spread(masks)]}

    def prompt(self, message: Any) -> dict[str, Any]:
        """`{"photo", "points": [[x, y, 1 or -1], ...], "box"}` in image pixels -> masks, best first; maybe none."""
        asked = Message(message)
        points = [(x, y, int(label)) for x, y, label in asked.items("points", MOST_POINTS, numbers(3, -FAR, FAR))]
        box = tuple(numbers(4, -FAR, FAR)(asked.raw("box"), "box")) if asked.has("box") else None
        masks = self._proposals(asked.whole("photo")).prompt(points=points, box=box)  # type: ignore[arg-type]
        return {"masks": [_mask(mask) for mask in masks[:3]]}

    def prepare(self, message: Any) -> dict[str, Any]:
        """`{"photos": [id, ...]}`: encode these photos and find their regions, so that later questions are quick."""
        for key in Message(message).items("photos", 2, whole):
            found = self._proposals(key)
            if isinstance(found, Encoded):
                found.encoded()
        return {}

    def pseudolabel(self, message: Any) -> dict[str, Any]:
        """`{"photo", "levels"?: {class id: byte}}` -> what the model's labels changed, as an edit.

        With `levels` its view is stored as the page shows it, without them its sure regions.
        """
        asked = Message(message)
        row = self.api.project.photo(asked.whole("photo"))
        if not asked.has("levels"):
            return self.api.pseudolabel(self.api.project.name, str(row.id))
        return self.api.put_view(row, _levels(asked.mapping("levels")))

    def model_view(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> the model's answer to the project's classes (format in `canvas`), and their class ids."""
        photo = self.api.project.photo(Message(message).whole("photo"))
        scene = self.api.scene(photo)
        vocabulary, ids = self.api.project.vocabulary()
        return pictures.answer(scene, vocabulary, view(scene, vocabulary, self.api.naming(photo))) | {"ids": ids}

    def sources(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> pixels that a person made, and the model's regions by class and whole per cent of confidence.

        `{"person": pixels, "model": [[class, per cent, regions, pixels], ...]}`; per cents are rounded down, so that
        they reach a bound in whole per cents exactly when the region does.
        """
        person, model = 0, {}
        for row, pixels in self.api.project.shares(Message(message).whole("photo")):
            if row.kind != "model":
                person += pixels
                continue
            key = row.class_id, int(100 * (row.confidence or 0) + 1e-9)
            regions, before = model.get(key, (0, 0))
            model[key] = regions + 1, before + pixels
        return {"person": person, "model": [[*key, *value] for key, value in sorted(model.items())]}

    def _scene(self, photo: int) -> Scene:
        return self.api.scene(self.api.project.photo(photo))

    def _proposals(self, photo: int) -> Proposals:
        return self.api.proposals(self.api.project.photo(photo))


def _mask(mask: Mask) -> dict[str, Any]:
    x, y, width, height = mask.bbox
    return {
        "rle": mask.rle,
        "box": [x, y, x + width, y + height],
        "area": mask.area,
        "score": round(float(mask.score), 4),
    }


def _spread(masks: list[Mask]) -> list[Mask]:
    """At most MOST_LEVELS of the masks, each clearly larger than the one before; the smallest stays."""
    kept: list[Mask] = []
    for mask in masks:
        if not kept or mask.area > 1.15 * kept[-1].area:
            kept.append(mask)
    if len(kept) <= MOST_LEVELS:
        return kept
    chosen = np.linspace(0, len(kept) - 1, MOST_LEVELS).round().astype(int)
    return [kept[i] for i in np.unique(chosen)]


def _levels(levels: dict[str, Any]) -> dict[int, int]:
    """Score bytes by class id; JSON's keys are text."""
    if not all(key.isdecimal() and len(key) < 10 for key in levels):
        raise EditError("Thresholds are given by class id.")
    return {int(key): whole(level, "levels", 0, 255) for key, level in levels.items()}
