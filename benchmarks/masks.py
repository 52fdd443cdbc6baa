"""How good the masks of `regions` are and the labels made of them, and what they cost, before and after a change.

    python benchmarks/masks.py DATASET... [--limit N] [--every N]

For each set: the mean over all objects (connected parts of a class, 1 % of the photo or more) of the best IoU that one
of the photo's masks reaches; the share of pixels that are right when every superpixel shows the class it has most of;
and of the pseudo-labels, with all words of the set, mIoU in the closed vocabulary, where every mask has a word, then
mIoU, coverage and precision as `textseg label` writes them. Seconds are CPU seconds on one thread, the median photo.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

import textseg
from textseg import grids, images
from textseg.model import Scene
from textseg.proposals import Mask
from textseg.proposals.regions import RegionProposals, Regions
from textseg.pseudolabel import label_regions
from textseg.vocabulary import Vocabulary
from trainer import datasets
from trainer.confusion import Confusion
from trainer.datasets import UNSCORED, Dataset
from trainer.simulate import Target, targets

LEAST = 0.01
"""The smallest object, as a share of the photo."""


class Measured:
    """What was found on the photos of one set so far."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.vocabulary = Vocabulary.from_names(entry.word for entry in dataset.classes)
        self.closed, self.open = (Confusion(len(dataset.classes)) for _ in range(2))
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.best: list[float] = []
        self.attainable: list[float] = []

    def add(self, scene: Scene, truth: np.ndarray) -> None:
        """Measure the masks of one photo; `truth` (H, W) as a data set gives it."""
        began = time.thread_time()
        proposals = Regions().open(scene.photo, scene)
        masks = proposals.everything()
        found = time.thread_time()
        labels = label_regions(scene, self.vocabulary, proposals)
        painted = labels.paint()
        for step, seconds in (("masks", found - began), ("labels", time.thread_time() - found)):
            self.seconds[step].append(seconds)
        self.open.add(truth, self._indices(painted.ids))
        every = label_regions(scene, self.vocabulary, proposals, others=None)
        self.closed.add(truth, self._indices(every.paint(0.0, 0.0).ids))
        things = [k for k in range(len(self.vocabulary)) if k != self.dataset.background]
        self.best += best_ious(masks, list(targets(truth, things, [UNSCORED], LEAST)))
        self.attainable.append(attainable(proposals, truth))

    def _indices(self, ids: np.ndarray) -> np.ndarray:
        none = len(self.vocabulary) if self.dataset.background is None else self.dataset.background
        return np.array([none, *range(len(self.vocabulary))])[ids]

    def row(self) -> str:
        scored, labelled = self.open.pixels.sum(), self.open.pixels[:, :-1].sum()
        right = self.open.pixels.trace() / max(labelled, 1)
        seconds = [f"{np.median(self.seconds[step]):.3f}" for step in ("masks", "labels")]
        return " | ".join(
            [
                f"{np.mean(self.best):.3f}",
                f"{np.mean(self.attainable):.1%}",
                f"{self.closed.miou():.1f}",
                f"{self.open.miou():.1f}",
                f"{labelled / scored:.1%}",
                f"{right:.1%}",
                *seconds,
            ]
        )


HEADINGS = "best IoU | superpixels | mIoU, closed | mIoU | labelled | right | masks, s | labels, s"


def best_ious(masks: list[Mask], objects: list[Target]) -> list[float]:
    """The largest IoU of a mask with each object, over valid pixels; every other pixel both ways is looked at."""
    if not objects or not masks:
        return [0.0] * len(objects)
    every = slice(None, None, 2), slice(None, None, 2)
    valid = objects[0].valid[every]
    proposed = np.stack([mask.to_array()[every][valid] for mask in masks]).astype(np.float32)
    true = np.stack([one.truth[every][valid] for one in objects]).astype(np.float32)
    common = proposed @ true.T
    union = proposed.sum(1)[:, None] + true.sum(1) - common
    return (common / union).max(0).tolist()


def attainable(proposals: RegionProposals, truth: np.ndarray) -> float:
    """The share of scored pixels that are right when each superpixel shows the class it has most of."""
    ids = proposals.graph.ids
    rows, columns = (grids.nearest(n, m) for n, m in zip(truth.shape, ids.shape, strict=True))
    scored = truth != UNSCORED
    keys = ids[rows[:, None], columns][scored].astype(np.int64) * (int(truth.max()) + 1) + truth[scored]
    pairs, pixels = np.unique(keys, return_counts=True)
    most = np.zeros(proposals.graph.count, np.int64)
    np.maximum.at(most, pairs // (int(truth.max()) + 1), pixels)
    return float(most.sum() / max(scored.sum(), 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path, metavar="DATASET")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many photos of each set")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th photo")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = textseg.load_model("lite")
    print(f"| set | {HEADINGS} |", flush=True)
    for folder in args.datasets:
        measured = Measured(datasets.open(folder))
        for photo_file, label_file in measured.dataset.pairs[:: args.every][: args.limit]:
            photo = images.open(photo_file)
            measured.add(model.encode(photo), measured.dataset.truth(label_file, photo.size))
        print(f"| {folder.name}, {len(measured.attainable)} photos | {measured.row()} |", flush=True)


if __name__ == "__main__":
    main()
