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

import torch
import torch.nn.functional as F
from torch import nn

from textseg.model.backbones import Backbone
from textseg.model.heads import Head
from trainer.objectives import Batch, Objective, register
from trainer.objectives.contrast import LogitScale, info_nce, mean_cosine, pooled_cosine, texts_of


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
    ) -> None:
        """A weight of 0 switches its level off.

        `k_n` hardest other photos a text and `k_pix` hardest pixels a pair; of the pixels of the own photo, the share
        `easy` is drawn at random instead. `q`: share of a photo's pixels in a region that was not thresholded. `band`:
        pixels with |M - 1/2| below it are on neither side. `area_weight`, `smooth_weight`: TCL's priors (M6).
        """
        super().__init__(head, backbone)
        self.weights = {"object": object_weight, "region": region_weight, "pixel": pixel_weight}
        self.k_n, self.k_pix, self.easy, self.q, self.band = k_n, k_pix, easy, q, band
        self.area_weight, self.smooth_weight, self.nouns = area_weight, smooth_weight, nouns
        self.scale = LogitScale()  # 1 / tau
        self.mask = nn.ParameterDict({"w": torch.tensor(10.0), "b": torch.tensor(-2.5)})

    def logit_scale(self) -> float:
        return float(self.scale().detach())

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        texts, positive = texts_of(batch, self.head, self.nouns)
        embedding = F.normalize(self.head(batch.features).float(), dim=1)
        pixels = embedding.flatten(2).mT

        similarity = texts @ pixels.mT  # (M1), (B, C, N)
        mask = (self.mask["w"] * similarity + self.mask["b"]).sigmoid()
        region = self.regions(similarity, mask, positive)

        losses = {}
        if self.weights["object"]:
            losses["object"] = self.object_level(pixels, similarity, mask, positive)
        if self.weights["region"]:
            losses["region"] = self.region_level(pixels, similarity, region, positive)
        if self.weights["pixel"]:
            losses["pixel"] = self.pixel_level(similarity, mask, region, positive)
        losses = {level: self.weights[level] * loss for level, loss in losses.items()}
        if self.area_weight:
            losses["area"] = self.area_weight * area_prior(mask, positive)
        if self.smooth_weight:
            own_mask = mask.unflatten(-1, embedding.shape[-2:]).masked_fill(~positive[..., None, None], 0)
            losses["smooth"] = self.smooth_weight * (total_variation(embedding) + total_variation(own_mask))
        return losses | {
            "_logit_scale": self.scale().detach(),
            "_mask_area": mask.detach()[positive].mean(),
            "_mean_cosine": mean_cosine(pixels),
        }

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

    def object_level(
        self, pixels: torch.Tensor, similarity: torch.Tensor, mask: torch.Tensor, positive: torch.Tensor
    ) -> torch.Tensor:
        """(M2). The cosine does not see the division by sum_p M."""
        return info_nce(self.scale() * pooled_cosine(pixels, mask, similarity), positive)

    def region_level(
        self, pixels: torch.Tensor, similarity: torch.Tensor, region: torch.Tensor, positive: torch.Tensor
    ) -> torch.Tensor:
        """(M3). Means over regions are pooled embeddings with weights 0 and 1."""
        cosines = self.scale() * pooled_cosine(pixels, region, similarity)  # cos(r_bc, t_c) / tau, (B, C)
        others = cosines.masked_fill(positive, -1e9)
        hardest = others.topk(min(self.k_n, len(others)), dim=0).values  # (k_n, C)
        return F.softplus(hardest.logsumexp(0) - cosines)[positive].mean()

    def pixel_level(
        self, similarity: torch.Tensor, mask: torch.Tensor, region: torch.Tensor, positive: torch.Tensor
    ) -> torch.Tensor:
        """(M4). Each pair of a photo and one of its texts is a row of S, M and R."""
        s, inside = similarity[positive], region[positive]  # (pairs, N)
        clear = (mask[positive].detach() - 0.5).abs() >= self.band
        pos = self.sample(s, inside & clear, hardest=-s)
        outside = self.sample(s, ~inside & clear, hardest=s)
        k = min(self.k_pix, s.shape[-1])
        best = similarity.topk(k, dim=-1).values.masked_fill(positive[..., None], -torch.inf)  # (B, C, k)
        others = best.transpose(0, 1).flatten(1).topk(k, dim=-1).values[positive.nonzero()[:, 1]]  # (pairs, k)
        neg = torch.cat([outside, others], dim=1)

        scale, found = self.scale(), pos.isfinite()
        rivals = (scale * neg.clamp(min=-10)).masked_fill(neg.isinf(), -1e9).logsumexp(1, keepdim=True)
        return F.softplus(rivals - scale * pos.clamp(min=-10))[found].sum() / found.sum().clamp(min=1)

    def sample(self, s: torch.Tensor, allowed: torch.Tensor, hardest: torch.Tensor) -> torch.Tensor:
        """(pairs, k_pix) similarities of allowed pixels, hardest and random ones; -inf where there are too few."""
        easy = round(self.easy * self.k_pix)
        drawn = []
        for order, count in ((hardest.detach(), self.k_pix - easy), (torch.rand_like(s), easy)):
            best = order.masked_fill(~allowed, -torch.inf).topk(min(count, s.shape[-1]), dim=-1)
            drawn.append(s.gather(-1, best.indices).masked_fill(best.values.isinf(), -torch.inf))
        return torch.cat(drawn, dim=-1)


def area_prior(mask: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
    """(M6) |mean of own masks - 0.4| + mean of others' masks: TCL's guard against masks that are all on or all off."""
    prior = (mask[positive].mean() - 0.4).abs()
    return prior if positive.all() else prior + mask[~positive].mean()


def total_variation(grid: torch.Tensor) -> torch.Tensor:
    """(M6) Mean absolute difference of neighbouring cells of (..., H, W)."""
    return grid.diff(dim=-1).abs().mean() + grid.diff(dim=-2).abs().mean()
