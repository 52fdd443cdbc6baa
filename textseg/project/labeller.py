"""A model's labels for a photo of a project, never over a person's work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from textseg.labelmap import LabelMap
from textseg.model import Model, Scene
from textseg.model.others import Choice
from textseg.project import EditResult, Project, Region
from textseg.project.windows import Window
from textseg.proposals import Proposals, Proposer, opened
from textseg.pseudolabel import CONFIDENCE, MARGIN, label_regions
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary, Word, colour_cycle, fold


def pseudo_label(
    project: Project,
    photo: int | str,
    model: Model,
    confidence: float = CONFIDENCE,
    margin: float = MARGIN,
    scene: Scene | None = None,
    over_person: int | None = None,
    others: Choice = "default",
    proposer: Proposer | None = None,
    window: Window | None = None,
) -> EditResult:
    """Label one photo with the project's classes where no person has drawn or accepted anything.

    Each proposal that is sure enough becomes a region with its own confidence; the rest stays unlabelled. A photo that
    is encoded already comes with its `scene`; `over_person` is told to `Project.put_model_labels`;
    `others` compete without being classes; `proposer` is where masks come from, None for `regions`. With a `window`
    onto a huge photo only what it shows is labelled, and that is what `scene` is of.
    """
    vocabulary, class_ids = project.vocabulary()
    scene = scene or project.scene(photo, model)
    kept = (project.encodings, project.photo(photo).sha256) if window is None else ()
    proposals = opened(scene, proposer, *kept)
    found = label_regions(scene, vocabulary, proposals, others=others)
    index, sure = found.index(confidence, margin)
    regions = [Region(class_ids[region.word - 1], region.confidence) for region in sure]
    return project.put_model_labels(photo, index, regions, f"{model.name}/{model.head_name}", over_person, window)


def view(scene: Scene, vocabulary: Vocabulary, proposals: Proposals | None = None) -> LabelMap:
    """The model's view of a photo: as its `proposals` name it, which know words; without them by pixel."""
    return segment(scene, vocabulary, "pixel" if proposals is None else "proposal", proposals=proposals)


def put_view(
    project: Project,
    photo: int | str,
    scene: Scene,
    vocabulary: Vocabulary,
    class_ids: Sequence[int],
    proposals: Proposals | None = None,
    window: Window | None = None,
) -> EditResult:
    """Write what `view` answers (its thresholds are those of `vocabulary`) where no person has been.

    Each connected part of a class becomes a region, with the class's confidence. `scene` is of what a `window` shows
    if there is one.
    """
    from scipy import ndimage

    labels = view(scene, vocabulary, proposals)
    index, regions = np.zeros(labels.ids.shape, np.int32), []
    for k, class_id in enumerate(class_ids, start=1):
        parts, count = ndimage.label(labels.ids == k)
        index += np.where(parts > 0, parts + len(regions), 0)
        regions += [Region(class_id, labels.confidence.get(k, 0.0))] * count
    head = f"{scene.model.name}/{scene.model.head_name}"
    return project.put_model_labels(photo, index, regions, head, window=window)


def lacking(project: Project, vocabulary: Vocabulary) -> list[Word]:
    """The words that the project has neither as a name nor as an alias of a class."""
    known = {fold(name) for c in project.classes() for name in (c.name, *c.aliases)}
    return [word for word in vocabulary if fold(word.name) not in known]


def add_words(project: Project, vocabulary: Vocabulary) -> list[str]:
    """Make classes of the words that the project lacks; returns their names."""
    taken = {c.colour for c in project.classes(deleted=True)}
    added = []
    for word in lacking(project, vocabulary):
        if word.colour in taken:
            word = replace(word, colour=next(c for c in colour_cycle(len(taken) + 1) if c not in taken))
        taken.add(word.colour)
        project.add_class(word)
        added.append(word.name)
    return added
