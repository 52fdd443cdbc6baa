"""`hf:<repository or folder>`: image-text models of transformers, chosen by the folder's own `model_type`.

`hf:openai/clip-vit-base-patch16`, `hf:google/siglip2-base-patch16-224`, `hf:models/my-clip?stride=8`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from textseg.errors import WeightsError
from textseg.model import pretrained, repository, tokenizers
from textseg.model.backbones import register
from textseg.model.backbones.image_text import ImageText, split_stride
from textseg.model.towers.hf import HfTower
from textseg.registry import Facts

INSTEAD = "name a folder that holds the model, or use the backbone 'lite', which works offline"

LICENCES = {
    "openai/": "MIT",
    "laion/": "MIT",
    "google/siglip": "Apache-2.0",
    "google/tipsv2": "Apache-2.0",
    "facebook/metaclip": "CC-BY-NC-4.0",
    "BAAI/AltCLIP": "CreativeML Open RAIL-M",
}
"""Of repositories, by the beginning of the name; what is not listed is unknown here."""


@dataclass(frozen=True)
class Kind:
    """How models of one type are read."""

    model: str
    """transformers' class."""
    processor: str
    """transformers' class of what prepares photos."""
    padded: bool = False
    """Whether texts are padded to the full length, because the last token or the mean of all is what is pooled."""


KINDS = {
    "clip": Kind("CLIPModel", "CLIPImageProcessor"),
    "metaclip_2": Kind("MetaClip2Model", "CLIPImageProcessor"),
    "altclip": Kind("AltCLIPModel", "CLIPImageProcessor"),
    "chinese_clip": Kind("ChineseCLIPModel", "ChineseCLIPImageProcessor"),
    "siglip": Kind("SiglipModel", "SiglipImageProcessor", padded=True),
    "siglip2": Kind("Siglip2Model", "Siglip2ImageProcessor", padded=True),
    "tipsv2": Kind("Tipsv2Model", "Tipsv2ImageProcessor", padded=True),
}
"""By `model_type`."""


@register(
    "hf",
    Facts(
        title="CLIP, SigLIP and TIPSv2 of transformers",
        about="Image-text models as transformers saves them: CLIP, MetaCLIP 2, AltCLIP, SigLIP, SigLIP 2, TIPSv2.",
        example="hf:google/siglip2-base-patch16-224",
        licence="Apache-2.0",
        size="1.5 GB",
        needs="its weights, fetched once from the Hugging Face Hub or given as a folder",
        packages=("transformers",),
        weights=("google/siglip2-base-patch16-224", ("model.safetensors",)),
    ),
)
class Hf(ImageText):
    """A model of transformers, with its own processor, tokenizer and scale."""

    def __init__(self, details: str = "", device: str = "cpu", readout: str | None = None) -> None:
        name = f"hf:{details}"
        source, stride = split_stride(details)
        self._folder = path = repository.folder(source, name, INSTEAD, pickles=True)
        told = repository.settings(path)["model_type"]
        if told not in KINDS:
            raise WeightsError(
                f"'{name}' is a model of the type '{told[:40]}', which has no image and text tower that are read here; "
                f"name one of the types {', '.join(KINDS)}."
            )
        self._kind = KINDS[told]
        self._model = pretrained.read(self._kind.model, path, name).to(device)
        mean, std = pixel_statistics(pretrained.image_processor(self._kind.processor, path, name))
        scale, bias = logits_of(self._model)
        super().__init__(
            name,
            HfTower(self._model),
            repository.weight_files(path),
            mean,
            std,
            device=device,
            readout=readout,
            stride=stride,
            licence=next((licence for start, licence in LICENCES.items() if source.startswith(start)), "unknown"),
            trained_scale=scale,
            trained_bias=bias,
        )

    @cached_property
    def _tokenizer(self) -> Any:
        return tokenizers.of_folder(self._folder, self.name)

    def tokenize(self, texts: Sequence[str]) -> Any:
        text = self._model.config.text_config
        tokenizer, places = self._tokenizer, text.max_position_embeddings
        if self._kind.model == "AltCLIPModel":
            places -= text.pad_token_id + 1  # RoBERTa counts positions from there
        length = min(places, tokenizer.model_max_length)
        padding = "max_length" if self._kind.padded else "longest"
        read = tokenizer(list(texts), padding=padding, truncation=True, max_length=length, return_tensors="pt")
        tokenizers.check(read["input_ids"], text.vocab_size, self.name)
        return read

    def embed_tokens(self, tokens: Any) -> torch.Tensor:
        return self._model.get_text_features(**tokens).pooler_output


def pixel_statistics(processor: Any) -> tuple[list[float], list[float]]:
    """(mean, deviation) of pixels from 0 to 1 that an image processor takes and divides by."""
    if not processor.do_normalize:
        return [0.0] * 3, [1.0] * 3
    return list(processor.image_mean), list(processor.image_std)


def logits_of(model: Any) -> tuple[float, float | None]:
    """(scale, bias or None) that the model makes logits of cosines with."""
    if hasattr(model, "temperature"):
        return 1 / float(model.temperature), None
    bias = getattr(model, "logit_bias", None)
    return float(model.logit_scale.exp()), None if bias is None else float(bias)
