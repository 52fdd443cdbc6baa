"""The trainings of a project: which one runs, how far it is, and what came of it.

One runs at a time. A training that fails leaves the active head as it was.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from textseg.errors import ProjectError
from textseg.project.database import Database
from textseg.project.heads import activate
from textseg.project.schema import Head, Training, by_id, moment, naive, now

CURVE_POINTS = 200
"""A curve of more points than this is thinned out to half."""

SILENCE = timedelta(minutes=5)
"""A training of another machine that said nothing for so long has died."""

KILLED = (
    "The training ended without a word: it was killed, or the memory was full. The head that was active stays active; "
    "train again, photos that were encoded are kept."
)


class Trainings:
    """The trainings of one project. Safe to use from several threads and processes."""

    def __init__(self, database: Database, folder: Path) -> None:
        """`folder` is where the files of heads lie."""
        self._database, self._folder = database, folder
        self._keep = folder / "keep-learning"
        self._incomplete = folder / "done-is-incomplete"

    @property
    def keeps_learning(self) -> bool:
        """Whether the project is to learn by itself whenever a photo is done."""
        return self._keep.exists()

    def keep_learning(self, on: bool) -> None:
        """Switch learning by itself on or off; the project remembers."""
        self._may_change()
        if on:
            self._folder.mkdir(exist_ok=True)
            self._keep.touch()
        else:
            self._keep.unlink(missing_ok=True)

    @property
    def complete(self) -> bool:
        """Whether photos marked done show everything, so that a class without a pixel in one is not there."""
        return not self._incomplete.exists()

    def take_as_complete(self, on: bool) -> None:
        """Say whether photos marked done show everything; the project remembers."""
        self._may_change()
        if on:
            self._incomplete.unlink(missing_ok=True)
        else:
            self._folder.mkdir(exist_ok=True)
            self._incomplete.touch()

    def begin(self, options: Mapping[str, Any]) -> int:
        """A new training's id; raises ProjectError while another one runs."""
        self.mark_dead()
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

    def succeed(
        self,
        training_id: int,
        file: str,
        fingerprint: str,
        facts: Mapping[str, Any],
        activated: bool,
        started_from: int | None = None,
    ) -> int:
        """Note the head that a training made, end the training and maybe activate the head: all of it or nothing.

        `file` lies in the folder of heads; `started_from` is the id of the head that it began with, None for the
        program's own. Answers the new head's id.
        """
        with self._database.writing() as session:
            head = Head(file=file, fingerprint=fingerprint, facts=dict(facts), started_from=started_from)
            session.add(head)
            session.flush()
            training = _training(session, training_id)
            training.head_id, training.done = head.id, 1.0
            _end(training, "done", None)
            if activated:
                activate(session, head.id)
            return head.id

    def cancel(self, training_id: int) -> None:
        """Ask a training to stop; it does at its next step."""
        with self._database.writing() as session:
            _training(session, training_id).cancel = True

    def all(self) -> list[dict[str, Any]]:
        """All trainings, newest first, those that died told from those that run."""
        self.mark_dead()
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
                "began": moment(row.began),
                "seconds": max(0.0, round(((row.ended or naive(now())) - row.began).total_seconds(), 1)),
            }
            for row in rows
        ]

    def mark_dead(self) -> None:
        """Mark trainings whose process is gone."""
        with self._database.reading() as session:
            dead = [
                row.id for row in session.scalars(select(Training).where(Training.state == "running")) if _is_dead(row)
            ]
        if dead and not self._database.frozen:
            with self._database.writing() as session:
                for training_id in dead:
                    row = _training(session, training_id)
                    if row.state == "running" and _is_dead(row):
                        _end(row, "killed", KILLED)

    def _may_change(self) -> None:
        """Raise ProjectError where the project may only be looked at: what follows is kept beside the database."""
        with self._database.writing():
            pass


def _training(session: Session, training_id: int) -> Training:
    row = by_id(session, Training, training_id)
    if row is None:
        raise ProjectError(f"The project has no training {training_id}.")
    return row


def _end(row: Training, state: str, problem: str | None) -> None:
    row.state, row.problem, row.ended, row.beat = state, problem, naive(now()), now()


def _is_dead(row: Training) -> bool:
    silent = abs(naive(now()) - naive(row.beat))  # a clock that was put back makes it speak from the future
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
