"""PACL's vision embedder (Mukhoti et al., CVPR 2023, arXiv 2212.04994, appendix A.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from textseg.model.heads import Head, register

if TYPE_CHECKING:
    from textseg.model.backbones import Backbone


@register("pacl")
class PACLHead(Head):
    """e_v, a residual block of two branches, applied to each patch token x:

        v = W_0 x + W_2 relu(W_1 x)        (all three with bias; hidden width = text width)

    From 768 to 512 dimensions these are 1,050,112 parameters, the paper's "about 1.1 M". Whether x is taken before or
    after a ViT's last norm is not public: here it is whatever the backbone gives.
    """

    kind = "pacl"

    def __init__(self, feature_dim: int, text_dim: int) -> None:
        super().__init__()
        self.config = {}
        self.skip = nn.Linear(feature_dim, text_dim)
        self.main = nn.Sequential(nn.Linear(feature_dim, text_dim), nn.ReLU(), nn.Linear(text_dim, text_dim))

    @classmethod
    def build(cls, backbone: Backbone) -> PACLHead:  # type: ignore[override]
        return cls(backbone.feature_dim, backbone.text_dim)

    def tokens(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) embedder outputs v, not normalised: what PACL pools."""
        x = features.movedim(1, -1)
        return (self.skip(x) + self.main(x)).movedim(-1, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings: a photo is segmented with S, never with the attention."""
        return F.normalize(self.tokens(features), dim=1)

    def silence(self) -> None:
        """Make all outputs zero, until training changes that."""
        for layer in (self.skip, self.main[2]):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
