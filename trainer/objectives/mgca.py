"""MGCA: multi-grained cross-modal alignment (arXiv 2403.03707) on object, region and pixel level.

With unit pixel embeddings P_i(p) of photo i, p = 1..N, and unit texts t_j, everything is read off one pixel-to-text
similarity matrix

    (M1)  S_ij(p) = P_i(p) . t_j,     M_ij(p) = sigmoid(w S_ij(p) + b),     R_ij = { p : M_ij(p) > 1/2 }

    (M2)  object: o_ij = sum_p M_ij(p) P_i(p) / sum_p M_ij(p);   L_obj = symmetric InfoNCE of cos(o_ij, t_j) / tau
    (M3)  region: r_ii = mean of P_i over R_ii;  r_ji = mean of P_j over its q pixels most similar to t_i;
       L_reg = mean_i -log e^{cos(r_ii,t_i)/tau} / (e^{cos(r_ii,t_i)/tau} + sum_{k_n hardest j} e^{cos(r_ji,t_i)/tau})
    (M4)  pixel:  pos = the k_pix least similar pixels inside R_ii;  neg = the k_pix most similar ones outside R_ii and
          the k_pix most similar ones of all other photos;
          L_pix = mean_{p in pos} -log e^{S(p)/tau} / (e^{S(p)/tau} + sum_{n in neg} e^{S(n)/tau})
    (M5)  L = lambda_o L_obj + lambda_r L_reg + lambda_p L_pix

That a similarity matrix defines the positives and negatives of three levels, with hard sampling governed by k_n and
k_pix, is the paper's. Its eight equations are not public: the formulas are our reading, w = 10 and b = -2.5 with the
priors (M6) are TCL's (arXiv 2212.00785), and all numbers are ours. What selects samples never carries a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from textseg.model.backbones import Backbone
from textseg.model.heads import Head
from trainer.objectives import Batch, Objective, register
from trainer.objectives.contrast import CHUNK, LogitScale, info_nce, mean_cosine, nearly_said, pooled_cosine, texts_of


@dataclass
class Readings:
    """What the levels need of b photos and C texts, read off their (b, C, N) similarities, which nobody keeps."""

    objects: torch.Tensor
    """(b, C) cos(o_bc, t_c) of (M2)."""
    regions: torch.Tensor
    """(b, C) cos(r_bc, t_c) of (M3)."""
    own: torch.Tensor
    """(pairs, N) S of each photo with each of its own texts, photo by photo."""
    mask: torch.Tensor
    """(pairs, N) M of the same pairs."""
    inside: torch.Tensor
    """(pairs, N) bool, R of the same pairs."""
    best: torch.Tensor
    """(b, C, k_pix) the largest S of each photo with each text."""
    area: torch.Tensor
    """(b, C) mean M, for the first prior of (M6)."""
    roughness: torch.Tensor
    """(b,) total variation of embeddings and masks, for the second one."""
    centre: torch.Tensor
    """(b, E) mean pixel embedding, for the log."""

    @staticmethod
    def joined(parts: Sequence[Readings]) -> Readings:
        """All photos of `parts` together."""
        if len(parts) == 1:
            return parts[0]
        return Readings(*(torch.cat([getattr(part, one.name) for part in parts]) for one in fields(Readings)))


@register("mgca")
class MGCA(Objective):
    head_type = "mgca"
    needs = "captions"

    def __init__(
        self,
        head: Head,
        backbone: Backbone,
        *,
        object_weight: float = 1.0,
        region_weight: float = 1.0,
        pixel_weight: float = 1.0,
        k_n: int = 16,
        k_pix: int = 32,
        easy: float = 0.5,
        q: float = 0.05,
        band: float = 0.05,
        area_weight: float = 0.0,
        smooth_weight: float = 0.0,
        nouns: bool = True,
        near: float = 1.0,
        unsaid: float | None = None,
    ) -> None:
        """A weight of 0 switches its level off.

        `k_n` hardest other photos a text (0: all of them) and `k_pix` hardest pixels a pair; of the pixels of the own
        photo, the share `easy` is drawn at random instead. `q`: share of a photo's pixels in a region that was not
        thresholded. `band`: pixels with |M - 1/2| below it are on neither side. `area_weight`, `smooth_weight`: TCL's
        priors (M6).
        `near`: texts above this cosine with one of a photo's own are not its negatives on any level. `unsaid`: regions
        and pixels of other photos that answer to a text better than its own region plus this are left out too: they
        show what nobody said (docs/ablation.md). None: they are the hardest negatives.
        """
        super().__init__(head, backbone)
        self.weights = {"object": object_weight, "region": region_weight, "pixel": pixel_weight}
        self.k_n, self.k_pix, self.easy, self.q, self.band = k_n, k_pix, easy, q, band
        self.area_weight, self.smooth_weight, self.nouns, self.near = area_weight, smooth_weight, nouns, near
        self.unsaid = unsaid
        self.scale = LogitScale()  # 1 / tau
        self._pixels_of: dict[torch.Size, int] = {}
        self.mask = nn.ParameterDict({"w": torch.tensor(10.0), "b": torch.tensor(-2.5)})

    def logit_scale(self) -> float:
        return float(self.scale().detach())

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        texts, positive = texts_of(batch, self.head, self.nouns)
        ignored = nearly_said(texts, positive, self.near)
        seen = self.read(batch.features, texts, positive)
        losses = {}
        if self.weights["object"]:
            losses["object"] = self.object_level(seen.objects, positive, ignored)
        if self.weights["region"]:
            losses["region"] = self.region_level(seen.regions, positive, ignored)
        if self.weights["pixel"]:
            losses["pixel"] = self.pixel_level(seen, positive, ignored)
        losses = {level: self.weights[level] * loss for level, loss in losses.items()}
        if self.area_weight:
            losses["area"] = self.area_weight * area_prior(seen.area, positive)
        if self.smooth_weight:
            losses["smooth"] = self.smooth_weight * seen.roughness.mean()
        return losses | {
            "_logit_scale": self.scale().detach(),
            "_mask_area": seen.mask.detach().mean(),
            "_mean_cosine": mean_cosine(seen.centre),
        }

    @property
    def _needs_regions(self) -> bool:
        return bool(self.weights["region"] or (self.weights["pixel"] and self.unsaid is not None))

    def read(self, features: torch.Tensor, texts: torch.Tensor, positive: torch.Tensor, chunk: int = CHUNK) -> Readings:
        """Readings of (B, D, h, w) features, exactly, and never with more than `chunk` (or one photo's) similarities.

        Photos are independent of each other up to here, so they are decoded and compared in groups; with more than one
        group both are done again in the backward pass instead of being kept. With 1,024 photos of 56 x 56 pixels and as
        many texts S alone would take 13 GB, and each layer of the decoder as much.
        """
        group = max(1, chunk // (len(texts) * self._pixels(features)))
        if group >= len(features):
            return self._read(features, texts, positive)
        parts = zip(features.split(group), positive.split(group), strict=True)
        return Readings.joined([checkpoint(self._read, f, texts, own, use_reentrant=False) for f, own in parts])

    def _pixels(self, features: torch.Tensor) -> int:
        """N of features on this grid: how fine a head decodes is its own matter."""
        grid = features.shape[-2:]
        if grid not in self._pixels_of:
            with torch.no_grad(), torch.random.fork_rng(devices=[] if features.device.type == "cpu" else None):
                self._pixels_of[grid] = self.head(features[:1]).shape[-2:].numel()
        return self._pixels_of[grid]

    def _read(self, features: torch.Tensor, texts: torch.Tensor, positive: torch.Tensor) -> Readings:
        embedding = F.normalize(self.head(features).float(), dim=1)
        pixels = embedding.flatten(2).mT
        similarity = texts @ pixels.mT  # (M1), (b, C, N)
        mask = (self.mask["w"] * similarity + self.mask["b"]).sigmoid()
        region = self.regions(similarity, mask, positive)
        # The cosine of (M2) does not see the division by sum_p M; means over regions are pooled with weights 0 and 1.
        nothing = similarity.new_zeros(positive.shape)
        roughness = nothing[:, 0]
        if self.smooth_weight:
            own = mask.unflatten(-1, embedding.shape[-2:]).masked_fill(~positive[..., None, None], 0)
            roughness = total_variation(embedding) + total_variation(own)
        return Readings(
            pooled_cosine(pixels, mask, similarity) if self.weights["object"] else nothing,
            pooled_cosine(pixels, region, similarity) if self._needs_regions else nothing,
            similarity[positive],
            mask[positive],
            region[positive],
            similarity.topk(min(self.k_pix if self.weights["pixel"] else 1, similarity.shape[-1]), dim=-1).values,
            mask.mean(-1) if self.area_weight else nothing,
            roughness,
            pixels.detach().mean(1),
        )

    @torch.no_grad()
    def regions(self, similarity: torch.Tensor, mask: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
        """(B, C, N) bool: R of pairs that belong together, the q most similar pixels of the others.

        Where R holds less than the share q of the pixels, those most similar stand in: the masks' first threshold fits
        the cosines of CLIP, and those of other encoders lie elsewhere.
        """
        q = max(1, round(self.q * similarity.shape[-1]))
        most_similar = similarity >= similarity.topk(q, dim=-1).values[..., -1:]
        inside = mask > 0.5
        return torch.where(positive[..., None] & (inside.sum(-1, keepdim=True) >= q), inside, most_similar)

    def object_level(self, cosines: torch.Tensor, positive: torch.Tensor, ignored: torch.Tensor) -> torch.Tensor:
        """(M2) of cos(o_bc, t_c), (B, C)."""
        return info_nce(self.scale() * cosines, positive, ignored)

    def region_level(self, cosines: torch.Tensor, positive: torch.Tensor, ignored: torch.Tensor) -> torch.Tensor:
        """(M3) of cos(r_bc, t_c), (B, C)."""
        ignored = ignored | (cosines > self.believed(cosines, positive))
        cosines = self.scale() * cosines
        others = cosines.masked_fill(positive | ignored, -1e9)
        hardest = others.topk(min(self.k_n or len(others), len(others)), dim=0).values  # (k_n, C)
        return F.softplus(hardest.logsumexp(0) - cosines)[positive].mean()

    def pixel_level(self, seen: Readings, positive: torch.Tensor, ignored: torch.Tensor) -> torch.Tensor:
        """(M4). Each pair of a photo and one of its texts is a row."""
        s, inside = seen.own, seen.inside
        clear = (seen.mask.detach() - 0.5).abs() >= self.band
        pos = self.sample(s, inside & clear, hardest=-s)
        outside = self.sample(s, ~inside & clear, hardest=s)
        best = seen.best.masked_fill((positive | ignored)[..., None], -torch.inf)  # (B, C, k)
        best = best.masked_fill(best > self.believed(seen.regions, positive)[:, None], -torch.inf)
        k = best.shape[-1]
        others = best.transpose(0, 1).flatten(1).topk(k, dim=-1).values[positive.nonzero()[:, 1]]  # (pairs, k)
        neg = torch.cat([outside, others], dim=1)

        scale, found = self.scale(), pos.isfinite()
        rivals = (scale * neg.clamp(min=-10)).masked_fill(neg.isinf(), -1e9).logsumexp(1, keepdim=True)
        return F.softplus(rivals - scale * pos.clamp(min=-10))[found].sum() / found.sum().clamp(min=1)

    @torch.no_grad()
    def believed(self, cosines: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
        """(C,) the cosine with each text above which what other photos show is taken for unsaid; cos(r_bc, t_c)."""
        if self.unsaid is None:
            return cosines.new_full((len(positive[0]),), torch.inf)
        own = (cosines * positive).sum(0) / positive.sum(0).clamp(min=1)
        return own + self.unsaid

    def sample(self, s: torch.Tensor, allowed: torch.Tensor, hardest: torch.Tensor) -> torch.Tensor:
        """(pairs, k_pix) similarities of allowed pixels, hardest and random ones; -inf where there are too few."""
        easy = round(self.easy * self.k_pix)
        drawn = []
        for order, count in ((hardest.detach(), self.k_pix - easy), (torch.rand_like(s), easy)):
            best = order.masked_fill(~allowed, -torch.inf).topk(min(count, s.shape[-1]), dim=-1)
            drawn.append(s.gather(-1, best.indices).masked_fill(best.values.isinf(), -torch.inf))
        return torch.cat(drawn, dim=-1)


def area_prior(mask: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """(M6) |mean of own masks - 0.4| + mean of others' masks: TCL's guard against masks that are all on or all off.

    `mask` is (B, C, N), or (B, C) each mask's mean.
    """
    prior = (mask[positive].mean() - 0.4).abs()
    return prior if positive.all() else prior + mask[~positive].mean()


def total_variation(grid: torch.Tensor) -> torch.Tensor:
    """(B,) (M6) mean absolute difference of neighbouring cells of (B, ..., H, W)."""
    return sum(grid.diff(dim=dim).abs().flatten(1).mean(1) for dim in (-1, -2))
