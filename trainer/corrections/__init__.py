"""A project's corrections -> a head: only what a person drew, erased or accepted, from features encoded once.

The residual of the head (textseg/model/heads/corrected.py) is fitted anew from all corrections each time, over the same
base head: nothing is forgotten, nothing is learnt twice, and a gesture that was undone is gone. What a person did not
label keeps the start head's answer; pseudo-labels teach nothing more than that. Whether it helped is told by photos
that a head has not seen: all teach, and each is scored by a head that was fitted without it; or, with `hold_back`,
some photos, chosen by their hash, never teach.
"""

from __future__ import annotations

import copy
import datetime
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from textseg.model import Model, heads
from textseg.project import Project
from trainer.corrections import fit, folds, score
from trainer.corrections.corpus import named, read
from trainer.corrections.encodings import Encodings
from trainer.corrections.progress import Progress, stop_if
from trainer.objectives.corrections import Corrections, Patches
from trainer.recipes import Recipe, defaults

__all__ = ["Encodings", "Progress", "learn"]


def learn(
    project: Project,
    out: Path,
    model: Model,
    recipe: Recipe,
    say: Callable[[str], None] = lambda text: None,
    watch: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Fit a head to the project's corrections and write it to `out`; -> the facts that the head file carries.

    `model` is what the project is labelled with now: its scores are "before", and what lies below its corrections, if
    it has any, is the base. Raises TrainingError when there is nothing to learn from, Cancelled, PhotoError.
    """
    began = time.monotonic()
    encodings = Encodings(project, model)
    settings = defaults(Corrections) | {"complete": project.trainings.complete} | recipe.objective
    corpus = read(project, encodings, settings["hold_back"], watch, cancel, settings["complete"])
    read_seconds = time.monotonic() - began
    for name, reason in corpus.skipped.items():
        say(f"{name} is left out: {reason}")
    held = f"; held back to see whether it helps: {named(corpus.held_back)}" if settings["hold_back"] else ""
    say(f"Corrected, to learn from: {named(corpus.photos)}, with {len(corpus.classes)} of the classes{held}.")
    head = fit.new_head(model, corpus, settings["presence"])
    unfitted, drawn = copy.deepcopy(head), fit.patches(head, corpus, fit.Rivals.of(head, model, corpus), recipe.seed)
    data = Patches.joined(drawn)
    objective = Corrections(head, model.backbone, len(corpus.photos), **settings)
    fitting = time.monotonic()
    loss = fit.fit(objective, data, recipe, watch, cancel)
    fit_seconds = time.monotonic() - fitting
    say(f"{len(data):,} patches, {recipe.steps} steps, loss {loss:.3f}, {fit_seconds:.1f} s.")
    head.prune()
    classes = [*corpus.classes, *corpus.unlearnt]
    if settings["hold_back"]:
        scored, how = corpus.held_back, "held back"
        then: Model = model
        now: Model | Mapping[str, Model] = Model(model.backbone, head.eval(), str(out))
    else:
        scored, how = corpus.photos if len(corpus.photos) > 1 else [], "left out in turn"
        then = Model(model.backbone, fit.base_of(model.head)[0], "start")  # the head of before has seen these photos
        now = folds.unseeing(model, unfitted, corpus.photos, drawn, recipe, settings, watch, cancel)
    if watch is not None:
        watch(Progress("Comparing on photos that it has not seen", 0.99))
    before, after = (score.score(one, scored, classes) for one in (then, now))
    facts: dict[str, Any] = {
        "objective": "corrections",
        "recipe": recipe.as_dict(),
        "classes": [[one.name, *one.aliases] for one in corpus.classes],
        "data": corpus.facts(),
        "seed": recipe.seed,
        "start": model.head_name,
        "scores": {"loss": loss, "before": before, "after": after, "photos": how},
        "seconds": {"reading": round(read_seconds, 2), "fitting": round(fit_seconds, 2)},
        "date": datetime.date.today().isoformat(),
        "licence": recipe.licence,
    }
    stop_if(cancel)
    heads.save(head, out, model.backbone, **facts)
    say(f"{out} is written. {score.helped(facts['scores'])}")
    return facts
