"""The heads that a project has learnt, and the trainings that made them: rows, files, and which one is active.

A head is a file in `heads/` that is never written twice. Activating one, or none (the head that the program was started
with), is one transaction; a training that fails leaves the active head as it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from textseg.errors import ProjectError
from textseg.files import write_atomically
from textseg.project import Project
from textseg.project.schema import Head, Training, now

CURVE_POINTS = 200
"""A curve of more points than this is thinned out to half."""

SILENCE = timedelta(minutes=5)
"""A training of another machine that said nothing for so long has died."""

KILLED = (
    "The training ended without a word: it was killed, or the memory was full. The head that was active stays active; "
    "train again, photos that were encoded are kept."
)


@dataclass(frozen=True)
class Active:
    """The head in use."""

    id: int
    path: Path


def card(repository: str, head: Mapping[str, Any]) -> str:
    """The model card of a head on the Hub: what it knows, how well, and how to use it."""
    data, scores = head["data"], head["scores"]
    classes = ", ".join(name for name, *_ in head["classes"])
    score = "No corrected photo was held back, so nothing says how good it is."
    if scores["before"] and scores["after"]:
        score = (
            f"mIoU on {scores['after']['photos']} photos held back: {scores['after']['miou']:.1f} % "
            f"({scores['before']['miou']:.1f} % before)."
        )
    return f"""---
library_name: textseg
pipeline_tag: image-segmentation
---

# {repository.rpartition("/")[2]}

A head of textseg, learnt from a person's corrections of {data["photos"]} photos. Its classes: {classes}. Other words
work as they did before. {score}

    hf download {repository} head.safetensors --local-dir .
    textseg serve --head head.safetensors
"""


class Versions:
    """Heads and trainings of one project. Safe to use from several threads and processes."""

    def __init__(self, project: Project) -> None:
        self._database, self.folder = project.database, project.folder / "heads"
        self._keep = self.folder / "keep-learning"

    # Heads

    def active(self) -> Active | None:
        """The project's own head in use, None for the one that the program was started with."""
        with self._database.reading() as session:
            row = session.scalar(select(Head).where(Head.active))
            return None if row is None else Active(row.id, self.folder / row.file)

    def heads(self) -> list[dict[str, Any]]:
        """All heads, newest first: id, file, active, when, whether its file is there, and what it learnt from."""
        with self._database.reading() as session:
            rows = list(session.scalars(select(Head).order_by(Head.id.desc())))
        return [
            {
                "id": row.id,
                "file": row.file,
                "active": row.active,
                "created": _text(row.created),
                "there": (self.folder / row.file).is_file(),
                "fingerprint": row.fingerprint,
                **row.facts,
            }
            for row in rows
        ]

    def path(self, head_id: int) -> Path:
        """The file of a head; raises ProjectError when there is no such head, or its file is gone."""
        with self._database.reading() as session:
            row = session.get(Head, head_id)
        if row is None:
            raise ProjectError(f"The project has no head {head_id}.")
        path = self.folder / row.file
        if not path.is_file():
            raise ProjectError(f"The file {path} of head {head_id} is gone; train again.")
        return path

    def activate(self, head_id: int | None) -> None:
        """Label with this head from now on; None goes back to the head that the program was started with."""
        if head_id is not None:
            self.path(head_id)
        with self._database.writing() as session:
            _activate(session, head_id)

    def export(self, head_id: int, out: Path) -> Path:
        """Copy a head's file to `out` (a .safetensors file, or a folder)."""
        source = self.path(head_id)
        target = out / source.name if out.is_dir() else out
        if target.suffix != ".safetensors":
            raise ProjectError(f"A head is a .safetensors file, and '{target.name}' has another ending.")
        with source.open("rb") as file:
            write_atomically(target, lambda copy: shutil.copyfileobj(file, copy))
        return target

    def push(self, head_id: int, repository: str, private: bool = True) -> str:
        """Upload a head with its card to the Hub as a model; returns what to tell. Raises ProjectError."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        source = self.path(head_id)
        facts = next(head for head in self.heads() if head["id"] == head_id)
        try:
            hub = HfApi()
            hub.create_repo(repository, repo_type="model", private=private, exist_ok=True)
            for name, content in (("head.safetensors", source), ("README.md", card(repository, facts).encode())):
                hub.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id=repository, repo_type="model")
        except (HfHubHTTPError, OSError, ValueError) as error:
            said = " ".join(str(error).split())[:160]
            raise ProjectError(
                f"Head {head_id} was not uploaded to {repository} ({said}); log in with: hf auth login"
            ) from None
        return f"Head {head_id} is uploaded to {repository}{' (private)' if private else ''}."

    # Trainings

    @property
    def keeps_learning(self) -> bool:
        """Whether the project is to learn by itself whenever a photo is done."""
        return self._keep.exists()

    def keep_learning(self, on: bool) -> None:
        """Switch learning by itself on or off; the project remembers."""
        if on:
            self.folder.mkdir(exist_ok=True)
            self._keep.touch()
        else:
            self._keep.unlink(missing_ok=True)

    def begin(self, options: Mapping[str, Any]) -> int:
        """A new training's id; raises ProjectError while another one runs."""
        self.settle()
        with self._database.writing() as session:
            if session.scalar(select(Training.id).where(Training.state == "running")) is not None:
                raise ProjectError("A training is running already; wait for it, or cancel it.")
            row = Training(options=dict(options))
            session.add(row)
            session.flush()
            return row.id

    def claim(self, training_id: int) -> dict[str, Any]:
        """Tell which process does the training; -> its options."""
        with self._database.writing() as session:
            row = _training(session, training_id)
            row.process, row.beat = os.getpid(), now()
            return dict(row.options)

    def report(self, training_id: int, doing: str, done: float, point: tuple[int, float] | None = None) -> bool:
        """Note how far a training is; -> whether a person wants it to stop."""
        with self._database.writing() as session:
            row = _training(session, training_id)
            row.doing, row.done, row.beat = doing, done, now()
            if point is not None:
                curve = [*row.curve, [point[0], round(point[1], 5)]]
                row.curve = curve[::2] if len(curve) > CURVE_POINTS else curve
            return row.cancel

    def say(self, training_id: int, text: str) -> None:
        """Add a line to a training's log."""
        with self._database.writing() as session:
            row = _training(session, training_id)
            row.log = [*row.log, text][-200:]

    def finish(self, training_id: int, state: str, problem: str | None = None) -> None:
        """End a training that made no head."""
        with self._database.writing() as session:
            _end(_training(session, training_id), state, problem)

    def add(self, training_id: int, file: str, fingerprint: str, facts: Mapping[str, Any], activate: bool) -> int:
        """Note the head that a training made, end the training and maybe activate the head: all of it or nothing."""
        with self._database.writing() as session:
            head = Head(file=file, fingerprint=fingerprint, facts=dict(facts))
            session.add(head)
            session.flush()
            training = _training(session, training_id)
            training.head_id, training.done = head.id, 1.0
            _end(training, "done", None)
            if activate:
                _activate(session, head.id)
            return head.id

    def cancel(self, training_id: int) -> None:
        """Ask a training to stop; it does at its next step."""
        with self._database.writing() as session:
            _training(session, training_id).cancel = True

    def trainings(self) -> list[dict[str, Any]]:
        """All trainings, newest first, those that died told from those that run."""
        self.settle()
        with self._database.reading() as session:
            rows = list(session.scalars(select(Training).order_by(Training.id.desc())))
        return [
            {
                "id": row.id,
                "state": row.state,
                "doing": row.doing,
                "done": row.done,
                "curve": row.curve,
                "log": row.log,
                "problem": row.problem,
                "cancel": row.cancel,
                "head": row.head_id,
                "began": _text(row.began),
                "seconds": round(((row.ended or _naive(now())) - row.began).total_seconds(), 1),
            }
            for row in rows
        ]

    def settle(self) -> None:
        """Mark trainings whose process is gone."""
        with self._database.reading() as session:
            dead = [
                row.id for row in session.scalars(select(Training).where(Training.state == "running")) if _is_dead(row)
            ]
        if dead:
            with self._database.writing() as session:
                for training_id in dead:
                    row = _training(session, training_id)
                    if row.state == "running" and _is_dead(row):
                        _end(row, "killed", KILLED)


def _training(session: Session, training_id: int) -> Training:
    row = session.get(Training, training_id)
    if row is None:
        raise ProjectError(f"The project has no training {training_id}.")
    return row


def _activate(session: Session, head_id: int | None) -> None:
    session.execute(update(Head).values(active=False))
    if head_id is not None:
        session.execute(update(Head).where(Head.id == head_id).values(active=True))


def _end(row: Training, state: str, problem: str | None) -> None:
    row.state, row.problem, row.ended, row.beat = state, problem, _naive(now()), now()


def _is_dead(row: Training) -> bool:
    silent = _naive(now()) - _naive(row.beat)
    if row.process is None:  # not started yet: interpreters take seconds to start, on a busy machine a minute
        return silent > SILENCE
    return silent > SILENCE or not _runs(row.process)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # a killed child that nobody has waited for yet still has a number
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True


def _naive(moment: datetime) -> datetime:
    """SQLite keeps no time zone: all moments are UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _text(moment: datetime) -> str:
    return _naive(moment).isoformat(timespec="seconds") + "Z"
