"""Where the labels of a run go: into files, or into a project. One process asks a target, one photo at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from textseg import pyramids
from textseg.bulk.answerer import Done, Facts, Job, Question
from textseg.bulk.files import LabelFolder, told_others
from textseg.bulk.tiles import TiledMap
from textseg.errors import PhotoError
from textseg.folders import Found
from textseg.project import Project, Region
from textseg.project.schema import StoredPhoto
from textseg.project.windows import Cells, Window
from textseg.pyramids import Pyramid

Scale = Callable[[tuple[int, int]], int]
"""Says of a huge photo's size (width, height) how many times smaller it is looked at."""


class Target(Protocol):
    """Where labels go."""

    def job(self, number: int, photo: Found, facts: Facts, scale: Scale | None = None) -> Job | None:
        """What is to be answered for a photo, None if there is nothing to do; `scale` is given for huge ones.

        Raises PhotoError, and VocabularyError where the run that is resumed had another question.
        """

    def write(self, done: Done) -> None:
        """Put an answer on disk. Raises EditError, OSError."""

    def failed(self, job: Job) -> None:
        """There will be no answer."""


@dataclass
class IntoFolder:
    """Labels as files; with `resume` what an earlier run wrote stays."""

    out: LabelFolder
    question: Question
    resume: bool = False

    def job(self, number: int, photo: Found, facts: Facts, scale: Scale | None = None) -> Job | None:
        self.out.claim(photo)
        asked = self.question
        if self.resume and self.out.has(photo, facts.maker, asked.vocabulary, asked.others, facts.proposals, scale):
            return None
        return Job(number, photo)

    def write(self, done: Done) -> None:
        self.out.put(done.job.photo, done.answer)

    def pyramid(self, job: Job) -> Pyramid:
        """A huge photo, to be closed."""
        return pyramids.open(job.photo.path)

    def write_tiled(self, job: Job, found: TiledMap, pyramid: Pyramid, facts: Facts, asked: Question) -> None:
        """Put the answer for a huge photo on disk. Raises OSError."""
        told = {**facts.maker, "others": told_others(asked.others), "proposals": facts.proposals}
        self.out.put_tiled(job.photo, found, pyramid, told)

    def failed(self, job: Job) -> None:
        self.out.release(job.photo)


@dataclass
class IntoProject:
    """Labels in a project; photos that it lacks are taken in. Done and skipped photos are left alone."""

    project: Project
    class_ids: list[int]
    """Of the words of the question."""
    resume: bool = False
    overwrite: int | None = None
    """At most so many pixels that a person made are written over, all photos together; None: not one."""
    _head: str = field(default="", init=False)

    def job(self, number: int, photo: Found, facts: Facts, scale: Scale | None = None) -> Job | None:
        report = self.project.add([photo])
        if report.failed:
            raise PhotoError(report.failed[0][1])
        row = self.project.photo(report.ids[0])
        if row.state in ("done", "skipped") or (self.resume and row.state != "new"):
            return None
        return self.given(number, row, facts)

    def given(self, number: int, row: StoredPhoto, facts: Facts) -> Job:
        """What is to be answered for a photo that is in the project."""
        self._head = f"{facts.maker['backbone']}/{facts.maker['head']}"
        return Job(number, Found(self.project.original(row), row.name), row.sha256)

    def write(self, done: Done) -> None:
        index, found = done.answer
        regions = [Region(self.class_ids[word - 1], confidence) for word, confidence in found]
        self._put(done.job, index, regions)

    def pyramid(self, job: Job) -> Pyramid:
        """A huge photo, to be closed."""
        row = self.project.photo_with(job.sha256)
        if row is None:
            raise PhotoError(f"{job.photo.name} is no longer in the project.")
        return self.project.pyramid(row.id)

    def write_tiled(self, job: Job, found: TiledMap, pyramid: Pyramid, facts: Facts, asked: Question) -> None:
        """Put the answer for a huge photo on disk, a block of pixels at a time. Raises EditError, OSError."""
        index, regions = found.regions(self.class_ids)
        self._put(job, index, regions, Window((0, 0, *found.size), found.scale))

    def _put(self, job: Job, index: Cells, regions: list[Region], window: Window | None = None) -> None:
        row = self.project.photo_with(job.sha256)
        if row is None:
            raise PhotoError(f"{job.photo.name} is no longer in the project.")
        before = self.project.person_pixels(row.id) if self.overwrite is not None else 0
        self.project.put_model_labels(row.id, index, regions, self._head, self.overwrite, window)
        if self.overwrite is not None:
            self.overwrite -= before - self.project.person_pixels(row.id)

    def failed(self, job: Job) -> None:
        pass


@dataclass
class WithinProject(IntoProject):
    """Labels for photos of a project, given as the files that it keeps of them: none is taken in or left alone."""

    def job(self, number: int, photo: Found, facts: Facts, scale: Scale | None = None) -> Job | None:
        row = self.project.photo_with(photo.path.stem)
        if row is None:
            raise PhotoError(f"{photo.name} is no longer in the project.")
        return self.given(number, row, facts)
