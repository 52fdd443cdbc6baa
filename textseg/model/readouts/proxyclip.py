"""ProxyCLIP: CLIP's values gathered by another encoder's coherence (Lan et al., ECCV 2024, arXiv 2408.04883)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from textseg.model.readouts import places, register, shared_attention
from textseg.model.towers import Block, Grid, through
from textseg.registry import Facts

BETA, GAMMA = 1.2, 3.0


@register(
    "proxyclip",
    Facts(
        title="ProxyCLIP",
        about="CLIP's values, gathered by the affinity of a second backbone's patches (Lan et al., ECCV 2024).",
        needs="the weights of a second backbone, dinov2:base",
        packages=("timm",),
        weights=("timm/vit_base_patch14_reg4_dinov2.lvd142m", ("model.safetensors", "pytorch_model.bin")),
    ),
    second="dinov2:base",
)
def proxyclip(blocks: Sequence[Block], x: torch.Tensor, grid: Grid, proxy: torch.Tensor) -> torch.Tensor:
    """Z = O(softmax(M) v'), M = gamma (E E^T - beta mean(E E^T)), entries below 0 out; neither residual nor FFN.

    E are the unit features of `proxy` (B, D', h', w'); v' are the patches' values, resized bilinearly to (h', w'),
    the grid of the result.
    """
    x = through(blocks[:-1], x)
    _, _, value = blocks[-1].project(x)
    unit = F.normalize(proxy.flatten(2), dim=1)
    similarity = unit.transpose(1, 2) @ unit
    scores = GAMMA * (similarity - BETA * similarity.mean((1, 2), keepdim=True))
    weights = shared_attention(scores)
    image = places(value, grid).transpose(2, 3).unflatten(3, grid).flatten(0, 1)
    resized = F.interpolate(image, size=proxy.shape[2:], mode="bilinear", align_corners=False)
    value = resized.flatten(2).transpose(1, 2).unflatten(0, value.shape[:2])
    return blocks[-1].merge(weights[:, None] @ value).transpose(1, 2).unflatten(2, proxy.shape[2:])
