"""The image towers of transformers' image-text models: CLIP and those built like it, SigLIP, SigLIP 2, TIPSv2.

They differ in names, in what comes before the patches (a class token, registers, nothing), and in how they pool (the
class token and a projection, or attention).
"""

from typing import Any

import torch
from torch import nn

from textseg.model.heads import Head
from textseg.model.towers import register
from textseg.model.towers.tower import (
    ATTENTION_POOL,
    BLOCKS,
    CLASS_TOKEN,
    Block,
    Family,
    Grid,
    Projection,
    Tower,
    join_heads,
    patches,
    positions,
    split_heads,
)
from textseg.model.towers.values import Values
from textseg.registry import Facts

register(
    "hf-clip",
    Facts(
        title="CLIP of transformers",
        about="CLIP, MetaCLIP 2, AltCLIP and Chinese-CLIP as transformers saves them; a class token is pooled.",
        example="hf:openai/clip-vit-base-patch16",
        licence="MIT (OpenAI), CC-BY-NC-4.0 (MetaCLIP), CreativeML Open RAIL-M (AltCLIP)",
        size="599 MB",
        weights=("openai/clip-vit-base-patch16", ("model.safetensors", "pytorch_model.bin")),
    ),
)(Family(frozenset({BLOCKS, CLASS_TOKEN}), None, ("clip", "metaclip_2", "altclip", "chinese_clip")))
register(
    "tipsv2",
    Facts(
        title="TIPSv2",
        about="A transformer with a class token and a register, trained so that patches and words lie close.",
        example="hf:google/tipsv2-b14",
        licence="Apache-2.0",
        size="780 MB",
        weights=("google/tipsv2-b14", ("model.safetensors",)),
    ),
)(Family(frozenset({BLOCKS, CLASS_TOKEN}), None, ("tipsv2",)))


class HfBlock(Block):
    """A layer of one of these towers: pre-norm, with a scale of its own (TIPSv2) or without."""

    def __init__(self, layer: Any) -> None:
        plain = hasattr(layer, "self_attn")
        self.attention = attention = layer.self_attn if plain else layer.attention
        self.norm_1, self.norm_2 = (layer.layer_norm1, layer.layer_norm2) if plain else (layer.norm1, layer.norm2)
        self.out = attention.out_proj if plain else attention.o_proj
        self.heads = attention.num_heads if plain else attention.num_attention_heads
        self.mlp = layer.mlp
        self.scale_1 = getattr(layer, "layer_scale1", nn.Identity())
        self.scale_2 = getattr(layer, "layer_scale2", nn.Identity())

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm_1(x)

    def project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x, attention = self.normed(x), self.attention
        query, key, value = (
            split_heads(part(x), self.heads) for part in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        return query, key, value

    def merge(self, values: torch.Tensor) -> torch.Tensor:
        return self.scale_1(self.out(join_heads(values)))

    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.scale_2(self.mlp(self.norm_2(x)))


class HfTower(Tower):
    """The `vision_model` of a model, and its `visual_projection` where there is one."""

    def __init__(self, model: Any) -> None:
        self.vision = vision = model.vision_model
        embeddings = vision.embeddings
        self._first = first_tokens(embeddings)
        table = getattr(embeddings, "position_embedding", None)
        self._table = embeddings.position_embeddings[0] if table is None else table.weight
        self._convolution = patch_convolution(embeddings)
        self.patch = self._convolution.kernel_size[0]
        side = round((len(self._table) - bool(self._first)) ** 0.5)
        self._grid = (side, side)
        self.native = side * self.patch
        encoder = vision.encoder
        self._layers = encoder.layers if hasattr(encoder, "layers") else encoder.layer
        self._enter = getattr(vision, "pre_layrnorm", nn.Identity())
        self._leave = vision.layernorm if hasattr(vision, "layernorm") else vision.post_layernorm
        self._pool = getattr(vision, "head", None)
        self._project = getattr(model, "visual_projection", nn.Identity())
        self.feature_dim = self._convolution.out_channels
        self.text_dim = getattr(self._project, "out_features", self.feature_dim)
        pooled = {ATTENTION_POOL} if self._pool is not None else set()
        self.has = frozenset({BLOCKS} | ({CLASS_TOKEN} if self._first else set()) | pooled)

    def enter(self, pixels: torch.Tensor, stride: int) -> tuple[list[Block], torch.Tensor, Grid]:
        x, grid = patches(self._convolution, pixels, stride)
        places = positions(self._table, self._grid, grid)
        first = [token.expand(len(x), -1, -1).to(x.dtype) for token in self._first]
        if first:  # the class token has a row in the table, registers have none
            x = torch.cat([first[0], x], dim=1) + places
            x = torch.cat([x[:, :1], *first[1:], x[:, 1:]], dim=1)
        else:
            x = x + places
        return [HfBlock(layer) for layer in self._layers], self._enter(x), grid

    def pool(self, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        x = self._leave(x)
        return self._project(x[:, 0]) if self._pool is None else self._project(self._pool(x))

    def alignment(self) -> Head:
        pool = self._pool
        values = nn.Identity() if pool is None else Values(pool.attention, norm=pool.layernorm, mlp=pool.mlp)
        return Projection(self._leave, values, self._project)


def first_tokens(embeddings: Any) -> list[torch.Tensor]:
    """The class token and the registers, each (1, P, D), of those that there are."""
    names = ("class_embedding", "cls_token", "register_tokens")
    found = [getattr(embeddings, name) for name in names if hasattr(embeddings, name)]
    return [token.reshape(1, -1, token.shape[-1]) for token in found if token.numel()]


def patch_convolution(embeddings: Any) -> nn.Conv2d:
    """What makes patches of pixels; SigLIP 2 of any size has a linear layer over their (row, column, colour)."""
    if hasattr(embeddings, "patch_embeddings"):
        return embeddings.patch_embeddings.projection
    layer = embeddings.patch_embedding
    if isinstance(layer, nn.Conv2d):
        return layer
    side = embeddings.patch_size
    convolution = nn.Conv2d(3, layer.out_features, side, stride=side, bias=layer.bias is not None, device="meta")
    kernel = layer.weight.detach().unflatten(1, (side, side, 3)).permute(0, 3, 1, 2).contiguous()
    convolution.weight = nn.Parameter(kernel, requires_grad=False)
    convolution.bias = layer.bias
    return convolution
