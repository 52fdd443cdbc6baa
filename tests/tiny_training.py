"""A training small enough for a test: the tiny backbone, a one-layer head, a plain contrast of photos and captions.

python -m tests.tiny_training --objective tiny --backbone tiny --data FOLDER --out HEAD.safetensors ...
"""

import argparse
import os
import signal
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from tests.tiny import noise_photo
from textseg.commands import train
from textseg.errors import TextsegError
from textseg.model import heads
from textseg.model.heads import Head
from trainer import objectives
from trainer.objectives import Batch, Objective


@heads.register("tiny")
class TinyHead(Head):
    kind = "tiny"

    def __init__(self, feature_dim: int, text_dim: int) -> None:
        super().__init__()
        self.config = {}
        self.map = nn.Conv2d(feature_dim, text_dim, 1)

    @classmethod
    def build(cls, backbone):
        return cls(backbone.feature_dim, backbone.text_dim)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.map(features), dim=1)


@objectives.register("tiny")
class TinyContrast(Objective):
    """InfoNCE of mean patch and caption, under dropout, so that the random draws matter."""

    head_type, needs = "tiny", "captions"

    def __init__(self, head, backbone, *, poison: int = 0, scale: float = 10.0) -> None:
        """The loss of every step after the first `poison` is no number, if that is not 0."""
        super().__init__(head, backbone)
        self.scale = nn.Parameter(torch.tensor(scale))
        self.poison, self.steps = poison, 0

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        self.steps += 1
        if str(self.steps) == os.environ.get("DIE_AT"):
            os.kill(os.getpid(), signal.SIGKILL)
        photos = F.normalize(self.head(F.dropout(batch.features, 0.1)).mean((2, 3)), dim=1)
        logits = self.scale * photos @ batch.captions.T
        target = torch.arange(len(logits))
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        if self.poison and self.steps > self.poison:
            loss = loss * torch.nan
        return {"contrast": loss, "_scale": self.scale.detach()}


@objectives.register("tiny-labels")
class TinyLabels(Objective):
    """Cross-entropy of labelled patches."""

    head_type, needs = "tiny", "labels"

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        logits = 10 * torch.einsum("behw,ce->bchw", self.head(batch.features), batch.classes)
        loss = F.cross_entropy(logits, batch.labels, ignore_index=-1, reduction="none")
        return {"text": (loss * batch.confidence).sum() / batch.confidence.sum().clamp(min=1e-6)}


def write_data(folder: Path, photos: int = 12) -> Path:
    """A folder of `photos` noise photos with `captions.tsv`, two captions a photo."""
    (folder / "images").mkdir(parents=True)
    things = ("dog", "cat", "ball", "tree", "traffic light")
    lines = []
    for i in range(photos):
        noise_photo(80, 64, seed=i).save(folder / "images" / f"{i}.png")
        lines += [f"{i}.png\tA {things[i % 5]} number {i}", f"{i}.png\tTwo {things[(i + 1) % 5]}s near {i} rocks ."]
    (folder / "captions.tsv").write_text("\n".join(lines) + "\n")
    return folder


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    try:
        sys.exit(train.run(parser.parse_args()))
    except TextsegError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
