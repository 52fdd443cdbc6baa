"""What to label next, on the Learn page: photos in the order of a rule."""

from typing import Any

import numpy as np
import torch

from textseg.errors import Cancelled, PhotoError
from textseg.model import Model
from textseg.project.schema import StoredPhoto
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.rpc import pictures
from textseg.web.rpc.jobs import Jobs, Progress
from textseg.web.rpc.messages import Message

THUMB_SIDE = 240
MOST_SUGGESTED = 6
MOST_VIEWED = 400
"""Photos that are ordered at a time: the first of those that nobody has corrected."""


class SuggestionFunctions:
    """Server functions about the photos that nobody has corrected yet."""

    _api: ProjectApi
    _engine: Engine
    _jobs: Jobs

    def suggest(self, message: Any) -> dict[str, Any]:
        """`{"rule"}` -> the next photos by that rule, each with its reason and the region to click in it first."""
        from trainer import corrections, suggest

        rule = Message(message).choice("rule", suggest.names(), suggest.DEFAULT)
        order = suggest.get(rule)
        project, model = self._api.project, self._api.model()
        encodings = corrections.Encodings(project, model)
        said = project.correction_counts()
        rows = [row for row in project.photos() if row.id not in said and row.state not in ("done", "skipped")]
        ready = [row for row in rows if row in encodings][:MOST_VIEWED]
        vocabulary, ids = project.vocabulary()
        start = self._engine.model()
        photos = [(row.id, encodings.of(row)[0]) for row in ready]
        views = suggest.views(model, None if start is model else start, photos, vocabulary)
        known = [
            self._known(row, encodings, [class_id in said[row.id] for class_id in ids])
            for row in project.corrected()
            if row.id in said and row in encodings
        ]
        chosen = order(views, known, vocabulary, len(said))[:MOST_SUGGESTED] if views else []
        by_id = {row.id: row for row in ready}
        return {
            "rule": rule,
            "waiting": len(rows) - len(ready),
            "left": len(rows),
            "photos": [
                self._suggested(by_id[one.key], one.reason, encodings, model, vocabulary, ids) for one in chosen
            ],
        }

    def _known(self, row: StoredPhoto, encodings: Any, present: list[bool]) -> Any:
        from trainer import suggest

        features = encodings.of(row)[0].flatten(1).float().mean(1)
        return suggest.View(row.id, torch.nn.functional.normalize(features, dim=0), np.array(present, float))

    def _suggested(
        self, row: StoredPhoto, reason: str, encodings: Any, model: Model, vocabulary: Any, ids: list[int]
    ) -> dict[str, Any]:
        from trainer import corrections, suggest

        features, regions = encodings.of(row)
        scores = corrections.score.similarities(model, features, vocabulary)
        free = np.ones(regions.ids.shape, bool)
        found = suggest.next_region(scores, regions, free, model.logit_scale)
        click = None
        if found is not None:
            region, word, why = found
            rows, columns = np.nonzero(regions.ids == region)
            height, width = regions.ids.shape
            box = [columns.min() / width, rows.min() / height, (columns.max() + 1) / width, (rows.max() + 1) / height]
            click = {"box": [round(float(n), 4) for n in box], "class": ids[word], "reason": why}
        jpeg = pictures.jpeg(self._api.small(row), THUMB_SIDE, quality=80)
        return {"photo": row.id, "name": row.name, "reason": reason, "click": click, "jpeg": jpeg}

    def look(self, message: Any) -> dict[str, Any]:
        """`{"action": "start"}`: encode the photos that cannot be ordered yet, in the background."""
        from trainer import corrections

        project, model = self._api.project, self._api.model()

        def work(progress: Progress) -> dict[str, Any]:
            encodings, failed = corrections.Encodings(project, model), []
            rows = [row for row in project.photos() if row not in encodings][:MOST_VIEWED]
            for done, row in enumerate(rows):
                progress.tell(done, len(rows))
                if progress.stopped():
                    raise Cancelled(f"Stopped after {done} of {len(rows)}; those that are encoded stay.")
                try:
                    encodings.of(row)
                except PhotoError as error:
                    failed.append((row.name, str(error)))
            return {"failed": failed}

        self._jobs.start(self._api.key, "Encoding photos", work)
        return {"run": self._jobs.poll(self._api.key)}
