"""What every image tower has in common: tokens, blocks of queries, keys and values, and a way into the text space.

Dense readouts change what the last blocks do, and photos come in any size, so the walk through a tower is written out
here; with nothing changed it gives the embedding that the tower's own library gives.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from textseg.model.heads import Head

Grid = tuple[int, int]
"""(height, width) in patches."""

BLOCKS, CLASS_TOKEN, ATTENTION_POOL = "transformer blocks", "a class token", "an attention pool"
"""What a tower may have and a readout may need (`Tower.has`)."""


@dataclass(frozen=True)
class Family:
    """Towers that are made and pooled alike, before any of them is loaded."""

    has: frozenset[str]
    """What its towers have (`Tower.has`)."""
    of_open_clip: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether a `vision_cfg` of open_clip's is one of it; None: it has none."""
    model_types: tuple[str, ...] = ()
    """transformers' names of it."""


class Block(ABC):
    """One residual attention block: x + attention(x), then + feed-forward(.).

    x is (B, N, D); queries, keys and values are (B, heads, N, d) with D = heads * d.
    """

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.project(x)
        return self.feed_forward(x + self.merge(attend(query, key, value)))

    @abstractmethod
    def normed(self, x: torch.Tensor) -> torch.Tensor:
        """What queries, keys and values are projected from: ln_1(x) in most towers."""

    @abstractmethod
    def project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The queries, keys and values of normed(x), each as the attention uses it."""

    @abstractmethod
    def merge(self, values: torch.Tensor) -> torch.Tensor:
        """(B, heads, N, d) attended values -> (B, N, D), what the block adds to x: heads joined, output projection."""

    @abstractmethod
    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        """x + MLP(ln_2(x))."""


class Tower(ABC):
    """The image side of an image-text model, taken apart. Subclasses set what is declared here."""

    has: frozenset[str]
    """Of BLOCKS, CLASS_TOKEN, ATTENTION_POOL what there is: it decides which readouts the tower has."""
    patch: int
    """Pixels between neighbouring grid positions, as trained."""
    native: int
    """Side in pixels of the photos it was trained on."""
    feature_dim: int
    text_dim: int
    finer: bool = True
    """Whether patches can be taken at a smaller stride than they were trained at."""

    @abstractmethod
    def enter(self, pixels: torch.Tensor, stride: int) -> tuple[list[Block], torch.Tensor, Grid]:
        """(B, 3, H, W) normalised pixels -> the blocks, the tokens (B, P + h*w, D) for the first one, and (h, w).

        P tokens without a place on the grid come first; where there is a class token, it is the very first.
        """

    @abstractmethod
    def pool(self, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        """(B, P + h*w, D) output of the last block -> (B, E) image embedding, as the model itself pools it."""

    @abstractmethod
    def alignment(self) -> Head:
        """(B, D, h, w) features -> (B, E, h, w) unit embeddings: what pooling does to a single token."""


class Projection(Head):
    """Unit embeddings of single tokens: `steps` one after the other, each (..., D) -> (..., D')."""

    def __init__(self, *steps: nn.Module) -> None:
        super().__init__()
        self.steps = nn.Sequential(*(step for step in steps if not isinstance(step, (nn.Identity, nn.Dropout))))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        return F.normalize(self.steps(features.movedim(1, 3)), dim=3).movedim(3, 1)


def through(blocks: Sequence[Block], x: torch.Tensor) -> torch.Tensor:
    """`x` after all of `blocks`, unchanged ones."""
    for block in blocks:
        x = block(x)
    return x


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None = None,
    scale: float | None = None,
) -> torch.Tensor:
    """softmax(scale * query key^T + bias) value, the scale d^-1/2 unless given; holds no (heads, N, N) weights."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(B, N, heads * d) -> (B, heads, N, d)."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def join_heads(x: torch.Tensor) -> torch.Tensor:
    """(B, heads, N, d) -> (B, N, heads * d)."""
    return x.transpose(1, 2).flatten(2)


def patches(convolution: nn.Conv2d, pixels: torch.Tensor, stride: int) -> tuple[torch.Tensor, Grid]:
    """(B, 3, H, W) normalised pixels -> (B, h*w, D) patch tokens, rows first, and the grid (h, w).

    h = H / stride and w = W / stride. With a stride smaller than the patch (PACL's stride trick, arXiv 2212.04994) the
    photo's border is repeated outwards by half the difference, so that each patch stays centred on its grid cell.
    """
    surplus = convolution.kernel_size[0] - stride
    before, after = surplus // 2, surplus - surplus // 2
    padded = F.pad(pixels, (before, after, before, after), mode="replicate") if surplus else pixels
    image = F.conv2d(padded, convolution.weight, convolution.bias, stride=stride)
    return image.flatten(2).transpose(1, 2), (image.shape[2], image.shape[3])


def positions(embedding: torch.Tensor, native: Grid, grid: Grid) -> torch.Tensor:
    """(P + native, D) positional embedding -> (P + h*w, D), bicubic between patch centres; the native grid as it is."""
    if grid == tuple(native):
        return embedding
    prefix = len(embedding) - native[0] * native[1]
    first, places = embedding[:prefix], embedding[prefix:]
    image = places.T.unflatten(1, tuple(native))[None].float()
    resized = F.interpolate(image, size=grid, mode="bicubic", align_corners=False)[0]
    return torch.cat([first, resized.flatten(1).T.to(first.dtype)])
