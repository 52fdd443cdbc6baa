"""`dino:`, `dinov2:` and `dinov3:<size>`: self-supervised image encoders through timm, with a text side of choice.

`dinov2:small`, `dinov2:small//<local file>`; the words go through MiniLM unless another backbone's text side is named,
as in `dinov2:small+clip:ViT-B-16/openai`. Nothing links the two sides before a head is trained.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch
from PIL import Image

from textseg.errors import UnknownNameError, WeightsError
from textseg.model import backbones, weights
from textseg.model.backbones import register
from textseg.model.text import TEXT_DIM, MiniLM
from textseg.registry import Facts

MODELS = {
    "dino": {
        "small": "vit_small_patch8_224.dino",
        "small16": "vit_small_patch16_224.dino",
        "base": "vit_base_patch8_224.dino",
        "base16": "vit_base_patch16_224.dino",
    },
    "dinov2": {
        "small": "vit_small_patch14_reg4_dinov2.lvd142m",
        "base": "vit_base_patch14_reg4_dinov2.lvd142m",
        "large": "vit_large_patch14_reg4_dinov2.lvd142m",
        "giant": "vit_giant_patch14_reg4_dinov2.lvd142m",
    },
    "dinov3": {
        "small": "vit_small_patch16_dinov3.lvd1689m",
        "base": "vit_base_patch16_dinov3.lvd1689m",
        "large": "vit_large_patch16_dinov3.lvd1689m",
        "huge": "vit_huge_plus_patch16_dinov3.lvd1689m",
        "giant": "vit_7b_patch16_dinov3.lvd1689m",
    },
}
"""DINO (arXiv 2104.14294; base is what ProxyCLIP's published table has), DINOv2 with registers (arXiv 2304.07193,
2309.16588) and DINOv3 (arXiv 2508.10104), in which no patch is used as storage."""

HUB_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class Dino:
    """Patch features after the last layer norm.

    The short side is that of the TCL protocol, 448; the photo is encoded whole, which these encoders are trained for.
    """

    short_side = 448
    window: int | None = None
    logit_scale = 30.0

    def __init__(
        self, details: str = "", device: str = "cpu", readout: str | None = None, family: str = "dinov2"
    ) -> None:
        self.name = f"{family}:{details}"
        if readout:
            raise UnknownNameError(
                f"The backbone '{self.name}' has no readouts to choose from, but '{readout}' was given."
            )
        image_side, _, text_side = details.partition("+")
        size, _, file = image_side.partition("//")
        if size not in MODELS[family]:
            raise WeightsError(
                f"There is no size '{size}' of {family}; write {family}:SIZE with one of {', '.join(MODELS[family])}."
            )
        import timm
        from timm.data import resolve_model_data_config

        architecture = MODELS[family][size]
        path = weights.local(file, self.name) if file else weights.fetch(f"timm/{architecture}", HUB_WEIGHTS, self.name)
        with weights.loading(path, self.name):
            self._net = timm.create_model(
                architecture,
                pretrained=True,
                pretrained_cfg_overlay={"state_dict": weights.read(path)},
                dynamic_img_size=True,
                num_classes=0,
            )
        self._net.eval().requires_grad_(False).to(device)
        self._device, self._path = device, path
        self._text = backbones.load(text_side, device) if text_side else None
        words = self._text or MiniLM()
        self.embed, self.lexicon = words.embed, getattr(words, "lexicon", None)

        self.feature_dim: int = self._net.num_features
        self.text_dim = self._text.text_dim if self._text else TEXT_DIM
        self.templates = self._text.templates if self._text else "scene"
        self.patch_stride = self.multiple = self._net.patch_embed.patch_size[0]
        self.licence: str = self._net.pretrained_cfg.get("license", "unknown")
        data = resolve_model_data_config(self._net)
        self._mean, self._std = (torch.tensor(data[key], device=device)[:, None, None] for key in ("mean", "std"))

    @cached_property
    def weights_hash(self) -> str:
        return weights.fingerprint(self._path, facts=[self._text.weights_hash] if self._text else [])

    @torch.inference_mode()
    def encode(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        pixels = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos])).to(self._device)
        batch = (pixels.permute(0, 3, 1, 2).float().div_(255) - self._mean) / self._std
        with backbones.half_where_safe(self._device):
            tokens = self._net.forward_features(batch)
        # Class and register tokens come first and have no place on the grid.
        patches = tokens[:, self._net.num_prefix_tokens :]
        height, width = (side // self.patch_stride for side in batch.shape[2:])
        assert patches.shape[1] == height * width, (patches.shape, height, width)
        return patches.float().transpose(1, 2).unflatten(2, (height, width))

    def alignment(self) -> None:
        """None: these encoders never saw a word, so a trained head is needed."""
        return None


NEEDS = "its weights, fetched once from the Hugging Face Hub or given as a file, and a trained head"

DINOV2 = Facts(
    title="DINOv2",
    about="Self-supervised patch features (with registers) through timm; words go through MiniLM or a CLIP.",
    example="dinov2:small",
    licence="Apache-2.0",
    size="88 MB",
    needs=NEEDS,
    packages=("timm", "sentence_transformers"),
    weights=(f"timm/{MODELS['dinov2']['small']}", HUB_WEIGHTS),
)
DINO = replace(
    DINOV2,
    title="DINO",
    about="Self-supervised patches of 8 or 16 pixels through timm, as in ProxyCLIP; words go through MiniLM.",
    example="dino:base",
    size="343 MB",
    weights=(f"timm/{MODELS['dino']['base']}", HUB_WEIGHTS),
)
DINOV3 = replace(
    DINOV2,
    title="DINOv3",
    about="Self-supervised patch features through timm; words go through MiniLM or a CLIP.",
    example="dinov3:small",
    licence="DINOv3 License",
    size="86 MB",
    weights=(f"timm/{MODELS['dinov3']['small']}", HUB_WEIGHTS),
)

register("dino", DINO)(partial(Dino, family="dino"))
register("dinov2", DINOV2)(partial(Dino, family="dinov2"))
register("dinov3", DINOV3)(partial(Dino, family="dinov3"))
