"""Label: correct a model's labels by click, brush and region. Every gesture goes through `ProjectApi`."""

import functools
import itertools
from pathlib import Path
from typing import Any

import gradio as gr

from textseg.bulk.whole_project import pseudo_label_all
from textseg.errors import Cancelled, PhotoError
from textseg.folders import SUFFIXES, Gathered, gather
from textseg.project.schema import STATES
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.intake import take_in
from textseg.web.pages import Shared, register
from textseg.web.pages.label.classes import ClassFunctions
from textseg.web.pages.label.film import FilmFunctions
from textseg.web.pages.label.gestures import GestureFunctions
from textseg.web.pages.label.photos import PhotoFunctions
from textseg.web.pages.label.team import TeamFunctions
from textseg.web.rpc.jobs import Jobs, Progress, Work
from textseg.web.rpc.messages import Message
from textseg.web.rpc.page import of_any_project, page


@register("label", title="Label", order=20)
def component(shared: Shared) -> gr.HTML:
    """The page as a Gradio component."""
    return Label(shared.api, shared.engine).component()


class Label(PhotoFunctions, GestureFunctions, ClassFunctions, TeamFunctions, FilmFunctions):
    """The server side of the page. Its functions take one message (a dict from a stranger) and give one dict."""

    def __init__(self, api: ProjectApi, engine: Engine) -> None:
        self.api, self._engine = api, engine
        self.jobs, self.carrying = Jobs(), Jobs()

    def component(self) -> gr.HTML:
        """The page as a Gradio component."""
        functions = [
            self.overview, self.make_project, self.open_project, self.add_folder, self.thumbs, self.open,
            self.window, self.label_map, self.edit, self.hierarchy, self.prompt, self.prepare, self.pseudolabel,
            self.run, self.model_view, self.sources, self.set_state, self.set_note, self.add_class,
            self.change_class, self.delete_class, self.restore_class, self.unknown, self.add_photos,
            self.statistics, self.team, self.look, self.assign, self.review, self.trail, self.second,
            self.agreement, self.adjudicate, self.film, self.carry, self.carry_on,
        ]  # fmt: skip
        return page("label", functions, {"states": list(STATES)}, self.api.meant)

    # The project

    @of_any_project
    def overview(self, message: Any) -> dict[str, Any]:
        """The queue and the classes; without a project, where one could be made.

        Of each photo `photos` has [id, name, number of its state, revision]: ten thousand of them travel at a time.
        """
        here: dict[str, Any] = {"key": self.api.key, "local": self.api.local, "visits": self.api.visits}
        here |= {"place": str(_free_place())} if self.api.local else {}
        if self.api.key is None:
            return here | {"project": None}
        here |= {"folder": str(self.api.project.folder)} if self.api.local else {}
        photos = [(row.id, row.name, STATES.index(row.state), row.revision) for row in self.api.project.queue()]
        return here | {"project": self.api.project.name, "photos": photos} | self.classes() | self.team(message)

    @of_any_project
    def make_project(self, message: Any) -> dict[str, Any]:
        """`{"folder", "words", "photos": folder or ""}`: make a project, take it in hand, begin to add the photos."""
        asked = Message(message)
        photos = asked.text("photos", "")
        found = self._photos_in(photos) if photos else None
        self.api.make(asked.text("folder", ""), asked.text("words", ""))
        if found is not None:
            self._start("Adding photos", functools.partial(take_in, self.api.project, found))
        return {"folder": str(self.api.project.folder)}

    @of_any_project
    def open_project(self, message: Any) -> dict[str, Any]:
        """`{"folder"}`: take the project there in hand."""
        self.api.open(Message(message).text("folder", ""))
        return {"folder": str(self.api.project.folder)}

    def add_folder(self, message: Any) -> dict[str, Any]:
        """`{"folder"}`: begin to add the photos of a folder of this computer, and of the folders in it."""
        found = self._photos_in(Message(message).text("folder", ""))
        return self._start("Adding photos", functools.partial(take_in, self.api.project, found))

    def statistics(self, message: Any) -> dict[str, Any]:
        """Photos by state and pixels by class, of the whole project."""
        return {"status": self.api.status(self.api.project.name)}

    def run(self, message: Any) -> dict[str, Any]:
        """`{"action": "start" | "look" | "cancel"}`: pseudo-label all new photos in the background."""
        action = Message(message).choice("action", ("start", "look", "cancel"), "look")
        if action == "start":
            self.api.project.database.check_may_change()
            return self._start("Labelling photos", self._labelling())
        return _shown(self.jobs.cancel(self.api.key) if action == "cancel" else self.jobs.poll(self.api.key))

    def _start(self, what: str, work: Work) -> dict[str, Any]:
        return _shown(self.jobs.start(self.api.key, what, work))

    def _labelling(self) -> Work:
        project = self.api.project

        def work(progress: Progress) -> dict[str, Any]:
            run = pseudo_label_all(
                project, self.api.model(), progress=progress.tell, cancel=progress.stopped,
                proposer=self._engine.proposer(),
            )  # fmt: skip
            if run.cancelled:
                raise Cancelled(f"Cancelled after {progress.done} of {progress.all}; start again to go on.")
            failed = [(one.name, reason) for one, reason in run.failed]
            return {"labelled": [one.name for one in run.labelled], "failed": failed}

        return work

    def _photos_in(self, folder: str) -> Gathered:
        place = self.api.place(folder)
        if not place.is_dir():
            raise PhotoError(f"There is no folder {place}.")
        own = self.api.project.folder if self.api.key is not None else None
        found = gather([place], without=own)
        if not found.photos:
            suffixes = ", ".join(sorted(SUFFIXES))
            raise PhotoError(f"There are no photos in {place} or its subfolders; they end in {suffixes}.")
        return found


def _shown(job: dict[str, Any]) -> dict[str, Any]:
    """A job with the lists of its report beside it, which are there before it has one."""
    report = job["report"] or {}
    lists = {name: report.get(name, []) for name in ("failed", "duplicates", "notes")}
    return job | lists | {"cancelled": job["state"] == "cancelled" or report.get("stopped", False)}


def _free_place() -> Path:
    """Where a first project would lie."""
    for number in itertools.count(1):
        place = Path.home() / "textseg" / ("my-project" if number == 1 else f"my-project-{number}")
        if not place.exists():
            return place
    raise AssertionError
