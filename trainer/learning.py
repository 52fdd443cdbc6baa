"""Trainings of a project, each in a process of its own: labelling goes on, and a closed tab or server stops nothing.

    TEXTSEG_PROJECT=PROJECT python -m trainer.learning TRAINING

`start` is what the page, the API and a program call.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textseg.errors import Cancelled, HeadError, ProjectError, TextsegError, TrainingError
from textseg.project import Project
from textseg.project.place import FILES, Place

if TYPE_CHECKING:
    from trainer.recipes import Recipe

BEAT = 0.4
"""Seconds between two notes of how far it is: each is a write to disk."""

PROJECT = "TEXTSEG_PROJECT"
"""Names the project to the process: a database's URL may hold a password, which a command line would show to all."""

OPTIONS = {"backbone", "head", "readout", "activate", "complete", "set"}


def start(project: Project, options: Mapping[str, Any] | None = None) -> int:
    """Begin a training in a new process; -> its id. Raises ProjectError while one runs, TrainingError.

    Options: `backbone`, `readout` and `head` to start from while the project has no active head (as on the command
    line), `set` (settings of the recipe, ["lr=0.001", ...]), `activate` ("better", the default: unless it scores worse;
    "always"; "never"), `complete` (whether photos marked done show everything, as the project says by default).
    """
    options = {"complete": project.trainings.complete} | dict(options or {})
    if unknown := options.keys() - OPTIONS:
        raise TrainingError(f"A training has no option {', '.join(sorted(unknown))}; choose of {', '.join(OPTIONS)}.")
    if options.get("activate", "better") not in ("better", "always", "never"):
        raise TrainingError("A head is activated 'better' (unless it scores worse), 'always' or 'never'.")
    if not isinstance(options["complete"], bool):
        raise TrainingError("'complete' is true (photos marked done show everything) or false.")
    changes = options.get("set", [])
    if not isinstance(changes, list) or not all(isinstance(change, str) for change in changes):
        raise TrainingError("'set' is a list of settings, such as [\"lr=0.001\"].")
    _recipe(options)  # what is wrong with them is said now
    training = project.trainings.begin(options)
    command = [sys.executable, "-m", "trainer.learning", str(training)]
    try:
        process = subprocess.Popen(
            command,
            env=os.environ | {PROJECT: str(project.place), FILES: str(project.folder.resolve())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what ends the server does not end the training
            cwd=Path(__file__).resolve().parents[1],
        )
    except OSError as error:
        project.trainings.finish(training, "failed", f"The training could not be started ({error.strerror}).")
        raise ProjectError(f"The training could not be started ({error.strerror}).") from None
    threading.Thread(target=process.wait, daemon=True).start()
    return training


def run(place: str | Path | Place, training: int) -> None:
    """Do one training; every end is written into its row."""
    project = Project(place)
    trainings = project.trainings
    options = trainings.claim(training)
    try:
        _learn(project, training, options)
    except Cancelled as stopped:
        trainings.finish(training, "cancelled", str(stopped))
    except TextsegError as error:
        trainings.finish(training, "failed", f"{_ended(str(error))} The head that was active stays active.")
    except OSError as error:
        what = f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
        trainings.finish(training, "failed", f"The head could not be written: {what}. Free some space and train again.")
    except MemoryError:
        trainings.finish(training, "failed", "The memory is full; close other programs and train again.")
    except Exception as error:
        trainings.finish(training, "failed", f"This should not happen ({type(error).__name__}: {error}).")
        raise
    finally:
        project.close()


def _learn(project: Project, training: int, options: Mapping[str, Any]) -> None:
    heads, trainings = project.heads, project.trainings
    trainings.report(training, "Loading the model", 0.0)
    from textseg.model import load_model
    from trainer import corrections

    active = heads.active()
    recipe = _recipe(options)
    readout = recipe.readout or options.get("readout")
    model = load_model(options.get("backbone", "lite"), options.get("head", "default"), readout=readout)
    started_from = None
    if active:
        try:
            model = load_model(model.backbone, active.path, str(model.device))
            model.head_name = f"head {active.id}"
            started_from = active.id
        except HeadError as error:  # what it learnt is learnt again from the same corrections
            trainings.say(training, f"Head {active.id} cannot be read, so the head it began with is the start: {error}")
    said = time.monotonic()
    stop = False

    def watch(progress: corrections.Progress) -> None:
        nonlocal said, stop
        if time.monotonic() - said >= BEAT or progress.step in (1, progress.steps):
            said = time.monotonic()
            point = None if progress.loss is None else (progress.step, progress.loss)
            stop = trainings.report(training, progress.doing, progress.done, point)

    heads.folder.mkdir(exist_ok=True)
    file = f"{training:04d}.safetensors"
    facts = corrections.learn(
        project,
        heads.folder / file,
        model,
        recipe,
        lambda text: trainings.say(training, text),
        watch,
        lambda: stop,
    )
    better = is_no_worse(facts["scores"])
    choice = options.get("activate", "better")
    kept = {key: facts[key] for key in ("classes", "data", "scores", "seconds", "start")}
    if not better and choice == "better":
        scored = facts["scores"]["after"] is not None
        why = "It scores worse than the head before" if scored else "Nothing says yet whether it is better"
        trainings.say(training, f"{why}, so it is not activated.")
    activated = choice == "always" or (better and choice != "never")
    trainings.succeed(training, file, facts["data"]["fingerprint"], kept, activated, started_from)


def _recipe(options: Mapping[str, Any]) -> Recipe:
    """The recipe of a training with these options; raises TrainingError."""
    from trainer import recipes

    complete = [f"objective.complete={str(options['complete']).lower()}"] if "complete" in options else []
    return recipes.load("corrections", None, [*complete, *options.get("set", [])])


def is_no_worse(scores: Mapping[str, Any]) -> bool:
    """Whether a head may be activated by itself: photos that it has not seen say that it is no worse than before."""
    before, after = scores["before"], scores["after"]
    return before is not None and after is not None and after["miou"] >= before["miou"]


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith(".") else f"{sentence}."


if __name__ == "__main__":
    os.nice(5)
    run(os.environ[PROJECT], int(sys.argv[1]))
