"""A project to learn from that is small enough for a test, and its trainings over the tiny backbone.

python -m tests.tiny_learning PROJECT TRAINING    (prints how often it encoded; with DIE_AT=STEP it dies there)
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.tiny import TinyBackbone
from textseg import rle
from textseg.project import Project
from textseg.vocabulary import Vocabulary
from trainer import corrections, learning

RED, BLUE = 1, 2
SETTINGS = ["steps=60", "lr=0.02", "objective.hold_back=0.3", "objective.decay=0.001"]


def two_halves(seed: int) -> Image.Image:
    """A photo that is red on one side and blue on the other, with noise."""
    draw = np.random.default_rng(seed)
    pixels = np.zeros((64, 96, 3), np.int16)
    pixels[:, :48, 0], pixels[:, 48:, 2] = 200, 200
    return Image.fromarray(np.clip(pixels + draw.integers(0, 40, pixels.shape), 0, 255).astype(np.uint8))


def make_project(folder: Path, photos: int = 8, corrected: int | None = None) -> Project:
    """A project of such photos; in the first `corrected` a person has drawn the left half red, the right one blue."""
    (folder.parent / "photos").mkdir(exist_ok=True)
    for i in range(photos):
        two_halves(i).save(folder.parent / "photos" / f"{i}.png")
    project = Project.create(folder, Vocabulary.parse("red thing, blue thing"))
    project.add([folder.parent / "photos"])
    for photo in project.photos()[:corrected]:
        draw_halves(project, photo.id)
    return project


def draw_halves(project: Project, photo: int) -> None:
    left = np.zeros((64, 96), bool)
    left[:, :48] = True
    for class_id, mask in ((RED, left), (BLUE, ~left)):
        revision = project.photo(photo).revision
        project.edit(photo, revision, {"type": "region", "class": class_id, "rle": rle.encode(mask)})


if __name__ == "__main__":
    fit = corrections.fit.fit

    def dying(objective, data, recipe, watch=None, cancel=None):  # type: ignore[no-untyped-def]
        def at(progress: corrections.Progress) -> None:
            if watch is not None:
                watch(progress)
            if str(progress.step) == os.environ.get("DIE_AT"):
                os.kill(os.getpid(), signal.SIGKILL)

        return fit(objective, data, recipe, at, cancel)

    corrections.fit.fit = dying
    learning.run(sys.argv[1], int(sys.argv[2]))
    print(TinyBackbone.encoded_by_all)
