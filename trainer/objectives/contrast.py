"""What the caption objectives share: the texts of a batch, and the contrast of all photos with all of them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from textseg.errors import DatasetError
from textseg.model.heads import Head
from trainer.objectives import Batch

CHUNK = 2**24
"""Most elements of (photos, texts, patches) held at one time: 64 MB in float32."""


def texts_of(batch: Batch, head: Head, nouns: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """The batch's texts (C, E), as the head maps them, and which of them each photo has, (B, C) bool.

    First the captions, then (with `nouns`) the captions' nouns. Equal texts are merged into one that several photos
    have: "a photo of a dog" occurs many times in a batch and must not be its own negative. Prompts of one noun in
    several templates are merged into their normalised mean.
    """
    photos = torch.arange(len(batch.features), device=batch.features.device)
    found = []
    if batch.captions is not None:
        ids = photos if batch.caption_ids is None else batch.caption_ids
        found.append(_merged(batch.captions, ids, photos, len(photos)))
    if nouns and batch.nouns is not None and batch.noun_ids is not None and batch.noun_owner is not None:
        found.append(_merged(batch.nouns, batch.noun_ids, batch.noun_owner, len(photos)))
    if not found:
        raise DatasetError("The photos have no captions, which this objective learns from; give data with captions.")
    vectors, owned = zip(*found, strict=True)
    return head.text(torch.cat(vectors)), torch.cat(owned, dim=1)


@torch.no_grad()
def nearly_said(texts: torch.Tensor, positive: torch.Tensor, near: float) -> torch.Tensor:
    """(B, C) bool: texts that a photo does not have, but whose cosine with one that it has is above `near`.

    A photo of a man is no counter-example of "person". Captions name little of what a photo shows, and the negatives
    that are most similar are the first to be such false ones. With `near` at 1 there are none.
    """
    if near >= 1:
        return torch.zeros_like(positive)
    return ((texts @ texts.T > near).float() @ positive.mT.float()).mT.bool() & ~positive


def info_nce(logits: torch.Tensor, positive: torch.Tensor, ignored: torch.Tensor | None = None) -> torch.Tensor:
    """Symmetric InfoNCE of logits (B, C) with several positives: the mean over all positive pairs (b, c) of

        1/2 [ -log e^l_bc / (e^l_bc + sum_{c' not of b} e^l_bc')
              -log e^l_bc / (e^l_bc + sum_{b' without c} e^l_b'c) ]

    Other positives are no competitors, nor are pairs that are `ignored`. With one text a photo, all different, this is
    CLIP's loss.
    """
    logits = logits.float()
    negative = logits.masked_fill(positive if ignored is None else positive | ignored, -1e9)
    to_texts = F.softplus(negative.logsumexp(1, keepdim=True) - logits)
    to_photos = F.softplus(negative.logsumexp(0, keepdim=True) - logits)
    return (to_texts + to_photos)[positive].mean() / 2


def compatibility(v: torch.Tensor, texts: torch.Tensor, attn_scale: float, chunk: int = CHUNK) -> torch.Tensor:
    """phi (B, C) of PACL's (P4) for tokens (B, T, D) and unit texts (C, D), never with B x C x T x D numbers.

    Photos are independent of each other, so they are taken in groups of at most `chunk` elements of the attention; with
    more than one group the attention is computed again in the backward pass instead of being kept.
    """
    group = max(1, chunk // (len(texts) * v.shape[1]))
    if group >= len(v):
        return _compatibility(v, texts, attn_scale)
    parts = [checkpoint(_compatibility, part, texts, attn_scale, use_reentrant=False) for part in v.split(group)]
    return torch.cat(parts)


def _compatibility(v: torch.Tensor, texts: torch.Tensor, attn_scale: float) -> torch.Tensor:
    dots = texts @ v.mT  # (B, C, T)
    similarity = dots / v.norm(dim=-1).clamp(min=1e-12)[:, None]  # (P1)
    attention = (attn_scale * similarity).softmax(-1)  # (P2)
    return pooled_cosine(v, attention, dots)  # (P3), (P4)


def pooled_cosine(v: torch.Tensor, weights: torch.Tensor, dots: torch.Tensor) -> torch.Tensor:
    """cos(sum_t w[b,c,t] v_bt, t_c) as (B, C), from tokens (B, T, D), weights (B, C, T) and dots[b,c,t] = v_bt . t_c.

    The numerator is sum_t w (v_t . t_c). The norm is |w V|^2 = w G w^T with each photo's Gram matrix G = V V^T while
    T < D; from there on pooling itself is cheaper. All in float32 at least: rounding could make w G w^T negative.
    """
    with torch.autocast(v.device.type, enabled=False):
        dtype = torch.promote_types(v.dtype, torch.float32)
        v, weights, dots = v.to(dtype), weights.to(dtype), dots.to(dtype)
        numerator = (weights * dots).sum(-1)
        if v.shape[1] < v.shape[2]:
            squared = (weights @ (v @ v.mT) * weights).sum(-1)
        else:
            squared = (weights @ v).square().sum(-1)
        return numerator * squared.clamp(min=1e-12).rsqrt()


class LogitScale(nn.Module):
    """s = exp(theta), starting at 1/0.07 and never above 100, as in CLIP; learned, and kept with the head."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self) -> torch.Tensor:
        return self.theta.exp().clamp(max=100)


def mean_cosine(z: torch.Tensor) -> torch.Tensor:
    """Mean cosine over all pairs of unit vectors (..., E): near 1 when embeddings have collapsed. For the log."""
    return z.detach().flatten(0, -2).float().mean(0).square().sum()


def _merged(
    vectors: torch.Tensor, ids: torch.Tensor, owner: torch.Tensor, photos: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """(C, E) one unit vector for each different id, in order of first appearance, and (photos, C) whose it is."""
    unique, place = ids.unique(return_inverse=True)
    first = torch.full_like(unique, len(ids)).scatter_reduce(
        0, place, torch.arange(len(ids), device=ids.device).to(unique.dtype), "amin"
    )
    place = first.argsort().argsort()[place]
    sums = vectors.new_zeros(len(unique), vectors.shape[1]).index_add(0, place, vectors)
    positive = torch.zeros(photos, len(unique), dtype=torch.bool, device=ids.device)
    positive[owner, place] = True
    return F.normalize(sums, dim=1), positive
