"""What each refinement gains and what it costs, side by side in one run.

    python benchmarks/refinements.py DATASET... [--limit N] [--head FILE|none] [--backbone NAME] [--refine NAMES]

Each photo is encoded once, and every refinement answers the same two questions about it: all words of the set, then
only those in the photo's ground truth. The first answer includes what is found once a photo (regions, affinities), the
second does not. Times are CPU time: the machines this runs on are busy, and waiting is not work.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import textseg
from textseg import images, refine
from textseg.model import Model, Scene
from textseg.vocabulary import Vocabulary
from trainer import datasets
from trainer.confusion import Confusion
from trainer.datasets import UNSCORED, Dataset

WORDS = ("all", "present")


@dataclass
class Measured:
    """One refinement on one set: confusion and CPU seconds of each photo, by which words were asked."""

    confusion: dict[str, Confusion]
    seconds: dict[str, list[float]] = field(default_factory=lambda: {words: [] for words in WORDS})

    def milliseconds(self, words: str) -> float:
        return 1000 * float(np.median(self.seconds[words]))


def measure(
    dataset: Dataset, model: Model, names: Sequence[str], limit: int | None
) -> tuple[dict[str, Measured], float]:
    """Every refinement on the first photos of a set, and the CPU milliseconds it takes to encode one."""
    from tqdm import tqdm

    classes = len(dataset.classes)
    words = Vocabulary.from_names(entry.word for entry in dataset.classes)
    model.embed(words)
    none = classes if dataset.background is None else dataset.background
    found = {name: Measured({asked: Confusion(classes) for asked in WORDS}) for name in names}
    encoding = []
    for photo_file, label_file in tqdm(dataset.pairs[:limit], unit="photo", disable=None):
        photo = images.open(photo_file)
        truth = dataset.truth(label_file, photo.size)
        present = np.unique(truth[truth != UNSCORED]).tolist()
        if not present:
            continue
        start = time.process_time()
        encoded = model.encode(photo)
        encoding.append(time.process_time() - start)
        for name, measured in found.items():
            scene = Scene(photo, encoded.embedding, encoded.features, model)  # one that has found nothing yet
            for asked, indices in zip(WORDS, (list(range(classes)), present), strict=True):
                vocabulary = Vocabulary(tuple(words[k] for k in indices))
                start = time.process_time()
                labels = textseg.segment(scene, vocabulary, refine=name, others=None)
                measured.seconds[asked].append(time.process_time() - start)
                measured.confusion[asked].add(truth, np.array([none, *indices], np.int32)[labels.ids])
    return found, 1000 * float(np.median(encoding))


def table(title: str, found: dict[str, Measured], encoding: float) -> str:
    """Markdown: mIoU and its gain over no refinement, and CPU milliseconds of a photo's first and next answer."""
    lines = [
        f"{title}; encoding a photo takes {encoding:.0f} ms",
        "",
        "| `--refine` | mIoU, all words | mIoU, present words | first answer, all words | next answer, present words |",
        "|---|---|---|---|---|",
    ]
    scores = {name: [measured.confusion[words].miou() for words in WORDS] for name, measured in found.items()}
    for name, measured in found.items():
        gains = [
            f"{score:.1f}" + (f" ({score - before:+.1f})" if name != "none" else "")
            for score, before in zip(scores[name], scores["none"], strict=True)
        ]
        costs = [f"{measured.milliseconds(words):.0f} ms" for words in WORDS]
        lines.append(f"| `{name}` | {' | '.join([*gains, *costs])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path, metavar="DATASET")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N photos of each set")
    parser.add_argument("--backbone", default="lite", metavar="NAME")
    parser.add_argument("--head", default="default", metavar="FILE|none")
    parser.add_argument("--refine", default=",".join(refine.names()), metavar="NAMES", help="with commas; default: all")
    args = parser.parse_args()
    names = ["none", *(name for name in args.refine.split(",") if name != "none")]
    model = textseg.load_model(args.backbone, args.head)
    for folder in args.datasets:
        dataset = datasets.open(folder)
        found, encoding = measure(dataset, model, names, args.limit)
        photos = len(found["none"].seconds["all"])
        title = f"{folder.name}, {photos} photos, {len(dataset.classes)} words, `{args.backbone}`, head {args.head}"
        print(table(title, found, encoding), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
