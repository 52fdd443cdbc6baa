"""The default head of `lite`: class names and caption words together (trainer.recipes.lite makes it)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from textseg.model.backbones import Backbone
from textseg.model.convolutions import linear
from textseg.model.heads import Head, register


@register("lexical")
class LexicalHead(Head):
    """What the classifier knows by name beside what captions taught, smoothed over the photo's own patches.

        c_p = normalise(sum over the ten likeliest classes of p_k (e_k - m))       p = softmax(logits - log density)
        l_p = normalise(MLP(x_p, place of p))
        y_p = (concepts * c_p + learnt * l_p) / (concepts + learnt)
        z_p = sum_q softmax_q(affinity * cos(y_p - mean y, y_q - mean y)) y_q
        similarity(p, word) = z_p . normalise(t - m)

    c is ConSE with WordNet-enriched names (METHODS.md section 9), corrected for crowded neighbourhoods (120 breeds of
    dog); m is half the mean name. Smoothing lets patches that mean the same speak with one voice. The features x are
    those of two working sizes together: the small one sees whole objects. All similarities lie in [-1, 1].
    """

    kind = "lexical"
    top_classes = 10
    logit_scale = 40.0
    sizes = ((320, 1 / 3), (448, 2 / 3))

    def __init__(
        self,
        feature_dim: int,
        text_dim: int,
        classes: int,
        width: int = 768,
        concepts: float = 0.75,
        learnt: float = 2.0,
        affinity: float = 10.0,
    ) -> None:
        super().__init__()
        self.config = {
            "classes": classes, "width": width, "concepts": concepts, "learnt": learnt, "affinity": affinity,
        }  # fmt: skip
        self.concepts, self.learnt, self.affinity = concepts, learnt, affinity
        self.classifier = nn.Linear(feature_dim, classes)
        self.register_buffer("names", torch.zeros(classes, text_dim))
        self.register_buffer("half_mean", torch.zeros(text_dim))
        self.norm = nn.LayerNorm(feature_dim, elementwise_affine=False)
        self.hidden, self.out = nn.Linear(feature_dim, width), nn.Linear(width, text_dim)
        self.skip = nn.Linear(feature_dim, text_dim, bias=False)
        self.place = nn.Linear(4, width, bias=False)
        self.drop = nn.Dropout(0.1)
        nn.init.normal_(self.skip.weight, std=0.01)
        nn.init.normal_(self.place.weight, std=0.1)
        self.classifier.requires_grad_(False)

    @classmethod
    def build(cls, backbone: Backbone, **config: Any) -> LexicalHead:
        return cls(backbone.feature_dim, backbone.text_dim, **config)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w)."""
        x = features.flatten(2).transpose(1, 2)
        z = self.smooth(self.mixed(x, self.words(x, places(*features.shape[-2:]).to(x))))
        return z.transpose(1, 2).unflatten(-1, features.shape[-2:])

    def text(self, embeddings: torch.Tensor) -> torch.Tensor:
        """(K, E) unit text embeddings -> (K, E), centred."""
        return F.normalize(embeddings - self.half_mean, dim=-1)

    def posterior(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., C) class probabilities; minus log density is part of the classifier's bias here."""
        return linear(x, self.classifier.weight, self.classifier.bias).softmax(-1)

    def classes(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., E) unit ConSE embeddings."""
        p, index = self.posterior(x).topk(self.top_classes, dim=-1)
        return F.normalize((p.unsqueeze(-2) @ self.names[index]).squeeze(-2), dim=-1)

    def words(self, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        """(B, T, D) features at (T, 4) places -> (B, T, E) unit embeddings learnt from captions."""
        y = self.norm(x)
        hidden = F.gelu(linear(y, self.hidden.weight, self.hidden.bias) + self.place(place))
        learnt = linear(self.drop(hidden), self.out.weight, self.out.bias) + linear(y, self.skip.weight)
        return F.normalize(learnt, dim=-1)

    def mixed(self, x: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """(B, T, E): the class embeddings of features (B, T, D) with `words` (B, T, E)."""
        return (self.concepts * self.classes(x) + self.learnt * words) / (self.concepts + self.learnt)

    def smooth(self, y: torch.Tensor) -> torch.Tensor:
        """(B, T, E) averaged over each photo's patches by how alike they are, beside the photo's mean."""
        unit = F.normalize(y - y.mean(1, keepdim=True), dim=-1)
        return (self.affinity * (unit @ unit.transpose(1, 2))).softmax(-1) @ y


def places(height: int, width: int) -> torch.Tensor:
    """(height * width, 4): y, y^2, y^3, x^2 of the patch centres, from -1 to 1; left and right are alike."""
    y, x = ((torch.arange(side) + 0.5) / side * 2 - 1 for side in (height, width))
    y, x = y[:, None].expand(-1, width), x[None].expand(height, -1)
    return torch.stack([y, y**2, y**3, x**2], dim=-1).flatten(0, 1)
