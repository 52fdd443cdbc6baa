"""What one photo costs, stage by stage, beside one pass of the backbone and beside encoding it.

    python benchmarks/photo_cost.py [FOLDER] [--photos 12] [--megapixels 1.0]

CPU seconds on one thread, median over the photos after a first one that warms up. Without FOLDER the photos are
scikit-image's samples; all are resized to the same number of pixels, so that stages and photos compare.
"""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import textseg
from textseg import images
from textseg.model.partition import layers
from textseg.proposals import load_proposer
from textseg.pseudolabel import label_regions
from textseg.vocabulary import Vocabulary
from textseg.web.samples import SAMPLES

WORDS = "person, animal, vehicle, furniture, building, tree, grass, sky, wall, floor, water, road"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--megapixels", type=float, default=1.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, vocabulary = textseg.load_model("lite"), Vocabulary.parse(WORDS)
    model.embed(vocabulary)
    files = images.find([args.folder])[: args.photos + 1] if args.folder else []
    photos = [images.open(file) for file in files] or [sample.photo().open() for sample in SAMPLES]
    taken: dict[str, list[float]] = defaultdict(list)
    for photo in photos:
        for stage, seconds in cost(model, vocabulary, resized(photo, args.megapixels)).items():
            taken[stage].append(seconds)
    medians = {stage: statistics.median(seconds[1:]) for stage, seconds in taken.items()}
    print(f"{len(photos) - 1} photos of {args.megapixels:g} megapixels, lite, default head, one thread")
    print(f"{'stage':34} {'s':>7} {'x pass':>7} {'x encoding':>11}")
    for stage, seconds in medians.items():
        print(
            f"{stage:34} {seconds:7.3f} {seconds / medians['backbone, one pass']:7.2f}"
            f" {seconds / medians['encoding']:11.2f}"
        )


def resized(photo: Image.Image, megapixels: float) -> Image.Image:
    scale = (megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
    return photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)


def cost(model: Any, vocabulary: Vocabulary, photo: Image.Image) -> dict[str, float]:
    """CPU seconds of each stage."""
    seconds: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        seconds[stage] = time.process_time() - start
        return result

    small = images.fit(photo, model.backbone.short_side, model.backbone.multiple)
    timed("backbone, one pass", lambda: model.backbone.encode([small]))
    scene = timed("encoding", lambda: model.encode(photo))
    timed("regions that refine", lambda: scene.once("layers", lambda: layers(photo)))
    timed("answer after them", lambda: textseg.segment(scene, vocabulary))
    proposals = timed("superpixels and borders", lambda: load_proposer("regions").open(photo, scene))
    timed("everything after them", proposals.everything)
    timed("a click", lambda: proposals.prompt([(photo.width // 2, photo.height // 2, 1)]))
    timed("pseudo-labels after everything", lambda: label_regions(scene, vocabulary, proposals).paint())
    seconds["all masks of the photo"] = seconds["superpixels and borders"] + seconds["everything after them"]
    return seconds


if __name__ == "__main__":
    main()
