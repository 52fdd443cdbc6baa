"""open_clip's image transformer taken apart: tokens, blocks, queries, keys and values.

Dense readouts change what the last blocks do, and photos come in any size, so the walk through the tower is written
out here; with nothing changed it gives open_clip's own embedding.
"""

import torch
import torch.nn.functional as F
from torch import nn

Grid = tuple[int, int]
"""(height, width) in patches."""


class Block:
    """One residual attention block: x + attention(ln_1(x)), then + feed-forward(ln_2(.)).

    x is (B, N, D); queries, keys and values are (B, heads, N, d) with D = heads * d.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.attention = module.attn

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = self.project(x)
        return self.feed_forward(x + self.merge(attend(query, key, value)))

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        """ln_1(x), what queries, keys and values are projected from."""
        return self.module.ln_1(x)

    def project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The queries, keys and values of ln_1(x)."""
        packed = F.linear(self.normed(x), self.attention.in_proj_weight, self.attention.in_proj_bias)
        query, key, value = packed.unflatten(2, (3, self.attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return query, key, value

    def merge(self, values: torch.Tensor) -> torch.Tensor:
        """(B, heads, N, d) attended values -> (B, N, D), what the block adds to x: heads joined, output projection."""
        return self.module.ls_1(self.attention.out_proj(values.transpose(1, 2).flatten(2)))

    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        """x + MLP(ln_2(x))."""
        return x + self.module.ls_2(self.module.mlp(self.module.ln_2(x)))


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor | None = None,
    scale: float | None = None,
) -> torch.Tensor:
    """softmax(scale * query key^T + bias) value, the scale d^-1/2 unless given; holds no (heads, N, N) weights."""
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)


def embed(visual: nn.Module, pixels: torch.Tensor, stride: int) -> tuple[torch.Tensor, Grid]:
    """(B, 3, H, W) normalised pixels -> (B, 1 + h*w, D) tokens, class token first, and the grid (h, w).

    h = H / stride and w = W / stride. With a stride smaller than the patch (PACL's stride trick, arXiv 2212.04994) the
    photo's border is repeated outwards by half the difference, so that each patch stays centred on its grid cell.
    """
    surplus = visual.patch_size[0] - stride
    before, after = surplus // 2, surplus - surplus // 2
    padded = F.pad(pixels, (before, after, before, after), mode="replicate") if surplus else pixels
    patches = F.conv2d(padded, visual.conv1.weight, visual.conv1.bias, stride=stride)
    grid = (patches.shape[2], patches.shape[3])
    tokens = patches.flatten(2).transpose(1, 2)
    cls = visual.class_embedding.to(tokens.dtype).expand(len(tokens), 1, -1)
    x = torch.cat([cls, tokens], dim=1) + positions(visual.positional_embedding, visual.grid_size, grid)
    return visual.ln_pre(x), grid


def positions(embedding: torch.Tensor, native: Grid, grid: Grid) -> torch.Tensor:
    """(1 + native, D) positional embedding -> (1 + h*w, D), bicubic between patch centres; the native grid as it is."""
    if grid == tuple(native):
        return embedding
    cls, patches = embedding[:1], embedding[1:]
    image = patches.T.unflatten(1, tuple(native))[None].float()
    resized = F.interpolate(image, size=grid, mode="bicubic", align_corners=False)[0]
    return torch.cat([cls, resized.flatten(1).T.to(cls.dtype)])


def pool(visual: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(B, N, D) output of the last block -> (B, E) image embedding, as open_clip pools it."""

    def pooled(tokens: torch.Tensor) -> torch.Tensor:
        return tokens[:, 0] if visual.pool_type == "tok" else tokens[:, 1:].mean(1)

    x = visual.ln_post(pooled(x)) if visual.final_ln_after_pool else pooled(visual.ln_post(x))
    return x if visual.proj is None else x @ visual.proj
