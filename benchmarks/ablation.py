"""The ablation table: what each part of each paper's objective gives on `lite`, one command a row.

    python benchmarks/ablation.py --data ../shared/data --work /tmp/ablation --list
    python benchmarks/ablation.py --data ../shared/data --work /tmp/ablation --rows "PACL: softmax pooling" --seeds 3

Every row has the same backbone, photos and scoring; heads are trained through `trainer.fit.train`, which is what
`textseg train` calls. A cell of the last columns is mIoU with all words competing / with the photo's own words, the
mean over the seeds. With other photos: --captions TSV to learn from, --sets FOLDER... to be scored on (evaluation.md
says what a folder holds). Trained heads are kept under --work and used again. A GPU is used where there is one;
--device cpu leaves it alone.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from textseg import images
from textseg.model import Model, backbones, heads
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary
from trainer import data as training_data
from trainer import datasets
from trainer.confusion import Confusion
from trainer.fit import train

FEATURES: dict[str, Any] = {"sizes": [[384, 320]], "precision": "bf16"}
"""All four learn from the same features, 20 x 24 patches a photo: Flickr8k's squares were wider than high."""

PACL: dict[str, Any] = FEATURES | {"steps": 200, "batch": 128, "lr": 1e-4, "thin": 4, "head": {"type": "residual"}}
MGCA: dict[str, Any] = FEATURES | {"steps": 90, "batch": 64, "lr": 3e-3, "thin": 2, "head": {"stages": 1}}
BLOCK = {"type": "residual", "of": "block"}
MIXREORG: dict[str, Any] = FEATURES | {
    "steps": 150, "batch": 128, "lr": 3e-4, "thin": 4, "head": BLOCK | {"depth": 2}
}  # fmt: skip
BALANCED: dict[str, Any] = {"balance": 1.0}
AFSS: dict[str, Any] = FEATURES | {
    "steps": 60, "batch": 64, "lr": 1e-4, "thin": 4, "head": {"type": "residual"},
    "max_words": 2000, "words_a_photo": 10, "confidence": 0.4, "margin": 0.1, "objective": BALANCED,
}  # fmt: skip
CAPTIONS: dict[str, Any] = {"class_proposal": "captions", "words_a_photo": 0, "confidence": 0.3}
LABELLED = 500
"""Photos that AFSS labels, a second each; all 3,000 would take most of an hour."""


@dataclass(frozen=True)
class Row:
    """One line of the table: a head (trained as told, or a file), and how it is asked."""

    name: str
    objective: str | None = None
    settings: dict[str, Any] | None = None
    photos: int | None = None
    teacher: str = ""
    """The row whose head with the same seed makes the pseudo-labels; none: the untrained alignment."""
    head: Path | None = None
    by: str = "pixel"
    refine: str = "none"
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of the head that are set otherwise than in its file."""


def rows(shipped: Path) -> Iterator[Row]:
    """The table's lines, those that need no training first."""
    yield Row("start: ConSE")
    yield Row("start: ConSE by units", by="unit")
    yield Row("start: ConSE by regions", refine="regions")
    yield Row("shipped head", head=shipped)
    yield Row("shipped head: by units", head=shipped, by="unit")
    yield Row("shipped head: by SLIC", head=shipped, by="slic")
    yield Row("shipped head: by regions (the default)", head=shipped, refine="regions")
    changed: list[tuple[str, dict[str, Any]]] = [
        ("one size", {"sizes": ()}),
        ("not smoothed", {"affinity": 1e4}),  # every patch hears itself alone
        ("one size and not smoothed", {"sizes": (), "affinity": 1e4}),
        ("class names alone", {"learnt": 0.0}),
        ("caption words alone", {"concepts": 0.0}),
    ]
    for name, changes in changed:
        yield Row(f"shipped head: {name}", head=shipped, refine="regions", changes=changes)
    yield from _pacl()
    yield from _mgca()
    yield from _mixreorg()
    yield from _afss()


def _pacl() -> Iterator[Row]:
    own = {"attn_scale": 30.0, "near": 0.4}
    for name, changes in (
        ("softmax pooling", {}),
        ("softmax pooling with kappa 10", {"attn_scale": 10.0}),
        ("mean pooling", {"pooling": "mean"}),
        ("max pooling", {"pooling": "max"}),
        ("without nouns", {"nouns": False}),
        ("near texts as negatives", {"near": 1.0}),
    ):
        yield Row(f"PACL: {name}", "pacl", PACL | {"objective": own | changes})
    yield Row("PACL: from noise", "pacl", PACL | {"objective": own, "lr": 1e-3, "head": {"type": "pacl"}})


def _mgca() -> Iterator[Row]:
    off = {"object_weight": 0.0, "region_weight": 0.0, "pixel_weight": 0.0, "near": 0.5}
    only = MGCA | {"objective": off | {"object_weight": 1.0}}
    yield Row("MGCA: object", "mgca", only)
    yield Row("MGCA: object by units", "mgca", only, by="unit")
    believed = {"unsaid": -0.1}
    for name, weights in (
        ("object + region", {"region_weight": 0.1}),
        ("object + region + pixel", {"region_weight": 0.1, "pixel_weight": 0.1}),
        ("object + region without the unsaid", {"region_weight": 0.1} | believed),
        ("object + pixel without the unsaid", {"pixel_weight": 0.1} | believed),
        ("object + region + pixel without the unsaid", {"region_weight": 0.1, "pixel_weight": 0.1} | believed),
        ("object + region with weight 1", {"region_weight": 1.0}),
        ("object + region with weight 1 without hard sampling", {"region_weight": 1.0, "k_n": 0}),
    ):
        yield Row(f"MGCA: {name}", "mgca", MGCA | {"objective": off | {"object_weight": 1.0} | weights})


def _mixreorg() -> Iterator[Row]:
    own = {"near": 0.4, "sees": "source", "contextual": True}
    for name, changes in (
        ("patches", {}),
        ("patches without mixing", {"mixed_weight": 0.0}),
        ("patches without restoration", {"restored_weight": 0.0}),
        ("patches without progressive mixing", {"sees": "nothing"}),
        ("patches without contextual mixing", {"contextual": False}),
        ("patches without contextual mixing and mixing", {"contextual": False, "mixed_weight": 0.0}),
        ("patches without contextual mixing and restoration", {"contextual": False, "restored_weight": 0.0}),
        ("patches by mean pooling", {"attn_scale": 1e-6}),
    ):
        yield Row(f"MixReorg: {name}", "mixreorg", MIXREORG | {"objective": own | changes})
    groups = {"type": "grouping", "width": 192}
    yield Row("MixReorg: groups from noise", "mixreorg", MIXREORG | {"objective": own, "head": groups})


def _afss() -> Iterator[Row]:
    for name, changes in (
        ("patch-text + patch-patch", {}),
        ("not balanced", {"objective": {"balance": 0.0}}),
        ("patch-text alone", {"objective": BALANCED | {"patch_weight": 0.0}}),
        ("without filters", {"confidence": 0.0, "margin": 0.0}),
        ("stricter filters", {"confidence": 0.6, "margin": 0.2}),
        ("200 words", {"max_words": 200}),
    ):
        yield Row(f"AFSS: {name}", "afss", AFSS | changes, photos=LABELLED)
    for name, teacher in (
        ("taught by itself", "AFSS: patch-text + patch-patch"),
        ("taught by PACL's head", "PACL: softmax pooling"),
    ):
        yield Row(f"AFSS: {name}", "afss", AFSS, photos=LABELLED, teacher=teacher)
    for name, more, photos in (("", {}, LABELLED), (" of 1500 photos", {"steps": 100}, 3 * LABELLED)):
        row = Row(f"AFSS: words of the captions{name}", "afss", AFSS | CAPTIONS | more, photos)
        yield row
        for again in ("taught by itself", "taught by itself twice"):
            row = replace(row, name=f"AFSS: words of the captions{name} and {again}", teacher=row.name)
            yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds flickr8k, coco-eval, voc-eval")
    parser.add_argument("--captions", type=Path, help="photos to learn from (default: flickr8k/captions.tsv of --data)")
    parser.add_argument("--sets", type=Path, nargs="+", help="sets to be scored on (default: both of --data)")
    parser.add_argument("--work", type=Path, default=Path("/tmp/ablation"), help="trained heads and cached features")
    parser.add_argument("--head", type=Path, default=Path("assets/heads/lite.safetensors"), help="the shipped head")
    parser.add_argument("--device", default=backbones.best_device(), help="cpu, cuda or mps (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="score only the first photos of each set")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each row, with seeds 0, 1, ...")
    parser.add_argument(
        "--rows", default="", metavar="NAMES", help="rows whose name begins with one of these, by commas"
    )
    parser.add_argument("--list", action="store_true", help="only print the rows' names")
    args = parser.parse_args()
    wanted = tuple(name.strip() for name in args.rows.split(","))
    chosen = list(_chosen(wanted, list(rows(args.head))))
    if args.list or not chosen:
        print("\n".join(row.name for row in rows(args.head)), file=sys.stdout if args.list else sys.stderr)
        sys.exit(0 if args.list else f"No row begins with '{args.rows}'; these are the rows.")
    args.work.mkdir(parents=True, exist_ok=True)
    if args.device == "cpu":
        os.environ["ACCELERATE_USE_CPU"] = "true"  # the training asks accelerate where it runs
    backbone = backbones.load("lite", args.device)
    folders = args.sets or [args.data / "coco-eval", args.data / "voc-eval"]
    sets = {folder.name: Scored(folder, backbone, args.limit) for folder in folders}
    titles = " | ".join(f"{name} all / present" for name in sets)
    print(f"| row | parameters | GFLOP | training, min | {titles} |")
    print("|" + "---|" * (4 + len(sets)), flush=True)
    for row in chosen:
        print(_line(row, backbone, sets, args), flush=True)


def _chosen(wanted: Sequence[str], every: Sequence[Row]) -> Iterator[Row]:
    """The rows called so, or for a name that no row has, those that begin with it."""
    names = {row.name for row in every}
    for row in every:
        if any(row.name == name or (name not in names and row.name.startswith(name)) for name in wanted):
            yield row


def _line(row: Row, backbone: backbones.Backbone, sets: Mapping[str, "Scored"], args: argparse.Namespace) -> str:
    """A row trained with each seed and scored."""
    minutes, scores = [], []
    for seed in range(args.seeds if row.objective else 1):
        path = row.head
        if row.objective:
            start = time.monotonic()
            path, fresh = _trained(row, seed, backbone, args)
            minutes += [(time.monotonic() - start) / 60] if fresh else []
        head = (heads.load(path, backbone) if path else backbone.alignment()).to(args.device)
        for name, value in row.changes.items():
            setattr(head, name, value)
        model = Model(backbone, head, row.name)
        scores.append([one.score(model, row) for one in sets.values()])
    cells = []
    for of_set in zip(*scores, strict=True):
        every, present = zip(*of_set, strict=True)
        each = "" if len(scores) == 1 else f" ({', '.join(f'{a:.1f} / {p:.1f}' for a, p in of_set)})"
        cells.append(f"{statistics.mean(every):.1f} / {statistics.mean(present):.1f}{each}")
    count = sum(p.numel() for p in head.parameters())
    trained = f"{statistics.mean(minutes):.1f}" if minutes else "–"
    return f"| {row.name} | {count / 1e6:.2f} M | {gigaflops(model):.1f} | {trained} | {' | '.join(cells)} |"


def _trained(row: Row, seed: int, backbone: backbones.Backbone, args: argparse.Namespace) -> tuple[Path, bool]:
    """The row's head file, and whether it was trained just now."""
    kept = "".join(c if c.isalnum() else "-" for c in row.name.removesuffix(" by units"))
    path, cache = args.work / f"{kept}-{seed}.safetensors", args.work / "cache"
    if path.exists():
        return path, False
    settings = {**(row.settings or {}), "seed": seed}
    if row.teacher:
        (teacher,) = (one for one in rows(args.head) if one.name == row.teacher)
        settings["teacher"] = str(_trained(teacher, seed, backbone, args)[0])
    photos = training_data.read([args.captions or args.data / "flickr8k" / "captions.tsv"], cache)
    photos = replace(photos, photos=photos.photos[: row.photos])
    train(str(row.objective), photos, path, backbone, settings, cache=cache)
    return path, True


@torch.inference_mode()
def gigaflops(model: Model) -> float:
    """Operations of the head for a photo of 448 x 592, two for a multiplication with an addition."""
    grid = 448 // model.backbone.patch_stride, 592 // model.backbone.patch_stride
    with FlopCounterMode(display=False) as counter:
        model.embedding(torch.zeros(model.backbone.feature_dim, *grid))
    return counter.get_total_flops() / 1e9


class Scored:
    """One data set with its photos' features in memory, so that a head is all that runs for a row."""

    def __init__(self, folder: Path, backbone: backbones.Backbone, limit: int | None) -> None:
        self.dataset = datasets.open(folder)
        self.vocabulary = Vocabulary.from_names(entry.word for entry in self.dataset.classes)
        self.backbone = backbone
        self.photos = []
        for photo_file, label_file in self.dataset.pairs[:limit]:
            photo = images.open(photo_file)
            self.photos.append((photo, self.dataset.truth(label_file, photo.size), {}))
        self._features: dict[Any, list[torch.Tensor]] = {}

    def features(self, sizes: tuple[tuple[int, float], ...]) -> list[torch.Tensor]:
        """Of every photo, at the working sizes of a head."""
        if sizes not in self._features:
            encoder = heads.Head()
            encoder.sizes = sizes
            model = Model(self.backbone, encoder, "none")
            self._features = {sizes: [model.features(photo) for photo, _, _ in self.photos]}
        return self._features[sizes]

    @torch.inference_mode()
    def score(self, model: Model, row: Row) -> tuple[float, float]:
        """mIoU of all words, and of present words."""
        count = len(self.dataset.classes)
        confusions = Confusion(count), Confusion(count)
        every = self.features(model.head.sizes)
        for (photo, truth, derived), features in zip(self.photos, every, strict=True):
            present = np.unique(truth[(truth >= 0) & (truth < count)])
            scene = model.scene(photo, features)
            scene._derived = {k: v for k, v in derived.items() if k == "layers"}  # the photo's alone
            asked = Vocabulary(tuple(self.vocabulary[int(k)] for k in present))
            for confusion, words, ids in ((confusions[0], self.vocabulary, None), (confusions[1], asked, present)):
                if row.by == "pixel" and row.refine == "none":
                    seen, answer = _quarter(truth, scene.scores(words))
                else:
                    refine = None if row.by == "slic" else row.refine
                    labels = segment(scene, words, by=row.by, refine=refine, others=None).ids
                    seen, answer = truth, labels.astype(np.int64) - 1
                confusion.add(seen, answer if ids is None else ids[answer])
            derived.update(scene._derived)
        return confusions[0].miou(), confusions[1].miou()


def _quarter(truth: np.ndarray, scores: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(truth, answer) at a quarter of the photo's size, which moves no figure by more than 0.1 and takes a tenth of the
    time; each cell's truth is that of the pixel in its middle."""
    size = [max(1, side // 4) for side in truth.shape]
    rows, columns = (((np.arange(n) + 0.5) * side / n).astype(int) for n, side in zip(size, truth.shape, strict=True))
    answer = F.interpolate(scores[None], size, mode="bilinear", align_corners=False)[0].argmax(0)
    return truth[rows[:, None], columns], answer.cpu().numpy()


if __name__ == "__main__":
    main()
