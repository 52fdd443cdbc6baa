"""Frozen image encoders with their text encoders, behind one protocol; each module registers one family.

A backbone is named `family` or `family:details`: `lite`, `clip:ViT-B-16/openai`, `dinov2:small`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

import torch
from PIL import Image

from textseg.registry import Registry

if TYPE_CHECKING:
    from textseg.model.heads import Head


class Backbone(Protocol):
    """Photo -> patch features, words -> unit text embeddings, and facts about both."""

    name: str
    """The full name it was loaded by."""
    feature_dim: int
    text_dim: int
    patch_stride: int
    """Pixels of the encoded image between neighbouring patches."""
    multiple: int
    """Both sides of an encoded image are multiples of this."""
    short_side: int
    """The working size: photos are resized to this short side before they are encoded."""
    window: int | None
    """Side of the square windows that a larger image is encoded in, None to encode it whole."""
    templates: str
    """The prompt templates its words are put in by default."""
    logit_scale: float
    """Similarities are multiplied by this before a softmax over words."""
    licence: str

    @property
    def weights_hash(self) -> str:
        """Identifies the exact weights (and readout); heads and caches are tied to it."""

    def encode(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        """(B, D, h, w) float32 features of B equally large RGB photos whose sides are multiples of `multiple`."""

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """(K, E) unit text embeddings."""

    def alignment(self) -> "Head | None":
        """The untrained head: what links features and words before anything is trained; None when nothing does."""


Loader = Callable[..., Backbone]
_registry: Registry[Loader] = Registry("backbone", __name__)
register, names, get, facts = _registry.register, _registry.names, _registry.get, _registry.facts


def load(name: str, device: str | None = None, readout: str | None = None) -> Backbone:
    """Load the backbone called `name` on `device` (default: CUDA, then MPS, then CPU).

    `readout` chooses the dense readout of the backbones that have several. Raises UnknownNameError for a family that
    is not registered and WeightsError when the weights cannot be had.
    """
    family, _, details = name.partition(":")
    return _registry.get(family)(details, device=device or best_device(), readout=readout)


def best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def half_where_safe(device: str) -> AbstractContextManager:
    """Mixed precision on CUDA (bfloat16, or float16 where the card has no bfloat16); float32 everywhere else."""
    if not device.startswith("cuda"):
        return nullcontext()
    bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.autocast("cuda", dtype=torch.bfloat16 if bfloat16 else torch.float16)
