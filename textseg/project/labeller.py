"""A model's labels for the photos of a project: one photo or all of them, resumable, never over a person's work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from textseg.errors import TextsegError
from textseg.model import Model, Scene
from textseg.project import EditResult, Project, Region
from textseg.pseudolabel import CONFIDENCE, MARGIN, label_regions


@dataclass
class Run:
    """How a run over many photos ended."""

    labelled: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    """(photo, reason)."""
    cancelled: bool = False


def pseudo_label(
    project: Project,
    photo: int | str,
    model: Model,
    confidence: float = CONFIDENCE,
    margin: float = MARGIN,
    scene: Scene | None = None,
) -> EditResult:
    """Label one photo with the project's classes where no person has drawn or accepted anything.

    Each proposal that is sure enough becomes a region with its own confidence; the rest stays unlabelled. A photo that
    is encoded already comes with its `scene`.
    """
    vocabulary, class_ids = project.vocabulary()
    found = label_regions(scene or model.encode(project.picture(photo)), vocabulary)
    index, sure = found.index(confidence, margin)
    regions = [Region(class_ids[region.word - 1], region.confidence) for region in sure]
    return project.put_model_labels(photo, index, regions, head=f"{model.name}/{model.head_name}")


def pseudo_label_all(
    project: Project,
    model: Model,
    photos: Sequence[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Run:
    """Label `photos` (default: all that are new), one after the other; each is saved when it is done.

    A run that was stopped or killed is resumed by running it again: the photos it finished are new no more.
    """
    wanted = [photo.id for photo in project.photos(state="new")] if photos is None else list(photos)
    run = Run()
    for done, photo in enumerate(wanted):
        if cancel is not None and cancel():
            run.cancelled = True
            break
        if progress is not None:
            progress(done, len(wanted))
        name = project.photo(photo).name
        try:
            pseudo_label(project, photo, model)
            run.labelled.append(name)
        except TextsegError as error:
            run.failed.append((name, str(error)))
    return run
