"""`sam:vit_b`, `sam:vit_l`, `sam:vit_h`: Segment Anything (Kirillov et al., arXiv 2304.02643) through segment-anything.

`sam:vit_b//FILE` takes a local checkpoint; without a file the weights come from the hub, once.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from textseg.errors import WeightsError
from textseg.model import weights
from textseg.model.backbones import best_device
from textseg.proposals import register
from textseg.proposals.encoded import EMBEDDING_BYTES, Embedding
from textseg.proposals.promptable import Promptable, Settings, longest_side, unpadded
from textseg.proposals.sam_decoder import Decoded, decode
from textseg.registry import Facts

if TYPE_CHECKING:
    from segment_anything.modeling import Sam as SamModel

SIZES = ("vit_b", "vit_l", "vit_h")
REPOSITORY = "ybelkada/segment-anything"
CHECKPOINTS = {
    "vit_b": "checkpoints/sam_vit_b_01ec64.pth",
    "vit_l": "checkpoints/sam_vit_l_0b3195.pth",
    "vit_h": "checkpoints/sam_vit_h_4b8939.pth",
}


@register(
    "sam",
    Facts(
        title="Segment Anything",
        about="Masks from points, boxes or nothing at all (Kirillov et al., ICCV 2023); sizes vit_b, vit_l and vit_h.",
        example="sam:vit_b",
        licence="Apache-2.0",
        size="375 MB",
        needs="its weights, fetched once from the Hugging Face Hub or given as a file",
        packages=("segment_anything",),
        weights=(REPOSITORY, (CHECKPOINTS["vit_b"],)),
    ),
)
def load(details: str = "", device: str | None = None) -> Sam:
    """The proposer called `sam:<details>`; raises WeightsError."""
    size, slashes, file = details.partition("//")
    name = f"sam:{details}"
    if size not in SIZES:
        raise WeightsError(f"'{name}' names no size of Segment Anything; write sam:vit_b, sam:vit_l or sam:vit_h.")
    path = weights.local(file, name) if slashes else weights.fetch(REPOSITORY, [CHECKPOINTS[size]], name)
    with weights.loading(path, name):
        sam = Sam(build(size, weights.read(path), path.name), name, device)
    sam.path = path
    return sam


def build(size: str, tensors: dict[str, torch.Tensor], source: str) -> SamModel:
    """A Sam of `size` with the given weights, nothing initialised twice; raises WeightsError when they do not fit."""
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        model = sam_model_registry[size]()
    expected = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    found = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    if expected != found:
        wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        raise WeightsError(
            f"{source} does not hold a Segment Anything {size}: {len(wrong)} of its tensors differ, the first is "
            f"{wrong[0]}; name the size that the file was made for."
        )
    model.load_state_dict(tensors, assign=True)
    # Not part of the weights, so still without values.
    model.pixel_mean = torch.tensor([123.675, 116.28, 103.53]).view(-1, 1, 1)
    model.pixel_std = torch.tensor([58.395, 57.12, 57.375]).view(-1, 1, 1)
    return model.float()


class Sam(Promptable):
    """A Segment Anything model of the package segment_anything."""

    path: Path | None = None
    """Of its weights."""

    def __init__(
        self,
        model: SamModel,
        name: str = "sam",
        device: str | None = None,
        settings: Settings | None = None,
        max_bytes: int = EMBEDDING_BYTES,
    ) -> None:
        super().__init__(max_bytes)
        self.name, self.settings = name, settings or Settings()
        self.model = model.eval().requires_grad_(False).to(device or best_device())
        self.device, self.threshold = self.model.device, self.model.mask_threshold
        self.side = model.image_encoder.img_size
        self.mask_size = tuple(model.prompt_encoder.mask_input_size)

    @cached_property
    def encoder(self) -> str:  # type: ignore[override]
        """Short hash of the weights."""
        return weights.fingerprint(self.path) if self.path else f"{self.name} without a file"

    def encode(self, pixels: np.ndarray) -> Embedding:
        from segment_anything.utils.transforms import ResizeLongestSide

        resized = ResizeLongestSide(self.side).apply_image(pixels)
        image = torch.as_tensor(resized, device=self.device).permute(2, 0, 1)[None]
        return {"image": self.model.image_encoder(self.model.preprocess(image))}

    def decode(
        self,
        embedding: Embedding,
        points: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        boxes: torch.Tensor | None = None,
        masks: torch.Tensor | None = None,
        several: bool = True,
    ) -> Decoded:
        clicks = None if points is None else (points, labels)
        return decode(self.model, embedding["image"], clicks, boxes, masks, [1, 2, 3] if several else [0])

    def frame(self, size: tuple[int, int]) -> tuple[int, int]:
        return longest_side(size, self.side)

    def full_size(self, logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return unpadded(logits, self.frame(size), self.side, size)
