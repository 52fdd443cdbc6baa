"""Corrections: supervised cross-entropy between patches and the words that a person gave them.

With the start head's class scores s_pk, the residual logits l_pk = w_k . y_p + b_k of a corrected head
(textseg/model/heads/corrected.py), its scale a, and o_p the logit of a fixed list of other words taken together:

    (C1)  L_words  = - sum_p u_p sum_k q_pk log softmax_k(a s_pk + l_pk)          over the person's classes
    (C2)  L_open   = - sum_p u_p sum_k q_pk log softmax_k,o(a s_pk + l_pk, o_p)   over them and all other words
    (C3)  L_none   = - mean over "none of these" of log softmax_o(...)
    (C4)  L_keep   =   mean over unlabelled patches of KL(start || now), over the classes and the other words
    (C5)  decay / photos * sum w^2

q_pk is the share of patch p that class k covers among what the person labelled there, u_p weights a patch by how much
of it is labelled and its classes by frequency^-balance. (C2) to (C4) keep the vocabulary open: they say how far the
classes may rise against words that nobody corrected. (C5) is a prior on w, which weighs less the more photos speak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch

from textseg.errors import TrainingError
from textseg.model.backbones import Backbone
from textseg.model.heads import Head
from textseg.model.heads.corrected import CorrectedHead
from trainer.objectives import Objective, register


@dataclass
class Patches:
    """N patches of corrected photos, each of one of three kinds by `kind`."""

    LABELLED, NONE, UNLABELLED = 0, 1, 2

    evidence: torch.Tensor
    """(N, E) what `CorrectedHead.evidence` makes of the base's embedding."""
    start: torch.Tensor
    """(N, C + 1) logits of the start head: of each class, then of the other words together."""
    shares: torch.Tensor
    """(N, C) how much of each patch a person gave to each class, 0..1."""
    kind: torch.Tensor
    """(N,) LABELLED, NONE (a person says: none of these) or UNLABELLED."""

    def __len__(self) -> int:
        return len(self.kind)

    @staticmethod
    def joined(parts: Sequence[Patches]) -> Patches:
        """All patches of `parts` together."""
        return Patches(*(torch.cat([getattr(part, one.name) for part in parts]) for one in fields(Patches)))

    def take(self, index: torch.Tensor) -> Patches:
        """The patches at `index`, which may lie on another device."""
        index = index.to(self.kind.device)
        return Patches(self.evidence[index], self.start[index], self.shares[index], self.kind[index])


@register("corrections")
class Corrections(Objective):
    head_type, needs = "corrected", "corrections"

    def __init__(
        self,
        head: Head,
        backbone: Backbone,
        photos: int = 1,
        *,
        balance: float = 0.5,
        open: float = 0.3,
        none: float = 1.0,
        keep: float = 0.3,
        decay: float = 0.2,
        presence: float = 0.03,
        hold_back: float = 0.0,
        complete: bool = True,
    ) -> None:
        """`photos` is how many there are to learn from; `open`, `none`, `keep` and `decay` weight (C2) to (C5).

        `trainer.corrections` reads the others: `presence` is the head's, `hold_back` the share of photos that are
        kept for scoring; at 0 all teach, and each is scored by a head that has not seen it; `complete` says that photos
        marked done show everything: what is not drawn is not there. Raises TrainingError for another head than a
        corrected one.
        """
        super().__init__(head, backbone)
        if not isinstance(head, CorrectedHead):
            raise TrainingError("The objective 'corrections' trains heads of type 'corrected' only.")
        self.corrected = head
        self.balance, self.open, self.none, self.keep, self.decay = balance, open, none, keep, decay / photos

    def forward(self, batch: Patches) -> dict[str, torch.Tensor]:  # type: ignore[override]
        head = self.corrected
        residual = batch.evidence @ head.weight.T + head.bias
        logits = batch.start + torch.nn.functional.pad(residual, (0, 1))
        whole = logits.log_softmax(1)
        labelled, none, free = (batch.kind == kind for kind in (Patches.LABELLED, Patches.NONE, Patches.UNLABELLED))
        shares = batch.shares * labelled[:, None]
        q = self._weighted(shares)
        terms = {
            "words": -(q * logits[:, :-1].log_softmax(1)).sum(),
            "open": -self.open * (q * whole[:, :-1]).sum(),
            "none": -self.none * (whole[:, -1] * none).sum() / none.sum().clamp(min=1),
            "decay": self.decay * head.weight.square().sum(),
        }
        before = batch.start.log_softmax(1)
        change = (before.exp() * (before - whole)).sum(1)
        terms["keep"] = self.keep * (change * free).sum() / free.sum().clamp(min=1)
        right = (logits[:, :-1].argmax(1) == shares.argmax(1)) & labelled
        terms["_right"] = right.sum() / labelled.sum().clamp(min=1)
        return terms

    def _weighted(self, shares: torch.Tensor) -> torch.Tensor:
        """u_p q_pk of (C1): (N, C) that sums to 1."""
        frequency = shares.sum(0) / shares.sum().clamp(min=1e-9)
        by_class = torch.where(frequency > 0, frequency.clamp(min=1e-4) ** -self.balance, 0.0)
        rows = shares / shares.sum(1, keepdim=True).clamp(min=1e-9)
        weighted = rows * (shares * by_class).sum(1, keepdim=True)
        return weighted / weighted.sum().clamp(min=1e-9)
