"""Learn: what there is to learn from, trainings and heads, before and after, and which photo to label next."""

import base64
from typing import Any

import gradio as gr
import numpy as np
import torch
from gradio.processing_utils import save_file_to_cache

from textseg import images
from textseg.errors import Cancelled, HeadError, PhotoError, ProjectError
from textseg.labelmap import index_png
from textseg.model import Model, Scene
from textseg.project.labeller import pseudo_label_all
from textseg.project.schema import StoredPhoto
from textseg.segmentation import segment
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.pages import Shared, register
from textseg.web.rpc import pictures
from textseg.web.rpc.jobs import Jobs, Progress
from textseg.web.rpc.messages import Message
from textseg.web.rpc.page import of_any_project, page

SHOWN_SIDE = 1024
"""Long side at most of the photo in the before/after view."""

THUMB_SIDE = 240
MOST_SUGGESTED = 6
MOST_VIEWED = 400
"""Photos that are ordered at a time: the first of those that nobody has corrected."""


@register("learn", title="Learn", order=30)
def component(shared: Shared) -> gr.HTML:
    """The page as a Gradio component."""
    return Learn(shared.api, shared.engine).component()


class Learn:
    """The server side of the page. Its functions take one message (a dict from a stranger) and give one dict."""

    def __init__(self, api: ProjectApi, engine: Engine) -> None:
        self._api, self._engine = api, engine
        self._jobs = Jobs()
        self._downloads = ""

    def component(self) -> gr.HTML:
        """The page as a Gradio component."""
        from trainer import suggest

        functions = [
            self.overview, self.state, self.train, self.keep, self.cancel, self.activate, self.download, self.compare,
            self.suggest, self.relabel, self.look,
        ]  # fmt: skip
        component = page("learn", functions, {"rules": suggest.names(), "rule": suggest.DEFAULT}, self._api.meant)
        self._downloads = component.GRADIO_CACHE
        return component

    # What there is to learn from

    @of_any_project
    def overview(self, message: Any) -> dict[str, Any]:
        """The classes with what a person made of each (photos, pixels); `project` is null without one."""
        if self._api.key is None:
            return {"project": None}
        project = self._api.project
        said = project.correction_counts()
        totals: dict[int, list[int]] = {}
        for counts in said.values():
            for class_id, pixels in counts.items():
                total = totals.setdefault(class_id, [0, 0])
                total[0] += 1
                total[1] += pixels
        classes = [
            {"id": c.id, "name": c.name, "colour": c.colour, "counts": totals.get(c.id, [0, 0])}
            for c in project.classes()
        ]
        return {
            "project": project.name,
            "key": self._api.key,
            "photos": sum(project.photos_by_state().values()),
            "corrected": len(said),
            "classes": classes,
            "none": totals.get(-1, [0, 0]),
        }

    # Trainings and heads

    def state(self, message: Any) -> dict[str, Any]:
        """The newest training with its curve, the older ones in short, and all heads."""
        trainings = self._api.project.trainings.all()
        newest = trainings[0] if trainings else None
        heads = self._api.project.heads.all()
        for head in heads:
            head["data"] = {**head["data"], "held_back": len(head["data"]["held_back"])}
        short = [{key: row[key] for key in ("id", "state", "problem", "began", "seconds", "head")} for row in trainings]
        keep = self._api.project.trainings.keeps_learning
        return {
            "training": newest,
            "trainings": short[:20],
            "heads": heads,
            "run": self._jobs.poll(self._api.key),
            "keep": keep,
        }

    def keep(self, message: Any) -> dict[str, Any]:
        """`{"on"}`: whether a photo that is done begins a training by itself."""
        self._api.project.trainings.keep_learning(Message(message).flag("on"))
        return {}

    def train(self, message: Any) -> dict[str, Any]:
        """Begin a training in a process of its own."""
        return {"training": self._api.train(self._api.project.name, {})}

    def cancel(self, message: Any) -> dict[str, Any]:
        """`{"training"}`: stop it at its next step."""
        self._api.project.trainings.cancel(Message(message).whole("training"))
        return {}

    def activate(self, message: Any) -> dict[str, Any]:
        """`{"head"}`: label with it from now on; null goes back to the head that the program was started with."""
        asked = Message(message)
        self._api.project.heads.activate(asked.whole("head") if asked.has("head") else None)
        return {}

    def download(self, message: Any) -> dict[str, Any]:
        """`{"head"}` -> the address of its file."""
        path = save_file_to_cache(self._api.project.heads.path(Message(message).whole("head")), self._downloads)
        return {"url": f"gradio_api/file={path}"}

    def relabel(self, message: Any) -> dict[str, Any]:
        """`{"action": "start" | "cancel" | "look"}`: label every photo that is not done anew with the active head.

        What a person has drawn, erased or accepted stays as it is.
        """
        action = Message(message).choice("action", ("start", "cancel", "look"), "look")
        if action == "start":
            project = self._api.project
            photos = [row.id for row in project.photos() if row.state not in ("done", "skipped")]

            def work(progress: Progress) -> dict[str, Any]:
                run = pseudo_label_all(
                    project, self._api.model(), photos, progress=progress.tell, cancel=progress.stopped
                )
                if run.cancelled:
                    raise Cancelled(f"Stopped after {progress.done} of {progress.all}; those that are labelled stay.")
                return {"failed": run.failed}

            self._jobs.start(self._api.key, "Labelling photos with the active head", work)
        elif action == "cancel":
            self._jobs.cancel(self._api.key)
        return {"run": self._jobs.poll(self._api.key)}

    # Before and after

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
        then, now = self._scene(row, before), self._scene(row, after)
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
        return sorted(self._api.project.photos(), key=lambda row: (row.name not in held, row.id))

    def _photo_to_compare(self, key: Any, head: dict[str, Any]) -> StoredPhoto:
        if key is not None:
            return self._api.project.photo(key)
        rows = self._photos_to_compare(head)
        if not rows:
            raise PhotoError("The project has no photo to compare on.")
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

    def _scene(self, row: StoredPhoto, model: Model) -> Scene:
        return self._api.scene(row, model)

    # What to label next

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
        jpeg = pictures.jpeg(self._api.project.picture(row.id), THUMB_SIDE, quality=80)
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
