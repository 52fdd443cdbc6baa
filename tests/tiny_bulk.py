"""Workers with the tiny model, some of which meet photos that end them."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.tiny import noise_photo, tiny_model
from textseg.bulk import run
from textseg.bulk.answerer import Answerer, Question
from textseg.bulk.files import LabelFolder
from textseg.bulk.processes import Processes
from textseg.bulk.run import Report
from textseg.bulk.targets import IntoFolder
from textseg.errors import WeightsError
from textseg.folders import gather
from textseg.proposals import load_proposer
from textseg.vocabulary import Vocabulary

QUESTION = Question(Vocabulary.parse("cat; kitten, sofa, wall"), confidence=0, margin=0, others=None)


def answerer() -> Answerer:
    return Answerer(tiny_model(), load_proposer("regions"), QUESTION)


def without_weights() -> Answerer:
    raise WeightsError("The weights are not here; fetch them first.")


def dying() -> Answerer:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class Mortal(Answerer):
    """Dies of a photo whose name begins with "deadly", or, once, with "risky"; `scars` is where the latter is noted."""

    scars: Path

    @property
    def steps(self) -> list[Callable[[Any], Any]]:
        return [self._met, *super().steps]

    def _met(self, jobs: Any) -> Any:
        for job in jobs:
            scar = self.scars / job.photo.name
            if job.photo.name.startswith("deadly") or (job.photo.name.startswith("risky") and not scar.exists()):
                scar.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return jobs


def mortal(scars: Path) -> Answerer:
    made = Mortal(tiny_model(), load_proposer("regions"), QUESTION)
    made.scars = scars
    return made


class Raising(Answerer):
    """Has a step that raises of a photo whose name begins with "odd"."""

    @property
    def steps(self) -> list[Callable[[Any], Any]]:
        return [self._met, *super().steps]

    def _met(self, jobs: Any) -> Any:
        if any(job.photo.name.startswith("odd") for job in jobs):
            raise ValueError("odd")
        return jobs


def raising() -> Answerer:
    return Raising(tiny_model(), load_proposer("regions"), QUESTION)


def write_photos(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        noise_photo(60, 40, seed).save(folder / f"{name}.png")


def labelled(photos: Path, out: Path, start: Callable[[], Answerer], resume: bool = False) -> Report:
    """The photos of a folder, labelled by two processes."""
    found = gather([photos]).photos
    with Processes(start, 2) as crew:
        return run.label(found, IntoFolder(LabelFolder(out, found), QUESTION, resume), crew)


if __name__ == "__main__":
    labelled(Path(sys.argv[1]), Path(sys.argv[2]), partial(answerer))
