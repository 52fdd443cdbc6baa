"""What the header of a page asks about a visitor's project: how much there is of it, for how long, its way out."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gradio.utils import get_upload_folder

from textseg.errors import ProjectError, RequestError
from textseg.files import zip_folder
from textseg.project import Project
from textseg.web.api.export import unguessable
from textseg.web.rpc.messages import Message
from textseg.web.rpc.page import VISITOR
from textseg.web.samples import SAMPLES
from textseg.web.visitors.api import VisitorApi
from textseg.web.visitors.shared import SHARED, SIGNED_IN

KEPT_OUT = ("cache",)
"""Of a project's folder, what is not taken home: it is made anew."""


class VisitFunctions:
    """Server functions of the header about the asking visitor's project. They take one message (from a stranger)."""

    def __init__(self, api: VisitorApi) -> None:
        self._api = api

    @property
    def functions(self) -> list[Any]:
        return [self.begin, self.take_home, self.leave]

    @property
    def given(self) -> dict[str, Any]:
        """What the pages need to offer a project before there is one."""
        limits, shared = self._api.visitors.limits, self._api.shared
        return {
            "words": ", ".join(dict.fromkeys(word for sample in SAMPLES for word in sample.words.split(", "))),
            "samples": len(SAMPLES),
            "photos": limits.allowance.photos,
            "megapixels": round(limits.allowance.pixels / 1e6),
            "trainings": limits.trainings,
            "life": limits.life,
            "space": os.environ.get("SPACE_ID"),
            "shared": None if shared is None else {"name": shared.name, "for": shared.open_for},
        }

    def told(self) -> dict[str, Any]:
        """What the header's status says beside: how much there is of the visitor's project, null without one."""
        visit = self._api.visitors.visit(VISITOR.get())
        at_shared = VISITOR.get() == SHARED
        told = {
            "signed_in": SIGNED_IN.get(),
            "gone": visit is None and VISITOR.get() not in ("", SHARED),
            "sees_shared": self._api.shared is not None and self._api.shared.may_see,
            "project": self._api.project.name if at_shared and self._api.key is not None else None,
        }
        if visit is None:
            return told
        photos = visit.project.photos()
        return told | {
            "project": visit.project.name,
            "photos": len(photos),
            "megapixels": round(sum(row.width * row.height for row in photos) / 1e6, 1),
            "trainings": visit.trainings,
            "left": round(self._api.visitors.left(visit)),
        }

    def begin(self, message: Any) -> dict[str, Any]:
        """`{"words", "samples": whether with the sample photos}` -> the key of a new project, to be kept."""
        asked = Message(message)
        photos = [sample.path for sample in SAMPLES] if asked.flag("samples") else []
        return {"visitor": self._api.begin(asked.text("words", ""), photos)}

    def take_home(self, message: Any) -> dict[str, Any]:
        """The whole project as a zip: its folder, as `textseg serve --project` opens it."""
        if VISITOR.get() == SHARED:
            raise RequestError("The shared project stays here; export from it on the Data page.")
        project = self._api.project
        path = unguessable(Path(get_upload_folder())) / f"{project.name}.zip"
        with TemporaryDirectory(prefix="textseg-home-") as folder:
            _copy(project, Path(folder) / project.name)
            zip_folder(Path(folder), path)
        return {"download": {"path": path.as_posix(), "name": path.name, "bytes": path.stat().st_size}}

    def leave(self, message: Any) -> dict[str, Any]:
        """Delete the visitor's project now."""
        if VISITOR.get() == SHARED:
            raise RequestError("The shared project is its owner's.")
        self._api.visitors.delete(VISITOR.get())
        return {}


def _copy(project: Project, target: Path) -> None:
    """A project's folder as it is at one moment, whoever works in it meanwhile."""
    target.mkdir()
    file = project.folder / "project.sqlite"
    try:
        with closing(sqlite3.connect(file)) as there, closing(sqlite3.connect(target / file.name)) as here:
            there.backup(here)
    except sqlite3.Error as error:
        raise ProjectError(f"The project cannot be copied ({error}); try again in a moment.") from None
    for folder in project.folder.iterdir():
        if folder.is_dir() and folder.name not in KEPT_OUT:
            shutil.copytree(folder, target / folder.name)
