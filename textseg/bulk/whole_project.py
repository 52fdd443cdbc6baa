"""A model's labels for the photos of a project: all that are new, or those named; resumable, never over a person's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textseg.bulk import large
from textseg.bulk.answerer import Answerer, Question
from textseg.bulk.here import Here
from textseg.bulk.run import Report, label
from textseg.bulk.targets import WithinProject
from textseg.errors import Cancelled, TextsegError
from textseg.folders import Found
from textseg.model import Model
from textseg.project import Project
from textseg.proposals import Proposer, load_proposer


def pseudo_label_all(
    project: Project,
    model: Model,
    photos: Sequence[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    proposer: Proposer | None = None,
) -> Report:
    """Label `photos` (default: all that are new), each saved when it is done; `progress(done, all)` counts them.

    A run that was stopped or killed is resumed by running it again: the photos it finished are new no more. `proposer`
    is where masks come from, None for `regions`. A photo's own fault is in the report; a full disk, say, is raised.
    """
    rows = project.photos(state="new") if photos is None else [project.photo(photo) for photo in photos]
    wanted = [Found(project.original(row), row.name) for row in rows]
    vocabulary, class_ids = project.vocabulary()
    question = Question(vocabulary, form="regions", encodings=project.encodings.folder)
    crew = Here(Answerer(model, proposer or load_proposer("regions"), question))
    if progress is not None:
        progress(0, len(wanted))
    ordinary, huge = large.parted(wanted)
    target = WithinProject(project, class_ids)
    passed = None if progress is None else lambda report: progress(report.done, len(wanted))
    report = label(ordinary, target, crew, cancel=cancel, progress=passed)
    if report.stopped:
        raise TextsegError(report.stopped)
    for photo in huge:
        if report.cancelled or (cancel is not None and cancel()):
            report.cancelled = True
            break
        try:
            row = project.photo_with(photo.path.stem)
            scale = None if row is None else project.looked_at(row.id)  # as it was looked at before
            large.label([photo], target, model, question, report, scale, cancel=cancel)
        except Cancelled:
            report.cancelled = True
        if report.stopped:
            raise TextsegError(report.stopped)
        if passed is not None:
            passed(report)
    return report
