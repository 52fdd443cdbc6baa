"""What all of the Segment Anything family share: a photo is encoded once, then a decoder answers prompts.

A model of the family says how it encodes, decodes and brings masks to the photo's size; the grid of points, the filters
by predicted quality and stability, the suppression of duplicates, the prompts and the hierarchy are written here, once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from textseg import images, rle
from textseg.errors import Cancelled
from textseg.proposals import Box, Cancel, Mask, Point, Prompt, read_prompt
from textseg.proposals.encoded import Embedding, EncodedPhoto, PhotoEncoder

if TYPE_CHECKING:
    from textseg.model import Scene

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


class Decoded(Protocol):
    """B prompts, decoded: K masks for each, with what the model thinks of them."""

    quality: torch.Tensor
    """(B, K) predicted IoU."""

    def masks(self, prompts: torch.Tensor) -> torch.Tensor:
        """(P, K, h, w) low-resolution logits of the prompts with the indices (P,)."""


class Promptable(PhotoEncoder):
    """A model of the family. Of an embedding its decoder attends to `image` (1, C, h, w)."""

    settings: Settings
    threshold = 0.0
    """Logits above it are inside."""
    side: int
    """Of the square that is encoded."""
    mask_size: tuple[int, int]
    """(h, w) of the logits that go in as an earlier answer; those that come out have the same size."""

    @abstractmethod
    def decode(
        self,
        embedding: Embedding,
        points: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        boxes: torch.Tensor | None = None,
        masks: torch.Tensor | None = None,
        several: bool = True,
    ) -> Decoded:
        """Run B prompts on one photo: `points` (B, N, 2) x, y in the square that was encoded with `labels` (B, N), 1
        inside and 0 outside, `boxes` (B, 4) in the same square, `masks` (B, 1, h, w) logits of an earlier answer.

        `several` asks for the three readings of an ambiguous prompt, else for the one mask of a clear one.
        """

    @abstractmethod
    def frame(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) that a photo of `size` (width, height) takes of the square; the rest is padding."""

    @abstractmethod
    def full_size(self, logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """(M, h, w) low-resolution logits -> (M, H, W) for a photo of `size` (width, height)."""

    def open(self, photo: Image.Image, scene: Scene | None = None) -> PromptableProposals:
        """Get `photo` ready; it is encoded at the first question."""
        return PromptableProposals(self, np.asarray(images.open(photo)))


class PromptableProposals(EncodedPhoto[Promptable]):
    """One photo in front of a model of the family."""

    @torch.inference_mode()
    def everything(self, cancel: Cancel | None = None) -> list[Mask]:
        """The masks of a grid of points that are good, stable and not duplicates; highest predicted IoU first.

        The same masks in the same order as SamAutomaticMaskGenerator without crops. Raises Cancelled.
        """
        from torchvision.ops import batched_nms

        settings = self.model.settings
        stop_if(cancel)
        embedding = self.encoded()
        rles: list[dict] = []
        boxes: list[torch.Tensor] = []
        qualities: list[torch.Tensor] = []
        for points in self._grid(settings.points_per_side).split(self._batch(embedding)):
            stop_if(cancel)
            labels = torch.ones(len(points), 1, dtype=torch.int, device=points.device)
            decoded = self.model.decode(embedding, points[:, None], labels)
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
        """The model's masks for the prompt, best first: three for a single point, whose size is open, else one.

        A `previous` mask goes in as the logits it was made from. Raises PromptError.
        """
        prompt = read_prompt(self.size, points, box, previous)
        ambiguous = len(prompt.points) == 1 and box is None and previous is None
        decoded = self._decode(prompt, several=ambiguous)
        quality, logits = decoded.quality[0].cpu(), decoded.masks(torch.zeros(1, dtype=torch.long))[0]
        masks = [
            Mask(rle.encode(full.cpu().numpy() > self.model.threshold), float(score), state=low.cpu().numpy())
            for score, low, full in zip(quality, logits, self.model.full_size(logits, self.size), strict=True)
        ]
        return sorted(masks, key=lambda mask: -mask.score)

    def hierarchy(self, x: float, y: float) -> list[Mask]:
        """The three readings of a click (part, object, whole), from small to large."""
        masks = [mask for mask in self.prompt([(x, y, 1)]) if mask.area]
        return sorted(masks, key=lambda mask: mask.area)

    def _decode(self, prompt: Prompt, several: bool) -> Decoded:
        device = self.model.device
        points = labels = boxes = masks = None
        if len(prompt.points):
            labels = torch.as_tensor(prompt.labels > 0, dtype=torch.int, device=device)[None]
            points = self._to_square(prompt.points)[None]
        if prompt.box is not None:
            boxes = self._to_square(np.array(prompt.box).reshape(2, 2)).reshape(1, 4)
        if prompt.previous is not None:
            masks = torch.as_tensor(self._logits_of(prompt.previous), device=device)[None, None]
        return self.model.decode(self.encoded(), points, labels, boxes, masks, several)

    def _logits_of(self, mask: Mask) -> np.ndarray:
        """The low-resolution logits a mask was made from, or ±8 from its pixels when another way made it."""
        side, low = self.model.side, self.model.mask_size
        if isinstance(mask.state, np.ndarray) and mask.state.shape == low:
            return mask.state
        share = torch.from_numpy(rle.decode(mask.rle)).float()[None, None]
        height, width = (max(1, round(n * size / side)) for n, size in zip(self._frame, low, strict=True))
        share = F.interpolate(share, (height, width), mode="area")
        share = F.pad(share, (0, low[1] - width, 0, low[0] - height))
        return (share[0, 0] * 16 - 8).numpy()

    @property
    def _frame(self) -> tuple[int, int]:
        return self.model.frame(self.size)

    def _to_square(self, points: np.ndarray) -> torch.Tensor:
        """(N, 2) photo pixels -> the square that is encoded."""
        height, width = self._frame
        scale = np.array([width / self.size[0], height / self.size[1]])
        return torch.as_tensor(points * scale, dtype=torch.float32, device=self.model.device)

    def _grid(self, side: int) -> torch.Tensor:
        """(side * side, 2) evenly spaced points, row by row."""
        at = (np.arange(side) + 0.5) / side
        points = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        return self._to_square(points * np.array(self.size))

    def _batch(self, embedding: Embedding) -> int:
        """Prompts decoded together: the image side of each is held about six times, its upscaling about three."""
        _, channels, height, width = embedding["image"].shape
        per_prompt = 4 * height * width * channels * (6 + 3 * 16 // 8)
        return max(1, min(self.model.settings.points_per_batch, WORKING_BYTES // per_prompt))

    def _good(self, decoded: Decoded) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(quality, low-resolution logits) of the masks whose predicted IoU suffices, a bounded number at a time."""
        quality, least = decoded.quality.cpu(), self.model.settings.pred_iou_thresh
        good = quality > least if least > 0 else torch.ones_like(quality, dtype=torch.bool)
        prompts = good.any(1).nonzero()[:, 0]
        if not len(prompts):
            return
        logits = decoded.masks(prompts)
        chosen = good[prompts]
        width, height = self.size
        at_a_time = max(1, WORKING_BYTES // 8 // (4 * width * height))
        yield from zip(
            quality[prompts][chosen].split(at_a_time), logits[chosen.to(logits.device)].split(at_a_time), strict=True
        )

    def _stable(self, logits: torch.Tensor) -> _Found:
        """Those of (M, h, w) low-resolution logits whose full-size mask barely changes with the threshold."""
        settings, threshold = self.model.settings, self.model.threshold
        full = self.model.full_size(logits, self.size).cpu().numpy()
        inner = np.array([np.count_nonzero(mask > threshold + settings.stability_score_offset) for mask in full])
        outer = np.array([np.count_nonzero(mask > threshold - settings.stability_score_offset) for mask in full])
        with np.errstate(invalid="ignore"):
            stability = inner.astype(np.float32) / outer.astype(np.float32)
        kept = stability >= settings.stability_score_thresh
        if settings.stability_score_thresh <= 0:
            kept[:] = True
        masks = full[kept] > threshold
        return _Found(torch.from_numpy(kept), _boxes(masks), [rle.encode(mask) for mask in masks])


def longest_side(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) of a photo of `size` (width, height) whose longest side is `side`, rounded as SAM does."""
    width, height = size
    scale = side * 1.0 / max(size)
    return int(height * scale + 0.5), int(width * scale + 0.5)


def unpadded(logits: torch.Tensor, frame: tuple[int, int], side: int, size: tuple[int, int]) -> torch.Tensor:
    """(M, h, w) logits of a padded square of `side` -> (M, H, W): as SAM, to the square, cut to `frame`, to `size`.

    The padding is not upsampled.
    """
    factor = side // logits.shape[-1]
    height, width = frame
    # One row and column more than is needed, because bilinear interpolation reads the next one.
    logits = logits[None, :, : -(-height // factor) + 1, : -(-width // factor) + 1]
    logits = F.interpolate(logits, scale_factor=factor, mode="bilinear", align_corners=False)
    logits = logits[..., :height, :width]
    return F.interpolate(logits, size[::-1], mode="bilinear", align_corners=False)[0]


def stop_if(cancel: Callable[[], bool] | None) -> None:
    """Raises Cancelled where a person has asked for it."""
    if cancel is not None and cancel():
        raise Cancelled("The search for masks was stopped.")


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
