"""`hf:REPOSITORY` or `hf:FOLDER`: the Segment Anything family through transformers, by the folder's `model_type`.

SAM (Kirillov et al., arXiv 2304.02643), SAM 2 and 2.1 (Ravi et al., 2408.00714), SAM-HQ (Ke et al., 2306.01567),
EdgeTAM (Zhou et al., 2501.07256) and SAM 3 (Carion et al., 2511.16719). Masks and scores are those of
transformers' own processors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from textseg.errors import WeightsError
from textseg.model import repository, weights
from textseg.model.backbones import best_device
from textseg.proposals import Proposer, register
from textseg.proposals.promptable import EMBEDDING_BYTES, Embedding, Promptable, Settings, longest_side, unpadded
from textseg.registry import Facts

SAM_2 = Settings(pred_iou_thresh=0.8)
"""As SAM2AutomaticMaskGenerator: its predicted qualities are lower."""
INSTEAD = "name a folder that holds the model, or use the proposer 'regions', which needs no weights"


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


@register(
    "hf",
    Facts(
        title="SAM 2.1 and its family",
        about="SAM, SAM 2.1, SAM-HQ, EdgeTAM and SAM 3 through transformers: a repository of the hub or a folder.",
        example="hf:facebook/sam2.1-hiera-tiny",
        licence="Apache-2.0",
        size="156 MB",
        needs="its weights as safetensors, fetched once from the Hugging Face Hub or given as a folder",
        packages=("transformers",),
        weights=("facebook/sam2.1-hiera-tiny", ("model.safetensors",)),
    ),
)
def load(details: str = "", device: str | None = None) -> Proposer:
    """The proposer called `hf:<details>`; raises WeightsError."""
    name = f"hf:{details}"
    path = repository.folder(details, name, INSTEAD)
    kind = KINDS.get(repository.settings(path)["model_type"])
    if kind is None:
        told = repository.settings(path)["model_type"]
        raise WeightsError(
            f"'{name}' is a model of the type '{told[:40]}', which proposes no masks; name one of the types "
            f"{', '.join(KINDS)}."
        )
    return HfSam(read(kind.model, path, name), image_processor(kind.processor, path, name), kind, name, path, device)


def read(model: str, path: Path, wanted: str) -> Any:
    """The model in a folder as the class `model` of transformers, whole and in float32; raises WeightsError."""
    import transformers

    repository.check_memory(path, wanted)
    kind = getattr(transformers, model)
    with quiet(), weights.loading(path, wanted):
        found, told = kind.from_pretrained(
            path, config=settings(kind.config_class, path), dtype=torch.float32, use_safetensors=True,
            local_files_only=True, ignore_mismatched_sizes=True, output_loading_info=True,
        )  # fmt: skip
        if other := sorted(told["mismatched_keys"]):
            raise WeightsError(
                f"{path} does not hold what its config.json describes: {len(other)} of its tensors have another size, "
                f"the first is {other[0][0]}; fetch the model again."
            )
        if missing := sorted(told["missing_keys"]):
            raise WeightsError(
                f"{path} lacks {len(missing)} of the tensors that its config.json describes, the first is "
                f"{missing[0]}; fetch the model again."
            )
    return found.eval().requires_grad_(False)


def settings(config: Any, path: Path) -> Any:
    """The settings in a folder as the class `config` of transformers, whatever model the folder is mainly of."""
    read, _ = config.get_config_dict(path, local_files_only=True)
    return config.from_dict({**read, "model_type": config.model_type})


def image_processor(kind: str, path: Path, wanted: str) -> Any:
    """What prepares photos: as the folder says, or where it says nothing as the class `kind` does by default."""
    import transformers

    with quiet(), weights.loading(path, wanted):
        if any((path / file).is_file() for file in ("preprocessor_config.json", "processor_config.json")):
            return getattr(transformers, kind).from_pretrained(path, local_files_only=True)
        return getattr(transformers, kind)()


@contextmanager
def quiet() -> Iterator[None]:
    """transformers loads without bars and warnings: what goes wrong is told in a sentence."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


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
        files = [] if self.path is None else repository.weight_files(self.path)
        facts = [*map(weights.fingerprint, files), type(self.model).__name__, repr(self._processor.to_dict())]
        return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]

    def pixels(self, photo: np.ndarray) -> torch.Tensor:
        """(1, 3, side, side) of an (H, W, 3) uint8 photo, as transformers' processor prepares it."""
        ready = self._processor(images=[photo.copy()], return_tensors="pt", **self._sizes)
        return ready["pixel_values"].to(self.device, self.model.dtype)

    def encode(self, pixels: np.ndarray) -> Embedding:
        found = self.model.get_image_embeddings(self.pixels(pixels))
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
        elif fine := [embedding[f"level{n}"] for n in range(len(embedding) - 1)]:
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


@dataclass
class HfDecoded:
    """B prompts with K masks each, all of them made."""

    quality: torch.Tensor
    logits: torch.Tensor

    def masks(self, prompts: torch.Tensor) -> torch.Tensor:
        """(P, K, h, w) logits of the prompts with the indices (P,)."""
        return self.logits[prompts.to(self.logits.device)]
