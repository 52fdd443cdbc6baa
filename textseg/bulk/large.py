"""The huge photos of a run, one after the other: each labelled by tiles, in the process that asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from textseg import pyramids
from textseg.bulk import tiles
from textseg.bulk.answerer import Facts, Question
from textseg.bulk.files import made_by
from textseg.bulk.run import Report
from textseg.bulk.targets import IntoFolder, IntoProject
from textseg.bulk.tiles import Progress
from textseg.errors import Cancelled, EditError, PhotoError, TextsegError, explain
from textseg.folders import Found
from textseg.model import Model
from textseg.model import others as other_words
from textseg.pyramids import plan
from textseg.segmentation import scored

MASKS = "regions"
"""What files say that the masks were: a huge photo is labelled by pixel, with scores averaged over regions."""


def parted(photos: Iterable[Found]) -> tuple[list[Found], list[Found]]:
    """(those that are decoded whole, those that are too large for it)."""
    large = {photo for photo in photos if photo.page is None and pyramids.is_large(photo.path)}
    return [photo for photo in photos if photo not in large], [photo for photo in photos if photo in large]


def label(
    photos: Iterable[Found],
    target: IntoFolder | IntoProject,
    model: Model,
    question: Question,
    report: Report,
    scale: int | None = None,
    tell: Callable[[Found, str], object] | None = None,
    progress: Callable[[Found, Progress], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Report:
    """Label huge photos into `target`, and add to the `report` what became of them.

    Each is looked at `scale` times smaller, by default as `plan.sensible_scale` says. A photo's own fault is noted and
    told to `tell(photo, reason)`; a full disk, say, ends the run, and is raised where nothing was labelled yet. Raises
    Cancelled within a photo.
    """
    facts = Facts(made_by(model), MASKS, model.fingerprint)
    compete = other_words.of(model, question.others) is not None
    for number, photo in enumerate(photos):
        job = None
        try:
            job = target.job(number, photo, facts, lambda size: scale or plan.sensible_scale(size))
            if job is None:
                report.skipped.append(photo)
                continue
            with target.pyramid(job) as pyramid:
                found = tiles.label(
                    pyramid, model, question.vocabulary,
                    partial(scored, vocabulary=question.vocabulary, others=question.others), compete, scale,
                    confidence=question.confidence, margin=question.margin,
                    progress=None if progress is None else partial(progress, photo), cancel=cancel,
                )  # fmt: skip
                try:
                    target.write_tiled(job, found, pyramid, facts, question)
                finally:
                    found.close()
        except (PhotoError, EditError) as error:
            if job is not None:
                target.failed(job)
            report.failed.append((photo, str(error)))
            if tell is not None:
                tell(photo, str(error))
        except Cancelled:
            raise
        except (TextsegError, OSError) as error:
            if not report.labelled:
                raise
            report.stopped = explain(error) if isinstance(error, OSError) else str(error)
            return report
        else:
            report.labelled.append(photo)
    return report
