"""SAM's mask decoder (Kirillov et al., arXiv 2304.02643, appendix A), computed in a cheaper order.

The weights and the mathematics are those of segment_anything's `MaskDecoder`; what differs is the order of the
products, so results agree to float rounding:

- a prompt has a handful of tokens and the image thousands, so the projections of the image side are multiplied into the
  tokens (`(q Wk) x` for `q (Wk x)`), which halves the work of every attention between the two;
- before the first block the image side is the same for all prompts of a photo, so it is not repeated for each;
- the predicted quality needs no mask, so masks are made only for the prompts whose quality is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from segment_anything.modeling import Sam


class Decoded:
    """B prompts after the transformer: `quality` (B, K) predicted IoU of the mask tokens `kinds`, masks on demand."""

    def __init__(
        self,
        decoder: nn.Module,
        tokens: torch.Tensor,
        image: torch.Tensor,
        grid: tuple[int, int],
        kinds: list[int],
    ) -> None:
        self._decoder, self._tokens, self._image, self._grid, self._kinds = decoder, tokens, image, grid, kinds
        self.quality: torch.Tensor = decoder.iou_prediction_head(tokens[:, 0])[:, kinds]

    def masks(self, prompts: torch.Tensor) -> torch.Tensor:
        """(P, K, 4h, 4w) logits of the prompts with the indices (P,)."""
        decoder = self._decoder
        image = self._image[prompts].transpose(1, 2).unflatten(2, self._grid)
        upscaled = decoder.output_upscaling(image)
        weights = [decoder.output_hypernetworks_mlps[kind](self._tokens[prompts, 1 + kind]) for kind in self._kinds]
        return (torch.stack(weights, 1) @ upscaled.flatten(2)).unflatten(2, upscaled.shape[-2:])


def decode(
    sam: Sam,
    embedding: torch.Tensor,
    points: tuple[torch.Tensor, torch.Tensor] | None = None,
    boxes: torch.Tensor | None = None,
    masks: torch.Tensor | None = None,
    kinds: list[int] | None = None,
) -> Decoded:
    """Run B prompts against one image `embedding` (1, C, h, w).

    `points` are ((B, N, 2) x, y in the frame of the encoded image, (B, N) labels 1 or 0), `boxes` (B, 4) in the same
    frame, `masks` (B, 1, 4h, 4w) logits of an earlier answer, `kinds` the mask tokens that are asked for: 0 for a clear
    prompt, 1 to 3, the default, for an ambiguous one.
    """
    prompt_encoder, decoder = sam.prompt_encoder, sam.mask_decoder
    sparse, dense = prompt_encoder(points=points, boxes=boxes, masks=masks)
    if masks is None:
        dense = dense[:1]  # "no mask" is the same vector for every prompt and place
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    prompt = torch.cat([own.expand(len(sparse), -1, -1), sparse], dim=1)
    image = (embedding + dense).flatten(2).transpose(1, 2)  # (1 or B, T, C)
    place = prompt_encoder.get_dense_pe().flatten(2).transpose(1, 2)
    tokens, image = _transform(decoder.transformer, prompt, image, place)
    return Decoded(decoder, tokens, image, tuple(embedding.shape[-2:]), kinds or [1, 2, 3])


def _transform(
    transformer: nn.Module, prompt: torch.Tensor, image: torch.Tensor, place: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`TwoWayTransformer.forward`: (B, N, C) tokens and (1 or B, T, C) image -> both after the last block."""
    tokens = prompt
    placed = image + place
    for block in transformer.layers:
        if block.skip_first_layer_pe:
            tokens = block.self_attn(q=tokens, k=tokens, v=tokens)
        else:
            query = tokens + prompt
            tokens = tokens + block.self_attn(q=query, k=query, v=tokens)
        tokens = block.norm1(tokens)
        tokens = block.norm2(tokens + _tokens_look(block.cross_attn_token_to_image, tokens + prompt, placed, image))
        tokens = block.norm3(tokens + block.mlp(tokens))
        seen = _image_looks(block.cross_attn_image_to_token, placed, tokens + prompt, tokens)
        image = block.norm4(seen.add_(image))
        placed = image + place
    tokens = tokens + _tokens_look(transformer.final_attn_token_to_image, tokens + prompt, placed, image)
    return transformer.norm_final_attn(tokens), image


def _tokens_look(attention: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attention from few tokens (B, N, C) to many places (1 or B, T, C).

    q.(Wk x + bk) = (Wk'q).x + q.bk, and the last term is the same for every place, so the softmax does not see it;
    sum_t a_t (Wv x_t + bv) = Wv (sum_t a_t x_t) + bv, because the weights sum to 1.
    """
    heads = attention.num_heads
    q = attention.q_proj(query).unflatten(2, (heads, -1))  # (B, N, H, d)
    key_weight = attention.k_proj.weight.unflatten(0, (heads, -1))  # (H, d, C)
    looking = torch.einsum("bnhd,hdc->bhnc", q, key_weight).flatten(1, 2) / q.shape[-1] ** 0.5
    weights = _matmul(looking, key.transpose(1, 2)).softmax(-1)  # (B, H N, T)
    seen = _matmul(weights, value).unflatten(1, (heads, -1))  # (B, H, N, C)
    value_weight = attention.v_proj.weight.unflatten(0, (heads, -1))
    out = torch.einsum("bhnc,hdc->bnhd", seen, value_weight).flatten(2) + attention.v_proj.bias
    return attention.out_proj(out)


def _image_looks(attention: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attention from many places (1 or B, T, C) to few tokens (B, N, C): the projections go into the tokens."""
    heads = attention.num_heads
    k = attention.k_proj(key).unflatten(2, (heads, -1))
    v = attention.v_proj(value).unflatten(2, (heads, -1))
    query_weight = attention.q_proj.weight.unflatten(0, (heads, -1))
    query_bias = attention.q_proj.bias.unflatten(0, (heads, -1))
    scale = k.shape[-1] ** 0.5
    towards = torch.einsum("bnhd,hdc->bhnc", k, query_weight).flatten(1, 2) / scale  # (B, H N, C)
    bias = torch.einsum("bnhd,hd->bhn", k, query_bias).flatten(1) / scale
    scores = _matmul(query, towards.transpose(1, 2)) + bias[:, None]  # (B, T, H N)
    weights = scores.unflatten(2, (heads, -1)).softmax(-1).flatten(2)
    out_weight = attention.out_proj.weight.unflatten(1, (heads, -1))  # (C, H, d)
    giving = torch.einsum("bnhd,chd->bhnc", v, out_weight).flatten(1, 2)
    return weights @ giving + attention.out_proj.bias


def _matmul(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Batched product; a factor shared by the whole batch makes it one large product."""
    if len(right) == 1 and len(left) > 1:
        return (left.flatten(0, 1) @ right[0]).unflatten(0, left.shape[:2])
    if len(left) == 1 and len(right) > 1:
        return (left[0] @ right.transpose(0, 1).flatten(1)).unflatten(1, (len(right), -1)).transpose(0, 1)
    return left @ right
