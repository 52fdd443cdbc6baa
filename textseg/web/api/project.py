"""The project over HTTP, for programs and the Label page: /edit, /label_map, /history, /status,
/pseudolabel, /train."""

import base64
import contextlib
import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from textseg import images
from textseg.bulk.whole_project import pseudo_label_all
from textseg.errors import EditError, HeadError, PhotoError, PhotoTooLargeError, ProjectError, TrainingError
from textseg.labelmap import index_png
from textseg.model import Model, Scene
from textseg.project import EditResult, Project
from textseg.project.labeller import add_words, lacking, pseudo_label, put_view
from textseg.project.photos import is_large
from textseg.project.raster import Box
from textseg.project.schema import StoredPhoto
from textseg.project.windows import Window
from textseg.proposals import Proposals, knows_words
from textseg.users import Users
from textseg.vocabulary import Vocabulary
from textseg.web.access import require, role_of
from textseg.web.api.endpoint import AT_ONCE, add_endpoint
from textseg.web.engine import Engine
from textseg.web.huge import HugePhotos
from textseg.web.rpc.page import OtherProjectError
from textseg.web.rpc.photos import UploadedPhoto
from textseg.web.rpc.pictures import threshold_of

log = logging.getLogger(__name__)

MAX_STAGED_BYTES = 16 * 2**30
"""What one upload may bring in all its pieces."""
STAGED_FOR = 3600.0

CALLERS_OPTIONS = ("activate", "cancel", "complete", "training")
"""What a caller may say of a training. Backbone, head and recipe are the owner's: naming one loads what it names."""


class ProjectApi:
    """What can be done to the project in hand; the page calls these methods, the endpoints wrap them.

    `local`: whoever reaches the server sits at this machine, and may make and open projects anywhere on it.
    """

    def __init__(self, project: Project | None, engine: Engine, local: bool = False) -> None:
        self._open, self._engine, self.local = project, engine, local
        self.huge = HugePhotos()
        self.users: Users | None = None
        """The people of the server, where they sign in."""
        self._meant: ContextVar[Project | None] = ContextVar("meant", default=None)

    @property
    def project(self) -> Project:
        """The project in hand; while a message that names one is answered, that one."""
        project = self._meant.get() or self.in_hand()
        if project is None:
            raise ProjectError(self.nothing_open)
        return project

    @property
    def key(self) -> str | None:
        """Tells the project in hand from others, so that nothing meant for one reaches another; None without one."""
        project = self._meant.get() or self.in_hand()
        return None if project is None else key_of(project)

    nothing_open = "No project is open; start with: textseg serve --project DIR"

    def in_hand(self) -> Project | None:
        """The project that is open for whoever asks."""
        return self._open

    @contextlib.contextmanager
    def called(self, project: str) -> Iterator[str]:
        """What an endpoint does inside is done to the project that its caller names; -> the project's name."""
        yield project

    @property
    def most_staged(self) -> int:
        """Bytes that one upload may bring in all its pieces."""
        return MAX_STAGED_BYTES

    visits = False
    """Whether every visitor has a project of their own."""

    @property
    def staged_for(self) -> float:
        """Seconds after which an upload that nobody came back to leaves, when another one begins."""
        return STAGED_FOR

    @contextlib.contextmanager
    def meant(self, key: str) -> Iterator[None]:
        """What is done inside is done to the project with this key, also if another one is opened meanwhile.

        Raises OtherProjectError when it is not the one in hand.
        """
        project = self.in_hand()
        if project is None:
            raise OtherProjectError("The project of this page is not open here; open it again, or reload the page.")
        if key_of(project) != key:
            raise OtherProjectError("Another project is open here now; open this page's project again, or reload.")
        before = self._meant.set(project)
        try:
            yield
        finally:
            self._meant.reset(before)

    def open(self, folder: str) -> None:
        """Take the project in `folder` in hand."""
        self._open = Project(self.place(folder))

    def make(self, folder: str, words: str) -> None:
        """Make a project in a new or empty folder and take it in hand."""
        vocabulary, place = Vocabulary.parse(words), self.place(folder)
        if place.is_dir() and any(place.iterdir()) and not (place / "project.sqlite").exists():
            raise ProjectError(f"The folder {place} is not empty; a project wants a folder of its own.")
        self._open = Project.create(place, vocabulary)

    def place(self, folder: str) -> Path:
        """A folder of this machine as a person types it; raises ProjectError where that is not theirs to choose."""
        if not self.local:
            raise ProjectError("Folders are chosen where the server runs: textseg serve --project DIR")
        if not folder.strip() or "\0" in folder:
            raise ProjectError("Name a folder of this computer.")
        try:
            return Path(folder.strip()).expanduser().absolute()
        except RuntimeError:
            raise ProjectError(f"There is no home folder for {folder.strip()}; write the whole path.") from None

    def edit(
        self, project: str, photo: str, base_revision: Any, operation: Any, windows: Sequence[Window] = ()
    ) -> dict[str, Any]:
        """Apply one gesture; the answer comes when it is on disk. With `windows` it says what changed in each."""
        self.check(project)
        if isinstance(base_revision, float) and base_revision.is_integer():
            base_revision = int(base_revision)
        if isinstance(base_revision, bool) or not isinstance(base_revision, int):
            raise EditError(f"The base revision is a number, not {base_revision!r}.")
        return self._answer(self.project.edit(photo, base_revision, operation), windows, photo)

    def label_map(self, project: str, photo: str) -> tuple[bytes, int]:
        """(index PNG, revision): the class id of every pixel. Raises PhotoTooLargeError for a huge photo."""
        self.check(project)
        row = self.project.photo(photo)
        if is_large(row):
            raise PhotoTooLargeError(f"The label map of {row.name} is too large to be sent as one; export the project.")
        ids, revision = self.project.label_map(row.id)
        return index_png(ids, self.project.colours()), revision

    def history(self, project: str, photo: str) -> list[dict[str, Any]]:
        self.check(project)
        return self.project.history(photo)

    def status(self, project: str) -> dict[str, Any]:
        self.check(project)
        return self.project.status()

    def pseudolabel(self, project: str, photo: str, words: str = "") -> dict[str, Any]:
        """Label one photo, or with "all" every new one. `words` that the project lacks become classes first.

        Each of the two takes the role that it takes on the Label page.
        """
        self.check(project)
        if photo == "all":
            require(role_of("label", "run"))
        if words:
            vocabulary = Vocabulary.parse(words)
            if lacking(self.project, vocabulary):
                require(role_of("label", "add_class"))
            add_words(self.project, vocabulary)
        model = self.model()
        if photo == "all":
            run = pseudo_label_all(self.project, model, proposer=self._engine.proposer())
            failed = [f"{one.name}: {reason}" for one, reason in run.failed]
            return {"labelled": [one.name for one in run.labelled], "failed": failed}
        scene = self.scene(self.project.photo(photo))
        return self._answer(pseudo_label(self.project, photo, model, scene=scene, proposer=self._engine.proposer()))

    def label_window(self, photo: StoredPhoto, window: Window, windows: Sequence[Window]) -> dict[str, Any]:
        """Have the model label what a window onto a huge photo shows."""
        run = functools.partial(pseudo_label, self.project, photo.id, self.model(), window=window)
        result = run(scene=self.seen(photo, window), proposer=self._engine.proposer())
        return self._answer(result, windows, photo.id)

    def put_view(
        self, photo: StoredPhoto, levels: Mapping[int, int], window: Window | None = None,
        windows: Sequence[Window] = (),
    ) -> dict[str, Any]:  # fmt: skip
        """Store the model's view of a photo, or of a window onto a huge one, where no person has been.

        `levels` are least score bytes by class id.
        """
        vocabulary, ids = self.project.vocabulary()
        scene = self.seen(photo, window)
        words = [
            replace(word, threshold=threshold_of(levels[k])) if levels.get(k) else word
            for word, k in zip(vocabulary, ids, strict=True)
        ]
        asked = Vocabulary(tuple(words))
        named = self.naming(photo, window)
        result = put_view(self.project, photo.id, scene, asked, ids, named, window)
        return self._answer(result, windows, photo.id)

    def train(self, project: str, options: Any = None) -> dict[str, Any]:
        """Begin to learn from the project's corrections in a process of its own; -> the training's row.

        `"complete"`: whether photos marked done show everything, as the project says by default. With
        `{"training": id}` the row of one that began before, and with `"cancel": true` that one is stopped.
        """
        from trainer import learning

        self.check(project)
        options = {} if options is None else options
        if not isinstance(options, dict):
            raise TrainingError('The options of a training are an object, such as {"activate": "better"}.')
        if unknown := options.keys() - CALLERS_OPTIONS:
            raise TrainingError(
                f"A training has no option {', '.join(sorted(map(str, unknown)))}; "
                f"choose from {', '.join(CALLERS_OPTIONS)}."
            )
        wanted = options.get("training")
        if wanted is None:
            served = {"backbone": self._engine.backbone, "head": str(self._engine.head)}
            if self._engine.readout:
                served["readout"] = self._engine.readout
            wanted = learning.start(self.project, served | options)
        elif options.get("cancel"):
            self.project.trainings.cancel(wanted)
        found = next((row for row in self.project.trainings.all() if row["id"] == wanted), None)
        if found is None:
            raise ProjectError(f"The project has no training {wanted}.")
        return found

    def photo_done(self) -> None:
        """A person is done with a photo: learn from it, where the project keeps learning and nothing trains yet."""
        if self.project.trainings.keeps_learning:
            with contextlib.suppress(ProjectError, TrainingError):  # one runs already, or there is nothing to learn
                self.train(self.project.name, {})

    def model(self) -> Model:
        """The model that the project is labelled with: the served one with the head that is active."""
        active = self.project.heads.active()
        if active is None:
            return self._engine.model()
        try:
            return self._engine.learnt(active.path, f"head {active.id}")
        except HeadError as error:  # its file is gone: labelling goes on with the head it began with
            log.warning("head %s: %s", active.id, error)
            return self._engine.model()

    def scene(self, photo: StoredPhoto, model: Model | None = None) -> Scene:
        """The scene of a photo of the project, encoded once; raises PhotoError when its file has vanished or is huge.

        `model` is another than the one the project is labelled with: an older head, the one it began with.
        """
        if is_large(photo):
            raise PhotoTooLargeError(
                f"{photo.name} is too large to be looked at as one; Label and Explore ask about parts of it."
            )
        try:
            upload = UploadedPhoto(photo.name, self.project.original(photo).read_bytes())
            return self._engine.scene(upload, model=model or self.model(), encodings=self.project.encodings)
        except OSError as error:
            raise PhotoError(f"{photo.name} cannot be read from the project's folder ({error.strerror}).") from None

    def small(self, photo: StoredPhoto) -> Image.Image:
        """A picture of a photo that is to be made smaller still; of a huge one its overview. Raises PhotoError."""
        if is_large(photo):
            return images.open(self.huge.overview(self.project, photo))
        return self.project.picture(photo.id)

    def seen(self, photo: StoredPhoto, window: Window | None) -> Scene:
        """The scene of what a window onto a huge photo shows, of which nothing is kept on disk; without one `scene`."""
        if window is None:
            return self.scene(photo)
        return self._engine.scene(self.huge.seen(self.project, photo, window), model=self.model())

    def proposals(self, photo: StoredPhoto, window: Window | None = None) -> Proposals:
        """A photo of the project, or what a window onto it shows, in front of the served proposer."""
        if window is not None:
            return self._engine.proposals(self.seen(photo, window))
        return self._engine.proposals(self.scene(photo), photo.sha256, self.project.encodings)

    def naming(self, photo: StoredPhoto, window: Window | None = None) -> Proposals | None:
        """The same where the served proposer knows words, else None."""
        return self.proposals(photo, window) if knows_words(self._engine.proposer()) else None

    def check(self, project: str) -> None:
        """Raise ProjectError unless the project in hand has this name."""
        if project != self.project.name:
            raise ProjectError(f"The project '{project}' is not served here; this is '{self.project.name}'.")

    def _answer(self, result: EditResult, windows: Sequence[Window] = (), photo: int | str = "") -> dict[str, Any]:
        """What became of a gesture: the patch, or one for each of `windows` onto the photo, in its cells."""
        told: dict[str, Any] = {"warning": result.warning} if result.warning else {}
        told |= {"revision": result.revision, "changed_pixels": result.changed, "state": result.state}
        if windows:
            shown = [window.of(result.box, result.ids) for window in windows]
            if not result.ids.size and result.box[0] < result.box[2]:  # it reached over too much to be told
                maps, _ = self.project.label_windows(photo, windows)
                shown = [((0, 0, *window.size), ids) for window, ids in zip(windows, maps, strict=True)]
            patches = [_patch(box, ids, result.colours) for box, ids in shown]
            return told | {"box": list(result.box), "patches": patches}
        return told | {"patch": _patch(result.box, result.ids, result.colours)}


def _patch(box: Box, ids: np.ndarray, colours: list[str]) -> dict[str, Any]:
    """What changed in a box, as an index PNG."""
    png = index_png(ids, colours) if ids.size else b""
    return {"box": list(box), "png": "data:image/png;base64," + base64.b64encode(png).decode() if png else ""}


def of_callers(api: ProjectApi, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose first argument names a project, done to what its caller means by that name."""

    @functools.wraps(function)
    def called(project: str, *rest: Any) -> Any:
        with api.called(project) as name:
            return function(name, *rest)

    return called


def key_of(project: Project) -> str:
    return project.place.key


def add_project(project_api: ProjectApi) -> None:
    """Add the project's named endpoints to the Blocks being built."""
    with gr.Row(visible=False):
        project, photo, words = gr.Textbox(label="project"), gr.Textbox(label="photo"), gr.Textbox(label="words")
        revision, operation = gr.Number(label="base_revision", precision=0), gr.JSON(label="operation")
        file, answer = gr.File(label="index PNG"), gr.JSON(label="answer")
        number = gr.Number(label="revision", precision=0)

    def label_map(project: str, photo: str) -> tuple[str, int]:
        png, at = project_api.label_map(project, photo)
        return save_bytes_to_cache(png, f"{Path(photo).stem}.png", file.GRADIO_CACHE), at

    endpoints: list[tuple[str, Any, list[Any], Any]] = [
        ("edit", project_api.edit, [project, photo, revision, operation], answer),
        ("label_map", label_map, [project, photo], [file, number]),
        ("history", project_api.history, [project, photo], answer),
        ("status", project_api.status, [project], answer),
        ("pseudolabel", project_api.pseudolabel, [project, photo, words], answer),
        ("train", project_api.train, [project, operation], answer),
    ]
    for name, function, inputs, outputs in endpoints:
        called, at_once = of_callers(project_api, function), 1 if name == "pseudolabel" else AT_ONCE
        add_endpoint(name, called, inputs, outputs, at_once)
