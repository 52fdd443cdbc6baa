"""Convolutions made ready to be asked only: normalisation folded into their weights, 1 x 1 ones computed by oneDNN.

On one CPU thread torch computes a 1 x 1 convolution of one photo as a plain matrix product, by MKL; oneDNN's own is
twice as fast where MKL does not use the processor's widest instructions. Sums are made in another order, so that
features differ by some 3e-6 of their size from those of the network as it was.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def ready(net: nn.Module) -> nn.Module:
    """`net` in evaluation mode, changed in place: each convolution with the normalisation after it is one layer."""
    last: str | None = None
    for name, part in list(net.named_children()):
        if isinstance(part, nn.BatchNorm2d) and last is not None:
            convolution = fuse_conv_bn_eval(getattr(net, last), part)
            setattr(net, last, Pointwise(convolution) if _is_pointwise(convolution) else convolution)
            setattr(net, name, getattr(part, "act", nn.Identity()))  # timm's normalisation has its activation with it
        else:
            ready(part)
        last = name if isinstance(part, nn.Conv2d) else None
    return net


class Pointwise(nn.Module):
    """A 1 x 1 convolution with a stride of 1: (B, C, H, W) -> (B, C', H, W)."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return pointwise(x, self.weight, self.bias)


def pointwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """(B, C, H, W) -> (B, C', H, W) with a (C', C, 1, 1) `weight`."""
    if _by_onednn(x):
        return torch.mkldnn_convolution(x, weight, bias, (0, 0), (1, 1), (1, 1), 1)
    return F.conv2d(x, weight, bias)


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """(..., C) -> (..., C') with a (C', C) `weight`, as `F.linear`."""
    rows = x.reshape(-1, x.shape[-1])
    if not len(rows) or not _by_onednn(x):
        return F.linear(x, weight, bias)
    # One row of the matrix is one pixel of a photo that lies channels last.
    photo = rows.T[None, :, :, None]
    return pointwise(photo, weight[:, :, None, None], bias)[0, :, :, 0].T.reshape(*x.shape[:-1], len(weight))


def _by_onednn(x: torch.Tensor) -> bool:
    cheap = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()
    return cheap and torch.backends.mkldnn.is_available()


def _is_pointwise(convolution: nn.Conv2d) -> bool:
    plain = convolution.stride == (1, 1) and convolution.padding in ((0, 0), "valid") and convolution.groups == 1
    return plain and convolution.kernel_size == (1, 1) and type(convolution) is nn.Conv2d
