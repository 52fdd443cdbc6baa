"""`textseg evaluate`: how well words find their pixels in a labelled photo set.

True positives, predicted and labelled area are summed per class over the whole set, at each photo's own resolution, on
the pixels that are scored; IoU = TP / (predicted + labelled - TP), and mIoU is the mean over the classes that occur in
the ground truth. (IoU of single photos is never averaged; a class that occurs nowhere in the ground truth has no IoU.)
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import textseg
from textseg import images
from textseg.errors import DatasetError, PhotoError
from textseg.vocabulary import Vocabulary, Word
from trainer import groupvit
from trainer.datasets import UNSCORED, Dataset
from trainer.protocols import Protocol

if TYPE_CHECKING:
    from textseg.model import Model, Scene
    from textseg.model.others import Choice

Predict = Callable[[Image.Image, Sequence[int]], np.ndarray]
"""(photo, indices of the classes that compete) -> (H, W) class indices; `len(classes)` means none of the words."""


class Confusion:
    """Pixels by (class in the ground truth, class predicted), summed over photos; the last column is "none"."""

    def __init__(self, classes: int) -> None:
        self.pixels = np.zeros((classes, classes + 1), np.int64)
        self.photos = np.zeros(classes, np.int64)
        """In how many photos each class occurs."""

    def add(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Count one photo: (H, W) class indices, UNSCORED in `truth` where a pixel is not scored."""
        scored = truth != UNSCORED
        rows, columns = self.pixels.shape
        cells = truth[scored].astype(np.int64) * columns + predicted[scored]
        counts = np.bincount(cells, minlength=rows * columns).reshape(rows, columns)
        self.pixels += counts
        self.photos += counts.any(1)

    def counted(self, min_photos: int = 1) -> np.ndarray:
        """(K,) whether each class occurs in the ground truth of at least `min_photos` photos."""
        return self.photos >= max(1, min_photos)

    def iou(self) -> np.ndarray:
        """(K,) IoU in per cent; NaN for a class that neither occurs nor is predicted."""
        correct = self.pixels.diagonal()
        union = self.pixels.sum(1) + self.pixels[:, :-1].sum(0) - correct
        return 100 * np.divide(correct, union, out=np.full(len(correct), np.nan), where=union > 0)

    def miou(self, min_photos: int = 1) -> float:
        """Mean IoU in per cent over the counted classes; NaN when there are none."""
        counted = self.counted(min_photos)
        return float(self.iou()[counted].mean()) if counted.any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Per cent of the scored pixels that are right."""
        total = self.pixels.sum()
        return float(100 * self.pixels.trace() / total) if total else float("nan")


class Reliability:
    """Pixels by the probability they were given, to compare with how many of them are right."""

    bins = 15

    def __init__(self) -> None:
        self.pixels, self.right, self.told = (np.zeros(self.bins) for _ in range(3))

    def add(self, truth: np.ndarray, predicted: np.ndarray, certainty: np.ndarray) -> None:
        """Count one photo: (H, W) class indices, UNSCORED in `truth` where a pixel is not scored; probabilities."""
        scored = truth != UNSCORED
        told = certainty[scored].astype(np.float64)
        at = np.minimum((told * self.bins).astype(np.intp), self.bins - 1)
        self.pixels += np.bincount(at, minlength=self.bins)
        self.right += np.bincount(at, truth[scored] == predicted[scored], self.bins)
        self.told += np.bincount(at, told, self.bins)

    def ece(self) -> float:
        """Expected calibration error (Guo et al., ICML 2017), 0..1: the mean distance of told and true."""
        total = self.pixels.sum()
        return float(np.abs(self.right - self.told).sum() / total) if total else float("nan")


@dataclass
class Result:
    """What one evaluation found; `failed` are the photos that could not be scored, with the reasons."""

    confusion: Confusion
    reliability: Reliability = field(default_factory=Reliability)
    photos: int = 0
    seconds: float = 0.0
    failed: list[tuple[Path, str]] = field(default_factory=list)


def evaluate(dataset: Dataset, predict: Predict, words: str = "all", limit: int | None = None) -> Result:
    """Score `predict` on `dataset`, photo by photo.

    With `words` "present" only the classes in a photo's own ground truth compete there. A photo that cannot be read, or
    whose label does not fit, is noted and left out. Raises DatasetError when no photo at all could be scored.
    """
    from tqdm import tqdm

    result = Result(Confusion(len(dataset.classes)))
    everything = range(len(dataset.classes))
    start = time.monotonic()
    for photo_file, label_file in tqdm(dataset.pairs[:limit], unit="photo", disable=None):
        try:
            photo = images.open(photo_file)
            truth = dataset.truth(label_file, photo.size)
            present = np.unique(truth[truth != UNSCORED]).tolist()
            if present:
                competing = present if words == "present" else everything
                if isinstance(predict, Labeller):
                    predicted, certainty = predict.answer(photo, competing)
                    result.reliability.add(truth, predicted, certainty)
                else:
                    predicted = predict(photo, competing)
                result.confusion.add(truth, predicted)
            result.photos += 1
        except (PhotoError, DatasetError) as error:
            result.failed.append((photo_file, str(error)))
    result.seconds = time.monotonic() - start
    if not result.photos:
        raise DatasetError(f"None of the {len(result.failed)} photos could be scored; the first: {result.failed[0][1]}")
    return result


class Labeller:
    """Predicts by asking a model for the classes' words.

    `background` words compete as well; pixels they win are none of the words. Where the set scores a background class,
    "none" counts as that class, everywhere else it is wrong.
    """

    def __init__(
        self,
        model: "Model",
        dataset: Dataset,
        protocol: Protocol,
        background: str = "",
        by: str = "pixel",
        others: "Choice" = None,
    ) -> None:
        if protocol.short_side:
            model = model.at(protocol.short_side, protocol.window)
        self.model, self.dataset, self.protocol, self.by = model, dataset, protocol, by
        self.others = others
        words = Vocabulary.from_names(entry.word for entry in dataset.classes)
        self._words = [_asked(entry.name, word, protocol) for entry, word in zip(dataset.classes, words, strict=True)]
        behind = Vocabulary.parse(background) if background.strip() else ()
        self._behind = tuple(replace(word, background=True) for word in behind)
        self._none = len(words) if dataset.background is None else dataset.background

    def __call__(self, photo: Image.Image, competing: Sequence[int]) -> np.ndarray:
        return self.answer(photo, competing)[0]

    def answer(self, photo: Image.Image, competing: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """((H, W) class indices, (H, W) float32 probability that each of them is right)."""
        asked = [k for k in competing if self._words[k]]
        if not asked:
            return np.full(photo.size[::-1], self._none, np.int32), np.ones(photo.size[::-1], np.float32)
        scene = self.model.encode(photo)
        if self.protocol.groups:
            words, certainty = groupvit.answer(
                scene, self._vocabulary(asked), self.protocol.templates, self.protocol.min_probability
            )
            return np.array([*asked, *[self._none] * (len(self._behind) + 1)], np.int32)[words], certainty
        (predicted, certainty), kept = self._ask(scene, asked), asked
        if self.protocol.min_area:
            kept = self._large(predicted, asked) or asked
            if kept != asked:
                predicted, certainty = self._ask(scene, kept)
        if self.protocol.min_probability:
            below = improbable(scene, self._vocabulary(asked), self._vocabulary(kept), self.protocol)
            predicted[below] = self._none
        return predicted, certainty

    def _vocabulary(self, asked: Sequence[int]) -> Vocabulary:
        return Vocabulary(tuple(word for k in asked if (word := self._words[k])) + self._behind)

    def _ask(self, scene: "Scene", asked: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        how = self.protocol
        labels = textseg.segment(
            scene,
            self._vocabulary(asked),
            by=self.by,
            refine=how.refine,
            threshold=how.threshold,
            templates=how.templates,
            others=self.others,
        )
        return np.array([self._none, *asked], np.int32)[labels.ids], labels.certainty()

    def _large(self, predicted: np.ndarray, asked: Sequence[int]) -> list[int]:
        """The classes of `asked` without those on too little of the foreground; background stays."""
        pixels = np.bincount(predicted.ravel(), minlength=len(self._words) + 1)
        pixels[self._none] = 0
        least = (self.protocol.min_area or 0) * pixels.sum()
        return [k for k in asked if k == self._none or pixels[k] > least]


def _asked(name: str, plain: Word, protocol: Protocol) -> Word | None:
    texts = protocol.words.get(name, plain.texts)
    return replace(plain, name=texts[0], aliases=tuple(texts[1:])) if texts else None


def improbable(scene: "Scene", asked: Vocabulary, kept: Vocabulary, protocol: Protocol) -> np.ndarray:
    """(H, W) bool: the best probability of a name of `kept` is below `min_probability`.

    Probabilities are the softmax over all names and aliases of `asked`, of scores upsampled to the photo, a few rows at
    a time.
    """
    import torch
    import torch.nn.functional as F

    texts, owner = scene.model.embed(asked, protocol.templates)
    scale = protocol.scale or scene.model.logit_scale
    scores = torch.einsum("ehw,te->thw", scene.embedding, texts) * scale
    counts = torch.tensor([word in kept for word in asked], device=owner.device)[owner]
    width, height = scene.size
    below = np.empty((height, width), bool)
    # Pixel centres in the coordinates of grid_sample, which reads the same bilinear surface as upsampling.
    across, down = (((2 * torch.arange(n) + 1) / n - 1).to(scores) for n in (width, height))
    step = max(1, 2**23 // (len(scores) * width))
    for top in range(0, height, step):
        y, x = torch.meshgrid(down[top : top + step], across, indexing="ij")
        points = torch.stack([x, y], dim=-1)[None]
        block = F.grid_sample(scores[None], points, padding_mode="border", align_corners=False)[0]
        probability = (block[counts].amax(0) - block.logsumexp(0)).exp()
        below[top : top + step] = (probability < (protocol.min_probability or 0)).cpu().numpy()
    return below


def summary(result: Result, dataset: Dataset, min_photos: int = 1) -> dict[str, Any]:
    """What `--json` holds; all scores in per cent, `per_class` by name for the classes that count."""
    iou, counted = result.confusion.iou(), result.confusion.counted(min_photos)
    return {
        "miou": _number(result.confusion.miou(min_photos)),
        "pixel_accuracy": _number(result.confusion.pixel_accuracy()),
        "per_class": {entry.name: _number(iou[k]) for k, entry in enumerate(dataset.classes) if counted[k]},
        "ece": _number(result.reliability.ece()),
        "photos": result.photos,
        "seconds": round(result.seconds, 2),
    }


def table(result: Result, dataset: Dataset, min_photos: int = 1) -> str:
    """The same for a person: one line a class, then the totals."""
    iou, counted = result.confusion.iou(), result.confusion.counted(min_photos)
    shown = [(entry.name, result.confusion.photos[k], iou[k]) for k, entry in enumerate(dataset.classes) if counted[k]]
    width = max([len(name) for name, _, _ in shown] + [len("pixel accuracy")])
    lines = [f"{'class':{width}}  photos    IoU"]
    lines += [f"{name:{width}}  {photos:6d}  {value:5.1f}" for name, photos, value in shown]
    lines += [
        "",
        f"{'mIoU':{width}}  {len(shown):6d} classes  {result.confusion.miou(min_photos):5.1f} %",
        f"{'pixel accuracy':{width}}  {result.photos:6d} photos   {result.confusion.pixel_accuracy():5.1f} %",
        f"{'time':{width}}  {result.seconds:6.1f} s",
    ]
    if result.reliability.pixels.any():
        lines.insert(-1, f"{'calibration':{width}}  expected error {result.reliability.ece():.3f}")
    return "\n".join(lines)


def draw_confusion(result: Result, dataset: Dataset, min_photos: int = 1) -> bytes:
    """A PNG: for each class of the ground truth (a row), the share of its pixels that went to each word (columns)."""
    import io

    from matplotlib.figure import Figure

    counted = np.flatnonzero(result.confusion.counted(min_photos))
    pixels = result.confusion.pixels[counted]
    share = 100 * pixels / pixels.sum(1, keepdims=True)
    others = 100 - share[:, counted].sum(1, keepdims=True)
    names = [dataset.classes[k].name for k in counted]
    side = 3.5 + 0.17 * len(names)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(np.hstack([share[:, counted], others]), cmap="viridis", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(names) + 1), [*names, "other or none"], rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_xlabel("word that won")
    axes.set_ylabel("ground truth")
    axes.set_title(f"mIoU {result.confusion.miou(min_photos):.1f} % over {len(names)} classes, {result.photos} photos")
    figure.colorbar(picture, ax=axes, label="% of the class's pixels", shrink=0.6)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def draw_reliability(result: Result) -> bytes:
    """A PNG: of the pixels told a probability, how many are right (above) and how many there are (below)."""
    import io

    from matplotlib.figure import Figure

    of = result.reliability
    full = of.pixels > 0
    told, right = of.told[full] / of.pixels[full], of.right[full] / of.pixels[full]
    figure = Figure(figsize=(5, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], linestyle="--", color="grey", linewidth=1)
    above.plot(told, right, marker="o", color="black")
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
    above.set_title(f"calibration error {of.ece():.3f}, {result.photos} photos", fontsize=11)
    centres = (np.arange(of.bins) + 0.5) / of.bins
    below.bar(centres, 100 * of.pixels / max(1, of.pixels.sum()), width=0.9 / of.bins, color="grey")
    below.set(xlabel="probability that was told", ylabel="% of pixels")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
