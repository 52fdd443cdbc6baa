"""Does the program know when a word is not there, and where none of many words fits?

    python benchmarks/concepts.py ../shared/data/voc-eval [--photos 40] [--absent 4] [--others none]

Each photo is asked (a) every word that has at least 1 % of it and `--absent` words that it lacks, one at a time, and
(b) all words of the set together, where pixels of the background belong to no word. A word is said to be there when it
gets 0.5 % of the photo; pixels of id 255 (outlines) are not scored. The table gives presence as Matthews' correlation,
the mean IoU of words that are there, their product cgIoU, the share of the photo that absent words take, mIoU with
background as a class, and of the pixels that were given a word how many are right, and how many object pixels were
found.
"""

import argparse
from pathlib import Path

import numpy as np

import textseg
from textseg import images
from textseg.commands.arguments import read_others
from textseg.labelmap import read_index_png
from textseg.vocabulary import Vocabulary
from trainer import datasets

THERE, SAID, OUTLINE = 0.01, 0.005, 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--absent", type=int, default=4)
    parser.add_argument("--others", default="default", metavar="default|none|@FILE")
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--head", default="default")
    args = parser.parse_args()

    dataset, others = datasets.open(args.dataset), read_others(args.others)
    words = [entry.word for entry in dataset.classes]
    asked = [k for k in range(len(words)) if k != dataset.background]
    model = textseg.load_model(args.backbone, args.head)
    draw = np.random.default_rng(0)
    table = np.zeros((len(words) + 1, len(words) + 1), np.int64)  # the last row and column: none of the words
    presence, ious, spilt = [], [], []
    for photo_file, label_file in dataset.pairs[:: max(1, len(dataset.pairs) // args.photos)][: args.photos]:
        photo = images.open(photo_file)
        truth = dataset.truth(label_file, photo.size)
        scored = read_index_png(label_file) != OUTLINE
        truth = np.where(np.isin(truth, asked), truth, len(words))  # background and what is unlabelled: no word
        share = np.bincount(truth.ravel(), minlength=len(words) + 1) / truth.size
        scene = model.encode(photo)
        there = [k for k in asked if share[k] >= THERE]
        gone = [k for k in asked if share[k] == 0]
        for k in [*there, *draw.choice(gone, min(args.absent, len(gone)), replace=False)]:
            found = textseg.segment(scene, Vocabulary.from_names([words[k]]), others=others).ids == 1
            presence.append((k in there, found.mean() >= SAID))
            if k in there:
                ious.append((found & (truth == k)).sum() / ((found & scored) | (truth == k)).sum())
            else:
                spilt.append(found.mean())
        ids = textseg.segment(scene, Vocabulary.from_names([words[k] for k in asked]), others=others).ids
        answer = np.array([len(words), *asked])[ids]
        np.add.at(table, (truth[scored], answer[scored]), 1)
    report(np.array(presence), ious, spilt, table)


def report(presence: np.ndarray, ious: list[float], spilt: list[float], table: np.ndarray) -> None:
    """Print what the photos add up to."""
    there, said = presence.T
    mcc = float(np.nan_to_num(np.corrcoef(there, said)[0, 1])) if said.any() and not said.all() else 0.0
    hit, labelled, answered = table.diagonal(), table.sum(1), table.sum(0)
    seen = labelled > 0
    iou = 100 * hit[seen] / (labelled + answered - hit)[seen]
    rows = {
        "words there / not": f"{there.sum()} / {(~there).sum()}",
        "recall / false alarms": f"{said[there].mean():.2f} / {said[~there].mean():.2f}",
        "presence MCC": f"{mcc:.2f}",
        "IoU of words there": f"{100 * np.mean(ious):.1f}",
        "cgIoU": f"{100 * mcc * np.mean(ious):.1f}",
        "photo that absent words take": f"{100 * np.mean(spilt):.1f} %",
        "mIoU with background": f"{iou.mean():.1f} (background {iou[-1]:.1f})",
        "pixels with a word that are right": f"{100 * hit[:-1].sum() / max(1, answered[:-1].sum()):.1f} %",
        "object pixels that are found": f"{100 * hit[:-1].sum() / labelled[:-1].sum():.1f} %",
    }
    for name, value in rows.items():
        print(f"{name:44} {value}")


if __name__ == "__main__":
    main()
