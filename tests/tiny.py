"""A backbone small enough to make in a millisecond, for tests of what stands on backbones."""

import hashlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from textseg import proposals
from textseg.model import Model, Scene, backbones
from textseg.model.heads import Head
from textseg.proposals import Box, Cancel, Mask, Point
from textseg.registry import Facts


class TinyBackbone:
    """One random convolution at stride 8; texts are embedded by their hash. Counts how often it encodes."""

    encoded_by_all: ClassVar[int] = 0
    """How often any of them in this process has encoded."""

    name = "tiny"
    feature_dim, text_dim = 24, 16
    patch_stride, multiple, short_side, window = 8, 8, 64, None
    templates, logit_scale = "plain", 10.0
    licence, weights_hash = "CC0-1.0", "0123456789abcdef"

    def __init__(self) -> None:
        torch.manual_seed(0)
        self._conv = nn.Conv2d(3, self.feature_dim, 8, stride=8).requires_grad_(False)
        self._project = nn.Conv2d(self.feature_dim, self.text_dim, 1).requires_grad_(False)
        self.encoded = 0

    def encode(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        self.encoded += 1
        TinyBackbone.encoded_by_all += 1
        pixels = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos])).permute(0, 3, 1, 2).float()
        return self._conv(pixels / 127.5 - 1)

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        rows = []
        for text in texts:
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
            rows.append(torch.randn(self.text_dim, generator=torch.Generator().manual_seed(seed)))
        return F.normalize(torch.stack(rows), dim=1)

    def alignment(self) -> nn.Module:
        return Projection(self._project)


class Projection(Head):
    def __init__(self, project: nn.Conv2d) -> None:
        super().__init__()
        self.project = project

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.project(features), dim=1)

    def text(self, embeddings: torch.Tensor) -> torch.Tensor:
        return embeddings


@backbones.register("tiny", Facts(about="A random convolution for tests.", licence="CC0-1.0", size="10 kB"))
def load_tiny(details: str = "", device: str | None = None, readout: str | None = None) -> TinyBackbone:
    """`--backbone tiny`, in every process that has imported this module."""
    return TinyBackbone()


class Tinier(TinyBackbone):
    """Another one, to switch to."""

    name, weights_hash = "tinier", "fedcba9876543210"


@backbones.register("tinier", Facts(about="Another random convolution for tests.", licence="CC0-1.0", size="10 kB"))
def load_tinier(details: str = "", device: str | None = None, readout: str | None = None) -> Tinier:
    """`--backbone tinier`, in every process that has imported this module."""
    return Tinier()


class GivenMasks:
    """Proposals that are given; counts how often they are asked."""

    def __init__(self, masks: list[Mask]) -> None:
        self.masks, self.asked = masks, 0
        self.size = masks[0].size

    def everything(self, cancel: Cancel | None = None) -> list[Mask]:
        self.asked += 1
        return list(self.masks)

    def prompt(self, points: Sequence[Point] = (), box: Box | None = None, previous: Mask | None = None) -> list[Mask]:
        return list(self.masks)

    def hierarchy(self, x: float, y: float) -> list[Mask]:
        return list(self.masks)


@proposals.register("halves", Facts(about="The left half of a photo, for tests.", licence="CC0-1.0"))
class Halves:
    """`--proposals halves`, in every process that has imported this module."""

    name = "halves"
    looked_at_by_all: ClassVar[int] = 0
    """How many photos any of them in this process has opened."""

    def __init__(self, details: str = "", device: str | None = None) -> None:
        pass

    def open(self, photo: Image.Image, scene: Scene | None = None) -> GivenMasks:
        Halves.looked_at_by_all += 1
        left = np.zeros(photo.size[::-1], bool)
        left[:, : photo.width // 2] = True
        return GivenMasks([Mask.from_array(left, 0.9)])


def tiny_model() -> Model:
    backbone = TinyBackbone()
    return Model(backbone, backbone.alignment(), "none")


def noise_photo(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """Coloured blocks with noise: has edges, and no two seeds alike."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (4, 6, 3), dtype=np.uint8)
    photo = np.asarray(Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST), np.int16)
    return Image.fromarray(np.clip(photo + rng.integers(-12, 12, photo.shape), 0, 255).astype(np.uint8))
