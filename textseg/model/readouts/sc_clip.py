"""SC-CLIP: self-calibrated CLIP (Bai et al., arXiv 2411.15869), after the authors' code.

Layer numbers are those of a tower of 12 blocks and are scaled for other depths (our reading).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from textseg.model.readouts import patch_map, places, register, shared_attention
from textseg.model.towers import BLOCKS, CLASS_TOKEN, Block, Grid, attend
from textseg.registry import Facts

NEIGHBOURS, CONTAMINATION = 30, 0.05
LEAST_SIMILARITY = 0.4
CLASS_SHARE = 0.3
SHARPNESS = 3.0


@register(
    "sc_clip",
    Facts(
        title="SC-CLIP",
        about="Outlier patches are repaired and middle layers give coherence (Bai et al., 2024).",
    ),
    needs=(BLOCKS, CLASS_TOKEN),
)
def sc_clip(blocks: Sequence[Block], x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Outlier tokens are repaired, and the coherence of middle layers is lent to the last one.

    R = tokens before the last block, outliers replaced by the mean of their neighbours; C_n = cosine similarities of
    the tokens of layer n; S = C_9 of repaired tokens; G(C) X = row-normalised (C where C >= 0.4, else 0) times X;
    B(X) = O((A(k k^T) + softmax(3 (S - mean S), negatives out)) / 2 v) + 0.3 class token;
    Z = G(C_4) (B(G(S) R) + B(sum of layers 4 to 10)).
    """
    layers = []
    for block in blocks[:-1]:
        x = block(x)
        layers.append(x)

    def layer(number: int) -> int:
        """Index in `layers` of a layer numbered from 1 in a tower of 12."""
        return max(round(number * len(blocks) / 12), 1) - 1

    bad = outliers(places(x, grid))
    similarity = cosine(repair(places(layers[layer(9)], grid), bad, grid))
    early = cosine(places(layers[layer(4)], grid))
    several = torch.stack(layers[layer(4) : layer(10) + 1]).sum(0)

    def last(patches: torch.Tensor, cls: torch.Tensor) -> torch.Tensor:
        _, key, value = blocks[-1].project(patches)
        calibrated = SHARPNESS * (similarity - similarity.mean((1, 2), keepdim=True))
        shared = shared_attention(calibrated)[:, None] @ value
        return blocks[-1].merge((attend(key, key, value) + shared) / 2) + CLASS_SHARE * cls

    z = last(gather(similarity, repair(places(x, grid), bad, grid)), x[:, :1])
    z = z + last(places(several, grid), several[:, :1])
    return patch_map(gather(early, z), grid)


def cosine(tokens: torch.Tensor) -> torch.Tensor:
    """(B, T, D) -> (B, T, T) cosine similarities."""
    unit = F.normalize(tokens, dim=2)
    return unit @ unit.transpose(1, 2)


def gather(similarity: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """(B, T, D): each token becomes the weighted mean of those at least 0.4 similar."""
    weight = similarity.masked_fill(similarity < LEAST_SIMILARITY, 0)
    return weight @ tokens / (weight.sum(2, keepdim=True) + 1e-6)


def outliers(tokens: torch.Tensor) -> torch.Tensor:
    """(B, T) bool: the 5 % of tokens in the sparsest places of feature space.

    Local outlier factor (Breunig et al. 2000) in the authors' form: squared distances, and a point's own distance to
    its 30th neighbour as reachability, so that LOF = mean over the neighbours n of reach / reach_n.
    """
    distance = torch.cdist(tokens.float(), tokens.float()).square()
    nearest = distance.topk(min(NEIGHBOURS + 1, tokens.shape[1]), largest=False)
    reach = nearest.values[..., -1].clamp_min(1e-6)
    neighbours = nearest.indices[..., 1:]
    reach_of_neighbours = reach.gather(1, neighbours.flatten(1)).view(neighbours.shape)
    factor = (reach[..., None] / reach_of_neighbours).mean(2)
    return factor > factor.quantile(1 - CONTAMINATION, dim=1, keepdim=True)


def repair(tokens: torch.Tensor, bad: torch.Tensor, grid: Grid) -> torch.Tensor:
    """(B, T, D) with each bad token replaced by the mean of its sound neighbours (of 8), if it has any."""
    image, sound = tokens.transpose(1, 2).unflatten(2, grid), ~bad.unflatten(1, grid)[:, None]
    # A 3x3 mean over the sound tokens; the middle one counts for nothing where it is bad.
    total = F.avg_pool2d(image * sound, 3, stride=1, padding=1)
    share = F.avg_pool2d(sound.to(image), 3, stride=1, padding=1)
    mended = torch.where(sound | (share == 0), image, total / share.clamp_min(1e-6))
    return mended.flatten(2).transpose(1, 2)
