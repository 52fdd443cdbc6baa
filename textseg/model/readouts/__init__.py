"""Training-free dense readouts: what the last blocks of a frozen CLIP give per patch instead of per image.

Each is a function of the tower's blocks and the tokens that enter the first one. What it returns still has to pass
CLIP's ln_post and projection before it is compared with words. `docs/methods.md` shows formulas, sources and
published numbers side by side.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from textseg.errors import UnknownNameError
from textseg.model.vit import Block, Grid
from textseg.registry import Facts, Registry

DEFAULT = "sc_clip"
"""Of the readouts that need nothing but CLIP, the one with the best published mIoU on all eight benchmarks."""


Function = Callable[..., torch.Tensor]
"""(blocks, x, grid) -> features: the (B, 1 + h*w, D) tokens x, class token first, on the grid (h, w), become
(B, D, h', w') features. A readout with a second backbone also takes its (B, D', h', w') features, as `proxy`."""


@dataclass(frozen=True)
class Readout:
    """A named readout; `second` is the name of the backbone whose features it also needs, if any."""

    name: str
    function: Function
    second: str | None = None


_registry: Registry[Readout] = Registry("readout", __name__)
names, facts = _registry.names, _registry.facts


def register(name: str, facts: Facts | None = None, second: str | None = None) -> Callable[[Function], Function]:
    """Decorator: make a readout function available under `name`."""

    def add(function: Function) -> Function:
        _registry.register(name, facts)(Readout(name, function, second))
        return function

    return add


def get(name: str | None = None) -> Readout:
    """The readout called `name`; `proxyclip:dinov2:small` names its second backbone. Raises UnknownNameError."""
    name = name or DEFAULT
    family, _, second = name.partition(":")
    readout = _registry.get(family)
    if not second:
        return readout
    if readout.second is None:
        raise UnknownNameError(f"The readout '{family}' has no second backbone to choose, but '{second}' was given.")
    return Readout(name, readout.function, second)


def through(blocks: Sequence[Block], x: torch.Tensor) -> torch.Tensor:
    """`x` after all of `blocks`, unchanged ones."""
    for block in blocks:
        x = block(x)
    return x


def patch_map(x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """(B, 1 + h*w, D) tokens -> (B, D, h, w): the class token dropped, rows first."""
    return x[:, 1:].transpose(1, 2).unflatten(2, grid)


def shared_attention(scores: torch.Tensor) -> torch.Tensor:
    """(B, T, T) scores -> weights: softmax over the entries that are not negative.

    A patch always keeps itself, so that a photo of one colour (no entry left) gives no division by zero.
    """
    itself = torch.eye(scores.shape[-1], dtype=torch.bool, device=scores.device)
    return scores.masked_fill((scores < 0) & ~itself, -torch.inf).softmax(-1)
