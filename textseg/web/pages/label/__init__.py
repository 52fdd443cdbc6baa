"""Label: correct a model's labels by click, brush and region. Every gesture goes through `ProjectApi`."""

import base64
import functools
import io
import itertools
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import DataWithFiles
from PIL import Image

from textseg import images
from textseg.errors import EditError, PhotoError, ProjectError, PromptError, TextsegError
from textseg.files import write_atomically
from textseg.labelmap import rgb
from textseg.model import Model, Scene
from textseg.project import Project, QueueEntry
from textseg.project.labeller import pseudo_label_all
from textseg.project.schema import STATES, Class, StoredPhoto
from textseg.proposals import Mask, Proposals, load_proposer
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary, Word, colour_cycle, fold
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.rpc import pictures
from textseg.web.rpc.page import of_any_project, page

SHOWN_SIDE = 4096
"""Long side at most of the copy of a photo that the page shows; the label map always has every pixel."""

THUMB_SIDE = 160
MOST_THUMBS = 64
MOST_LEVELS = 12
"""Masks of a hierarchy that travel to the page; of more, those spread evenly by area."""

MOST_POINTS = 100


class Label:
    """The server side of the page. Its functions take one message (a dict from a stranger) and give one dict."""

    def __init__(self, api: ProjectApi, engine: Engine) -> None:
        self.api, self._engine = api, engine
        self._run = Run()

    def component(self) -> gr.HTML:
        """The page as a Gradio component."""
        functions = [
            self.overview, self.make_project, self.open_project, self.add_folder, self.thumbs, self.open,
            self.label_map, self.edit, self.hierarchy, self.prompt, self.prepare, self.pseudolabel, self.run,
            self.model_view, self.sources, self.set_state, self.set_note, self.add_class, self.change_class,
            self.delete_class, self.restore_class, self.add_photos, self.statistics,
        ]  # fmt: skip
        return page("label", functions, {"states": list(STATES)}, self.api.meant)

    # The project

    @of_any_project
    def make_project(self, message: Any) -> dict[str, Any]:
        """`{"folder", "words", "photos": folder or ""}`: make a project, take it in hand, begin to add the photos."""
        fields = _fields(message)
        photos = str(fields.get("photos") or "")
        found = self._photos_in(photos) if photos else []
        self.api.make(str(fields.get("folder", "")), str(fields.get("words", "")))
        return self._begin(found)

    @of_any_project
    def open_project(self, message: Any) -> dict[str, Any]:
        """`{"folder"}`: take the project there in hand."""
        self.api.open(str(_fields(message).get("folder", "")))
        return self._begin([])

    def add_folder(self, message: Any) -> dict[str, Any]:
        """`{"folder"}`: begin to add the photos of a folder of this computer; `run` tells how far it is."""
        found = self._photos_in(str(_fields(message).get("folder", "")))
        self._run.start("Adding photos", functools.partial(_add_all, self.api.project, found))
        return self._run.state()

    def _begin(self, photos: list[Path]) -> dict[str, Any]:
        self._run.cancel.set()
        self._run = Run()
        if photos:
            self._run.start("Adding photos", functools.partial(_add_all, self.api.project, photos))
        return {"folder": str(self.api.project.folder)}

    def _photos_in(self, folder: str) -> list[Path]:
        place = self.api.place(folder)
        if not place.is_dir():
            raise PhotoError(f"There is no folder {place}.")
        found = images.find([place])
        if not found:
            raise PhotoError(f"There are no photos in {place}; they end in {', '.join(sorted(images.SUFFIXES))}.")
        return found

    # Photos

    @of_any_project
    def overview(self, message: Any) -> dict[str, Any]:
        """The queue and the classes; without a project, where one could be made."""
        here = {"key": self.api.key, "local": self.api.local}
        if self.api.key is None:
            return here | {"project": None} | ({"place": str(_free_place())} if self.api.local else {})
        photos = [_photo(row) for row in self.api.project.queue()]
        here |= {"folder": str(self.api.project.folder), "place": str(_free_place())} if self.api.local else {}
        return here | {"project": self.api.project.name, "photos": photos} | self._classes()

    def thumbs(self, message: Any) -> dict[str, Any]:
        """`{"photos": [id, ...]}` -> small JPEGs by id, null for a photo whose file cannot be read."""
        wanted = _fields(message).get("photos")
        if not isinstance(wanted, list) or len(wanted) > MOST_THUMBS:
            raise PhotoError(f"Ask for at most {MOST_THUMBS} thumbnails at a time.")
        return {"thumbs": {str(key): self._thumb(self._row({"photo": key})) for key in wanted}}

    def open(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> the photo's picture, label map, revision and note."""
        row = self._row(_fields(message))
        picture = self.api.project.picture(row.id)
        buffer = io.BytesIO()
        images.limit(picture, SHOWN_SIDE).save(buffer, "JPEG", quality=90)
        jpeg = base64.b64encode(buffer.getvalue()).decode("ascii")
        return _photo(row) | {"note": row.note, "jpeg": jpeg} | self.label_map(message)

    def label_map(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> its label map as an index PNG, and the revision."""
        png, revision = self.api.label_map(self.api.project.name, str(self._row(_fields(message)).id))
        return {"labels": base64.b64encode(png).decode("ascii"), "revision": revision}

    def set_state(self, message: Any) -> dict[str, Any]:
        fields = _fields(message)
        state = str(fields.get("state"))
        self.api.project.set_state(self._row(fields).id, state)
        if state == "done":
            self.api.photo_done()
        return {}

    def set_note(self, message: Any) -> dict[str, Any]:
        fields = _fields(message)
        self.api.project.set_note(self._row(fields).id, str(fields.get("note", "")))
        return {}

    def add_photos(self, message: Any) -> dict[str, Any]:
        """A multipart message of photos -> names added, duplicates as (given, there), failures as (name, reason)."""
        if not isinstance(message, DataWithFiles) or not message.files:
            raise PhotoError("Choose at least one photo.")
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, (name, data) in enumerate(message.files):
                path = Path(folder) / str(number) / (Path(name or "").name[:120] or "photo")
                if path.suffix.lower() not in images.SUFFIXES:
                    raise PhotoError(f"{path.name} is not a photo; choose {', '.join(sorted(images.SUFFIXES))}.")
                path.parent.mkdir()
                path.write_bytes(data)
                paths.append(path)
            report = self.api.project.add(paths)
        return {
            "added": report.added,
            "duplicates": [[Path(given).name, there] for given, there in report.duplicates],
            "failed": [[Path(given).name, reason] for given, reason in report.failed],
        }

    def statistics(self, message: Any) -> dict[str, Any]:
        """Photos by state and pixels by class, of the whole project."""
        return {"status": self.api.status(self.api.project.name)}

    # Gestures

    def edit(self, message: Any) -> dict[str, Any]:
        """`{"photo", "base_revision", "operation"}` -> revision, changed pixels and patch, once they are on disk."""
        fields = _fields(message)
        key = str(_photo_id(fields))
        return self.api.edit(self.api.project.name, key, fields.get("base_revision"), fields.get("operation"))

    def hierarchy(self, message: Any) -> dict[str, Any]:
        """`{"photo", "x", "y"}` in image pixels -> the masks that hold this pixel, small to large."""
        fields = _fields(message)
        masks = self._proposals(fields).hierarchy(*_numbers([fields.get("x"), fields.get("y")], 2))
        return {"masks": [_mask(mask) for mask in _spread(masks)]}

    def prompt(self, message: Any) -> dict[str, Any]:
        """`{"photo", "points": [[x, y, 1 or -1], ...], "box"}` in image pixels -> masks, best first; maybe none."""
        fields = _fields(message)
        points, box = fields.get("points") or [], fields.get("box")
        if not isinstance(points, list) or len(points) > MOST_POINTS:
            raise PromptError(f"A prompt has at most {MOST_POINTS} points.")
        asked = [(x, y, int(label)) for x, y, label in (_numbers(point, 3) for point in points)]
        around = tuple(_numbers(box, 4)) if box is not None else None
        masks = self._proposals(fields).prompt(points=asked, box=around)  # type: ignore[arg-type]
        return {"masks": [_mask(mask) for mask in masks[:3]]}

    def prepare(self, message: Any) -> dict[str, Any]:
        """`{"photos": [id, ...]}`: encode these photos and find their regions, so that later questions are quick."""
        wanted = _fields(message).get("photos")
        if not isinstance(wanted, list) or len(wanted) > 2:
            raise PhotoError("At most two photos are prepared at a time.")
        for key in wanted:
            self._proposals({"photo": key})
        return {}

    # The model

    def pseudolabel(self, message: Any) -> dict[str, Any]:
        """`{"photo", "levels"?: {class id: byte}}` -> what the model's labels changed, as an edit.

        With `levels` its view is stored as the page shows it, without them its sure regions.
        """
        fields = _fields(message)
        row, levels = self._row(fields), fields.get("levels")
        if levels is None:
            return self.api.pseudolabel(self.api.project.name, str(row.id))
        return self.api.put_view(row, _levels(levels))

    def run(self, message: Any) -> dict[str, Any]:
        """`{"action": "start" | "look" | "cancel"}`: pseudo-label all new photos in the background."""
        action = _fields(message).get("action", "look")
        if action == "start":
            self._run.start("Labelling photos", functools.partial(_label_all, self.api.project, self.api.model))
        elif action == "cancel":
            self._run.cancel.set()
        return self._run.state()

    def model_view(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> the model's answer to the project's classes (format in `canvas`), and their class ids."""
        scene = self._scene(self._row(_fields(message)))
        vocabulary, ids = self.api.project.vocabulary()
        return pictures.answer(scene, vocabulary, segment(scene, vocabulary)) | {"ids": ids}

    def sources(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> pixels that a person made, and the model's regions by class and whole per cent of confidence.

        `{"person": pixels, "model": [[class, per cent, regions, pixels], ...]}`; per cents are rounded down, so that
        they reach a bound in whole per cents exactly when the region does.
        """
        person, model = 0, {}
        for row, pixels in self.api.project.shares(self._row(_fields(message)).id):
            if row.kind != "model":
                person += pixels
                continue
            key = row.class_id, int(100 * (row.confidence or 0) + 1e-9)
            regions, before = model.get(key, (0, 0))
            model[key] = regions + 1, before + pixels
        return {"person": person, "model": [[*key, *value] for key, value in sorted(model.items())]}

    # Classes

    def add_class(self, message: Any) -> dict[str, Any]:
        """`{"name": "cat; kitten"}` -> the classes and the new id."""
        word = self._word(str(_fields(message).get("name", "")))
        taken = {c.colour for c in self.api.project.classes(deleted=True)}
        colour = next(colour for colour in colour_cycle(len(taken) + 1) if colour not in taken)
        new = self.api.project.add_class(Word(word.name, word.aliases, colour))
        return self._classes() | {"id": new}

    def change_class(self, message: Any) -> dict[str, Any]:
        """`{"id", "name"?, "colour"?}`; a name may carry aliases after `;`."""
        fields = _fields(message)
        class_id = _class_id(fields.get("id"))
        changes: dict[str, Any] = {}
        if "name" in fields:
            word = self._word(str(fields["name"]), but=class_id)
            changes |= {"name": word.name, "aliases": list(word.aliases)}
        if "colour" in fields:
            if not re.fullmatch("#[0-9a-f]{6}", str(fields["colour"])):
                raise EditError("A colour is written as #rrggbb.")
            changes["colour"] = str(fields["colour"])
        self.api.project.change_class(class_id, **changes)
        return self._classes()

    def delete_class(self, message: Any) -> dict[str, Any]:
        """`{"id", "into": id or null}`: its pixels become unlabelled, or go to another class."""
        fields = _fields(message)
        into = fields.get("into")
        self.api.project.delete_class(_class_id(fields.get("id")), None if into is None else _class_id(into))
        return self._classes()

    def restore_class(self, message: Any) -> dict[str, Any]:
        """`{"id"}`: take back that a class was deleted or merged."""
        self.api.project.restore_class(_class_id(_fields(message).get("id")))
        return self._classes()

    def _classes(self) -> dict[str, Any]:
        rows = self.api.project.classes(deleted=True)
        return {
            "classes": [_class(row) for row in rows if not row.deleted],
            "deleted": [{"id": row.id, "name": row.name} for row in rows if row.deleted],
        }

    def _word(self, text: str, but: int | None = None) -> Word:
        words = Vocabulary.parse(text)
        if len(words) != 1:
            raise EditError("Give one name; other names of the same class follow after a semicolon.")
        for row in self.api.project.classes():
            if row.id != but and fold(row.name) == fold(words[0].name):
                raise EditError(f"There is a class '{row.name}' already.")
        return words[0]

    # What a photo has

    def _row(self, fields: dict[str, Any]) -> StoredPhoto:
        return self.api.project.photo(_photo_id(fields))

    def _scene(self, row: StoredPhoto) -> Scene:
        return self.api.scene(row)

    def _proposals(self, fields: dict[str, Any]) -> Proposals:
        scene = self._scene(self._row(fields))
        return load_proposer("regions").open(scene.photo, scene)

    def _thumb(self, row: StoredPhoto) -> str | None:
        path = self.api.project.folder / "cache" / "thumbs" / f"{row.sha256}.jpg"
        try:
            if not path.is_file():
                picture: Image.Image = self.api.project.picture(row.id)
                picture.thumbnail((THUMB_SIDE, THUMB_SIDE))
                buffer = io.BytesIO()
                picture.save(buffer, "JPEG", quality=80)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, buffer.getvalue())
            return base64.b64encode(path.read_bytes()).decode("ascii")
        except (PhotoError, OSError):
            return None


Progress = Callable[[int, int], None]
Failed = list[tuple[str, str]]
"""(photo, reason)."""


class Run:
    """The one piece of work in the background; a stopped one is resumed by starting again."""

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._what = ""
        self._done = self._all = 0
        self._failed: Failed = []
        self._problem: str | None = None

    def start(self, what: str, work: Callable[[Progress, threading.Event], Failed]) -> None:
        """Begin; nothing happens while a run is on. `work(progress, cancel)` answers what failed, and why."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            self.cancel.clear()
            self._what, self._failed, self._problem = what, [], None
            self._done = self._all = 0
            self._thread = threading.Thread(target=self._work, args=(work,), name=what, daemon=True)
            self._thread.start()

    def state(self) -> dict[str, Any]:
        return {
            "what": self._what,
            "running": self._thread is not None and self._thread.is_alive(),
            "done": self._done,
            "all": self._all,
            "failed": self._failed,
            "cancelled": self.cancel.is_set(),
            "problem": self._problem,
        }

    def _work(self, work: Callable[[Progress, threading.Event], Failed]) -> None:
        def progress(done: int, number: int) -> None:
            self._done, self._all = done, number

        try:
            self._failed = work(progress, self.cancel)
        except TextsegError as error:
            self._problem = str(error)
        except Exception as error:
            self._problem = "The work stopped; the server's log says why."
            raise error


def _label_all(project: Project, model: Callable[[], Model], progress: Progress, cancel: threading.Event) -> Failed:
    return pseudo_label_all(project, model(), progress=progress, cancel=cancel.is_set).failed


def _add_all(
    project: Project, photos: list[Path], progress: Progress, cancel: threading.Event
) -> list[tuple[str, str]]:
    failed: Failed = []
    for done, photo in enumerate(photos):
        progress(done, len(photos))
        if cancel.is_set():
            return failed
        failed += [(photo.name, reason) for _, reason in project.add([photo]).failed]
    progress(len(photos), len(photos))
    return failed


def _free_place() -> Path:
    """Where a first project would lie."""
    for number in itertools.count(1):
        place = Path.home() / "textseg" / ("my-project" if number == 1 else f"my-project-{number}")
        if not place.exists():
            return place
    raise AssertionError


def _photo(row: StoredPhoto | QueueEntry) -> dict[str, Any]:
    size = [row.width, row.height]
    return {"photo": row.id, "name": row.name, "size": size, "state": row.state, "revision": row.revision}


def _class(row: Class) -> dict[str, Any]:
    rgb(row.colour)  # what the page paints with must be a colour
    return {
        "id": row.id,
        "name": row.name,
        "aliases": row.aliases,
        "colour": row.colour,
        "background": row.background,
    }


def _mask(mask: Mask) -> dict[str, Any]:
    return {"rle": mask.rle, "box": list(mask.bbox), "area": mask.area, "score": round(float(mask.score), 4)}


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


def _fields(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise EditError("The page sent something that is not understood; reload it.")
    return message


def _photo_id(fields: dict[str, Any]) -> int:
    key = fields.get("photo")
    if isinstance(key, bool) or not isinstance(key, int):
        raise ProjectError("The page sent no photo's id; reload it.")
    return key


def _numbers(values: Any, count: int) -> list[float]:
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e7 for v in values)
    ):
        raise PromptError(f"A prompt's coordinates are {count} numbers in image pixels.")
    return [float(v) for v in values]


def _levels(levels: Any) -> dict[int, int]:
    """Score bytes by class id; JSON's keys are text."""
    if not isinstance(levels, dict) or not all(
        key.isdecimal() and type(level) is int and 0 <= level <= 255 for key, level in levels.items()
    ):
        raise EditError("Thresholds are numbers from 0 to 255 by class id.")
    return {int(key): level for key, level in levels.items()}


def _class_id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise EditError(f"A class has a number, not {value!r}.")
    return value
