"""Corrections: supervised cross-entropy between patches and the words that a person gave them.

With the start head's logits s_pk of the classes and v_pn of nouns that nobody typed, the residual
l_pk = w_k . y_p + b_k of a corrected head and its nouns' offsets d_n (textseg/model/heads/corrected.py), the presence
P_k of class k in the photo, and the calibration of textseg/model/calibration.py (bias, temperature t, gate g):

    o_p   = max_n (v_pn + d_n) + bias + log C                 anything else: the best noun that competes
    m_pk  = s_pk + l_pk + g log P_k

    (C1)  L_words  = - sum_p u_p sum_k q_pk log softmax_k(s_pk + l_pk)            over the person's classes
    (C2)  L_open   = - sum_p u_p sum_k q_pk log softmax_k,o(t m_pk, t o_p)        over them and all other words
    (C3)  L_none   = - mean over "none of these" of log softmax_o(t m_p, t o_p)
    (C4)  L_keep   =   mean over unlabelled patches of KL(start || now), over the classes and the other words
    (C5)  (decay sum w^2 + decay_bias sum b^2 + decay_nouns sum d^2 + change of bias and log t) / photos

q_pk is the share of patch p that class k covers among what the person labelled there, u_p weights a patch by how much
of it is labelled and its classes by frequency^-balance. Presence is the start's, a constant. (C2) and (C3) are trained
as they are used: t and bias become the head's own calibration. (C5) is a prior that weighs less, the more photos
speak.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch

from textseg.errors import TrainingError
from textseg.model.backbones import Backbone
from textseg.model.calibration import Calibration
from textseg.model.heads import Head
from textseg.model.heads.corrected import CorrectedHead
from trainer.objectives import Objective, register


@dataclass
class Patches:
    """N patches of corrected photos, each of one of three kinds by `kind`; logits are averaged over its region."""

    LABELLED, NONE, UNLABELLED = 0, 1, 2

    evidence: torch.Tensor
    """(N, E) what `CorrectedHead.evidence` makes of the base's embedding."""
    start: torch.Tensor
    """(N, C) logits of the start head."""
    gate: torch.Tensor
    """(N, C) what the presence of each class in the patch's photo adds to its logit."""
    rivals: torch.Tensor
    """(N, M) logits of the best nouns that compete, best first."""
    nouns: torch.Tensor
    """(N, M) which they are among the head's, their number for one that learns nothing."""
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
        return Patches(*(getattr(self, one.name)[index] for one in fields(self)))


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
        open: float = 1.0,
        none: float = 1.0,
        keep: float = 0.3,
        decay: float = 0.3,
        decay_bias: float = 0.1,
        decay_nouns: float = 0.01,
        presence: float = 0.02,
        hold_back: float = 0.0,
        complete: bool = True,
    ) -> None:
        """`photos` is how many there are to learn from; `open`, `none`, `keep` and the decays weight (C2) to (C5).

        `trainer.corrections` reads the others: `presence` is the head's; `hold_back` is the share of photos that are
        kept for scoring, at 0 all teach, and each is scored by a head that has not seen it; `complete` says that photos
        marked done show everything: what is not drawn is not there. Raises TrainingError for another head than a
        corrected one.
        """
        super().__init__(head, backbone)
        if not isinstance(head, CorrectedHead):
            raise TrainingError("The objective 'corrections' trains heads of type 'corrected' only.")
        self.corrected, self.start = head, head.calibration
        self.balance, self.open, self.none, self.keep = balance, open, none, keep
        self.photos = photos
        self.decay, self.decay_bias, self.decay_nouns = decay / photos, decay_bias / photos, decay_nouns / photos
        device = head.weight.device
        self.log_temperature = torch.nn.Parameter(torch.tensor(math.log(self.start.temperature), device=device))
        self.rest_bias = torch.nn.Parameter(torch.tensor(self.start.bias, device=device))

    @property
    def calibration(self) -> Calibration:
        """The base's, with the bias and the temperature that were learnt."""
        return replace(self.start, bias=self.rest_bias.item(), temperature=self.log_temperature.exp().item())

    def forward(self, batch: Patches) -> dict[str, torch.Tensor]:  # type: ignore[override]
        head = self.corrected
        words = batch.start + batch.evidence @ head.weight.T + head.bias
        rest = batch.rivals
        if head.offset is not None:
            rest = rest + torch.nn.functional.pad(head.offset, (0, 1))[batch.nouns]
        whole = self._whole(words + batch.gate, rest, self.rest_bias, self.log_temperature.exp())
        labelled, none, free = (batch.kind == kind for kind in (Patches.LABELLED, Patches.NONE, Patches.UNLABELLED))
        shares = batch.shares * labelled[:, None]
        q = self._weighted(shares)
        terms = {
            "words": -(q * words.log_softmax(1)).sum(),
            "open": -self.open * (q * whole[:, :-1]).sum(),
            "none": -self.none * (whole[:, -1] * none).sum() / none.sum().clamp(min=1),
            "decay": self.decay * head.weight.square().sum()
            + self.decay_bias * (head.bias.square().sum() + (self.rest_bias - self.start.bias).square())
            + (self.log_temperature - math.log(self.start.temperature)).square() / self.photos,
        }
        if head.offset is not None:
            terms["decay"] = terms["decay"] + self.decay_nouns * head.offset.square().sum()
        with torch.no_grad():
            before = self._whole(
                batch.start + batch.gate,
                batch.rivals,
                self.rest_bias.new_tensor(self.start.bias),
                self.start.temperature,
            )
        change = (before.exp() * (before - whole)).sum(1)
        terms["keep"] = self.keep * (change * free).sum() / free.sum().clamp(min=1)
        right = (words.argmax(1) == shares.argmax(1)) & labelled
        terms["_right"] = right.sum() / labelled.sum().clamp(min=1)
        return terms

    @staticmethod
    def _whole(
        words: torch.Tensor, rivals: torch.Tensor, bias: torch.Tensor, temperature: torch.Tensor | float
    ) -> torch.Tensor:
        """(N, C + 1) log probability of each class and of anything else, as `calibration.posterior` has it."""
        rest = rivals.amax(1, keepdim=True) + bias + math.log(words.shape[1])
        return (temperature * torch.cat([words, rest], 1)).log_softmax(1)

    def _weighted(self, shares: torch.Tensor) -> torch.Tensor:
        """u_p q_pk of (C1): (N, C) that sums to 1."""
        frequency = shares.sum(0) / shares.sum().clamp(min=1e-9)
        by_class = torch.where(frequency > 0, frequency.clamp(min=1e-4) ** -self.balance, 0.0)
        rows = shares / shares.sum(1, keepdim=True).clamp(min=1e-9)
        weighted = rows * (shares * by_class).sum(1, keepdim=True)
        return weighted / weighted.sum().clamp(min=1e-9)
