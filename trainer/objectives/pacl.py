"""PACL: Patch Aligned Contrastive Learning (Mukhoti et al., CVPR 2023, arXiv 2212.04994).

With patch tokens v_bt = e_v(F)_bt of photo b, n_bt = v_bt / |v_bt|, and unit texts t_c:

    (P1)  S[b,c,t] = n_bt . t_c
    (P2)  a[b,c,t] = softmax_t(kappa S[b,c,t])               a separate attention for each (photo, text) pair
    (P3)  vhat_bc  = sum_t a[b,c,t] v_bt
    (P4)  phi(b,c) = vhat_bc . t_c / |vhat_bc|
    (P5)  L = symmetric InfoNCE of s phi over all pairs

(P1) to (P4) are the paper's figure. Our reading: kappa (`attn_scale`; the figure shows none, and at 1 the softmax is
nearly flat), the learned logit scale s, and equal texts counted once. The captions' nouns in prompt templates are extra
texts of their photo, as in the paper.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F

from textseg.errors import TrainingError
from textseg.model.backbones import Backbone
from textseg.model.heads import Head
from textseg.model.heads.pacl import PACLHead
from textseg.model.heads.residual import ResidualHead
from trainer.objectives import Batch, Objective, register
from trainer.objectives.contrast import LogitScale, compatibility, info_nce, mean_cosine, nearly_said, texts_of

SCALES = {"softmax": None, "mean": 1e-6, "max": 1e4}
"""kappa of each way to pool; None: the objective's own."""


@register("pacl")
class PACL(Objective):
    head_type = "pacl"
    needs = "captions"

    def __init__(
        self,
        head: Head,
        backbone: Backbone,
        *,
        attn_scale: float = 10.0,
        pooling: Literal["softmax", "mean", "max"] = "softmax",
        nouns: bool = True,
        near: float = 1.0,
    ) -> None:
        """`attn_scale` is kappa of (P2): flat attention pools the mean, a very sharp one a single patch.

        `pooling`: (P2), or the two it is compared with in the paper, which are its limits: all patches alike ("mean"),
        or each text's most similar patch alone ("max"). `near`: texts above this cosine with one of a photo's own are
        not its negatives.
        """
        super().__init__(head, backbone)
        if pooling not in SCALES:
            raise TrainingError(f"The recipe's 'pooling' is '{pooling}'; choose {', '.join(SCALES)}.")
        self.attn_scale, self.nouns, self.near = SCALES[pooling] or attn_scale, nouns, near
        self.scale = LogitScale()

    def logit_scale(self) -> float:
        return float(self.scale().detach())

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        texts, positive = texts_of(batch, self.head, self.nouns)
        # The embedder's raw outputs are pooled, as in the figure; another head has unit ones only.
        head = self.head.tokens if isinstance(self.head, PACLHead | ResidualHead) else self.head
        v = head(batch.features).flatten(2).mT
        phi = compatibility(v, texts, self.attn_scale)
        return {
            "contrast": info_nce(self.scale() * phi, positive, nearly_said(texts, positive, self.near)),
            "_logit_scale": self.scale().detach(),
            "_first_is_own": positive.gather(1, phi.argmax(1, keepdim=True)).float().mean(),
            "_mean_cosine": mean_cosine(F.normalize(v, dim=-1)),
        }
