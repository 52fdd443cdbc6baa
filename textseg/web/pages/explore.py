"""Explore: see what words find in a photo."""

import base64
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import DataWithFiles

from textseg import images, refine
from textseg.errors import PhotoError
from textseg.model import Scene, others, partition
from textseg.project.photos import is_large
from textseg.project.windows import Window
from textseg.pseudolabel import CONFIDENCE, MARGIN, label_regions
from textseg.segmentation import BY
from textseg.vocabulary import template_names
from textseg.web import huge
from textseg.web.api.project import ProjectApi
from textseg.web.api.question import OptionError, Question
from textseg.web.api.segment import facts
from textseg.web.engine import Engine
from textseg.web.nouns import Nouns
from textseg.web.pages import Shared, register
from textseg.web.rpc import pictures
from textseg.web.rpc.messages import Message
from textseg.web.rpc.page import page
from textseg.web.rpc.photos import MAX_FILE_MB, Photo, Photos, UploadedPhoto
from textseg.web.samples import SAMPLES, Sample

ASKED = frozenset({"by", "refine", "templates", "granularity", "colours", "others"})
METHODS = {"pixel": "Pixels", "unit": "Semantic units", "slic": "Superpixels (SLIC)", "proposal": "Masks"}
TEMPLATES = {
    "plain": "The word alone",
    "photo": "“a photo of a …”",
    "scene": "3 sentences",
    "simple": "7 sentences of CLIP",
    "imagenet": "80 sentences of CLIP",
}
PARTITIONS = ("unit", "slic", "region")


@register("explore", title="Explore", order=10)
def component(shared: Shared) -> gr.HTML:
    """The page as a Gradio component."""
    return Explore(shared.engine, shared.nouns, shared.api).component()


class Explore:
    """The server side of the page. Its functions take one message (a dict from a stranger) and give one dict.

    A message about a photo may name the head that answers: `"head": "project"`.
    """

    def __init__(self, engine: Engine, nouns: Nouns, api: ProjectApi) -> None:
        self.engine, self.nouns, self.api, self.photos = engine, nouns, api, Photos()

    def component(self) -> gr.HTML:
        """The page as a Gradio component."""
        given = {
            "samples": [sample.shown() for sample in SAMPLES],
            "suffixes": sorted(images.SUFFIXES),
            "max_file_mb": MAX_FILE_MB,
            "sure": [CONFIDENCE, MARGIN],
            "methods": [[name, METHODS.get(name, name)] for name in BY],
            "refinements": [
                ["", "Best for the method"],
                *([name, refine.facts(name).title or name] for name in refine.names()),
            ],
            "templates": [["", "The model's own"], *([name, TEMPLATES.get(name, name)] for name in template_names())],
        }
        asked = [self.answer, self.partition, self.masks, self.suggest, self.near]
        return page("explore", [self.open, self.heads, *asked, self.download], given)

    def open(self, message: Any) -> dict[str, Any]:
        """Take a photo in: `{"sample": name}`, a multipart message with one file, or a part of a huge photo.

        Of a huge photo of the project `{"huge": id, "box": [left, top, right, bottom]}` is taken as a photo of its own;
        `huge` then says where it lies in the whole.
        """
        if isinstance(message, DataWithFiles):
            if len(message.files) != 1:
                raise PhotoError("Send one photo at a time.")
            sent_as, data = message.files[0]
            # Browsers write a quote in the name of a file in a form as %22, so the page sends the name beside it.
            name = Message(message).text("name", sent_as or "photo")
            photo = UploadedPhoto(Path(name).name[:120], data)
            if not data:
                raise PhotoError(f"{photo.name} is empty (0 bytes).")
        elif _fields(message).get("huge") is not None:
            return self._window(Message(message))
        else:
            photo = _sample(_fields(message).get("sample")).photo()
        return self._opened(photo)

    def _opened(self, photo: Photo) -> dict[str, Any]:
        opened = photo.open()
        return {
            "photo": self.photos.add(photo),
            "name": photo.name,
            "size": list(opened.size),
            "shown": list(pictures.shown_size(opened.size)),
            "jpeg": pictures.jpeg(opened),
            "seconds": None if self.engine.has_scene(photo) else self.engine.status()["encode_seconds"],
        }

    def _window(self, asked: Message) -> dict[str, Any]:
        """A part of a huge photo, at the finest step at which it is shown whole."""
        project = self.api.project
        row = project.photo(asked.whole("huge"))
        if not is_large(row):
            raise PhotoError(f"{row.name} is not huge; open it here as it is.")
        window = Window.read({"box": asked.raw("box")}, (row.width, row.height))
        while max(window.size) > pictures.SHOWN_SIDE:
            window = replace(window, step=2 * window.step)
        told = self._opened(self.api.huge.seen(project, row, window))
        overview = base64.b64encode(self.api.huge.overview(project, row)).decode("ascii")
        whole = {
            "photo": row.id,
            "size": [row.width, row.height],
            "jpeg": overview,
            "words": str(project.vocabulary()[0]),
        }
        return told | {"name": row.name, "huge": whole | huge.as_sent(window)}

    def heads(self, message: Any) -> dict[str, Any]:
        """The heads that may answer, as `value` of the field `head` and `name`: the program's, and the project's.

        `by` is the method that answers best, null where that is the page's first.
        """
        heads = [{"value": "", "name": "The program’s head"}]
        active = None if self.api.key is None else self.api.project.heads.active()
        if active is not None and active.path.is_file():  # else the program's answers for it
            heads.append({"value": "project", "name": f"Head {active.id} of {self.api.project.name}"})
        return {"heads": heads, "by": "proposal" if self.engine.names_words else None}

    def answer(self, message: Any) -> dict[str, Any]:
        """`{"photo", "words", "options"}` -> an answer; its format is in `textseg.web.rpc.pictures`."""
        photo, question = self._asked(message, ASKED)
        vocabulary = question.vocabulary  # words that cannot be used are refused before anything is encoded
        began = time.monotonic()
        scene = self._scene(message, photo)
        encoded = time.monotonic()
        labels = question.ask(scene, self.engine)
        rest = others.of(scene.model, question.competing)
        answer = pictures.answer(scene, vocabulary, labels, question.templates, rest)
        seconds = {"encode": round(encoded - began, 3), "answer": round(time.monotonic() - encoded, 3)}
        return answer | {"seconds": seconds}

    def partition(self, message: Any) -> dict[str, Any]:
        """`{"photo", "kind", "granularity"}` -> the photo's units, superpixels or regions."""
        fields = _fields(message)
        kind = fields.get("kind", "unit")
        if kind not in PARTITIONS:
            raise OptionError(f"A photo is split into one of {', '.join(PARTITIONS)}.")
        question = Question.read("", {"granularity": fields.get("granularity", 0.5)}, frozenset({"granularity"}))
        scene = self._scene(fields, self._photo(fields))
        granularity = question.granularity
        if kind == "unit":
            width, height = images.limit(scene.photo, partition.WORKING_SIDE).size
            ids = scene.units(granularity).map((height, width))
        elif kind == "slic":
            ids = scene.once(("slic", granularity), lambda: partition.slic(scene.photo, granularity)).ids
        else:
            ids = scene.once("layers", lambda: partition.layers(scene.photo)).layers[1].ids
        return pictures.partition(np.unique(ids, return_inverse=True)[1].reshape(ids.shape))

    def masks(self, message: Any) -> dict[str, Any]:
        """`{"photo", "words", "options"}` -> every mask of the photo with its words; see `textseg.web.rpc.pictures`."""
        photo, question = self._asked(message, ASKED)
        vocabulary = question.vocabulary
        scene = self._scene(message, photo)
        found = label_regions(
            scene, vocabulary, self.engine.proposals(scene), question.templates or None, question.competing
        )
        return pictures.masks(found)

    def suggest(self, message: Any) -> dict[str, Any]:
        """`{"photo", "words"}` (which may be blank) -> nouns worth asking.

        `ready` is false while the list is still being embedded.
        """
        photo, question = self._asked(message, frozenset())
        if not self.nouns.ready:
            return {"ready": False, "done": self.nouns.done, "all": len(self.nouns.words)}
        vocabulary = question.vocabulary if question.words.strip() else None
        return {"ready": True, "words": self.nouns.suggest(self._scene(message, photo), vocabulary)}

    def near(self, message: Any) -> dict[str, Any]:
        """`{"photo", "x", "y"}` (0..1 across and down) -> the nearest nouns there."""
        fields = _fields(message)
        x, y = fields.get("x"), fields.get("y")
        if not all(isinstance(v, (int, float)) and 0 <= v <= 1 for v in (x, y)):
            raise OptionError("A point needs x and y from 0 to 1.")
        scene = self._scene(fields, self._photo(fields))
        near = self.nouns.near(scene, float(x), float(y))  # type: ignore[arg-type]
        return {"words": [[word, round(score, 4)] for word, score in near]}

    def download(self, message: Any) -> dict[str, Any]:
        """`{"photo", "words", "options", "levels", "what", "opacity"}` -> a file: label PNG, overlay PNG or facts.

        `levels` gives by class name the least score byte at which the class shows.
        """
        fields = dict(_fields(message))
        levels = fields.get("levels") or {}
        if not isinstance(levels, dict) or not all(isinstance(n, int) and 0 <= n <= 255 for n in levels.values()):
            raise OptionError("A threshold must be a whole number from 0 to 255.")
        thresholds = {name: pictures.threshold_of(level) for name, level in levels.items()}
        fields["options"] = {**_fields(fields.get("options") or {}), "thresholds": thresholds}
        photo, question = self._asked(fields, ASKED | {"thresholds"})
        scene = self._scene(fields, photo)
        labels = question.ask(scene, self.engine)
        stem = Path(photo.name).stem or "photo"
        what = fields.get("what")
        if what == "labels":
            return _file(f"{stem}.png", "image/png", labels.to_png())
        if what == "overlay":
            opacity = Question.read("", {"threshold": fields.get("opacity", 0.5)}, frozenset({"threshold"})).threshold
            buffer = io.BytesIO()
            labels.overlay(scene.photo, 0.5 if opacity is None else opacity).save(buffer, "PNG")
            return _file(f"{stem}.overlay.png", "image/png", buffer.getvalue())
        if what == "facts":
            text = json.dumps(facts(photo.name, scene.model, labels, question.others), ensure_ascii=False, indent=1)
            return _file(f"{stem}.json", "application/json", text.encode())
        raise OptionError("Download labels, overlay or facts.")

    def _photo(self, fields: dict[str, Any]) -> Photo:
        return self.photos.get(str(fields.get("photo")))

    def _scene(self, message: Any, photo: Photo) -> Scene:
        """The scene of a photo by the head that the message names: `"project"`, or without one the program's."""
        if _fields(message).get("head") != "project":
            return self.engine.scene(photo)
        return self.engine.scene(photo, model=self.api.model())

    def _asked(self, message: Any, allowed: frozenset[str]) -> tuple[Photo, Question]:
        fields = _fields(message)
        question = Question.read(fields.get("words"), _fields(fields.get("options") or {}), allowed)
        return self._photo(fields), question


def _fields(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise OptionError("The page sent something that is not understood; reload it.")
    return message


def _sample(name: Any) -> Sample:
    for sample in SAMPLES:
        if sample.name == name:
            return sample
    raise PhotoError(f"There is no sample photo called '{str(name)[:40]}'.")


def _file(name: str, mime: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mime": mime, "data": base64.b64encode(content).decode("ascii")}
