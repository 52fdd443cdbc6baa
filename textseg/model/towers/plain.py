"""open_clip's own vision transformer: pooled by its class token, by the mean of its patches, or by attention (CoCa)."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from textseg.model.heads import Head
from textseg.model.towers import register, values
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
from textseg.registry import Facts

HUB_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def is_plain(vision: Mapping[str, Any]) -> bool:
    """Whether open_clip builds its own transformer of this `vision_cfg`, of the usual blocks."""
    own = ("block_type", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc")
    usual = not vision.get("timm_model_name") and isinstance(vision.get("layers", 12), int)
    return usual and not any(vision.get(key) for key in own)


register(
    "vit",
    Facts(
        title="CLIP's ViT",
        about="The vision transformer of CLIP, OpenCLIP, DataComp, MetaCLIP and DFN; a class token is pooled.",
        example="clip:ViT-B-16/openai",
        licence="MIT (OpenAI, LAION, DataComp), CC-BY-NC-4.0 (MetaCLIP), Apple's own (DFN)",
        size="599 MB",
        weights=("timm/vit_base_patch16_clip_224.openai", HUB_WEIGHTS),
    ),
)(
    Family(
        frozenset({BLOCKS, CLASS_TOKEN}),
        lambda vision: is_plain(vision) and not vision.get("attentional_pool") and vision.get("pool_type") != "avg",
    )
)
register(
    "clipa",
    Facts(
        title="CLIPA",
        about="The same transformer, the mean of whose patches is pooled.",
        example="clip:ViT-L-14-CLIPA/datacomp1b",
        licence="Apache-2.0",
        size="1.7 GB",
        weights=("UCSC-VLAA/ViT-L-14-CLIPA-datacomp1B", HUB_WEIGHTS),
    ),
)(Family(frozenset({BLOCKS, CLASS_TOKEN}), lambda vision: is_plain(vision) and vision.get("pool_type") == "avg"))
register(
    "coca",
    Facts(
        title="CoCa",
        about="The same transformer, pooled by attention.",
        example="clip:coca_ViT-B-32/laion2b_s13b_b90k",
        licence="MIT",
        size="1.0 GB",
        weights=("laion/CoCa-ViT-B-32-laion2B-s13B-b90k", HUB_WEIGHTS),
    ),
)(
    Family(
        frozenset({BLOCKS, CLASS_TOKEN, ATTENTION_POOL}),
        lambda vision: is_plain(vision) and bool(vision.get("attentional_pool")),
    )
)


class PlainBlock(Block):
    """open_clip's ResidualAttentionBlock."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.attention = module.attn

    def normed(self, x: torch.Tensor) -> torch.Tensor:
        return self.module.ln_1(x)

    def project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        packed = F.linear(self.normed(x), self.attention.in_proj_weight, self.attention.in_proj_bias)
        query, key, value = (split_heads(part, self.attention.num_heads) for part in packed.chunk(3, dim=-1))
        return query, key, value

    def merge(self, values: torch.Tensor) -> torch.Tensor:
        return self.module.ls_1(self.attention.out_proj(join_heads(values)))

    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.module.ls_2(self.module.mlp(self.module.ln_2(x)))


class PlainTower(Tower):
    """A VisionTransformer of open_clip."""

    def __init__(self, visual: nn.Module) -> None:
        self.visual = visual
        self.patch, self.native = visual.patch_size[0], min(visual.image_size)
        self.feature_dim, self.text_dim = visual.conv1.out_channels, visual.output_dim
        self.has = frozenset({BLOCKS, CLASS_TOKEN} | ({ATTENTION_POOL} if visual.attn_pool is not None else set()))

    def enter(self, pixels: torch.Tensor, stride: int) -> tuple[list[Block], torch.Tensor, Grid]:
        visual = self.visual
        tokens, grid = patches(visual.conv1, pixels, stride)
        cls = visual.class_embedding.to(tokens.dtype).expand(len(tokens), 1, -1)
        x = torch.cat([cls, tokens], dim=1) + positions(visual.positional_embedding, visual.grid_size, grid)
        return [PlainBlock(module) for module in visual.transformer.resblocks], visual.ln_pre(x), grid

    def pool(self, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        visual = self.visual

        def pooled(tokens: torch.Tensor) -> torch.Tensor:
            return tokens[:, 0] if visual.pool_type == "tok" else tokens[:, 1:].mean(1)

        if visual.attn_pool is not None:
            x = pooled(visual.ln_post(visual.attn_pool(x)))
        else:
            x = visual.ln_post(pooled(x)) if visual.final_ln_after_pool else pooled(visual.ln_post(x))
        return x if visual.proj is None else x @ visual.proj

    def alignment(self) -> Head:
        pool = self.visual.attn_pool
        return PlainProjection(self.visual, None if pool is None else values.Values(pool.attn, before=pool.ln_k))


class PlainProjection(Projection):
    """CLIP's own way from tokens to words: ln_post, projection, unit length; before them CoCa's pool, if any."""

    def __init__(self, visual: nn.Module, pool: nn.Module | None) -> None:
        super().__init__()
        self.pool, self.norm, self.projection = pool, visual.ln_post, visual.proj

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        x = features.movedim(1, 3)
        x = self.norm(x if self.pool is None else self.pool(x))
        return F.normalize(x if self.projection is None else x @ self.projection, dim=3).movedim(3, 1)
