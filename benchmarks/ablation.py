"""The ablation table: what each objective, level, unit and refinement gives on `lite`, in one run.

    python benchmarks/ablation.py --data ../shared/data --work /tmp/ablation

Every row has the same backbone, photos, seed and scoring; heads are trained through `trainer.fit.train`, which is
what `textseg train` calls. The photos to score are encoded once for each set of working sizes. A cell of the last two
columns is mIoU with all words competing / with the photo's own words.
"""

import argparse
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from textseg import images
from textseg.model import Model, backbones, heads
from textseg.model.scene import Scene
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary
from trainer import data as training_data
from trainer import datasets
from trainer.evaluate import Confusion
from trainer.fit import train

SMALL = {"sizes": [[224, 224]], "seed": 0}
"""All four learn from the same small features: 14 x 14 patches a photo."""


@dataclass(frozen=True)
class Row:
    """One line of the table: a head (trained as told, or a file), and how it is asked."""

    name: str
    objective: str | None = None
    settings: dict[str, Any] | None = None
    photos: int | None = None
    head: Path | None = None
    by: str = "pixel"
    refine: str = "none"
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of the head that are set otherwise than in its file."""


def rows(shipped: Path) -> Iterator[Row]:
    """The table's lines, those that need no training first."""
    yield Row("ConSE (`--head none`)")
    yield Row("ConSE, adaptive units", by="unit")
    yield Row("ConSE, regions", refine="regions")
    yield Row("shipped head", head=shipped)
    yield Row("shipped head, adaptive units", head=shipped, by="unit")
    yield Row("shipped head, SLIC", head=shipped, by="slic")
    yield Row("shipped head, regions (the default)", head=shipped, refine="regions")
    changed: list[tuple[str, dict[str, Any]]] = [
        ("one size", {"sizes": ()}),
        ("not smoothed", {"affinity": 1e4}),  # every patch hears itself alone
        ("one size, not smoothed", {"sizes": (), "affinity": 1e4}),
        ("class names alone", {"learnt": 0.0}),
        ("caption words alone", {"concepts": 0.0}),
    ]
    for name, changes in changed:
        yield Row(f"without a part: {name}", head=shipped, refine="regions", changes=changes)
    yield Row("PACL", "pacl", SMALL | {"epochs": 8})
    yield Row("MixReorg (groups)", "mixreorg", SMALL | {"epochs": 4, "head": {"width": 192}})
    yield Row("AFSS", "afss", SMALL | {"epochs": 16}, photos=500)
    few: dict[str, Any] = SMALL | {"epochs": 2, "batch": 16, "lr": 1e-3, "head": {"stages": 1}}
    off = {"object_weight": 0.0, "region_weight": 0.0, "pixel_weight": 0.0}
    levels = ("object_weight", "region_weight", "pixel_weight")
    for count, name in enumerate(("object", "object + region", "object + region + pixel"), start=1):
        on = off | dict.fromkeys(levels[:count], 1.0)
        yield Row(f"MGCA, {name}", "mgca", few | {"objective": on})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/ablation"), help="trained heads and cached features")
    parser.add_argument("--head", type=Path, default=Path("assets/heads/lite.safetensors"), help="the shipped head")
    parser.add_argument("--limit", type=int, help="score only the first photos of each set")
    parser.add_argument("--rows", default="", metavar="NAMES", help="only rows whose name begins with one of these")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    backbone = backbones.load("lite")
    sets = {name: Scored(args.data / name, backbone, args.limit) for name in ("coco-eval", "voc-eval")}
    captioned = training_data.read([args.data / "flickr8k" / "captions.tsv"], args.work / "cache")
    print(
        "| row | parameters | GFLOP | training, min | ms a photo | coco-eval all / present | voc-eval all / present |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    wanted = tuple(args.rows.split(","))
    for row in (row for row in rows(args.head) if row.name.startswith(wanted)):
        path, minutes = row.head, 0.0
        if row.objective:
            path = args.work / f"{row.name.replace(' ', '')}.safetensors"
            chosen = replace(captioned, photos=captioned.photos[: row.photos])
            start = time.monotonic()
            if not path.exists():
                train(row.objective, chosen, path, backbone, row.settings, cache=args.work / "cache")
            minutes = (time.monotonic() - start) / 60
        head = heads.load(path, backbone) if path else backbone.alignment()
        for name, value in row.changes.items():
            setattr(head, name, value)
        model = Model(backbone, head, row.name)
        scores = [one.score(model, row) for one in sets.values()]
        cost = 1000 * sum(s for *_, s in scores) / sum(len(one.photos) for one in sets.values())
        count = sum(p.numel() for p in head.parameters())
        cells = " | ".join(f"{every:.1f} / {present:.1f}" for every, present, _ in scores)
        trained = f"{minutes:.1f}" if row.objective else "–"
        print(
            f"| {row.name} | {count / 1e6:.2f} M | {gigaflops(model):.1f} | {trained} | {cost:.0f} | {cells} |",
            flush=True,
        )


@torch.inference_mode()
def gigaflops(model: Model) -> float:
    """Operations of the head for a photo of 448 x 592, two for a multiplication with an addition."""
    grid = 448 // model.backbone.patch_stride, 592 // model.backbone.patch_stride
    with FlopCounterMode(display=False) as counter:
        model.head(torch.zeros(1, model.backbone.feature_dim, *grid))
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
    def score(self, model: Model, row: Row) -> tuple[float, float, float]:
        """(mIoU of all words, mIoU of present words, seconds of head and answer over all photos)."""
        count = len(self.dataset.classes)
        confusions, seconds = (Confusion(count), Confusion(count)), 0.0
        every = self.features(model.head.sizes)
        for (photo, truth, derived), features in zip(self.photos, every, strict=True):
            present = np.unique(truth[(truth >= 0) & (truth < count)])
            start = time.perf_counter()
            scene = Scene(photo, model.head(features[None].float())[0], features, model)
            scene._derived = {k: v for k, v in derived.items() if k == "layers"}  # the photo's alone
            answer = self._ask(scene, self.vocabulary, row)
            seconds += time.perf_counter() - start
            confusions[0].add(truth, answer.astype(np.int64) - 1)
            asked = Vocabulary(tuple(self.vocabulary[int(k)] for k in present))
            confusions[1].add(truth, present[self._ask(scene, asked, row).astype(np.int64) - 1])
            derived.update(scene._derived)
        return confusions[0].miou(), confusions[1].miou(), seconds

    @staticmethod
    def _ask(scene: Scene, vocabulary: Vocabulary, row: Row) -> np.ndarray:
        return segment(scene, vocabulary, by=row.by, refine=None if row.by == "slic" else row.refine).ids


if __name__ == "__main__":
    main()
