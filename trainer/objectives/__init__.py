"""Training objectives over frozen backbones, one file each; the mathematics stands beside the papers' sections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from textseg.model.backbones import Backbone
from textseg.model.heads import Head
from textseg.registry import Registry

_registry: Registry[type[Objective]] = Registry("objective", __name__)
register, names, get = _registry.register, _registry.names, _registry.get


@dataclass
class Batch:
    """B photos and what is known of them. Embeddings are the backbone's unit text embeddings, before `head.text`."""

    features: torch.Tensor
    """(B, D, h, w) frozen backbone features."""
    captions: torch.Tensor | None = None
    """(B, E): one caption of each photo."""
    caption_ids: torch.Tensor | None = None
    """(B,) equal numbers mean equal captions."""
    nouns: torch.Tensor | None = None
    """(N, E): the captions' nouns in prompt templates."""
    noun_ids: torch.Tensor | None = None
    """(N,) equal numbers mean equal nouns, over the whole data set."""
    noun_owner: torch.Tensor | None = None
    """(N,) the photo (0..B-1) whose caption holds the noun."""
    labels: torch.Tensor | None = None
    """(B, h, w) int64 class of each patch, -1 where unlabelled."""
    confidence: torch.Tensor | None = None
    """(B, h, w) weight of each label, 0..1."""
    classes: torch.Tensor | None = None
    """(C, E): the texts that `labels` point to."""
    shares: torch.Tensor | None = None
    """(C,) the share of each class among the labelled patches of the whole data set, none of them 0."""


class Objective(nn.Module):
    """A loss over a head, which is a part of it: its parameters are the head's and its own.

    Its own (masks, mixing layers) are trained with the head's and then thrown away; the logit scale goes with the head.
    """

    head_type: ClassVar[str]
    """The registered head it trains unless told otherwise."""
    needs: ClassVar[Literal["captions", "labels", "corrections"]]
    """What it learns from: captions with nouns, (pseudo-)labelled patches with their classes, or a project's
    corrections (trainer/corrections.py)."""

    def __init__(self, head: Head, backbone: Backbone, **config: Any) -> None:
        super().__init__()
        self.head = head

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Scalar terms by name; their sum (already weighted) is minimised. Keys starting with "_" are only logged."""
        raise NotImplementedError

    def logit_scale(self) -> float | None:
        """What the loss multiplies similarities by before a softmax, as trained; None: it has no such scale."""
        return None
