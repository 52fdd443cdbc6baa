"""MixReorg: cross-modal mixed patch reorganisation (ICCV 2023, arXiv 2308.04829).

Patches of m photos are mixed; finding each one's text again teaches which patch a text speaks of. With X_i (T, d) the
patches of photo i after one trained transformer layer (contextual mixing), unit segments Z_kg and shares a_k(g, p) of
the two-stage grouping head, and texts t_j:

    (R1)  X~_k(p) = X_{sigma_k(p)}(p)             at each position p, sigma_.(p) is a random permutation of the m photos
    (R2)  X~ <- X~ + tanh(g) CrossAttention(X~, X)      progressive mixing after each layer, g = 0 at the start
    (R3)  q_k(p, j) = sum_g a_k(g, p) Z_kg . t_j
          L_mix = mean_{k,p} -log sum_{j of sigma_k(p)} softmax_j s q_k(p, .)
    (R4)  X^_i(p) = X~_k(p) with sigma_k(p) = i             restoration: the exact inverse of (R1)
    (R5)  L_ori, L_res = symmetric InfoNCE of s normalise(mean_g Z_ig) . t_j on original and restored photos
    (R6)  L = L_ori + lambda_res L_res + lambda_mix L_mix

The texts j of (R3) are those of the m photos, their captions and the captions' nouns; a photo with two texts may mean
either by a patch, and with one text each, all different, (R3) is a cross-entropy. A head without groups (`block`, or
`residual` over it) learns the same from its patches' own embeddings z_p: q_k(p, j) = z_p . t_j; and as there are no
segments, a photo is compared with a text by attention over its patches, (P2) to (P4) of trainer/objectives/pacl.py.

Contextual mixing, progressive mixing, restoration, the grouping head and the three losses are the paper's. Our reading:
patches keep their positions, (R2)'s operator and what it attends to, m, the weights, and the form without groups.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from textseg.errors import DatasetError, HeadError, TrainingError
from textseg.model.backbones import Backbone
from textseg.model.heads import Head
from textseg.model.heads.block import BlockHead
from textseg.model.heads.grouping import GroupingHead
from textseg.model.heads.residual import ResidualHead
from textseg.model.transformer import Attention
from trainer.objectives import Batch, Objective, register
from trainer.objectives.contrast import LogitScale, compatibility, info_nce, mean_cosine, nearly_said, texts_of


@register("mixreorg")
class MixReorg(Objective):
    head_type = "grouping"
    needs = "captions"

    def __init__(
        self,
        head: Head,
        backbone: Backbone,
        *,
        mix: int = 4,
        sees: Literal["tuple", "source", "nothing"] = "tuple",
        restored_weight: float = 1.0,
        mixed_weight: float = 1.0,
        contextual: bool = True,
        attn_scale: float = 30.0,
        nouns: bool = True,
        near: float = 1.0,
    ) -> None:
        """`mix` is m. In (R2) a mixed patch `sees` all photos of its "tuple", or only its "source", or "nothing": no
        progressive mixing. Without `contextual` mixing patches are mixed before they know of their photo.

        `attn_scale` is kappa of a head without groups; `near`: texts above this cosine with one of a photo's own are
        not its negatives in (R5).
        """
        super().__init__(head, backbone)
        self.branch = Grouped(head) if isinstance(head, GroupingHead) else Ungrouped(head, attn_scale)
        if sees not in ("tuple", "source", "nothing"):
            raise TrainingError(f"The recipe's 'sees' is '{sees}'; choose tuple, source or nothing.")
        self.mix, self.sees, self.contextual, self.nouns, self.near = mix, sees, contextual, nouns, near
        self.restored_weight, self.mixed_weight = restored_weight, mixed_weight
        width, heads, layers = self.branch.width, self.branch.heads, self.branch.layers
        self.progressive = nn.ModuleList(
            nn.Identity() if sees == "nothing" else GatedCrossAttention(width, heads) for _ in layers
        )
        self.scale = LogitScale()

    def logit_scale(self) -> float:
        return float(self.scale().detach())

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        if batch.captions is None:
            raise DatasetError("The photos have no captions, which mixreorg learns from; give data with captions.")
        branch, scale = self.branch, self.scale()
        texts, positive = texts_of(batch, self.head, self.nouns)
        ignored = nearly_said(texts, positive, self.near)

        entered = branch.enter(batch.features)
        context = branch.first(entered)
        m = min(self.mix, len(context))
        tuples = len(context) // m
        sigma = permutations(tuples, m, context.shape[1], context.device)
        if self.contextual:
            mixed = mix(_tuples(context, m), sigma)
        else:
            mixed = branch.first(mix(_tuples(entered, m), sigma).flatten(0, 1)).unflatten(0, (tuples, m))

        original = context
        for layer, progressive in zip(branch.layers, self.progressive, strict=True):
            original = layer(original)
            mixed = layer(mixed.flatten(0, 1)).unflatten(0, (tuples, m))
            mixed = self.enhance(progressive, mixed, _tuples(original, m), sigma)

        start = branch.start(batch.features)
        losses = {"original": info_nce(scale * branch.photos(original, start, texts), positive, ignored)}
        whole = tuples * m
        start = start[:whole]
        if self.restored_weight:
            # Photos that fill no tuple are not mixed; they and their texts leave this contrast.
            theirs = positive[:whole].any(0)
            restored = branch.photos(restore(mixed, sigma).flatten(0, 1), start, texts[theirs])
            contrast = info_nce(scale * restored, positive[:whole, theirs], ignored[:whole, theirs])
            losses["restored"] = self.restored_weight * contrast

        start = mix(_tuples(start, m), sigma).flatten(0, 1)
        z = branch.patches(mixed.flatten(0, 1), start).unflatten(0, (tuples, m)).float()
        chosen, own = texts_of_tuples(_tuples(positive, m))
        logits = scale * torch.einsum("nkpe,nje->nkpj", z, texts.float()[chosen])  # (R3)
        log_mass = log_mass_of_source(logits, own, sigma)
        if self.mixed_weight and m > 1:
            losses["mixed"] = self.mixed_weight * -log_mass.mean()
        with torch.no_grad():
            rivals = torch.stack([log_mass_of_source(logits, own, torch.full_like(sigma, k)) for k in range(m)], -1)
            accuracy = (rivals.argmax(-1) == sigma).float().mean()
        return losses | {
            "_logit_scale": scale.detach(),
            "_mixing_accuracy": accuracy,
            "_mean_cosine": mean_cosine(F.normalize(z, dim=-1)),
        }

    def enhance(
        self, progressive: nn.Module, mixed: torch.Tensor, original: torch.Tensor, sigma: torch.Tensor
    ) -> torch.Tensor:
        """(R2) of (n, m, T, d) mixed tokens with (n, m, T, d) original ones."""
        if self.sees == "nothing":
            return mixed
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


class Grouped:
    """The paper's branch: what a photo's patches mean is what its segments mean."""

    def __init__(self, head: GroupingHead) -> None:
        self.head, self.layers = head, head.layers
        self.width, self.heads = head.width, head.config["heads"]
        self.enter, self.first = head.enter, head.contextualise

    def start(self, features: torch.Tensor) -> torch.Tensor:
        """(B, T, 0): segments start from nothing."""
        return features.flatten(2).mT[..., :0]

    def photos(self, tokens: torch.Tensor, start: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """(B, C) cosines of the mean segment of (B, T, d) tokens with (C, E) texts."""
        segments, _ = self.head.group(tokens)
        return F.normalize(segments.mean(1), dim=-1) @ texts.T

    def patches(self, tokens: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """(B, T, E): each patch's segments, by its shares in them."""
        return torch.einsum("bge,bgt->bte", *self.head.group(tokens))


class Ungrouped:
    """Patches that speak for themselves, over the untrained alignment where the head has one."""

    def __init__(self, head: Head, attn_scale: float) -> None:
        block = head.inner if isinstance(head, ResidualHead) else head
        if not isinstance(block, BlockHead):
            raise HeadError(
                f"MixReorg trains a head of type 'grouping', 'block', or 'residual' of 'block', not '{head.kind}'."
            )
        self.head, self.block, self.layers, self.attn_scale = head, block, block.layers, attn_scale
        self.width, self.heads = block.width, block.config["heads"]
        self.enter, self.first = block.enter, block.block

    def start(self, features: torch.Tensor) -> torch.Tensor:
        """(B, T, E) the untrained alignment's embeddings; (B, T, 1) zeros without one."""
        if isinstance(self.head, ResidualHead):
            return self.head.start(features).flatten(2).mT
        return features.new_zeros(len(features), features[0, 0].numel(), 1)

    def photos(self, tokens: torch.Tensor, start: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """(B, C) phi of tokens (B, T, d) with (C, E) texts."""
        return compatibility(start + self.block.out(tokens), texts, self.attn_scale)

    def patches(self, tokens: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """(B, T, E) unit embeddings."""
        return F.normalize(start + self.block.out(tokens), dim=-1)


def texts_of_tuples(positive: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which texts are in a tuple, from (n, m, C) which photo has which: (n, K) indices of the texts that any of its
    photos has, filled up to the longest, and (n, m, K) bool whose they are; a filler is nobody's."""
    any_of = positive.any(1)
    most = int(any_of.sum(1).max())
    chosen = any_of.int().argsort(dim=1, descending=True, stable=True)[:, :most]
    return chosen, positive.gather(2, chosen[:, None].expand(-1, positive.shape[1], -1))


def log_mass_of_source(logits: torch.Tensor, own: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    """(n, m, T) log of what a softmax over the tuple's texts gives to the texts of the photo `source`.

    `logits` (n, m, T, K), `own` (n, m, K) whose text it is, `source` (n, m, T) in 0..m-1.
    """
    whose = own[torch.arange(len(own), device=own.device)[:, None, None], source]  # (n, m, T, K)
    everyone = logits.masked_fill(~own.any(1)[:, None, None], -1e9).logsumexp(-1)
    return logits.masked_fill(~whose, -1e9).logsumexp(-1) - everyone


def _tuples(x: torch.Tensor, m: int) -> torch.Tensor:
    """(B, ...) -> (B // m, m, ...); the last photos of a batch that m does not divide are left out."""
    return x[: len(x) // m * m].unflatten(0, (-1, m))
