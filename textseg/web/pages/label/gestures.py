"""Gestures on the Label page, the masks that they are made with, and what the model says about the photo."""

from typing import Any

import numpy as np

from textseg.errors import EditError
from textseg.project.labeller import view
from textseg.project.photos import is_large
from textseg.project.schema import StoredPhoto
from textseg.project.windows import Window
from textseg.proposals import Encoded, Mask
from textseg.web import huge
from textseg.web.api.project import ProjectApi
from textseg.web.rpc import pictures
from textseg.web.rpc.messages import Message, numbers, whole

MOST_LEVELS = 12
"""Masks of a hierarchy that travel to the page; of more, those spread evenly by area."""

MOST_POINTS = 100
MOST_WINDOWS = 4
FAR = 1e7
"""Image pixels that no photo reaches."""


class GestureFunctions:
    """Server functions that change a label map, or say what a gesture would take."""

    api: ProjectApi

    def edit(self, message: Any) -> dict[str, Any]:
        """`{"photo", "base_revision", "operation", "windows"?}` -> revision, changed pixels and patch, once on disk.

        Of a huge photo there is a patch for each of `windows`, in its cells.
        """
        asked = Message(message)
        key, base, operation = asked.whole("photo"), asked.whole("base_revision"), asked.mapping("operation")
        windows = _windows(asked, self.api.project.photo(key)) if asked.has("windows") else []
        return self.api.edit(self.api.project.name, str(key), base, operation, windows)

    def hierarchy(self, message: Any) -> dict[str, Any]:
        """`{"photo", "x", "y", "window"?}` in image pixels -> the masks that hold this pixel, small to large.

        Of a huge photo they are those of what a window shows, and in its cells.
        """
        asked = Message(message)
        row, window = self._looked_at(asked)
        x, y = _cell(window, *(asked.number(axis, -FAR, FAR) for axis in ("x", "y")))
        masks = self.api.proposals(row, window).hierarchy(x, y)
        return {"masks": [_mask(mask, window) for mask in _spread(masks)]}

    def prompt(self, message: Any) -> dict[str, Any]:
        """`{"photo", "points": [[x, y, 1 or -1], ...], "box", "window"?}` in image pixels -> masks as `hierarchy`.

        The best come first; there may be none.
        """
        asked = Message(message)
        row, window = self._looked_at(asked)
        points = asked.items("points", MOST_POINTS, numbers(3, -FAR, FAR))
        corners = numbers(4, -FAR, FAR)(asked.raw("box"), "box") if asked.has("box") else None
        masks = self.api.proposals(row, window).prompt(
            points=[(*_cell(window, x, y), int(label)) for x, y, label in points],
            box=None if corners is None else (*_cell(window, *corners[:2]), *_cell(window, *corners[2:])),
        )
        return {"masks": [_mask(mask, window) for mask in masks[:3]]}

    def prepare(self, message: Any) -> dict[str, Any]:
        """`{"photos": [id, ...]}`: encode these photos and find their regions, so that later questions are quick.

        Of a huge photo no more than the window is encoded that is asked about.
        """
        for key in Message(message).items("photos", 2, whole):
            row = self.api.project.photo(key)
            found = None if is_large(row) else self.api.proposals(row)
            if isinstance(found, Encoded):
                found.encoded()
        return {}

    def pseudolabel(self, message: Any) -> dict[str, Any]:
        """`{"photo", "levels"?: {class id: byte}, "window"?, "windows"?}` -> what the model changed, as `edit`.

        With `levels` its view is stored as the page shows it, without them its sure regions. Of a huge photo what the
        window shows is labelled.
        """
        asked = Message(message)
        row, window = self._looked_at(asked)
        if asked.has("levels"):
            return self.api.put_view(row, _levels(asked.mapping("levels")), window, _windows(asked, row))
        if window is not None:
            return self.api.label_window(row, window, _windows(asked, row))
        return self.api.pseudolabel(self.api.project.name, str(row.id))

    def model_view(self, message: Any) -> dict[str, Any]:
        """`{"photo", "window"?}` -> the model's answer to the project's classes (format in `pictures`), and their ids.

        Of a huge photo it is about what the window shows.
        """
        row, window = self._looked_at(Message(message))
        scene = self.api.seen(row, window)
        vocabulary, ids = self.api.project.vocabulary()
        return pictures.answer(scene, vocabulary, view(scene, vocabulary, self.api.naming(row, window))) | {"ids": ids}

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

    def _looked_at(self, asked: Message) -> tuple[StoredPhoto, Window | None]:
        """The photo of a message and, if it is huge, the window onto it: the one that is named, or all of it."""
        row = self.api.project.photo(asked.whole("photo"))
        if not is_large(row):
            return row, None
        return row, huge.window(asked.raw("window"), row) if asked.has("window") else huge.whole(row)


def _windows(asked: Message, row: StoredPhoto) -> list[Window]:
    """The windows onto a huge photo that a page shows, none of another photo."""
    if not is_large(row):
        return []
    return asked.items("windows", MOST_WINDOWS, lambda value, _: huge.window(value, row)) or [huge.whole(row)]


def _cell(window: Window | None, x: float, y: float) -> tuple[float, float]:
    """A point of the photo in the cells of a window, if it is seen through one."""
    if window is None:
        return x, y
    return (x - window.box[0]) / window.step, (y - window.box[1]) / window.step


def _mask(mask: Mask, window: Window | None) -> dict[str, Any]:
    """A mask as it travels: box and area in the photo's pixels, the code in those or in the cells of its window."""
    x, y, width, height = mask.bbox
    told = {"rle": mask.rle, "score": round(float(mask.score), 4)}
    if window is None:
        return told | {"box": [x, y, x + width, y + height], "area": mask.area}
    (left, top, _, _), step = window.box, window.step
    box = [left + x * step, top + y * step, left + (x + width) * step, top + (y + height) * step]
    return told | {"box": box, "area": mask.area * step * step, "window": huge.as_sent(window)}


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
