"""MGCA's decoder: gated convolutions up to stride 4, then the backbone's own alignment (arXiv 2403.03707).

That only a decoder over frozen CLIP is trained is the paper's; its layers are not public. They are TCL's gated
convolutional decoder (Cha et al., CVPR 2023, arXiv 2212.00785), our reading.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import nn

from textseg.errors import HeadError
from textseg.model.heads import Head, register

if TYPE_CHECKING:
    from textseg.model.backbones import Backbone

WIDEST = 768
BOTTLENECK = 128


@register("mgca")
class MGCAHead(Head):
    """Two stages of nearest x2 upsampling, each with two gated convolutions

        x <- x + tanh(g) * conv3x3(GELU(LN(x))),  g = 0 at the start,

    then the backbone's own untrained alignment A, cloned and fixed: z = A(x). With all gates at zero z is the
    nearest-upsampled baseline readout, and that is where training starts.

    Convolutions at 1280 channels would cost more than the backbone. With `width` below the features' own, the stages
    therefore run in a narrow stream d that starts as conv1x1(F), and

        x = up(F) + tanh(g) * conv1x1(d)                                      (corrects="features")
        z = normalise( up(A(F)) + tanh(g) * conv1x1(d) )                      (corrects="embedding")

    the second of which also runs A on the small grid only. Both are our reading, and both keep the start.
    A backbone without an alignment gets a linear one, which is trained.
    """

    kind = "mgca"

    def __init__(
        self,
        feature_dim: int,
        text_dim: int,
        alignment: Head | None,
        width: int,
        stages: int,
        corrects: Literal["features", "embedding"],
    ) -> None:
        super().__init__()
        self.config = {"width": width, "stages": stages, "corrects": corrects}
        self.corrects = corrects
        self.whole = width == feature_dim and corrects == "features"
        self.enter = nn.Identity() if self.whole else nn.Conv2d(feature_dim, width, 1)
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), GatedConv(width), GatedConv(width))
            for _ in range(stages)
        )
        if not self.whole:
            self.leave = nn.Conv2d(width, feature_dim if corrects == "features" else text_dim, 1)
            self.gate = nn.Parameter(torch.zeros(()))
        # A clone: loading a head file must never write into the backbone's own tensors.
        self.alignment = (
            LinearAlignment(feature_dim, text_dim)
            if alignment is None
            else copy.deepcopy(alignment).requires_grad_(False)
        )

    @classmethod
    def build(  # type: ignore[override]
        cls,
        backbone: Backbone,
        width: int | None = None,
        stages: int = 2,
        corrects: Literal["features", "embedding"] | None = None,
    ) -> MGCAHead:
        """Each of the `stages` halves the stride; `width` is that of the convolutions.

        By default features of up to 768 channels are corrected at their own width, and of wider ones the embedding, at
        a width of 128. Raises HeadError when `corrects` is neither.
        """
        dim = backbone.feature_dim
        width = width or (dim if dim <= WIDEST else BOTTLENECK)
        corrects = corrects or ("features" if dim <= WIDEST else "embedding")
        if corrects not in ("features", "embedding"):
            raise HeadError(f"An mgca head corrects 'features' or 'embedding', not '{corrects}'.")
        return cls(dim, backbone.text_dim, backbone.alignment(), width, stages, corrects)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, 4h, 4w) embeddings (at two stages)."""
        decoded = self.enter(features)
        for stage in self.stages:
            decoded = stage(decoded)
        if self.whole:
            return self.alignment(decoded)
        if self.corrects == "features":
            return self.alignment(self._upsample(features) + self.gate.tanh() * self.leave(decoded))
        return F.normalize(self._upsample(self.alignment(features)) + self.gate.tanh() * self.leave(decoded), dim=1)

    def text(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Words are mapped as the alignment maps them."""
        return self.alignment.text(embeddings)

    def _upsample(self, grid: torch.Tensor) -> torch.Tensor:
        return F.interpolate(grid, scale_factor=2 ** len(self.stages), mode="nearest")


class GatedConv(nn.Module):
    """x + tanh(g) * conv3x3(GELU(LN(x))), with LN over channels and g = 0 at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return x + self.gate.tanh() * self.conv(F.gelu(normed))


class LinearAlignment(Head):
    """What a backbone without an alignment gets: one trained linear layer into the text space."""

    def __init__(self, feature_dim: int, text_dim: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(feature_dim, text_dim, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        return F.normalize(self.project(features), dim=1)
