"""What corrections teach: mIoU on photos never trained on, by the number of photos corrected, for each ordering rule.

    python benchmarks/learning.py --data ../shared/data [--rules random,rarity] [--json FILE] [--picture FILE]

voc-eval is cut in two by a hash of the file name, so that neither order nor class decides; one half is the project,
the other is held back, then the other way round. A simulated person corrects whole photos: every object pixel of the
true mask gets its class; the photo is marked done, so its background is none of these, or with `--background nothing`
it is left unlabelled. After
0, 1, 2, 5, 10, 20 and 50 photos the head is fitted and scored at the photos' full size, all 20 words competing,
averaged inside regions, as `textseg evaluate` does by default. Words never corrected: coco-eval with its 133 words,
without the 20 and their near names. All photos are encoded once into `--cache` (about 1 s each); the rest takes minutes
on two cores.
"""

import argparse
import hashlib
import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from textseg.labelmap import read_index_png
from textseg.model import Model, calibration, load_model, others
from textseg.model.contest import evidence
from textseg.model.heads.corrected import CorrectedHead
from textseg.model.others import Ranked
from textseg.project import Project
from textseg.project.schema import Class
from textseg.vocabulary import Vocabulary
from trainer import corrections, datasets, recipes, suggest
from trainer.confusion import Confusion
from trainer.corrections.corpus import Corpus, CorrectedPhoto
from trainer.corrections.encodings import Encodings
from trainer.datasets import UNSCORED, Dataset
from trainer.objectives.corrections import Corrections, Patches

POINTS = (0, 1, 2, 5, 10, 20, 50)
CLICKS = (0, 5, 10, 20, 30, 40, 60, 80, 100, 120, 140)
LEAST_CLICK = 0.005
"""Wrong areas smaller than this share of the photo are not worth a click."""


@dataclass
class Known:
    """A photo with its truth, and everything that no training changes."""

    photo: CorrectedPhoto
    truth: np.ndarray
    """(H, W) index of the class, UNSCORED where none is."""
    z: torch.Tensor
    """(1, E, h, w) embedding of the base."""
    likeness: torch.Tensor
    """(D, 1, 1) mean feature."""
    by_region: np.ndarray
    """(R, K) pixels of each class in each region."""
    behind: np.ndarray
    """(R,) pixels of the background in each region."""
    pooled: torch.Tensor
    """(1, E, 1, 1) embedding of the mean feature by the base."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with voc-eval and coco-eval")
    parser.add_argument("--cache", type=Path, help="where encoded photos are kept (default: a folder that is removed)")
    parser.add_argument("--head", default="default", help="what the project starts from: a file, default or none")
    parser.add_argument("--rules", default=",".join(suggest.names()))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--background", choices=["nothing", "none"], default="none")
    parser.add_argument("--half", type=int, nargs="+", choices=[0, 1], default=[0, 1], help="held back, in turn")
    parser.add_argument("--set", dest="changes", nargs="+", default=[], metavar="KEY=VALUE", help="of the recipe")
    parser.add_argument("--points", type=lambda text: tuple(map(int, text.split(","))), default=POINTS)
    parser.add_argument("--min-photos", type=int, default=1, help="score classes held back in at least so many photos")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(args, args.cache or Path(folder))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    if args.picture:
        draw(report, args.picture)


def measure(args: argparse.Namespace, cache: Path) -> dict[str, Any]:
    began = time.monotonic()
    model = load_model("lite", args.head)
    voc, coco = (Bench(args.data / name, cache / name, model) for name in ("voc-eval", "coco-eval"))
    encoded = time.monotonic() - began
    print(f"{len(voc.photos) + len(coco.photos)} photos read or encoded in {encoded:.0f} s", flush=True)
    recipe = recipes.load("corrections", None, args.changes)
    report: dict[str, Any] = {"head": args.head, "background": args.background, "points": args.points, "curves": {}}
    start_coco = coco.confusion(model, coco.photos)
    never = coco.uncorrected(voc.words)
    report["start"] = {"other": mean_iou(start_coco, never), "same": mean_iou(start_coco, ~never)}
    print(f"start: {report['start']}", flush=True)
    for rule in args.rules.split(","):
        runs = report["curves"].setdefault(rule, [])
        for half, seed in itertools.product(args.half, range(args.seeds)):
            held, pool = halves(voc.photos, half)
            runs.append(run(rule, seed, args, model, recipe, voc, coco, pool, held, never))
            curve = "  ".join(f"{point['photos']}: {point['voc']:.1f} {point['open']:.1f}" for point in runs[-1])
            print(f"{rule}, half {half}, seed {seed}: {curve}", flush=True)
    report["seconds"] = {"encoding": round(encoded, 1), "all": round(time.monotonic() - began, 1)}
    print(table(report))
    return report


def run(
    rule: str, seed: int, args: argparse.Namespace, model: Model, recipe: Any,
    voc: "Bench", coco: "Bench", pool: list[Known], held: list[Known], never: np.ndarray,
) -> list[dict[str, Any]]:  # fmt: skip
    """One project growing photo by photo: the first photo by lot, then by the rule, with the newest head."""
    points: list[dict[str, Any]] = []
    done: list[Known] = []
    newest, before, gestures = model, model, 0
    left = [pool[i] for i in np.random.default_rng(seed).permutation(len(pool))]
    for target in args.points:
        if target > len(pool):
            break
        if target:
            more = target - len(done)
            order = left if not done or rule == "random" else voc.order(rule, newest, before, left, done, seed)
            done, left = done + order[:more], [one for one in left if all(one is not new for new in order[:more])]
            gestures = sum(voc.gestures(one) for one in done)
            began = time.monotonic()
            before, newest = newest, voc.learn(model, done, recipe, args.background)
            fit = time.monotonic() - began
        else:
            fit = 0.0
        scored, opened = voc.confusion(newest, held), voc.open_confusion(newest, held)
        ahead = left[:20]
        points.append({
            "photos": target, "gestures": gestures, "voc": scored.miou(args.min_photos),
            "open": opened.miou(args.min_photos), "fit_seconds": round(fit, 2),
            "clicks_ahead": float(np.mean([voc.clicks(newest, one) for one in ahead])) if ahead else None,
        })  # fmt: skip
        if target in (0, 20, 50) and rule in ("random", "rarity"):
            everywhere = coco.confusion(newest, coco.photos)
            points[-1] |= {"other": mean_iou(everywhere, never), "same": mean_iou(everywhere, ~never)}
    return points


def halves(photos: Sequence[Known], held: int) -> tuple[list[Known], list[Known]]:
    """(held back, project): every second photo in the order of a hash of the file name."""
    ordered = sorted(photos, key=lambda one: hashlib.sha256(one.photo.stored.name.encode()).digest())
    return ordered[held::2], ordered[1 - held :: 2]


def mean_iou(confusion: Confusion, which: np.ndarray) -> float:
    return float(confusion.iou()[which & confusion.counted()].mean())


@dataclass
class Answering:
    """As much of a scene as presence is told from."""

    model: Model
    embedding: torch.Tensor
    pooled: torch.Tensor

    @property
    def grid(self) -> tuple[int, int]:
        return self.embedding.shape[-2], self.embedding.shape[-1]

    def once(self, key: Any, compute: Any) -> Any:
        return compute()


class Bench:
    """A labelled photo set as a project whose photos are encoded once."""

    def __init__(self, folder: Path, cache: Path, model: Model) -> None:
        self.dataset: Dataset = datasets.open(folder)
        self.words = Vocabulary.from_names(one.word for one in self.dataset.classes)
        self.classes = [Class(id=k, name=word.name, aliases=[]) for k, word in enumerate(self.words, start=1)]
        there = (cache / "project.sqlite").is_file()
        project = Project(cache) if there else Project.create(cache, self.words)
        project.add(photo for photo, _ in self.dataset.pairs)
        encodings = Encodings(project, model)
        label_of = {photo.name: label for photo, label in self.dataset.pairs}
        frame = CorrectedHead(*_base(model), model.logit_scale, model.backbone.text_dim, [], 0)
        self.photos = [self._known(row, encodings, label_of[row.name], frame) for row in project.photos()]
        project.close()

    def _known(self, row: Any, encodings: Encodings, label: Path, frame: CorrectedHead) -> Known:
        features, regions = encodings.of(row)
        truth = self.dataset.truth(label, (row.width, row.height))
        photo = CorrectedPhoto(row, features, regions, np.zeros(0))
        with torch.no_grad():
            z = corrections.fit.embedded(frame, photo)
        likeness = features.float().mean((1, 2), keepdim=True)
        with torch.no_grad():
            pooled = frame.base(likeness[None])
        photo.features = features[:, :1, :1].expand_as(features)  # only its shape is needed from here on
        scored = truth != UNSCORED
        ids = regions.spread(np.arange(regions.count), truth.shape)
        count = len(self.words)
        by_region = np.bincount(ids[scored] * count + truth[scored], minlength=regions.count * count)
        behind = np.bincount(ids[read_index_png(label) == 0], minlength=regions.count)
        return Known(photo, truth, z, likeness, by_region.reshape(-1, count), behind, pooled)

    def uncorrected(self, learnt: Vocabulary) -> np.ndarray:
        """(K,) bool: the classes whose word is none of `learnt`, nor another name of one."""
        near = {*learnt.names, "couch", "tv"}
        return np.array([word.name not in near for word in self.words])

    def similarities(self, model: Model, one: Known) -> torch.Tensor:
        with torch.no_grad():
            head = model.head
            z = head.combine(one.z)[0] if isinstance(head, CorrectedHead) else one.z[0]
            return torch.einsum("ehw,ke->khw", z, model.embed(self.words)[0])

    def winners(self, model: Model, one: Known) -> np.ndarray:
        """(R,) index of the word that wins each region."""
        return one.photo.regions.pool(self.similarities(model, one)).argmax(0).numpy()

    def confusion(self, model: Model, photos: Sequence[Known]) -> Confusion:
        total = Confusion(len(self.words))
        for one in photos:
            np.add.at(total.pixels.T, self.winners(model, one), one.by_region)
            total.photos += one.by_region.any(0)
        return total

    def open_confusion(self, model: Model, photos: Sequence[Known]) -> Confusion:
        """Other words competing, background as the last class: what `textseg.segment` answers by default."""
        rest, total = others.of(model), Confusion(len(self.words) + 1)
        assert rest is not None
        rivals = rest.rivals(model, self.words)
        for one in photos:
            with torch.no_grad():
                z, pooled = (
                    model.head.combine(x) if isinstance(model.head, CorrectedHead) else x for x in (one.z, one.pooled)
                )
            scene = Answering(model, z[0], pooled[0])
            grid = torch.einsum("ehw,ke->khw", z[0], model.embed(self.words)[0])
            rows = evidence(scene, self.words, grid, rest, rivals)  # type: ignore[arg-type]
            present = calibration.presence(model.head.calibration, *rows)
            regions = one.photo.regions
            best = Ranked.of(regions.pool(rest.scores(z[0]))).strongest(rivals)[0]
            logits = torch.cat([regions.pool(grid), best[None]]) * model.logit_scale
            winner = calibration.posterior(model.head.calibration, logits, present).argmax(0).numpy()
            np.add.at(total.pixels.T, winner, np.column_stack([one.by_region, one.behind]))
            total.photos += np.append(one.by_region.any(0), True)
        return total

    def gestures(self, one: Known) -> int:
        """Clicks that label a photo from nothing: its connected parts of one class."""
        found = np.unique(one.truth[one.truth != UNSCORED])
        return sum(_parts(one.truth == k) for k in found)

    def clicks(self, model: Model, one: Known) -> int:
        """Clicks that make the model's answer right: connected wrong parts of one true class."""
        said = one.photo.regions.spread(self.winners(model, one), one.truth.shape)
        wrong = (said != one.truth) & (one.truth != UNSCORED)
        return sum(_parts(wrong & (one.truth == k)) for k in np.unique(one.truth[wrong]))

    def learn(self, model: Model, done: Sequence[Known], recipe: Any, background: str) -> Model:
        settings = recipes.defaults(Corrections) | recipe.objective
        photos = []
        for one in done:
            said = np.where(one.truth == UNSCORED, 0, one.truth + 1).astype(np.int32)
            if background == "none":
                said[self.background(one)] = -1
            photos.append(CorrectedPhoto(one.photo.stored, one.photo.features, one.photo.regions, said))
        known = {one.photo.stored.sha256: one for one in done}
        found = {k for photo in photos for k in np.unique(photo.said)}
        classes = [one for one in self.classes if one.id in found]
        corpus = Corpus(classes, [one for one in self.classes if one.id not in found], photos, [])
        head = corrections.fit.new_head(model, corpus, settings["presence"])
        rivals = corrections.fit.Rivals.of(head, model, corpus)
        data = corrections.fit.patches(head, corpus, rivals, recipe.seed, lambda _, photo: known[photo.stored.sha256].z)
        objective = Corrections(head, model.backbone, len(done), **settings)
        corrections.fit.fit(objective, Patches.joined(data), recipe)
        return Model(model.backbone, head.eval(), "learnt")

    def background(self, one: Known) -> np.ndarray:
        """(H, W) bool: pixels that the truth calls background (id 0, not the ignored outlines)."""
        label = next(label for photo, label in self.dataset.pairs if photo.name == one.photo.stored.name)
        return read_index_png(label) == 0

    def order(
        self, rule: str, newest: Model, before: Model, left: list[Known], done: list[Known], seed: int
    ) -> list[Known]:
        scale = newest.logit_scale
        views = []
        for key, one in enumerate(left):
            now, then = self.similarities(newest, one), self.similarities(before, one)
            views.append(suggest.view(key, one.likeness, now, scale, then))
        known = [
            suggest.View(None, torch.nn.functional.normalize(one.likeness.flatten(), dim=0),
                         one.by_region.any(0).astype(float))
            for one in done
        ]  # fmt: skip
        return [left[one.key] for one in suggest.get(rule)(views, known, self.words, seed)]


def _base(model: Model) -> tuple[Any, dict[str, Any]]:
    return corrections.fit.base_of(model.head)


def _parts(mask: np.ndarray) -> int:
    parts, _ = ndimage.label(mask)
    return int((np.bincount(parts.ravel())[1:] >= LEAST_CLICK * mask.size).sum())


def table(report: dict[str, Any]) -> str:
    lines = [f"{'rule':14}" + "".join(f"{n:>14}" for n in report["points"])]
    for rule, runs in report["curves"].items():
        cells = []
        for n in range(len(runs[0])):
            values = [run[n]["voc"] for run in runs]
            cells.append(f"{np.mean(values):8.1f} ±{np.std(values):4.1f}")
        lines.append(f"{rule:14}" + "".join(f"{cell:>14}" for cell in cells))
    lines.append("with background:")
    for rule, runs in report["curves"].items():
        values = [[run[n]["open"] for run in runs] for n in range(len(runs[0]))]
        lines.append(f"{rule:14}" + "".join(f"{np.mean(one):8.1f} ±{np.std(one):4.1f}" for one in values))
    lines.append("at equal clicks:")
    for rule, runs in report["curves"].items():
        clicks, values = by_clicks(runs)
        pairs = zip(clicks, values.mean(0), values.std(0), strict=True)
        lines.append(f"{rule:14}" + "  ".join(f"{n}: {mean:.1f} ±{spread:.1f}" for n, mean, spread in pairs))
    for rule, runs in report["curves"].items():
        for point in runs[0]:
            if "other" in point:
                n = runs[0].index(point)
                other, same = (np.mean([run[n][key] for run in runs]) for key in ("other", "same"))
                after = f"coco-eval after {point['photos']} ({rule})"
                lines.append(f"{after}: never corrected {other:.2f}, VOC words {same:.2f}")
    for rule, runs in report["curves"].items():
        ahead = [f"{points[0]['photos']}: {np.mean([point['clicks_ahead'] for point in points]):.2f}"
                 for points in zip(*runs, strict=True) if points[0]["clicks_ahead"] is not None]  # fmt: skip
        lines.append(f"clicks to put the next photo right ({rule}): " + "  ".join(ahead))
    lines.append(f"seconds: {report['seconds']}")
    return "\n".join(lines)


def by_clicks(runs: Sequence[list[dict[str, Any]]]) -> tuple[np.ndarray, np.ndarray]:
    """(n,) counts of clicks that every run reaches, and (runs, n) mIoU there, interpolated between its points."""
    most = min(one[-1]["gestures"] for one in runs)
    clicks = np.array([n for n in CLICKS if n <= most])
    return clicks, np.array([
        np.interp(clicks, [point["gestures"] for point in one], [point["voc"] for point in one]) for one in runs
    ])  # fmt: skip


def draw(report: dict[str, Any], path: Path) -> None:
    """The learning curves at equal clicks, and the clicks that a next photo takes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for rule, runs in report["curves"].items():
        clicks, values = by_clicks(runs)
        plain = rule == "random"
        (line,) = left.plot(
            clicks, values.mean(0), label=rule, linewidth=2.4 if plain else 1.4, color="black" if plain else None
        )
        if plain:
            left.fill_between(clicks, values.min(0), values.max(0), color=line.get_color(), alpha=0.1, linewidth=0)
    left.set(xlabel="clicks that corrected photos took", ylabel="mIoU on photos held back (%)", xlim=(0, None))
    left.legend(frameon=False, fontsize=9)
    for rule, runs in report["curves"].items():
        if rule == "random":
            shown = [n for n in range(len(runs[0])) if runs[0][n]["clicks_ahead"] is not None]
            ahead = np.array([[one[n]["clicks_ahead"] for n in shown] for one in runs])
            photos = [runs[0][n]["photos"] for n in shown]
            right.plot(photos, ahead.mean(0), label="with the loop", linewidth=2)
            right.axhline(ahead.mean(0)[0], linestyle="--", color="grey", label="without")
    right.set(xlabel="photos corrected", ylabel="clicks to put the next photo right", xlim=(0, None), ylim=(0, None))
    right.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
