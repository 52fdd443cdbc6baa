"""`textseg evaluate`: how well words find their pixels in a labelled photo set; what counts is in confusion.py."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import textseg
from textseg import images
from textseg.errors import DatasetError, PhotoError
from textseg.vocabulary import Vocabulary, Word
from trainer import groupvit
from trainer.confusion import Confusion, Reliability
from trainer.datasets import UNSCORED, Dataset
from trainer.protocols import Protocol

if TYPE_CHECKING:
    from textseg.model import Model, Scene
    from textseg.model.others import Choice

Predict = Callable[[Image.Image, Sequence[int]], np.ndarray]
"""(photo, indices of the classes that compete) -> (H, W) class indices; `len(classes)` means none of the words."""


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
