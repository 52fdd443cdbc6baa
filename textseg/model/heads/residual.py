"""A head that starts at the untrained alignment: what training adds to it is nothing at first."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from textseg.errors import HeadError
from textseg.model.heads import Head, get, register

if TYPE_CHECKING:
    from textseg.model.backbones import Backbone


@register("residual")
class ResidualHead(Head):
    """z = normalise(A(x) + r(x)): the backbone's own alignment A, cloned and fixed, and the outputs r of another head.

    The last layers of r are zero at the start, so that z is then the untrained readout, and words are mapped as A maps
    them. A head that starts from noise has to learn anew what the backbone knows; over few photos that costs more than
    the captions teach. The papers train on millions of pairs and need no such start: this is ours, as is MGCA's
    (textseg/model/heads/mgca.py), whose zero gates do the same.
    """

    kind = "residual"

    def __init__(self, alignment: Head, inner: Head) -> None:
        super().__init__()
        self.config = {"of": inner.kind, **inner.config}
        # A clone: loading a head file must never write into the backbone's own tensors.
        self.alignment = copy.deepcopy(alignment).requires_grad_(False)
        self.inner: Any = inner

    @classmethod
    def build(cls, backbone: Backbone, of: str = "pacl", **settings: Any) -> ResidualHead:  # type: ignore[override]
        """A head of type `of` with its `settings`, over the alignment of `backbone`.

        The head has `tokens`, its outputs before they are normalised, and `silence`, which makes them zero: so have
        pacl and block. Raises HeadError where it has not, or the backbone has no alignment.
        """
        alignment, kind = backbone.alignment(), get(of)
        if alignment is None:
            raise HeadError(f"'{backbone.name}' has no alignment of its own to start from; use a head of type '{of}'.")
        if not hasattr(kind, "silence"):
            raise HeadError(f"A residual head is 'of' pacl or block, not '{of}'.")
        inner: Any = kind.build(backbone, **settings)
        inner.silence()
        return cls(alignment, inner)

    def start(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings before any training; no gradient flows."""
        with torch.no_grad():
            return F.normalize(self.alignment(features), dim=1)

    def tokens(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w), not normalised."""
        return self.start(features) + self.inner.tokens(features)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        return F.normalize(self.tokens(features), dim=1)

    def text(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Words are mapped as the alignment maps them."""
        return self.alignment.text(embeddings)
