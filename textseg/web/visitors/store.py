"""The projects of visitors: made at their first wish, found again by a key that only they hold, deleted in time.

A key is a random number with a signature of this start. It lies in the visitor's browser and comes with each of its
messages, never by itself as a cookie does, so no other page can send it. Nobody can make one up, and keys of an
earlier start are worth nothing, as are the projects they opened.
"""

import atexit
import hashlib
import hmac
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from textseg.errors import ProjectError, TextsegError, TrainingError
from textseg.project import Project
from textseg.project.allowance import Allowance
from textseg.vocabulary import Vocabulary

PREFIX = "textseg-visitors-"
PROJECT = "my-project"
"""What a visitor's project is called; its folder lies in one that nobody can guess."""

SWEEP = 60.0
"""Seconds between two looks for projects whose time has come."""

_folders: set[Path] = set()
"""Those of this process."""


@dataclass(frozen=True)
class Limits:
    """What one visitor may take of the server, and all together."""

    allowance: Allowance = Allowance(photos=40, pixels=200_000_000)
    trainings: int = 5
    upload_bytes: int = 300 * 2**20
    life: float = 2 * 3600.0
    """Seconds after its last use at which a project is deleted."""
    projects: int = 100
    """That exist at the same time."""
    trainings_at_once: int = 1
    """Of all visitors."""


@dataclass
class Visit:
    """One visitor's project and what they have used of it."""

    project: Project
    used: float
    trainings: int = 0


class Visitors:
    """Projects by their visitors' keys. Safe to use from several threads."""

    def __init__(
        self,
        limits: Limits | None = None,
        clock: Callable[[], float] | None = None,
        root: Path | None = None,
        deleted: Callable[[list[str]], object] = lambda photos: None,
    ) -> None:
        """`root` is an empty folder for the projects, by default one that is removed at the end of this process.

        `deleted` is called with the hashes of the photos of a project that goes.
        """
        self.limits, self.clock, self.deleted = limits or Limits(), clock or time.time, deleted
        self._secret = secrets.token_bytes(32)
        self._root = root or _folder_of_this_start()
        self._visits: dict[str, Visit] = {}
        self._lock, self._beginning = threading.Lock(), threading.Lock()

    def issue(self) -> str:
        """A key for somebody new."""
        name = secrets.token_urlsafe(24)
        return f"{name}.{self._signature(name)}"

    def knows(self, key: str) -> bool:
        """Whether `key` is one of this start."""
        name, _, signature = key.partition(".")
        return hmac.compare_digest(signature.encode(), self._signature(name).encode())

    def make(self, key: str, words: Vocabulary) -> Project:
        """A new project for the visitor with `key`; raises ProjectError where there is one, or no room for one."""
        self.sweep()
        if not self.knows(key):
            raise ProjectError("That key is not one of this server; leave it out, and a new one is made.")
        with self._lock:
            if key in self._visits:
                raise ProjectError("You have a project here already; delete it before you begin another one.")
            if len(self._visits) >= self.limits.projects:
                raise ProjectError(
                    f"{self.limits.projects} people are labelling here at the moment, which is all this server has "
                    "room for; come back in an hour, or run the program on your own computer."
                )
            project = Project.create(self._folder(key) / PROJECT, words)
            project.allowance = self.limits.allowance
            self._visits[key] = Visit(project, self.clock())
            return project

    def visit(self, key: str) -> Visit | None:
        """What is known of the visitor with `key`; None where they have no project, or none any more."""
        visit = self._visits.get(key)
        if visit is None:
            return None
        if self.left(visit) <= 0:
            self.delete(key)
            return None
        return visit

    def left(self, visit: Visit) -> float:
        """Seconds until a project is deleted, unless it is used again."""
        return visit.used + self.limits.life - self.clock()

    def use(self, key: str) -> None:
        """The visitor is at work: the time of the project begins anew."""
        visit = self.visit(key)
        if visit is not None:
            visit.used = self.clock()

    def delete(self, key: str) -> None:
        """Remove a visitor's project and all that came of it; may be called again."""
        with self._lock:
            visit = self._visits.pop(key, None)
        if visit is None:
            return
        photos: list[str] = []
        with suppress(TextsegError):
            photos = [row.sha256 for row in visit.project.photos()]
            for row in visit.project.trainings.all():
                if row["state"] == "running":
                    visit.project.trainings.cancel(row["id"])
        visit.project.close()
        shutil.rmtree(self._folder(key), ignore_errors=True)
        self.deleted(photos)

    @contextmanager
    def training(self, key: str) -> Iterator[None]:
        """Inside a training begins; raises TrainingError where the visitor, or all together, have had enough."""
        visit = self.visit(key)
        if visit is None:
            raise TrainingError("There is no project to train in any more.")
        with self._beginning:
            if visit.trainings >= self.limits.trainings:
                raise TrainingError(
                    f"A visitor may train {self.limits.trainings} times here, and you have; "
                    "download the project and go on on your own computer."
                )
            if self._training(but=key) >= self.limits.trainings_at_once:
                raise TrainingError("Another visitor's model is being trained; try again in a minute.")
            yield
            visit.trainings += 1

    def sweep(self) -> None:
        """Delete the projects whose time has come, and whatever else lies in their folder."""
        for key in list(self._visits):
            self.visit(key)
        with self._lock:
            known = {self._folder(key) for key in self._visits}
            for left in self._root.iterdir():
                if left not in known:
                    shutil.rmtree(left, ignore_errors=True)

    def start(self) -> None:
        """Sweep from time to time, as long as this process lives."""

        def sweep() -> None:
            while True:
                time.sleep(SWEEP)
                self.sweep()

        threading.Thread(target=sweep, name="sweep-visitors", daemon=True).start()

    def close(self) -> None:
        """Delete all projects; may be called again."""
        for key in list(self._visits):
            self.delete(key)

    def _training(self, but: str) -> int:
        """How many models of other visitors are being trained."""
        others = [visit.project for key, visit in list(self._visits.items()) if key != but and visit.trainings]
        count = 0
        for project in others:
            with suppress(TextsegError):  # deleted meanwhile
                count += any(row["state"] == "running" for row in project.trainings.all())
        return count

    def _signature(self, name: str) -> str:
        return hmac.new(self._secret, name.encode("utf-8", "replace"), "sha256").hexdigest()

    def _folder(self, key: str) -> Path:
        """Not named by the key itself: a listing of the folder opens no project."""
        return self._root / hashlib.sha256(key.encode()).hexdigest()


def _folder_of_this_start() -> Path:
    """An empty private folder, removed at the end; those of processes that were killed leave now."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{PREFIX}*"):
        number = left.name.removeprefix(PREFIX).partition("-")[0]
        # In a container the process before may have had the number of this one.
        alive = number.isdecimal() and int(number) != os.getpid() and psutil.pid_exists(int(number))
        if left not in _folders and not alive:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
    _folders.add(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
