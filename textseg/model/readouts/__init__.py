"""Training-free dense readouts: what the last blocks of a frozen tower give per patch instead of per image.

Each is a function of the tower's blocks and the tokens that enter the first one. What it returns still has to pass
the tower's own way into the text space (its `alignment`) before it is compared with words. `docs/methods.md` shows
formulas, sources and published numbers side by side, `docs/models.md` which tower has which.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch

from textseg.errors import UnknownNameError
from textseg.model.towers import ATTENTION_POOL, BLOCKS, CLASS_TOKEN, Block, Grid, through
from textseg.registry import Facts, Registry

DEFAULT = "sc_clip"
"""Of the readouts that need nothing but CLIP, the one with the best published mIoU on all eight benchmarks."""


Function = Callable[..., torch.Tensor]
"""(blocks, x, grid) -> features: the (B, P + h*w, D) tokens x, those without a place first, on the grid (h, w), become
(B, D, h', w'). A readout with a second backbone also takes its (B, D', h', w') features, as `proxy`."""


@dataclass(frozen=True)
class Readout:
    """A named readout; `second` is the name of the backbone whose features it also needs, if any."""

    name: str
    function: Function
    second: str | None = None
    needs: frozenset[str] = frozenset()
    """What a tower must have (`Tower.has`) to be read out this way."""
    of_pool: Function | None = None
    """What it is where the last attention is not the last block's but that of an attention pool."""

    def fits(self, has: Collection[str]) -> bool:
        """Whether a tower that has these parts can be read out this way."""
        return self.needs <= set(has) or (ATTENTION_POOL in has and self.of_pool is not None)

    def on(self, has: Collection[str]) -> Function:
        """The function for a tower that has these parts."""
        return self.of_pool if self.of_pool is not None and ATTENTION_POOL in has else self.function


_registry: Registry[Readout] = Registry("readout", __name__)
names, facts = _registry.names, _registry.facts


def register(
    name: str,
    facts: Facts | None = None,
    second: str | None = None,
    needs: Collection[str] = (BLOCKS,),
    of_pool: Function | None = None,
) -> Callable[[Function], Function]:
    """Decorator: make a readout function available under `name`."""

    def add(function: Function) -> Function:
        _registry.register(name, facts)(Readout(name, function, second, frozenset(needs), of_pool))
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
    return Readout(name, readout.function, second, readout.needs, readout.of_pool)


def of(has: Collection[str]) -> list[str]:
    """The names of the readouts of a tower that has these parts, the default first."""
    default = default_of(has)
    return [default, *(name for name in names() if name != default and get(name).fits(has))]


def default_of(has: Collection[str]) -> str:
    """What a tower with these parts is read out by unless told otherwise.

    The published comparisons are of towers with a class token; a pool of attention has its value path, and what is
    pooled as a mean, its plain tokens.
    """
    if ATTENTION_POOL in has:
        return "maskclip"
    return DEFAULT if CLASS_TOKEN in has else "clip"


def choose(name: str | None, has: Collection[str], wanted: str) -> Readout:
    """The readout `name`, or the default, of `wanted`, whose tower `has` these parts; raises UnknownNameError."""
    readout = get(name or default_of(has))
    if not readout.fits(has):
        missing = " and ".join(sorted(readout.needs - set(has)))
        raise UnknownNameError(
            f"The readout '{readout.name}' needs {missing}, which the image tower of '{wanted}' has not; choose one of "
            f"{', '.join(of(has))}."
        )
    return readout


def plain_tokens(blocks: Sequence[Block], x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Y = X + O(A(q k^T) v), Z = Y + FFN(Y): nothing is changed (Radford et al. 2021, arXiv 2103.00020).

    An attention pool then acts on each token as if it attended to that one alone, a mean as if the photo were it.
    """
    return patch_map(through(blocks, x), grid)


def patch_map(x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """(B, P + h*w, D) tokens -> (B, D, h, w): those without a place dropped, rows first."""
    return places(x, grid).transpose(1, 2).unflatten(2, grid)


def places(x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """(..., P + h*w, D) tokens -> (..., h*w, D): those that lie on the grid."""
    return x[..., x.shape[-2] - grid[0] * grid[1] :, :]


def shared_attention(scores: torch.Tensor) -> torch.Tensor:
    """(B, T, T) scores -> weights: softmax over the entries that are not negative.

    A patch always keeps itself, so that a photo of one colour (no entry left) gives no division by zero.
    """
    itself = torch.eye(scores.shape[-1], dtype=torch.bool, device=scores.device)
    return scores.masked_fill((scores < 0) & ~itself, -torch.inf).softmax(-1)
