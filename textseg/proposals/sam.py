"""`sam:vit_b`, `sam:vit_l`, `sam:vit_h`: Segment Anything (Kirillov et al., arXiv 2304.02643) through segment-anything.

`sam:vit_b//FILE` takes a local checkpoint; without a file the weights come from the hub, once.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from textseg import images, rle
from textseg.errors import Cancelled, WeightsError
from textseg.model import weights
from textseg.model.backbones import best_device
from textseg.proposals import Box, Cancel, Mask, Point, Prompt, read_prompt, register
from textseg.proposals.sam_decoder import Decoded, decode
from textseg.registry import Facts

if TYPE_CHECKING:
    from segment_anything.modeling import Sam as SamModel

    from textseg.model import Scene

SIZES = ("vit_b", "vit_l", "vit_h")
REPOSITORY = "ybelkada/segment-anything"
CHECKPOINTS = {
    "vit_b": "checkpoints/sam_vit_b_01ec64.pth",
    "vit_l": "checkpoints/sam_vit_l_0b3195.pth",
    "vit_h": "checkpoints/sam_vit_h_4b8939.pth",
}
EMBEDDING_BYTES = 256 * 2**20
"""Image embeddings kept by one proposer: 64 photos at 4 MiB each."""
WORKING_BYTES = 1024 * 2**20
"""Bound of what one batch of prompts, and one of full-size logits, may take while it is decoded."""


@dataclass(frozen=True)
class Settings:
    """What `everything` asks and keeps; names and defaults are those of SamAutomaticMaskGenerator."""

    points_per_side: int = 32
    points_per_batch: int = 64
    """At most; fewer where WORKING_BYTES asks for it."""
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_thresh: float = 0.7


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
        return Sam(build(size, weights.read(path), path.name), name, device)


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


class Sam:
    """A Segment Anything model; encodes each photo once and keeps the embedding, by content, for a while."""

    def __init__(
        self,
        model: SamModel,
        name: str = "sam",
        device: str | None = None,
        settings: Settings = Settings(),
        max_bytes: int = EMBEDDING_BYTES,
    ) -> None:
        self.name, self.settings, self.max_bytes = name, settings, max_bytes
        self.model = model.eval().requires_grad_(False).to(device or best_device())
        self._embeddings: OrderedDict[str, torch.Tensor] = OrderedDict()
        self._lock = threading.RLock()

    def open(self, photo: Image.Image, scene: Scene | None = None) -> SamProposals:
        """Get `photo` ready; it is encoded at the first question."""
        return SamProposals(self, np.asarray(images.open(photo)))

    @property
    def nbytes(self) -> int:
        """Bytes of the embeddings that are kept."""
        return sum(embedding.nbytes for embedding in self._embeddings.values())

    @torch.inference_mode()
    def embedding(self, key: str, pixels: np.ndarray) -> torch.Tensor:
        """(1, C, h, w) of (H, W, 3) uint8 pixels, from the cache under `key` or encoded now."""
        with self._lock:
            if key in self._embeddings:
                self._embeddings.move_to_end(key)
                return self._embeddings[key]
            from segment_anything.utils.transforms import ResizeLongestSide

            resized = ResizeLongestSide(self.model.image_encoder.img_size).apply_image(pixels)
            image = torch.as_tensor(resized, device=self.model.device).permute(2, 0, 1)[None]
            embedding = self.model.image_encoder(self.model.preprocess(image))
            self._embeddings[key] = embedding
            while len(self._embeddings) > 1 and self.nbytes > self.max_bytes:
                self._embeddings.popitem(last=False)
            return embedding


class SamProposals:
    """One photo in front of Segment Anything."""

    def __init__(self, sam: Sam, pixels: np.ndarray) -> None:
        self._sam, self._pixels = sam, pixels
        height, width = pixels.shape[:2]
        self.size = (width, height)
        self._key = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        side = sam.model.image_encoder.img_size
        longest = max(width, height)
        # As ResizeLongestSide rounds.
        self._input_size = int(height * side / longest + 0.5), int(width * side / longest + 0.5)

    @torch.inference_mode()
    def everything(self, cancel: Cancel | None = None) -> list[Mask]:
        """The masks of a grid of points that are good, stable and not duplicates; highest predicted IoU first.

        The same masks in the same order as SamAutomaticMaskGenerator without crops. Raises Cancelled.
        """
        from torchvision.ops import batched_nms

        settings = self._sam.settings
        _stop_if(cancel)
        embedding = self._embedding()
        rles: list[dict] = []
        boxes: list[torch.Tensor] = []
        qualities: list[torch.Tensor] = []
        for points in self._grid(settings.points_per_side).split(self._batch(embedding)):
            _stop_if(cancel)
            labels = torch.ones(len(points), 1, dtype=torch.int, device=points.device)
            decoded = decode(self._sam.model, embedding, (points[:, None], labels))
            for quality, logits in self._good(decoded):
                found = self._stable(logits)
                qualities.append(quality[found.kept])
                boxes.append(found.boxes)
                rles += found.rles
        if not rles:
            return []
        quality = torch.cat(qualities)
        kept = batched_nms(torch.cat(boxes).float(), quality, torch.zeros(len(quality)), settings.box_nms_thresh)
        return [Mask(rles[i], float(quality[i])) for i in kept.tolist()]

    @torch.inference_mode()
    def prompt(self, points: Sequence[Point] = (), box: Box | None = None, previous: Mask | None = None) -> list[Mask]:
        """SamPredictor's masks for the prompt, best first: three for a single point, whose size is open, else one.

        A `previous` mask goes in as the logits it was made from. Raises PromptError.
        """
        prompt = read_prompt(self.size, points, box, previous)
        decoded = self._decode(prompt)
        ambiguous = len(prompt.points) == 1 and box is None and previous is None
        kinds = [1, 2, 3] if ambiguous else [0]
        quality = decoded.quality[0, kinds].cpu()
        logits = decoded.masks(torch.zeros(1, dtype=torch.long), kinds)[0]
        masks = [
            Mask(rle.encode(full.cpu().numpy() > self._sam.model.mask_threshold), float(score), state=low.cpu().numpy())
            for score, low, full in zip(quality, logits, self._full_size(logits), strict=True)
        ]
        return sorted(masks, key=lambda mask: -mask.score)

    def hierarchy(self, x: float, y: float) -> list[Mask]:
        """SAM's three readings of a click (part, object, whole), from small to large."""
        masks = [mask for mask in self.prompt([(x, y, 1)]) if mask.area]
        return sorted(masks, key=lambda mask: mask.area)

    def _embedding(self) -> torch.Tensor:
        return self._sam.embedding(self._key, self._pixels)

    def _decode(self, prompt: Prompt) -> Decoded:
        model = self._sam.model
        device = model.device
        points = boxes = masks = None
        if len(prompt.points):
            labels = torch.as_tensor(prompt.labels > 0, dtype=torch.int, device=device)
            points = self._to_input(prompt.points).float()[None], labels[None]
        if prompt.box is not None:
            boxes = self._to_input(np.array(prompt.box).reshape(2, 2)).float().reshape(1, 4)
        if prompt.previous is not None:
            masks = torch.as_tensor(self._logits_of(prompt.previous), device=device)[None, None]
        return decode(model, self._embedding(), points, boxes, masks)

    def _logits_of(self, mask: Mask) -> np.ndarray:
        """The low-resolution logits a mask was made from, or ±8 from its pixels when another way made it."""
        if isinstance(mask.state, np.ndarray):
            return mask.state
        model = self._sam.model
        side, low = model.image_encoder.img_size, model.prompt_encoder.mask_input_size
        share = torch.from_numpy(rle.decode(mask.rle)).float()[None, None]
        height, width = (max(1, round(n * low[0] / side)) for n in self._input_size)
        share = F.interpolate(share, (height, width), mode="area")
        share = F.pad(share, (0, low[1] - width, 0, low[0] - height))
        return (share[0, 0] * 16 - 8).numpy()

    def _to_input(self, points: np.ndarray) -> torch.Tensor:
        """(N, 2) photo pixels -> the frame of the encoded image."""
        height, width = self._input_size
        scale = np.array([width / self.size[0], height / self.size[1]])
        return torch.as_tensor(points * scale, device=self._sam.model.device)

    def _grid(self, side: int) -> torch.Tensor:
        """(side * side, 2) evenly spaced points, row by row."""
        at = (np.arange(side) + 0.5) / side
        points = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        return self._to_input(points * np.array(self.size))

    def _batch(self, embedding: torch.Tensor) -> int:
        """Prompts decoded together: the image side of each is held about six times, its upscaling about three."""
        channels, places = embedding.shape[1], embedding.shape[2] * embedding.shape[3]
        per_prompt = 4 * places * channels * (6 + 3 * 16 // 8)
        return max(1, min(self._sam.settings.points_per_batch, WORKING_BYTES // per_prompt))

    def _good(self, decoded: Decoded) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(quality, low-resolution logits) of the masks whose predicted IoU suffices, a bounded number at a time."""
        quality = decoded.quality[:, 1:].cpu()
        good = quality > self._sam.settings.pred_iou_thresh
        if self._sam.settings.pred_iou_thresh <= 0:
            good[:] = True
        prompts = good.any(1).nonzero()[:, 0]
        if not len(prompts):
            return
        logits = decoded.masks(prompts, [1, 2, 3])
        chosen = good[prompts]
        width, height = self.size
        at_a_time = max(1, WORKING_BYTES // 8 // (4 * width * height))
        yield from zip(
            quality[prompts][chosen].split(at_a_time), logits[chosen.to(logits.device)].split(at_a_time), strict=True
        )

    def _stable(self, logits: torch.Tensor) -> _Found:
        """Those of (M, h, w) low-resolution logits whose full-size mask barely changes with the threshold."""
        settings, threshold = self._sam.settings, self._sam.model.mask_threshold
        full = self._full_size(logits).cpu().numpy()
        inner = np.array([np.count_nonzero(mask > threshold + settings.stability_score_offset) for mask in full])
        outer = np.array([np.count_nonzero(mask > threshold - settings.stability_score_offset) for mask in full])
        with np.errstate(invalid="ignore"):
            stability = inner.astype(np.float32) / outer.astype(np.float32)
        kept = stability >= settings.stability_score_thresh
        if settings.stability_score_thresh <= 0:
            kept[:] = True
        masks = full[kept] > threshold
        return _Found(torch.from_numpy(kept), _boxes(masks), [rle.encode(mask) for mask in masks])

    def _full_size(self, logits: torch.Tensor) -> torch.Tensor:
        """(M, h, w) logits -> (M, H, W), as Sam.postprocess_masks but without upsampling the padding."""
        side, low = self._sam.model.image_encoder.img_size, logits.shape[-1]
        factor = side // low
        height, width = self._input_size
        # One row and column more than is needed, because bilinear interpolation reads the next one.
        logits = logits[None, :, : -(-height // factor) + 1, : -(-width // factor) + 1]
        logits = F.interpolate(logits, scale_factor=factor, mode="bilinear", align_corners=False)
        logits = logits[..., :height, :width]
        return F.interpolate(logits, self.size[::-1], mode="bilinear", align_corners=False)[0]


@dataclass
class _Found:
    kept: torch.Tensor
    boxes: torch.Tensor
    rles: list[dict]


def _boxes(masks: np.ndarray) -> torch.Tensor:
    """(M, 4) left, top, right, bottom of (M, H, W) masks, right and bottom inclusive; 0 for an empty mask."""
    boxes = np.zeros((len(masks), 4), np.int64)
    for box, mask in zip(boxes, masks, strict=True):
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        if len(rows):
            box[:] = columns[0], rows[0], columns[-1], rows[-1]
    return torch.from_numpy(boxes)


def _stop_if(cancel: Callable[[], bool] | None) -> None:
    if cancel is not None and cancel():
        raise Cancelled("The search for masks was stopped.")
