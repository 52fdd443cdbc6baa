"""How patch features lie on disk: as they are in half precision, or each patch in a byte a channel.

`float8` (E4M3) and `int8` keep one scale a patch, by which its largest channel is the largest number there is, as
float16 in two more bytes. Beside a channel that is fifty times as large as the others, as transformers have them, int8
has no room for those, and float8 has; where channels are alike int8 is the more exact one (benchmarks/packings.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from textseg.errors import UnknownNameError

SCALE_BYTES = 2
FLOAT8 = torch.float8_e4m3fn


@dataclass(frozen=True)
class Packing:
    """(B, D, h, w) features -> a tensor of B packed photos, and back."""

    pack: Callable[[torch.Tensor], torch.Tensor]
    unpack: Callable[[torch.Tensor], torch.Tensor]
    bytes_of: Callable[[int], int]
    """Bytes that a patch of D channels takes."""


def names() -> list[str]:
    return list(_PACKINGS)


def get(name: str) -> Packing:
    """The packing called `name`; raises UnknownNameError."""
    if name not in _PACKINGS:
        raise UnknownNameError(f"There is no packing called '{name}'; choose {', '.join(_PACKINGS)}.")
    return _PACKINGS[name]


def _with_scale(codes: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """(B, D + 2, h, w) uint8: a byte a channel, then those of the scale (B, h, w)."""
    bytes_of_scale = scale.half().contiguous().view(torch.uint8).unflatten(-1, (-1, SCALE_BYTES)).movedim(-1, 1)
    return torch.cat([codes.contiguous().view(torch.uint8), bytes_of_scale], dim=1)


def _scale_of(packed: torch.Tensor) -> torch.Tensor:
    """(B, 1, h, w) float32."""
    return packed[:, -SCALE_BYTES:].movedim(1, -1).contiguous().view(torch.float16).movedim(-1, 1).float()


def _scale_for(features: torch.Tensor, largest: float) -> torch.Tensor:
    """(B, h, w): what the features are divided by, rounded as it is kept; never 0."""
    return (features.abs().amax(1) / largest).clamp(min=1e-7).half()


def _pack_int8(features: torch.Tensor) -> torch.Tensor:
    features = features.float()
    scale = _scale_for(features, 127)
    return _with_scale((features / scale[:, None].float()).round().clamp(-127, 127).to(torch.int8), scale)


def _unpack_int8(packed: torch.Tensor) -> torch.Tensor:
    return packed[:, :-SCALE_BYTES].view(torch.int8).float() * _scale_of(packed)


def _pack_float8(features: torch.Tensor) -> torch.Tensor:
    features = features.float()
    largest = torch.finfo(FLOAT8).max
    scale = _scale_for(features, largest)
    return _with_scale((features / scale[:, None].float()).clamp(-largest, largest).to(FLOAT8), scale)


def _unpack_float8(packed: torch.Tensor) -> torch.Tensor:
    if packed.device.type == "mps":  # which has no such numbers
        return _unpack_float8(packed.cpu()).to(packed.device)
    return packed[:, :-SCALE_BYTES].view(FLOAT8).float() * _scale_of(packed)


_PACKINGS = {
    "float16": Packing(torch.Tensor.half, torch.Tensor.float, lambda depth: 2 * depth),
    "int8": Packing(_pack_int8, _unpack_int8, lambda depth: depth + SCALE_BYTES),
    "float8": Packing(_pack_float8, _unpack_float8, lambda depth: depth + SCALE_BYTES),
}
