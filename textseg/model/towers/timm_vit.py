"""timm's transformers as open_clip uses them: EVA, SigLIP, PE-Core, MobileCLIP-B, ViTamin.

They differ in how patches are made, in what knows of positions (a table, rotations of queries and keys, a
convolutional stem) and in how tokens are pooled (a class token, their mean, attention); all have the same blocks.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from textseg.model.heads import Head
from textseg.model.towers import register
from textseg.model.towers.plain import HUB_WEIGHTS
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


def called(*beginnings: str) -> Callable[[Mapping[str, Any]], bool]:
    """Whether timm's name of a tower begins so."""
    return lambda vision: str(vision.get("timm_model_name") or "").startswith(beginnings)


register(
    "eva",
    Facts(
        title="EVA-CLIP",
        about="EVA-01 and EVA-02, the latter with rotated queries and keys; a class token is pooled.",
        example="clip:EVA02-B-16/merged2b_s8b_b131k",
        licence="MIT",
        size="599 MB",
        weights=("timm/eva02_base_patch16_clip_224.merged2b_s8b_b131k", HUB_WEIGHTS),
    ),
)(Family(frozenset({BLOCKS, CLASS_TOKEN}), called("eva")))
register(
    "siglip",
    Facts(
        title="SigLIP and SigLIP 2",
        about="Trained by a sigmoid on pairs, with a scale and a bias; pooled by attention, without a class token.",
        example="clip:ViT-B-16-SigLIP2/webli",
        licence="Apache-2.0",
        size="1.5 GB",
        weights=("timm/ViT-B-16-SigLIP2", HUB_WEIGHTS),
    ),
)(
    Family(
        frozenset({BLOCKS, ATTENTION_POOL}),
        lambda vision: "_siglip" in str(vision.get("timm_model_name")),
        ("siglip", "siglip2"),
    )
)
register(
    "pe-core",
    Facts(
        title="Perception Encoder",
        about="PE-Core, with rotated queries and keys; class token and patches are pooled by attention.",
        example="clip:PE-Core-B-16/meta",
        licence="Apache-2.0",
        size="1.8 GB",
        weights=("timm/PE-Core-B-16", HUB_WEIGHTS),
    ),
)(Family(frozenset({BLOCKS, CLASS_TOKEN, ATTENTION_POOL}), called("vit_pe_core")))
register(
    "mobileclip-b",
    Facts(
        title="MobileCLIP-B and L",
        about="The transformers of MobileCLIP and MobileCLIP 2; a class token is pooled.",
        example="clip:MobileCLIP2-B/dfndr2b",
        licence="Apple's own",
        size="599 MB",
        weights=("timm/MobileCLIP2-B-OpenCLIP", HUB_WEIGHTS),
    ),
)(Family(frozenset({BLOCKS, CLASS_TOKEN}), called("vit_base_mci", "vit_large_patch14_clip")))
register(
    "vitamin",
    Facts(
        title="ViTamin",
        about="Convolutions, then a transformer without a class token, the mean of whose patches is pooled.",
        example="clip:ViTamin-B/datacomp1b",
        licence="MIT",
        size="604 MB",
        weights=("jienengchen/ViTamin-B", ("pytorch_model.bin",)),
    ),
)(Family(frozenset({BLOCKS}), called("vitamin", "vit_medium_patch16_gap")))


class TimmBlock(Block):
    """A block of timm's VisionTransformer or Eva; `rotation` (h*w, 2 d) turns the queries and keys of patches."""

    def __init__(self, module: nn.Module, rotation: torch.Tensor | None) -> None:
        from timm.models.eva import EvaBlockPostNorm

        self.module, self.attention, self.rotation = module, module.attn, rotation
        self.post_norm = isinstance(module, EvaBlockPostNorm)

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.post_norm else self.module.norm1(x)

    def project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        attention, x = self.attention, self.normed(x)
        if attention.qkv is None:
            parts = attention.q_proj(x), attention.k_proj(x), attention.v_proj(x)
        else:
            bias = attention.qkv.bias
            if getattr(attention, "q_bias", None) is not None:  # EVA's keys have none
                bias = torch.cat([attention.q_bias, attention.k_bias, attention.v_bias])
            parts = F.linear(x, attention.qkv.weight, bias).chunk(3, dim=-1)
        query, key, value = (split_heads(part, attention.num_heads) for part in parts)
        return self._turned(attention.q_norm(query)), self._turned(attention.k_norm(key)), value

    def _turned(self, x: torch.Tensor) -> torch.Tensor:
        if self.rotation is None:
            return x
        from timm.layers import apply_rot_embed_cat

        first, places = x[:, :, : -len(self.rotation)], x[:, :, -len(self.rotation) :]
        turned = apply_rot_embed_cat(places, self.rotation, half=self.attention.rotate_half)
        return torch.cat([first, turned.to(first.dtype)], dim=2)

    def merge(self, values: torch.Tensor) -> torch.Tensor:
        merged = self.attention.proj(self.attention.norm(join_heads(values)))
        return self.module.norm1(merged) if self.post_norm else self._scaled(merged, 1)

    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.post_norm:
            return x + self.module.norm2(self.module.mlp(x))
        return x + self._scaled(self.module.mlp(self.module.norm2(x)), 2)

    def _scaled(self, x: torch.Tensor, number: int) -> torch.Tensor:
        """LayerScale, under the name of either family."""
        if (layer := getattr(self.module, f"ls{number}", None)) is not None:
            return layer(x)
        gamma = getattr(self.module, f"gamma_{number}", None)
        return x if gamma is None else x * gamma


class TimmTower(Tower):
    """A timm VisionTransformer or Eva inside open_clip's TimmModel."""

    def __init__(self, visual: nn.Module) -> None:
        from timm.layers import PatchEmbed

        self.visual, self.trunk = visual, visual.trunk
        trunk: Any = visual.trunk
        self._whole = isinstance(trunk.patch_embed, PatchEmbed)  # else a convolutional stem
        self.native = min(visual.image_size)
        self.patch = int(trunk.patch_embed.feat_ratio())
        self.finer = self._whole
        trunk.patch_embed.strict_img_size = False
        self.feature_dim = trunk.num_features
        has = {BLOCKS}
        if trunk.cls_token is not None:
            has.add(CLASS_TOKEN)
        if trunk.attn_pool is not None:
            has.add(ATTENTION_POOL)
        self.has = frozenset(has)
        with torch.no_grad():
            token = torch.zeros(1, 1, 1, self.feature_dim, device=next(trunk.parameters()).device)
            self.text_dim = self.alignment()(token.movedim(3, 1)).shape[1]

    def enter(self, pixels: torch.Tensor, stride: int) -> tuple[list[Block], torch.Tensor, Grid]:
        trunk = self.trunk
        if self._whole:
            x, grid = patches(trunk.patch_embed.proj, pixels, stride)
            x = trunk.patch_embed.norm(x)
        else:
            x, grid = trunk.patch_embed(pixels), (pixels.shape[2] // stride, pixels.shape[3] // stride)
        first = [token.expand(len(x), -1, -1) for token in (trunk.cls_token, trunk.reg_token) if token is not None]
        table = trunk.pos_embed
        places = None if table is None else positions(table[0], trunk.patch_embed.grid_size, grid)
        if places is not None and trunk.no_embed_class:
            x, places = x + places, None
        x = torch.cat([*first, x], dim=1)
        x = trunk.norm_pre(x if places is None else x + places)
        rotation = self._rotation(grid)
        return [TimmBlock(module, rotation) for module in trunk.blocks], x, grid

    def _rotation(self, grid: Grid) -> torch.Tensor | None:
        rope = getattr(self.trunk, "rope", None)
        if rope is None or list(rope.feat_shape) == list(grid):
            return None if rope is None else rope.get_embed()
        other = copy.deepcopy(rope)
        other.update_feat_shape(list(grid))
        return other.get_embed()

    def pool(self, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        return self.visual.head(self.trunk.forward_head(self.trunk.norm(x)))

    def alignment(self) -> Head:
        trunk, pool = self.trunk, self.trunk.attn_pool
        values = nn.Identity() if pool is None else Values(pool, norm=pool.norm, mlp=pool.mlp)
        return Projection(trunk.norm, values, trunk.fc_norm, trunk.head, *self.visual.head)
