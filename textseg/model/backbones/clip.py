"""`clip:<model>/<tag>`, `clip:<model>//<file or folder>`, `clip:hf-hub:<repo>`: the image-text models of open_clip.

A patch stride smaller than the patch is written behind a question mark: `clip:ViT-B-16/openai?stride=8`.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from textseg.errors import WeightsError
from textseg.model import tokenizers, towers, weights
from textseg.model.backbones import register
from textseg.model.backbones.image_text import ImageText, split_stride
from textseg.model.towers.plain import HUB_WEIGHTS
from textseg.registry import Facts

# Of the weights, by the beginning of the tag; what is not listed is unknown here.
LICENCES = {
    "openai": "MIT",
    "laion": "MIT",
    "datacompdr": "Apple's own licence, see the model card",
    "datacomp": "MIT",
    "commonpool": "MIT",
    "metaclip": "CC-BY-NC-4.0",
    "dfn": "Apple's own licence, see the model card",
    "webli": "Apache-2.0",
    "meta": "Apache-2.0",
}


@register(
    "clip",
    Facts(
        title="CLIP",
        about="The image-text models of open_clip, read out patch by patch: ViT, EVA, SigLIP, MobileCLIP and others.",
        example="clip:ViT-B-16/openai",
        licence="MIT",
        size="599 MB",
        needs="its weights, fetched once from the Hugging Face Hub or given as a file",
        packages=("open_clip",),
        weights=("timm/vit_base_patch16_clip_224.openai", HUB_WEIGHTS),
    ),
)
class Clip(ImageText):
    """A model of open_clip, with its own mean and deviation, tokenizer and context length."""

    def __init__(self, details: str = "", device: str = "cpu", readout: str | None = None) -> None:
        name = f"clip:{details}"
        model_name, stride = split_stride(details)
        self._source = source = find(model_name, name)
        self._model = create(source, name).eval().requires_grad_(False).to(device)
        tower = towers.of(self._model.visual, name)
        settings, bias = self._model.visual.preprocess_cfg, self._model.logit_bias
        super().__init__(
            name,
            tower,
            [source.path],
            settings["mean"],
            settings["std"],
            device=device,
            readout=readout,
            stride=stride,
            licence=next((licence for start, licence in LICENCES.items() if source.tag.startswith(start)), "unknown"),
            trained_scale=float(self._model.logit_scale.exp()),
            trained_bias=None if bias is None else float(bias),
        )

    @cached_property
    def _tokenizer(self) -> tokenizers.Tokenize:
        return tokenizers.of_open_clip(self._source.config["text_cfg"], self._source.path.parent, self.name)

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        numbers = self._tokenizer(list(texts))
        tokenizers.check(numbers, self._source.config["text_cfg"].get("vocab_size"), self.name)
        return numbers

    def embed_tokens(self, tokens: torch.Tensor) -> torch.Tensor:
        return encode_text(self._model, tokens)


@dataclass(frozen=True)
class Source:
    """Where a model comes from: open_clip's name of it, its configuration, its weight file."""

    model: str
    config: Mapping[str, Any]
    path: Path
    tag: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What open_clip is told beside."""


def find(details: str, wanted: str) -> Source:
    """What `details` asks for, its weights fetched where they are not here; raises WeightsError."""
    if details.startswith("hf-hub:"):
        return on_hub(details.removeprefix("hf-hub:"), wanted)
    if "//" in details:
        model, _, file = details.partition("//")
        config = architecture(model, wanted)
        path = weights.local(file, wanted, HUB_WEIGHTS)
        return Source(model, config, path, settings={"force_preprocess_cfg": preprocessing(model, path, wanted)})
    return tagged(*details.rpartition("/")[::2], wanted)


def tagged(model: str, tag: str, wanted: str) -> Source:
    from open_clip import list_pretrained_tags_by_model
    from open_clip.pretrained import get_pretrained_cfg

    if not model:
        raise WeightsError(f"'{wanted}' names no weights; write clip:MODEL/TAG, for example clip:ViT-B-16/openai.")
    config = architecture(model, wanted)
    facts = get_pretrained_cfg(model, tag)
    if not facts:
        tags = ", ".join(list_pretrained_tags_by_model(model)) or "none"
        raise WeightsError(
            f"open_clip knows no weights '{tag}' of {model} (it knows: {tags}); a local file is written "
            f"clip:{model}//FILE."
        )
    repo, _, file = facts["hf_hub"].rpartition("/")  # some name the file, most end with the slash
    path = weights.fetch(repo, (file,) if file else HUB_WEIGHTS, wanted)
    settings = {
        # These weights were trained with it, whatever the name of the model says.
        "force_quick_gelu": bool(facts.get("quick_gelu")),
        "force_preprocess_cfg": {key: facts[key] for key in ("mean", "std") if key in facts},
    }
    return Source(model, config, path, tag, settings)


def on_hub(repo: str, wanted: str) -> Source:
    file = weights.fetch(repo, ("open_clip_config.json",), wanted)
    with weights.loading(file, wanted):
        config = json.loads(file.read_text("utf-8"))["model_cfg"]
    check(config, wanted)
    path = weights.fetch(repo, HUB_WEIGHTS, wanted)
    # The hub's cache keeps both files in one folder, which open_clip can read without asking the hub again.
    return Source(f"local-dir:{file.parent}", config, path)


def create(source: Source, wanted: str) -> nn.Module:
    """open_clip's model with its weights; raises WeightsError."""
    import open_clip

    text = source.config["text_cfg"].get("hf_model_name")
    if text:  # transformers builds it from there, whatever the weights are
        weights.fetch(text, ("config.json",), wanted, what="configuration of the text tower")
    weights.check_memory([source.path], wanted, copies=2)  # the model is made before its weights are read
    with weights.loading(source.path, wanted):
        if source.model.startswith("local-dir:"):
            return open_clip.create_model(source.model, require_pretrained=True)
        return open_clip.create_model(source.model, pretrained=str(source.path), weights_only=True, **source.settings)


def preprocessing(model: str, path: Path, wanted: str) -> dict[str, Any]:
    """Mean and deviation for a local weight file: what its `open_clip_config.json` says, else what is known.

    open_clip knows them by tag. Where all tags of a model agree, they are taken from there; where they do not (only
    ViT-L-14, whose laion2b weights take 0.5), they are OpenAI's, which is open_clip's default.
    """
    from open_clip import list_pretrained_tags_by_model
    from open_clip.pretrained import get_pretrained_cfg

    file = path.parent / "open_clip_config.json"
    if file.is_file():
        with weights.loading(file, wanted):
            said = json.loads(file.read_text("utf-8")).get("preprocess_cfg", {})
            return {key: [float(value) for value in said[key]] for key in ("mean", "std") if key in said}
    known = [get_pretrained_cfg(model, tag) for tag in list_pretrained_tags_by_model(model)]
    agreed = {(tuple(facts["mean"]), tuple(facts["std"])) for facts in known if "mean" in facts}
    return dict(zip(("mean", "std"), agreed.pop(), strict=True)) if len(agreed) == 1 else {}


def architecture(model: str, wanted: str) -> dict[str, Any]:
    """open_clip's configuration of `model`; raises WeightsError."""
    import open_clip

    config = open_clip.get_model_config(model)
    if config is None:
        near = difflib.get_close_matches(model, open_clip.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "ViT-B-16 is one it knows."
        raise WeightsError(f"open_clip has no model called '{model}', which '{wanted}' asks for; {hint}")
    check(config, wanted)
    return config


def check(config: Mapping[str, Any], wanted: str) -> None:
    """Raises WeightsError unless the image tower has a dense readout, and the text tower is one of open_clip's models.

    Before anything is fetched: `towers.of` says it again of what was built.
    """
    if towers.family(config["vision_cfg"]) is None:
        raise towers.no_readout(
            str(config["vision_cfg"].get("timm_model_name") or "open_clip's, of other blocks"), wanted
        )
    text = config["text_cfg"].get("hf_model_name")
    if text and text not in tokenizers.open_clip_text_models():  # transformers would ask that repository for code
        raise WeightsError(f"The text tower of '{wanted}' is '{text}', which none of open_clip's own models uses.")


def encode_text(model: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """(K, E): open_clip's `encode_text`, on no more positions than the longest of the texts takes.

    Attention is causal in most text towers, so what stands behind a text's end token, mostly padding up to 77, cannot
    change it.
    """
    from open_clip import CLIP
    from open_clip.transformer import TextTransformer

    text: Any = model if isinstance(model, CLIP) else model.text
    pooling = text.text_pool_type if isinstance(text, CLIP) else getattr(text, "pool_type", None)
    plain = isinstance(text, CLIP) or (isinstance(text, TextTransformer) and text.cls_emb is None)
    if not plain or pooling != "argmax" or text.attn_mask is None:
        return model.encode_text(tokens)
    if not isinstance(text.text_projection, nn.Parameter):
        return model.encode_text(tokens)
    ends = tokens.argmax(1)  # the end token has the highest number
    length = int(ends.max()) + 1
    x = text.token_embedding(tokens[:, :length]) + text.positional_embedding[:length]
    x = text.transformer(x, attn_mask=text.attn_mask[:length, :length])
    return text.ln_final(x)[torch.arange(len(x)), ends] @ text.text_projection
