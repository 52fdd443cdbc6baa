"""ConSE: the untrained alignment of `lite` (Norouzi et al., arXiv 1312.5650; dense use is our reading)."""

import torch
import torch.nn.functional as F

from textseg.model.heads import Head


class ConSE(Head):
    """A position's embedding is the convex combination of class-name embeddings under the classifier's posterior.

    p = softmax(scale * logits);  z = normalise(sum_c p_c (e_c - m/2));  similarity = z . normalise(t - m/2),
    where m is the mean name embedding: subtracting half of it on both sides opens the narrow cone that sentence
    embeddings live in.
    """

    scale = 1.5

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, names: torch.Tensor) -> None:
        """`weight` (C, D) and `bias` (C,) of the classifier, `names` (C, E) unit embeddings of its class names."""
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("half_mean", names.mean(0) / 2)
        self.register_buffer("names", names - self.half_mean)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        logits = torch.einsum("bdhw,cd->bchw", features, self.weight) + self.bias[:, None, None]
        return F.normalize(torch.einsum("bchw,ce->behw", (self.scale * logits).softmax(1), self.names), dim=1)

    def text(self, embeddings: torch.Tensor) -> torch.Tensor:
        """(K, E) unit text embeddings -> (K, E), centred in the same way."""
        return F.normalize(embeddings - self.half_mean, dim=1)
