"""How right pseudo-labels are, and how much they cover, over the confidence that is asked: regions, pixels, units.

    python benchmarks/pseudolabels.py DATASET [--limit N] [--model lite] [--head default] [--out FILE.png]

All words of the set compete. A pixel is covered when its label is at least as confident as asked; precision is the
share of covered pixels that are right, over the pixels that the set scores. Pixel and unit confidence is the winning
word's probability at the pixel.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import textseg
from textseg import images
from textseg.model import Scene, dense
from textseg.pseudolabel import MARGIN, label_regions
from textseg.vocabulary import Vocabulary
from trainer import datasets
from trainer.datasets import UNSCORED

THRESHOLDS = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
WAYS = ("regions", "pixels", "units")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--head", default="default")
    parser.add_argument("--out", type=Path, default=Path("docs/images/pseudolabel_precision.png"))
    args = parser.parse_args()
    model = textseg.load_model(args.model, head=args.head)
    dataset = datasets.open(args.dataset)
    vocabulary = Vocabulary.from_names(entry.word for entry in dataset.classes)
    covered, right = (np.zeros((len(WAYS), len(THRESHOLDS))) for _ in range(2))
    scored = 0
    pairs = dataset.pairs[: args.limit]
    for path, label in pairs:
        scene = model.encode(images.open(path))
        truth = dataset.truth(label, scene.size)
        valid = truth != UNSCORED
        scored += int(valid.sum())
        for way, answers in enumerate((by_regions(scene, vocabulary), by_grid(scene, vocabulary, False),
                                       by_grid(scene, vocabulary, True))):  # fmt: skip
            for step, ids in enumerate(answers):
                labelled = valid & (ids > 0)
                covered[way, step] += labelled.sum()
                right[way, step] += (ids[labelled] - 1 == truth[labelled]).sum()
    print(f"{len(pairs)} photos of {args.dataset.name}, {len(vocabulary)} words, {args.model}, head {args.head}")
    print("confidence  " + "  ".join(f"{way + ' cover':>13} {'right':>6}" for way in WAYS))
    for step, threshold in enumerate(THRESHOLDS):
        cells = [
            f"{covered[way, step] / scored:13.1%} {right[way, step] / max(covered[way, step], 1):6.1%}"
            for way in range(len(WAYS))
        ]
        print(f"{threshold:10.2f}  " + "  ".join(cells))
    draw(covered / scored, right / np.maximum(covered, 1), covered > 0, args.out)


def by_regions(scene: Scene, vocabulary: Vocabulary) -> list[np.ndarray]:
    """(H, W) ids at each threshold; the margin grows from nothing to its default with the confidence."""
    found = label_regions(scene, vocabulary, others=None)
    return [found.paint(float(t), min(MARGIN, float(t))).ids.astype(int) for t in THRESHOLDS]


def by_grid(scene: Scene, vocabulary: Vocabulary, units: bool) -> list[np.ndarray]:
    grid = torch.from_numpy(scene.similarity(vocabulary))
    if units:
        grid = scene.units().smooth(grid)
    probability = (grid * scene.model.logit_scale).softmax(0)
    size = (scene.photo.height, scene.photo.width)
    return [dense.label(probability, size, torch.full((len(vocabulary),), float(t)))[0].astype(int) for t in THRESHOLDS]


def draw(coverage: np.ndarray, precision: np.ndarray, known: np.ndarray, out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4.2), layout="constrained")
    for way, name in enumerate(WAYS):
        axes.plot(100 * coverage[way][known[way]], 100 * precision[way][known[way]], marker="o", label=name)
    axes.set(xlabel="pixels labelled (%)", ylabel="labels right (%)", xlim=(0, 100))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    main()
