"""ZeroGPU: a Space that holds no GPU, and is lent one for single calls through the package `spaces`.

The backbone lies on "cuda" from the start, as `spaces` wants it; the encoding of one photo is what a GPU is asked for.
Head, words and masks stay on the CPU: they are quick there, and their results stay in this process, which what a lent
GPU makes does not, as it is another one's. Trainings stay on the CPU too.
"""

import os
import sys
import time
from types import ModuleType

import torch
from PIL import Image

from textseg.model import Model

DEVICE = "cuda"
FIRST, LEAST, MOST = 20, 3, 120
"""Seconds that are asked for: before anything is known, at least, at most."""


def lender() -> ModuleType | None:
    """The package that lends, where there is something to lend. It must be imported before torch: see app.py."""
    return sys.modules.get("spaces") if os.environ.get("SPACES_ZERO_GPU") else None


class LentGpu:
    """Encodes photos for a model on the CPU, by its twin on a GPU that is there during the call alone."""

    def __init__(self, twin: Model, spaces: ModuleType) -> None:
        self._twin = twin
        self._longest: float | None = None
        self._lent = spaces.GPU(self._encode, duration=self.seconds)

    def features(self, photo: Image.Image) -> torch.Tensor:
        """As `Model.features`, on the CPU."""
        features, took = self._lent(photo)
        self._longest = max(took, self._longest or 0.0)
        return features

    def seconds(self, photo: Image.Image) -> int:
        """How long a GPU is asked for: who asks for less waits less, and who uses more is cut off.

        Twice the longest of those before, as a photo of another shape may take longer.
        """
        return FIRST if self._longest is None else min(MOST, max(LEAST, round(2 * self._longest + 1)))

    def _encode(self, photo: Image.Image) -> tuple[torch.Tensor, float]:
        began = time.monotonic()
        features = self._twin.features(photo).cpu()
        return features, time.monotonic() - began
