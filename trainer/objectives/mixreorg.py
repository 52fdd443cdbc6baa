"""MixReorg: cross-modal mixed patch reorganisation (ICCV 2023, arXiv 2308.04829).

Patches of m photos are mixed; finding each one's text again teaches which patch a text speaks of. With X_i (T, d) the
patches of photo i after one trained transformer layer (contextual mixing), unit segments Z_kg and shares a_k(g, p) of
the two-stage grouping head, and texts t_j:

    (R1)  X~_k(p) = X_{sigma_k(p)}(p)             at each position p, sigma_.(p) is a random permutation of the m photos
    (R2)  X~ <- X~ + tanh(g) CrossAttention(X~, X)      progressive mixing after each layer, g = 0 at the start
    (R3)  q_k(p, j) = sum_g a_k(g, p) Z_kg . t_j
          L_mix = mean_{k,p} CE( softmax_j s q_k(p, .), sigma_k(p) )
    (R4)  X^_i(p) = X~_k(p) with sigma_k(p) = i             restoration: the exact inverse of (R1)
    (R5)  L_ori, L_res = symmetric InfoNCE of s normalise(mean_g Z_ig) . t_j on original and restored photos
    (R6)  L = L_ori + lambda_res L_res + lambda_mix L_mix

Contextual mixing, progressive mixing, restoration, the grouping head and the three losses are the paper's. Our reading:
patches keep their positions, (R2)'s operator and what it attends to, m, and the weights.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from textseg.errors import DatasetError, HeadError
from textseg.model.backbones import Backbone
from textseg.model.heads import Head
from textseg.model.heads.grouping import GroupingHead
from textseg.model.transformer import Attention
from trainer.objectives import Batch, Objective, register
from trainer.objectives.contrast import LogitScale, info_nce, mean_cosine, texts_of


@register("mixreorg")
class MixReorg(Objective):
    head_type = "grouping"
    needs = "captions"
    head: GroupingHead

    def __init__(
        self,
        head: Head,
        backbone: Backbone,
        *,
        mix: int = 4,
        sees: Literal["tuple", "source"] = "tuple",
        restored_weight: float = 1.0,
        mixed_weight: float = 1.0,
        nouns: bool = True,
    ) -> None:
        """`mix` is m. In (R2) a mixed patch `sees` all photos of its "tuple", or only its "source"."""
        super().__init__(head, backbone)
        if not isinstance(head, GroupingHead):
            raise HeadError(f"MixReorg trains a head of type 'grouping', not '{head.kind}'.")
        self.mix, self.sees, self.nouns = mix, sees, nouns
        self.restored_weight, self.mixed_weight = restored_weight, mixed_weight
        self.progressive = nn.ModuleList(GatedCrossAttention(head.width, head.config["heads"]) for _ in head.layers)
        self.scale = LogitScale()

    def logit_scale(self) -> float:
        return float(self.scale().detach())

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        if batch.captions is None:
            raise DatasetError("The photos have no captions, which mixreorg learns from; give data with captions.")
        head, scale = self.head, self.scale()
        texts, positive = texts_of(batch, head, self.nouns)

        context = head.context(batch.features)  # contextual mixing: only contextualised patches are mixed
        m = min(self.mix, len(context))
        tuples = len(context) // m
        sigma = permutations(tuples, m, context.shape[1], context.device)
        mixed = mix(_tuples(context, m), sigma)

        original = context
        for layer, progressive in zip(head.layers, self.progressive, strict=True):
            original = layer(original)
            mixed = layer(mixed.flatten(0, 1)).unflatten(0, (tuples, m))
            mixed = self.enhance(progressive, mixed, _tuples(original, m), sigma)

        segments, _ = head.group(original)
        losses = {"original": info_nce(scale * photo_embedding(segments) @ texts.T, positive)}

        if self.restored_weight:
            segments_restored, _ = head.group(restore(mixed, sigma).flatten(0, 1))
            # Photos that fill no tuple are not mixed; they and their texts leave this contrast.
            whose = positive[: tuples * m]
            theirs = whose.any(0)
            logits = scale * photo_embedding(segments_restored) @ texts[theirs].T
            losses["restored"] = self.restored_weight * info_nce(logits, whose[:, theirs])

        captions = _tuples(head.text(batch.captions), m)
        ids = torch.arange(len(context), device=context.device) if batch.caption_ids is None else batch.caption_ids
        z = torch.einsum("bge,bgt->bte", *head.group(mixed.flatten(0, 1))).unflatten(0, (tuples, m))
        q = torch.einsum("nkpe,nje->nkpj", z, captions).float()  # (R3)
        logits = scale * mask_equal_texts(q, sigma, _tuples(ids, m))
        if self.mixed_weight and m > 1:
            losses["mixed"] = self.mixed_weight * F.cross_entropy(logits.flatten(0, 2), sigma.flatten())
        return losses | {
            "_logit_scale": scale.detach(),
            "_mixing_accuracy": (logits.argmax(-1) == sigma).float().mean(),
            "_mean_cosine": mean_cosine(segments),
        }

    def enhance(
        self, progressive: GatedCrossAttention, mixed: torch.Tensor, original: torch.Tensor, sigma: torch.Tensor
    ) -> torch.Tensor:
        """(R2) of (n, m, T, d) mixed tokens with (n, m, T, d) original ones."""
        tuples, m = mixed.shape[:2]
        if self.sees == "tuple":
            return progressive(mixed.flatten(1, 2), original.flatten(1, 2)).unflatten(1, (m, -1))
        # In restored order all queries of one source stand together.
        rebuilt = progressive(restore(mixed, sigma).flatten(0, 1), original.flatten(0, 1))
        return mix(rebuilt.unflatten(0, (tuples, m)), sigma)


class GatedCrossAttention(nn.Module):
    """x + tanh(g) CrossAttention(q = x, kv = y), g = 0 at the start."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_x, self.norm_y = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + self.gate.tanh() * self.attention(self.norm_x(x), self.norm_y(y))


def permutations(tuples: int, m: int, patches: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """sigma (n, m, T): at each position of each tuple, a random permutation of its m photos."""
    return torch.rand(tuples, m, patches, device=device).argsort(1)


def mix(tokens: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """(R1) of (n, m, T, d) tokens: each patch of each photo is used exactly once and keeps its position."""
    return tokens.gather(1, sigma[..., None].expand_as(tokens))


def restore(mixed: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """(R4): the inverse of `mix`, `restore(mix(x, sigma), sigma) == x` exactly."""
    return mix(mixed, sigma.argsort(1))


def photo_embedding(segments: torch.Tensor) -> torch.Tensor:
    """(B, G, E) segments -> (B, E), their normalised mean."""
    return F.normalize(segments.mean(1), dim=-1)


def mask_equal_texts(q: torch.Tensor, sigma: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Scores q (n, m, T, j) without the texts that equal the right one: photos with one caption cannot be told apart.

    `ids` (n, m) are the caption numbers of the tuples' photos.
    """
    equal = (ids[:, :, None] == ids[:, None, :]) & ~torch.eye(ids.shape[1], dtype=torch.bool, device=ids.device)
    rows = torch.arange(len(ids), device=ids.device)[:, None, None]
    return q.masked_fill(equal[rows, sigma], -1e4)


def _tuples(x: torch.Tensor, m: int) -> torch.Tensor:
    """(B, ...) -> (B // m, m, ...); the last photos of a batch that m does not divide are left out."""
    return x[: len(x) // m * m].unflatten(0, (-1, m))
