"""SAM, SAM 2, SAM-HQ, EdgeTAM and SAM 3's tracker in transformers: one photo, prompts, masks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from textseg.model import pretrained, repository, weights
from textseg.model.backbones import best_device
from textseg.proposals.encoded import EMBEDDING_BYTES, Embedding
from textseg.proposals.promptable import Promptable, Settings, longest_side, unpadded

SAM_2 = Settings(pred_iou_thresh=0.8)
"""As SAM2AutomaticMaskGenerator: its predicted qualities are lower."""


@dataclass(frozen=True)
class Kind:
    """How models of one type are loaded and asked."""

    model: str
    """The class of transformers that answers clicks."""
    processor: str
    """The class of transformers that prepares photos."""
    settings: Settings
    padded: bool = False
    """Whether photos keep their proportions and are padded to the square, or are squeezed into it."""


KINDS = {
    "sam": Kind("SamModel", "SamImageProcessor", Settings(), padded=True),
    "sam_hq": Kind("SamHQModel", "SamImageProcessor", Settings(), padded=True),
    "sam2": Kind("Sam2Model", "Sam2ImageProcessor", SAM_2),
    "sam2_video": Kind("Sam2Model", "Sam2ImageProcessor", SAM_2),
    "edgetam": Kind("EdgeTamModel", "Sam2ImageProcessor", SAM_2),
    "edgetam_video": Kind("EdgeTamModel", "Sam2ImageProcessor", SAM_2),
    "sam3_tracker": Kind("Sam3TrackerModel", "Sam3ImageProcessor", SAM_2),
}
"""By `model_type`. The video models hold an image model whose weights are loaded alone."""


def load(model_type: str, path: Path, name: str, device: str | None) -> HfSam:
    """The model in a folder that answers clicks; raises WeightsError."""
    kind = KINDS[model_type]
    processor = pretrained.image_processor(kind.processor, path, name)
    model = pretrained.read(kind.model, path, name)
    with weights.loading(path, name):
        return HfSam(model, processor, kind, name, path, device)


class HfSam(Promptable):
    """A model of the family in transformers."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        kind: Kind,
        name: str = "hf",
        path: Path | None = None,
        device: str | None = None,
        max_bytes: int = EMBEDDING_BYTES,
    ) -> None:
        super().__init__(max_bytes)
        self.name, self.settings, self.padded, self.path = name, kind.settings, kind.padded, path
        self.model = model.to(device or best_device())
        self.device = self.model.device
        prompts = model.config.prompt_encoder_config
        self.side = prompts.image_size
        self.mask_size = (4 * prompts.image_size // prompts.patch_size,) * 2
        square = {"height": self.side, "width": self.side}
        self._sizes = {"size": {"longest_edge": self.side}, "pad_size": square} if self.padded else {"size": square}
        self._processor = processor

    @cached_property
    def encoder(self) -> str:
        """Short hash of all that decides a photo's embedding."""
        return encoder_hash(self.model, self._processor, self.path)

    def pixels(self, photo: np.ndarray) -> torch.Tensor:
        """(1, 3, side, side) of an (H, W, 3) uint8 photo, as transformers' processor prepares it."""
        return pixel_values(self._processor, photo, self.model, **self._sizes)

    def encode(self, pixels: np.ndarray) -> Embedding:
        return self.embedded(self.pixels(pixels))

    def embedded(self, pixels: torch.Tensor) -> Embedding:
        """The embedding of (1, 3, side, side) prepared pixels."""
        found = self.model.get_image_embeddings(pixels)
        if isinstance(found, torch.Tensor):
            return {"image": found}
        if isinstance(found, tuple):  # SAM-HQ; of the inner blocks its decoder looks at the first alone
            return {"image": found[0], "block": found[1][0]}
        *fine, image = found
        return {"image": image, **{f"level{n}": level for n, level in enumerate(fine)}}

    def decode(
        self,
        embedding: Embedding,
        points: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        boxes: torch.Tensor | None = None,
        masks: torch.Tensor | None = None,
        several: bool = True,
    ) -> HfDecoded:
        given: dict[str, Any] = {"image_embeddings": embedding["image"], "multimask_output": several}
        if "block" in embedding:
            given["intermediate_embeddings"] = [embedding["block"]]
        elif fine := [embedding[name] for name in sorted(embedding) if name.startswith("level")]:
            given["image_embeddings"] = [*fine, embedding["image"]]
        if points is not None and labels is not None:
            given |= {"input_points": points[None].to(self.model.dtype), "input_labels": labels[None]}
        if boxes is not None:
            given["input_boxes"] = boxes[None].to(self.model.dtype)
        if masks is not None:
            given["input_masks"] = masks.to(self.model.dtype)
        found = self.model(**given)
        return HfDecoded(found.iou_scores[0].float(), found.pred_masks[0].float())

    def frame(self, size: tuple[int, int]) -> tuple[int, int]:
        return longest_side(size, self.side) if self.padded else (self.side, self.side)

    def full_size(self, logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        if self.padded:
            return unpadded(logits, self.frame(size), self.side, size)
        return F.interpolate(logits[None], size[::-1], mode="bilinear", align_corners=False)[0]


def pixel_values(processor: Any, photo: np.ndarray, model: Any, **sizes: Any) -> torch.Tensor:
    """(1, 3, h, w) of an (H, W, 3) uint8 photo, where the model lies."""
    ready = processor(images=[photo.copy()], return_tensors="pt", **sizes)
    return ready["pixel_values"].to(model.device, model.dtype)


def encoder_hash(model: Any, processor: Any, path: Path | None) -> str:
    """Short hash of all that decides what a photo is encoded to."""
    files = [] if path is None else repository.weight_files(path)
    facts = [*map(weights.fingerprint, files), type(model).__name__, repr(processor.to_dict())]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


@dataclass
class HfDecoded:
    """B prompts with K masks each, all of them made."""

    quality: torch.Tensor
    logits: torch.Tensor

    def masks(self, prompts: torch.Tensor) -> torch.Tensor:
        """(P, K, h, w) logits of the prompts with the indices (P,)."""
        return self.logits[prompts.to(self.logits.device)]
