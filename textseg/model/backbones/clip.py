"""`clip:<model>/<tag>`, `clip:<model>//<local file>`, `clip:hf-hub:<repo>`: any vision transformer of open_clip.

A patch stride smaller than the patch is written behind a question mark: `clip:ViT-B-16/openai?stride=8`.
"""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from textseg.errors import WeightsError
from textseg.model import backbones, readouts, vit, weights
from textseg.model.backbones import register
from textseg.model.heads import Head
from textseg.registry import Facts

# Of the weights, by the beginning of the tag; what is not listed is unknown here.
LICENCES = {
    "openai": "MIT",
    "laion": "MIT",
    "datacomp": "MIT",
    "commonpool": "MIT",
    "metaclip": "CC-BY-NC-4.0",
    "dfn": "Apple's own licence, see the model card",
}
HUB_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
TEXTS_AT_A_TIME = 256
TOKENIZER_SETTINGS = ("clean", "strip_sep_token", "language")


@register(
    "clip",
    Facts(
        title="CLIP",
        about="Any plain vision transformer of open_clip, read out patch by patch.",
        example="clip:ViT-B-16/openai",
        licence="MIT",
        size="599 MB",
        needs="its weights, fetched once from the Hugging Face Hub or given as a file",
        packages=("open_clip",),
        weights=("timm/vit_base_patch16_clip_224.openai", HUB_WEIGHTS),
    ),
)
class Clip:
    """An open_clip model whose image tower is read out per patch.

    Features are what the readout gives before ln_post and projection. The working size follows the protocol of SCLIP
    (arXiv 2312.01597; also NACLIP's and SC-CLIP's): short side 336, windows 224, stride 112; for towers trained at
    another size, short side 1.5 times and windows once that size. With a second backbone the window is the short
    side, 336, as in ProxyCLIP. `templates` is the list of 7 rather than the 80 those papers evaluate with
    (`--templates imagenet`), because a person waits for the answer.
    """

    templates, logit_scale = "simple", 40.0

    def __init__(self, details: str = "", device: str = "cpu", readout: str | None = None) -> None:
        self.name = f"clip:{details}"
        self._readout = readouts.get(readout)
        model_name, stride = split_stride(details)
        self._model, self._tokenizer, self._path, tag = load(model_name, self.name)
        self._model.eval().requires_grad_(False).to(device)
        self._device = device
        self._visual = self._model.visual
        self._blocks = [vit.Block(module) for module in self._visual.transformer.resblocks]
        self._proxy = backbones.load(self._readout.second, device) if self._readout.second else None

        patch, native = self._visual.patch_size[0], min(self._visual.image_size)
        self.patch_stride = patch if stride is None else stride
        if stride == 0 or patch % self.patch_stride:
            raise WeightsError(
                f"'{self.name}' asks for a patch stride of {stride}; it must divide the patch, {patch} pixels."
            )
        self.multiple = self.patch_stride
        self.short_side = native * 3 // 2
        self.window: int | None = (self.short_side if self._proxy else native) // self.multiple * self.multiple
        self.feature_dim = self._visual.conv1.out_channels
        self.text_dim = self._visual.output_dim
        self.licence = next((name for start, name in LICENCES.items() if tag.startswith(start)), "unknown")
        mean, std = self._visual.preprocess_cfg["mean"], self._visual.preprocess_cfg["std"]
        self._mean, self._std = (torch.tensor(v, device=device)[:, None, None] for v in (mean, std))

    @cached_property
    def weights_hash(self) -> str:
        second = [self._proxy.weights_hash] if self._proxy else []
        return weights.fingerprint(self._path, self._readout.name, *second)

    @torch.inference_mode()
    def encode(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        """(B, D, h, w) with h = H / patch_stride, w = W / patch_stride; with a second backbone, on that one's grid."""
        second = {}
        if self._proxy is not None:
            side = self._proxy.multiple
            size = [max(1, round(length / side)) * side for length in photos[0].size]
            second["proxy"] = self._proxy.encode([photo.resize(size, Image.Resampling.BICUBIC) for photo in photos])
        with backbones.half_where_safe(self._device):
            tokens, grid = vit.embed(self._visual, self._pixels(photos), self.patch_stride)
            return self._readout.function(self._blocks, tokens, grid, **second).float()

    @torch.inference_mode()
    def embed_photos(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        """(B, E) unit embeddings of whole photos (equally large), as CLIP itself pools them."""
        with backbones.half_where_safe(self._device):
            tokens, _ = vit.embed(self._visual, self._pixels(photos), self.patch_stride)
            pooled = vit.pool(self._visual, readouts.through(self._blocks, tokens))
        return F.normalize(pooled.float(), dim=1)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        parts = []
        for start in range(0, len(texts), TEXTS_AT_A_TIME):
            tokens = self._tokenizer(list(texts[start : start + TEXTS_AT_A_TIME])).to(self._device)
            with backbones.half_where_safe(self._device):
                parts.append(encode_text(self._model, tokens).float())
        return F.normalize(torch.cat(parts), dim=1).cpu()

    def alignment(self) -> "Projection":
        return Projection(self._visual)

    def _pixels(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        pixels = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos])).to(self._device)
        return (pixels.permute(0, 3, 1, 2).float().div_(255) - self._mean) / self._std


class Projection(Head):
    """CLIP's own way from tokens to words: ln_post, projection, unit length."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.norm, self.projection = visual.ln_post, visual.proj

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) -> (B, E, h, w) unit embeddings."""
        x = self.norm(features.movedim(1, 3))
        return F.normalize(x if self.projection is None else x @ self.projection, dim=3).movedim(3, 1)


def encode_text(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """(K, E): open_clip's `encode_text`, on no more positions than the longest of the texts takes.

    Attention is causal, so what stands behind a text's end token, mostly padding up to 77, cannot change it.
    """
    from open_clip import CLIP

    causal = isinstance(model, CLIP) and model.attn_mask is not None and model.text_pool_type == "argmax"
    if not causal or not isinstance(model.text_projection, nn.Parameter):
        return model.encode_text(tokens)
    ends = tokens.argmax(1)  # the end token has the highest number
    length = int(ends.max()) + 1
    x = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    return model.ln_final(x)[torch.arange(len(x)), ends] @ model.text_projection


def split_stride(details: str) -> tuple[str, int | None]:
    """`ViT-B-16/openai?stride=8` -> (`ViT-B-16/openai`, 8)."""
    match = re.fullmatch(r"(.*)\?stride=(\d+)", details)
    return (match[1], int(match[2])) if match else (details, None)


def load(details: str, wanted: str) -> tuple[nn.Module, Any, Path, str]:
    """(model, tokenizer, weight file, pretrained tag or "") of `details`; raises WeightsError."""
    if details.startswith("hf-hub:"):
        return *load_from_hub(details.removeprefix("hf-hub:"), wanted), ""
    if "//" in details:
        model, _, file = details.partition("//")
        check_architecture(architecture(model, wanted), wanted)
        path = weights.local(file, wanted)
        return *create(model, path, wanted), path, ""
    return load_by_tag(*details.rpartition("/")[::2], wanted)


def load_by_tag(model: str, tag: str, wanted: str) -> tuple[nn.Module, Any, Path, str]:
    from open_clip import list_pretrained_tags_by_model
    from open_clip.pretrained import get_pretrained_cfg

    if not model:
        raise WeightsError(f"'{wanted}' names no weights; write clip:MODEL/TAG, for example clip:ViT-B-16/openai.")
    check_architecture(architecture(model, wanted), wanted)
    facts = get_pretrained_cfg(model, tag)
    if not facts:
        tags = ", ".join(list_pretrained_tags_by_model(model)) or "none"
        raise WeightsError(
            f"open_clip knows no weights '{tag}' of {model} (it knows: {tags}); a local file is written "
            f"clip:{model}//FILE."
        )
    path = weights.fetch(facts["hf_hub"].rstrip("/"), HUB_WEIGHTS, wanted)
    model_and_tokenizer = create(
        model,
        path,
        wanted,
        # These weights were trained with it, whatever the name of the model says.
        force_quick_gelu=bool(facts.get("quick_gelu")),
        force_preprocess_cfg={key: facts[key] for key in ("mean", "std") if key in facts},
    )
    return *model_and_tokenizer, path, tag


def load_from_hub(repo: str, wanted: str) -> tuple[nn.Module, Any, Path]:
    settings = weights.fetch(repo, ("open_clip_config.json",), wanted)
    with weights.loading(settings, wanted):
        config = json.loads(settings.read_text("utf-8"))["model_cfg"]
    check_architecture(config, wanted)
    path = weights.fetch(repo, HUB_WEIGHTS, wanted)
    import open_clip

    # The hub's cache keeps both files in one folder, which open_clip can read without asking the hub again.
    folder = f"local-dir:{settings.parent}"
    with weights.loading(path, wanted):
        return open_clip.create_model(folder, require_pretrained=True), tokenizer(config["text_cfg"]), path


def create(model_name: str, path: Path, wanted: str, **settings: Any) -> tuple[nn.Module, Any]:
    import open_clip

    with weights.loading(path, wanted):
        model = open_clip.create_model(model_name, pretrained=str(path), weights_only=True, **settings)
        return model, open_clip.get_tokenizer(model_name, **no_code(architecture(model_name, wanted)["text_cfg"]))


def tokenizer(text: Mapping[str, Any]) -> Any:
    """The tokenizer that a repository's `text_cfg` asks for; of its settings those that only say how text is read."""
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    settings = {key: value for key, value in text.get("tokenizer_kwargs", {}).items() if key in TOKENIZER_SETTINGS}
    length, name = text.get("context_length", 77), text.get("hf_tokenizer_name")
    if not name:
        return SimpleTokenizer(context_length=length, **settings)
    mode = text.get("tokenizer_mode")
    return HFTokenizer(name, context_length=length, tokenizer_mode=mode, **settings, **no_code(text))


def no_code(text: Mapping[str, Any]) -> dict[str, bool]:
    """What keeps a tokenizer of the hub from running code of its repository."""
    return {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}


def architecture(model: str, wanted: str) -> dict[str, Any]:
    """open_clip's configuration of `model`; raises WeightsError."""
    import open_clip

    config = open_clip.get_model_config(model)
    if config is None:
        near = difflib.get_close_matches(model, open_clip.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "ViT-B-16 is one it knows."
        raise WeightsError(f"open_clip has no model called '{model}', which '{wanted}' asks for; {hint}")
    return config


@cache
def text_models() -> set[str]:
    """The text towers of transformers that open_clip's own configurations name."""
    import open_clip

    texts = ((open_clip.get_model_config(name) or {}).get("text_cfg", {}) for name in open_clip.list_models())
    return {text["hf_model_name"] for text in texts if text.get("hf_model_name")}


def check_architecture(config: dict[str, Any], wanted: str) -> None:
    """Raises WeightsError unless the image tower is open_clip's own vision transformer, and the text tower known."""
    vision, text = config["vision_cfg"], config["text_cfg"].get("hf_model_name")
    if text and text not in text_models():  # transformers would ask that repository for code
        raise WeightsError(f"The text tower of '{wanted}' is '{text}', which none of open_clip's own models uses.")
    kind = (
        f"timm's {vision['timm_model_name']}" if vision.get("timm_model_name")
        else "a ResNet" if isinstance(vision.get("layers"), (list, tuple))
        else "one with attention pooling" if vision.get("attentional_pool")
        else "one with blocks of its own" if vision.get("block_type") == "custom"
        else None
    )  # fmt: skip
    if kind:
        raise WeightsError(
            f"The image tower of '{wanted}' is {kind}, which has no dense readout here; choose one of open_clip's "
            "plain vision transformers, for example clip:ViT-B-16/openai."
        )
