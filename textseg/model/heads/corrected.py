"""A head that has learnt from a person's corrections: another head, and what is added to it for the person's words."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from textseg.errors import HeadError
from textseg.model.calibration import Calibration
from textseg.model.heads import Head, get, register

if TYPE_CHECKING:
    from textseg.model.backbones import Backbone

GAIN = 0.3
"""The base's embedding has about this spread in each dimension when it is learnt from, whatever its length."""

LEAST_SHARE = 0.01
"""A class that explains less than this share of the photo's best patches is as absent as can be."""


@register("corrected")
class CorrectedHead(Head):
    """The base head's similarity, and a residual for C learnt classes in dimensions of their own.

        y_p = 0.3 sqrt(E) z_p                                           the base's embedding z
        r_pk = (w_k . y_p + b_k) / scale + presence * log of class k's share of the photo's best patches
        similarity(p, t) = base(p, t) + sum_k near_k(t) r_pk

    w_k is thus an offset of the class's text embedding, as in TaskRes (Yu et al., CVPR 2023, arXiv 2211.10277); the
    other terms are our own. near_k(t) is 1 for the class's own names and aliases, falls with the cosine of the text
    embeddings, and is 0 below `near`: a word that is close to none of the classes has exactly the similarity that the
    base gives it. The share is a softmax over the classes and a fixed list of other words; it keeps a class that is
    nowhere sure in a photo from taking patches there, in a closed vocabulary too. A noun n that nobody typed
    competes with

        similarity(p, n) = base(p, n) + d_n / scale

    so that "bed" may learn to leave the sofas alone. At w = b = d = presence = 0 the head is the base.
    """

    kind = "corrected"

    def __init__(
        self,
        base: Head,
        base_facts: Mapping[str, Any],
        logit_scale: float,
        text_dim: int,
        owner: Sequence[int],
        others: int,
        nouns: Sequence[str] = (),
        presence: float = 0.03,
        best: float = 0.05,
        near: float = 0.8,
    ) -> None:
        """`owner` (T,) is the class of each of the T names, `others` how many words the share is of, `nouns` are the
        other words that have learnt something."""
        super().__init__()
        self.config = {
            "base": dict(base_facts), "owner": list(owner), "others": others, "nouns": list(nouns),
            "presence": presence, "best": best, "near": near,
        }  # fmt: skip
        self.base, self.logit_scale = base.requires_grad_(False), logit_scale
        self.presence, self.best, self.near = presence, best, near
        self.sizes, self.calibration = base.sizes, base.calibration
        self.classes = max(owner, default=-1) + 1
        self.register_buffer("owner", torch.tensor(list(owner), dtype=torch.long), persistent=False)
        self.register_buffer("names", torch.zeros(len(owner), text_dim))
        self.register_buffer("others", torch.zeros(others, text_dim))
        embedding_dim = self.base.text(torch.zeros(1, text_dim)).shape[1]
        self.weight = nn.Parameter(torch.zeros(self.classes, embedding_dim))
        self.bias = nn.Parameter(torch.zeros(self.classes))
        self.offset: nn.Parameter | None = nn.Parameter(torch.zeros(len(nouns))) if nouns else None

    @classmethod
    def build(cls, backbone: Backbone, **config: Any) -> CorrectedHead:
        """`base`: type, config, logit scale and calibration of the base head; "none": the backbone's own alignment."""
        facts = config.pop("base")
        if facts["type"] == "none":
            base = copy.deepcopy(backbone.alignment())
        else:
            base = get(facts["type"]).build(backbone, **facts["config"])
        if base is None:
            raise HeadError(f"This head corrects the untrained alignment of '{backbone.name}', which has none.")
        base.logit_scale = facts.get("logit_scale") or base.logit_scale
        base.calibration = Calibration.read(facts.get("calibration"))
        return cls(base, facts, base.logit_scale or backbone.logit_scale, backbone.text_dim, **config)

    def train(self, mode: bool = True) -> CorrectedHead:
        """The base stays as it was trained."""
        super().train(mode)
        self.base.eval()
        return self

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E + C + 1, h', w'): the base's embedding, the residual of each class, and a 1."""
        return self.combine(self.base(features))

    def combine(self, z: torch.Tensor) -> torch.Tensor:
        """`forward` from the base's embedding, which does not change while the head learns."""
        logits = torch.einsum("behw,ce->bchw", self.evidence(z), self.weight) + self.bias[:, None, None]
        residual = logits / self.logit_scale
        residual = residual + self.presence * self.absence(z, residual)[..., None, None]
        return torch.cat([z, residual, torch.ones_like(z[:, :1])], 1)

    def text(self, embeddings: torch.Tensor) -> torch.Tensor:
        """(K, E) unit text embeddings -> (K, E' + C + 1): as the base maps them, nearness to each class, and 0."""
        cosine = (embeddings @ self.names.T - self.near) / (1 - self.near)
        near = cosine.new_zeros(len(embeddings), self.classes)
        near.scatter_reduce_(1, self.owner.expand(len(embeddings), -1), cosine.clamp(0, 1), "amax")
        return torch.cat([self.base.text(embeddings), near, cosine.new_zeros(len(embeddings), 1)], 1)

    def rivals(self, names: Sequence[str], embeddings: torch.Tensor) -> torch.Tensor:
        """As `text`, for words that nobody typed: what each has learnt stands in the last column."""
        mapped = self.text(embeddings)
        if self.offset is not None:
            place = {noun: i for i, noun in enumerate(self.config["nouns"])}
            known = [i for i, name in enumerate(names) if name in place]
            mapped[known, -1] = self.offset[[place[names[i]] for i in known]] / self.logit_scale
        return mapped

    @torch.no_grad()
    def prune(self, least: float = 0.05) -> None:
        """Forget the nouns that learnt less than `least`, in logits."""
        if self.offset is not None:
            kept = (self.offset.abs() >= least).nonzero()[:, 0].tolist()
            self.config["nouns"] = [self.config["nouns"][i] for i in kept]
            self.offset = nn.Parameter(self.offset[kept], requires_grad=False) if kept else None

    def evidence(self, z: torch.Tensor) -> torch.Tensor:
        """What the residual is linear in, of (..., E, h, w) embeddings of the base."""
        return GAIN * z.shape[-3] ** 0.5 * z

    def start(self, z: torch.Tensor) -> torch.Tensor:
        """(B, E, h, w) embeddings of the base -> (B, C, h, w) what it says about the classes, best name of each."""
        scores = torch.einsum("behw,te->bthw", z, self.base.text(self.names))
        best = scores.new_full((len(z), self.classes, *z.shape[-2:]), -torch.inf)
        return best.scatter_reduce_(1, self.owner[:, None, None].expand_as(scores), scores, "amax")

    def rest(self, z: torch.Tensor) -> torch.Tensor:
        """(B, E, h, w) -> (B, 1, h, w) logit of the other words together: log of the sum of their exponentials."""
        scores = torch.einsum("behw,te->bthw", z, self.base.text(self.others))
        return (self.logit_scale * scores).logsumexp(1, keepdim=True)

    def absence(self, z: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """(B, C): log of the share that each class has of the patches where it is likeliest; 0 where it is sure."""
        logits = torch.cat([self.logit_scale * (self.start(z) + residual), self.rest(z)], 1)
        share = logits.softmax(1)[:, : self.classes].flatten(2)
        top = share.topk(max(1, int(self.best * share.shape[-1])), dim=-1).values.mean(-1)
        return ((top + LEAST_SHARE) / (1 + LEAST_SHARE)).log()
