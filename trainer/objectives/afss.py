"""AFSS: annotation-free segmentation with foundation models (arXiv 2403.09307), stage 2.

Stage 1 gives pseudo-labels y_p to patches p in Omega. With unit patch embeddings z_p of the head and unit texts e_c:

    (A1)  L    = L_pt + lambda L_pp                                                              (the paper's Eq. 1)
    (A2)  L_pt = -1/|Omega| sum_p log [ e^{z_p.e_{y_p}/tau} / sum_c e^{z_p.e_c/tau} ]             (Eq. 2)
    (A3)  L_pp = -1/|Omega| sum_p 1/|Pos(p)| sum_{q in Pos(p)} log [ e^{z_p.z_q/tau} / sum_{r != p} e^{z_p.z_r/tau} ]

    (A4)  in (A2), z_p.e_c/tau + beta log pi_c instead of z_p.e_c/tau, with pi_c the share of c among all labels

where Pos(p) are the other patches with p's pseudo-label. A patch-text and a patch-patch term, the first of which
approximates SupCon (arXiv 2004.11362) and cross-entropy, are the paper's. Our reading: the exact forms, tau, lambda,
the weight of each patch by its confidence, and (A3) over at most n patches a class, without which it would grow with
the square of all patches and be ruled by the largest class. (A4) is logit adjustment (Menon et al., arXiv 2007.07314)
and ours here: pseudo-labels say the teacher's favourite words far too often, and without it that is the first thing a
student learns (docs/ablation.md). It is left out when the head is asked.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from textseg.errors import DatasetError
from textseg.model.backbones import Backbone
from textseg.model.heads import Head
from trainer.objectives import Batch, Objective, register
from trainer.objectives.contrast import mean_cosine


@register("afss")
class AFSS(Objective):
    head_type = "block"
    needs = "labels"

    def __init__(
        self,
        head: Head,
        backbone: Backbone,
        *,
        tau: float = 0.07,
        patch_weight: float = 0.1,
        per_class: int = 16,
        balance: float = 0.0,
    ) -> None:
        """`patch_weight` is lambda of (A1), 0 switches the patch-patch term off; `per_class` is n of (A3).

        `balance` is beta of (A4): at 0 a word that many patches are labelled with is learnt before one that few are.
        """
        super().__init__(head, backbone)
        self.tau, self.patch_weight, self.per_class, self.balance = tau, patch_weight, per_class, balance

    def logit_scale(self) -> float:
        return 1 / self.tau

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        if batch.labels is None or batch.classes is None:
            raise DatasetError("The photos have no (pseudo-)labelled patches, which afss learns from; label them.")
        texts = self.head.text(batch.classes)
        z = self.head(batch.features)
        labels, weights = batch.labels, batch.confidence
        if weights is None:
            weights = torch.ones_like(labels, dtype=torch.float)
        if z.shape[-2:] != labels.shape[-2:]:  # a head that decodes to a finer grid
            labels, weights = (
                F.interpolate(x[:, None].float(), z.shape[-2:], mode="nearest")[:, 0] for x in (labels, weights)
            )
            labels = labels.long()
        omega = labels >= 0
        z, labels, weights = F.normalize(z.movedim(1, -1)[omega].float(), dim=-1), labels[omega], weights[omega]

        logits = z @ texts.T.float() / self.tau
        favoured = logits
        if self.balance and batch.shares is not None:
            favoured = logits + self.balance * batch.shares.log()  # (A4)
        patch_text = F.cross_entropy(favoured, labels, reduction="none")  # (A2)
        losses = {"patch_text": (weights * patch_text).sum() / weights.sum().clamp(min=1e-6)}
        if self.patch_weight:
            some = at_most(self.per_class, labels)
            losses["patch_patch"] = self.patch_weight * sup_con(z[some], labels[some], weights[some], self.tau)
        return losses | {
            "_patch_accuracy": (logits.argmax(1) == labels).float().sum() / max(1, len(z)),
            "_labelled": omega.float().mean(),
            "_mean_cosine": mean_cosine(z) if len(z) else weights.sum(),
        }


def sup_con(z: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, tau: float) -> torch.Tensor:
    """(A3) of (M, E) unit vectors with (M,) labels, anchors by (M,) weights; one without a positive is left out."""
    others = ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    positive = (labels[:, None] == labels) & others
    logits = (z @ z.T / tau).masked_fill(~others, -1e9)
    log_p = logits - logits.logsumexp(1, keepdim=True)
    count = positive.sum(1)
    anchors = weights * (count > 0)
    per_anchor = -(log_p * positive).sum(1) / count.clamp(min=1)
    return (anchors * per_anchor).sum() / anchors.sum().clamp(min=1e-6)


def at_most(n: int, labels: torch.Tensor) -> torch.Tensor:
    """Indices of at most `n` randomly drawn elements of each value of `labels` (M,)."""
    shuffled = torch.randperm(len(labels), device=labels.device)
    order = shuffled[labels[shuffled].argsort(stable=True)]
    _, counts = labels.unique(return_counts=True)
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(labels), device=labels.device) - starts.repeat_interleave(counts)
    return order[place < n]
