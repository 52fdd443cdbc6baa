"""One run over many photos: what is to be done, who answers, where it goes, and what became of each photo."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from textseg.bulk.answerer import Done, Facts, Job
from textseg.bulk.targets import Target
from textseg.errors import EditError, PhotoError, TextsegError, explain
from textseg.folders import Found


class Crew(Protocol):
    """Who answers: this process, or several."""

    @property
    def facts(self) -> Facts:
        """Who that is, once it is ready; raises TextsegError where it cannot be."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """What became of each job, as it comes; jobs are asked for when there is room for one."""


@dataclass
class Report:
    """What became of the photos."""

    labelled: list[Found] = field(default_factory=list)
    skipped: list[Found] = field(default_factory=list)
    """Done by an earlier run, or left alone because a person has finished them."""
    failed: list[tuple[Found, str]] = field(default_factory=list)
    """(photo, reason)."""
    stopped: str | None = None
    """Why the run ended before the last photo: the disk is full, the project is damaged."""
    cancelled: bool = False
    """Whether a person stopped it."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What each step took, all photos and workers together."""

    @property
    def done(self) -> int:
        """Photos that are through."""
        return len(self.labelled) + len(self.skipped) + len(self.failed)

    @property
    def slowest(self) -> str:
        """The step that takes most of the time, and its share: "regions 48 %"; "" before there is one."""
        if not self.seconds:
            return ""
        step = max(self.seconds, key=lambda name: self.seconds[name])
        return f"{step} {100 * self.seconds[step] / (sum(self.seconds.values()) or 1):.0f} %"


def label(
    photos: Iterable[Found],
    target: Target,
    crew: Crew,
    tell: Callable[[Found, str], object] | None = None,
    progress: Callable[[Report], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Report:
    """Have `crew` label photos into `target`; each is on disk before it counts.

    A photo's own fault is noted, and told at once to `tell(photo, reason)`; what would fail every photo ends the run,
    and is raised where nothing was labelled yet. `progress(report)` is called after each photo, `cancel` asked before.
    """
    report = Report()

    def fail(photo: Found, reason: str) -> None:
        report.failed.append((photo, reason))
        if tell is not None:
            tell(photo, reason)
        passed()

    def passed() -> None:
        if progress is not None:
            progress(report)

    def jobs() -> Iterator[Job]:
        for number, photo in enumerate(photos):
            if cancel is not None and cancel():
                report.cancelled = True
                return
            try:
                job = target.job(number, photo, crew.facts)
            except (PhotoError, EditError) as error:
                fail(photo, str(error))
                continue
            if job is None:
                report.skipped.append(photo)
                passed()
            else:
                yield job

    try:
        for done in crew.run(jobs()):
            for step, seconds in done.seconds.items():
                report.seconds[step] = report.seconds.get(step, 0.0) + seconds
            if done.fatal:
                raise TextsegError(done.failure)
            reason = done.failure or _written(target, done, report)
            if reason is None:
                report.labelled.append(done.job.photo)
                passed()
            else:
                target.failed(done.job)
                fail(done.job.photo, reason)
    except (TextsegError, OSError) as error:
        if not report.labelled:
            raise
        report.stopped = explain(error) if isinstance(error, OSError) else str(error)
    return report


def _written(target: Target, done: Done, report: Report) -> str | None:
    """Put an answer on disk; why it could not be, where that is the photo's own fault."""
    began = time.perf_counter()
    try:
        target.write(done)
    except (PhotoError, EditError) as error:
        return str(error)
    report.seconds["write"] = report.seconds.get("write", 0.0) + time.perf_counter() - began
    return None
