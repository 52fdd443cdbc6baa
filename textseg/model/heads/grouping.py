"""MixReorg's head: a two-stage grouping block as in GroupViT (arXiv 2308.04829, figure 3; GroupViT: 2202.11094)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from textseg.model.heads import Head, register
from textseg.model.transformer import Enter, TransformerLayer

if TYPE_CHECKING:
    from textseg.model.backbones import Backbone


@register("grouping")
class GroupingHead(Head):
    """Patches -> a few segment tokens in the text space, with each patch's share in each segment.

    `context` contextualises a photo's patches (MixReorg mixes what it returns), `encode` are the layers in between,
    and `group` gathers tokens into segments. Only this branch runs at test time:

        z_p = normalise(sum_g a(g, p) Z_g)

    Group counts 64 and 8 are GroupViT's; depth and width over a frozen encoder are our reading.
    """

    kind = "grouping"

    def __init__(
        self, feature_dim: int, text_dim: int, width: int, heads: int, depth: int, groups: tuple[int, int]
    ) -> None:
        super().__init__()
        self.config = {"width": width, "heads": heads, "depth": depth, "groups": list(groups)}
        self.width = width
        self.enter = Enter(feature_dim, width)
        self.contextualise = TransformerLayer(width, heads)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(depth))
        first, second = groups
        self.first = GroupingStage(width, heads, first)
        self.second = GroupingStage(width, heads, second, carried=first)
        self.project = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, text_dim)
        )

    @classmethod
    def build(  # type: ignore[override]
        cls,
        backbone: Backbone,
        width: int = 384,
        heads: int = 6,
        depth: int = 1,
        groups: tuple[int, int] = (64, 8),
    ) -> GroupingHead:
        """`depth` layers follow the context layer; `groups` are the token counts of the two stages."""
        return cls(backbone.feature_dim, backbone.text_dim, width, heads, depth, (groups[0], groups[1]))

    def context(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, T, width) contextualised tokens, T = h * w."""
        return self.contextualise(self.enter(features))

    def group(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, T, width) -> unit segment embeddings Z (B, G, E) and shares a (B, G, T), which sum to 1 over G.

        a is the product of both stages' probabilities: a(g, p) = sum_f a2(g, f) a1(f, p).
        """
        groups, carried, a1 = self.first(tokens)
        segments, _, a2 = self.second(groups, carried)
        return F.normalize(self.project(segments), dim=-1), a2 @ a1

    def segments(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, D, h, w) -> `group` of its tokens: segments (B, G, E) and shares (B, G, h * w)."""
        tokens = self.context(features)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.group(tokens)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        segments, share = self.segments(features)
        z = F.normalize(torch.einsum("bge,bgt->bet", segments, share), dim=1)
        return z.unflatten(-1, features.shape[-2:])


class GroupingStage(nn.Module):
    """GroupViT's grouping stage: learned group tokens look at the tokens, then each token joins one group.

    l(g, t) = W_q g . W_k x_t / sqrt(d);   a = Gumbel-softmax_g(l), one-hot with straight-through
    g' = g + W_o( sum_t a W_v x_t / (sum_t a + 1) );   g' + MLP(g')
    """

    def __init__(self, width: int, heads: int, groups: int, carried: int | None = None) -> None:
        """`carried`: how many group tokens come from the stage before; a mixer turns them into `groups`."""
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(groups, width) * 0.02)
        self.mixer = None if carried is None else Mixer(width, carried, groups)
        self.layer = TransformerLayer(width, heads)
        self.norm_groups, self.norm_tokens = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, x: torch.Tensor, carried: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(B, T, width) tokens -> new tokens (B, G, width), group tokens (B, G, width), probabilities (B, G, T)."""
        g = self.tokens.expand(len(x), -1, -1)
        if self.mixer is not None and carried is not None:
            g = g + self.mixer(carried)
        x, g = self.layer(torch.cat([x, g], dim=1)).split([x.shape[1], g.shape[1]], dim=1)
        keys, queries = self.norm_tokens(x), self.norm_groups(g)
        # Gumbel noise is a double logarithm, which half precision does not survive.
        logits = (self.query(queries) @ self.key(keys).mT).float() * x.shape[-1] ** -0.5
        if self.training:
            a = F.gumbel_softmax(logits, tau=1.0, hard=True, dim=1)
        else:
            a = F.one_hot(logits.argmax(1), g.shape[1]).mT
        a = a.to(x.dtype)
        new = g + self.out(a @ self.value(keys) / (a.sum(-1, keepdim=True) + 1))
        return new + self.mlp(new), g, logits.softmax(1)


class Mixer(nn.Module):
    """Carries the group tokens of one stage to the next: an MLP across tokens, `carried` -> `groups`."""

    def __init__(self, width: int, carried: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.across = nn.Sequential(nn.Linear(carried, carried), nn.GELU(), nn.Linear(carried, groups))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, carried, width) -> (B, groups, width)."""
        return self.across(self.norm(tokens).mT).mT
