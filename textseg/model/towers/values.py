"""The value path of attention pools: what a pool makes of a single token that it attends to alone.

MaskCLIP's reading of the last attention (Zhou et al., ECCV 2022, arXiv 2112.01071, 3.1), which in its ResNets is the
pool: softmax over one key is 1, so the query has no say, and the token's own value passes the output projection.
"""

import torch
from torch import nn


class Values(nn.Module):
    """before, value, output projection, and y + mlp(norm(y)) where the pool has that too."""

    def __init__(
        self,
        attention: nn.Module,
        before: nn.Module | None = None,
        norm: nn.Module | None = None,
        mlp: nn.Module | None = None,
    ) -> None:
        """`attention` is torch's MultiheadAttention or timm's pool."""
        super().__init__()
        self.before, self.norm, self.mlp = before or nn.Identity(), norm or nn.Identity(), mlp
        if isinstance(attention, nn.MultiheadAttention):
            packed = attention.in_proj_weight
            weight = attention.v_proj_weight if packed is None else packed.chunk(3)[2]
            bias = None if attention.in_proj_bias is None else attention.in_proj_bias.chunk(3)[2]
            self.value, self.out = linear(weight, bias), attention.out_proj
        else:
            bias = None if attention.kv.bias is None else attention.kv.bias.chunk(2)[1]
            self.value, self.out = linear(attention.kv.weight.chunk(2)[1], bias), attention.proj

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., D) -> (..., D')."""
        y = self.out(self.value(self.before(x)))
        return y if self.mlp is None else y + self.mlp(self.norm(y))


def linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    """A linear layer of its own with a copy of these weights."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return layer
