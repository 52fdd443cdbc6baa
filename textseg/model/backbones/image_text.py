"""The backbone that an image tower and a text side make together, whatever library they come from."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from textseg.errors import WeightsError
from textseg.model import backbones, readouts, weights
from textseg.model.heads import Head
from textseg.model.towers.tower import Tower

TEXTS_AT_A_TIME = 256

SOFTMAX_SCALE = 40.0
"""For dense similarities of towers trained with a softmax over texts: SCLIP's and ProxyCLIP's setting, below the 100 or
so that whole photos are compared with."""


class ImageText:
    """An image tower read out per patch, beside its own text tower.

    Features are what the readout gives before the tower's way into the text space. The working size follows the
    protocol of SCLIP (arXiv 2312.01597; also NACLIP's and SC-CLIP's): short side 336, windows 224, stride 112; for
    towers trained at another size, short side 1.5 times and windows once that size. With a second backbone the window
    is the short side, 336, as in ProxyCLIP. `templates` is the list of 7 rather than the 80 those papers evaluate with
    (`--templates imagenet`), because a person waits for the answer.
    """

    templates = "simple"

    def __init__(
        self,
        name: str,
        tower: Tower,
        files: Sequence[Path],
        mean: Sequence[float],
        std: Sequence[float],
        *,
        device: str,
        readout: str | None = None,
        stride: int | None = None,
        licence: str = "unknown",
        trained_scale: float = 100.0,
        trained_bias: float | None = None,
    ) -> None:
        """`trained_scale` and `trained_bias` are what the model itself makes logits of cosines with.

        Raises UnknownNameError for a readout that the tower has not, WeightsError for a stride that it cannot take.
        """
        self.name, self.tower, self._files, self._device = name, tower, files, device
        chosen = readouts.choose(readout, tower.has, name)
        self.readout = chosen.name
        self.readouts = readouts.of(tower.has)
        """The names of the readouts that there are for this tower, its default first."""
        self._read = chosen.on(tower.has)
        self._proxy = backbones.load(chosen.second, device) if chosen.second else None
        self.trained_scale, self.trained_bias = trained_scale, trained_bias
        # A sigmoid looks at each text alone: there the scale is what makes a cosine of 0.1 a clear answer.
        self.logit_scale = SOFTMAX_SCALE if trained_bias is None else trained_scale

        self.patch_stride = tower.patch if stride is None else stride
        if stride is not None and not tower.finer and stride != tower.patch:
            raise WeightsError(
                f"'{name}' asks for a patch stride of {stride}, but its image tower begins with convolutions whose "
                f"stride is {tower.patch}; leave out ?stride."
            )
        if stride == 0 or tower.patch % self.patch_stride:
            raise WeightsError(
                f"'{name}' asks for a patch stride of {stride}; it must divide the patch, {tower.patch} pixels."
            )
        self.multiple = self.patch_stride
        self.photo_side = tower.native
        self.short_side = tower.native * 3 // 2
        self.window: int | None = (self.short_side if self._proxy else tower.native) // self.multiple * self.multiple
        self.feature_dim, self.text_dim, self.licence = tower.feature_dim, tower.text_dim, licence
        self._mean, self._std = (torch.tensor(v, device=device)[:, None, None] for v in (mean, std))

    @cached_property
    def weights_hash(self) -> str:
        second = [self._proxy.weights_hash] if self._proxy else []
        return weights.fingerprint(*self._files, facts=(self.readout, *second))

    @torch.inference_mode()
    def encode(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        """(B, D, h, w) with h = H / patch_stride, w = W / patch_stride; with a second backbone, on that one's grid."""
        second = {}
        if self._proxy is not None:
            side = self._proxy.multiple
            size = [max(1, round(length / side)) * side for length in photos[0].size]
            second["proxy"] = self._proxy.encode([photo.resize(size, Image.Resampling.BICUBIC) for photo in photos])
        with backbones.half_where_safe(self._device):
            return self._read(*self.tower.enter(self._pixels(photos), self.patch_stride), **second).float()

    @torch.inference_mode()
    def embed_photos(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        """(B, E) unit embeddings of whole photos (equally large), as the model itself pools them."""
        with backbones.half_where_safe(self._device):
            blocks, tokens, grid = self.tower.enter(self._pixels(photos), self.patch_stride)
            pooled = self.tower.pool(readouts.through(blocks, tokens), grid)
        return F.normalize(pooled.float(), dim=1)

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """(K, E) unit embeddings, on the CPU; raises WeightsError where there is no tokenizer."""
        parts = []
        for start in range(0, len(texts), TEXTS_AT_A_TIME):
            tokens = self.tokenize(texts[start : start + TEXTS_AT_A_TIME])
            with backbones.half_where_safe(self._device):
                parts.append(self.embed_tokens(tokens.to(self._device)).float())
        return F.normalize(torch.cat(parts), dim=1).cpu()

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> Any:
        """What the text tower reads: (K, L) token numbers, or several such by name; raises WeightsError without a
        tokenizer."""

    @abstractmethod
    def embed_tokens(self, tokens: Any) -> torch.Tensor:
        """What `tokenize` gives -> (K, E) text embeddings, of any length."""

    def alignment(self) -> Head:
        return self.tower.alignment()

    def _pixels(self, photos: Sequence[Image.Image]) -> torch.Tensor:
        pixels = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos])).to(self._device)
        return (pixels.permute(0, 3, 1, 2).float().div_(255) - self._mean) / self._std


def split_stride(details: str) -> tuple[str, int | None]:
    """`ViT-B-16/openai?stride=8` -> (`ViT-B-16/openai`, 8)."""
    match = re.fullmatch(r"(.*)\?stride=(\d+)", details)
    return (match[1], int(match[2])) if match else (details, None)
