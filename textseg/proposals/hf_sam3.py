"""SAM 3 (Carion et al., arXiv 2511.16719) in transformers: masks by words, and by clicks.

The photo is encoded once; a word then costs one pass of its text and one of the detector. The published repository
holds a detector, which takes words and boxes of examples, and a tracker, which takes clicks as SAM 2 does; one encoder
serves both. Where a folder has the detector alone, clicks are put to it as small boxes of examples, which is our own.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from textseg import images, rle
from textseg.errors import WeightsError
from textseg.model import pretrained, repository, tokenizers, weights
from textseg.model.backbones import best_device
from textseg.proposals import Box, Cancel, Mask, Named, Point, Proposer, read_prompt
from textseg.proposals.encoded import Embedding, EncodedPhoto, PhotoEncoder
from textseg.proposals.hf_sam import KINDS, HfSam, encoder_hash, pixel_values
from textseg.proposals.promptable import PromptableProposals, stop_if
from textseg.proposals.resized import encode_resized

if TYPE_CHECKING:
    from textseg.model import Scene
    from textseg.vocabulary import Vocabulary, Word

DETECTORS = {"sam3": "Sam3Model", "sam3_video": "Sam3Model", "sam3_lite_text": "Sam3LiteTextModel"}
"""By `model_type`, the class of transformers that answers words; `sam3_video` has the tracker too."""
SCORE, INSIDE = 0.3, 0.5
"""Least score of a mask, and least probability of a pixel in it: transformers' `post_process_instance_segmentation`."""
LONGEST = 32
"""Tokens of a text, as Sam3Processor has it."""
TEXTS = 1024
"""Texts whose embeddings are kept, at 32 kB each."""
VISUAL, ANYTHING = "visual", "object"
"""What SAM 3 is asked where only examples are given (its processor's word), and where nothing is (our own)."""
CLICK = 0.05
"""Side of the box of an example around a click, as a share of the photo's shorter side (our own)."""
SAME = 0.7
"""Masks of two names of one word with at least this IoU are one mask."""


def load(model_type: str, path: Path, name: str, device: str | None) -> Proposer:
    """The SAM 3 in a folder; raises WeightsError."""
    tokenizer = tokenizers.of_folder(path, name)
    processor = pretrained.image_processor("Sam3ImageProcessor", path, name)
    model = pretrained.read(DETECTORS[model_type], path, name)
    with pretrained.quiet(), weights.loading(path, name):
        model.to(device or best_device())
    detector = Detector(model, tokenizer)
    if model_type != "sam3_video":
        return Sam3Detector(detector, processor, name, path)
    return Sam3(detector, tracker(path, name), processor, name, path, device)


def tracker(path: Path, wanted: str) -> Any:
    """The Sam3TrackerModel beside a detector, without an encoder of its own; raises WeightsError."""
    import transformers
    from safetensors import safe_open

    told = repository.settings(path).get("tracker_config")
    with pretrained.quiet(), weights.loading(path, wanted):
        config = transformers.Sam3TrackerConfig(**{**(told or {}), "model_type": "sam3_tracker"})
        config.vision_config.backbone_config.num_hidden_layers = 1  # never run
        model = transformers.Sam3TrackerModel(config)
        model.vision_encoder.backbone = Given()
        found = {}
        for file in repository.weight_files(path):
            with safe_open(file, framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118 - no mapping
                    # Saving a Sam3VideoModel writes the prefix twice.
                    own = re.sub(r"^tracker_neck\.", "vision_encoder.neck.", re.sub(r"^(tracker_model\.)+", "", key))
                    if own != key:
                        found[own] = tensors.get_tensor(key).float()
        wanted_keys = {key: value.shape for key, value in model.state_dict().items()}
        wrong = sorted(key for key, shape in wanted_keys.items() if key not in found or found[key].shape != shape)
        if wrong:
            raise WeightsError(
                f"{path} lacks {len(wrong)} of the tensors that its tracker needs, or has them in another size, the "
                f"first is {wrong[0]}; fetch the model again."
            )
        model.load_state_dict({key: found[key] for key in wanted_keys})
    return model.eval().requires_grad_(False)


class Given(nn.Module):
    """An encoder whose output somebody else has made: `hidden` (1, T, C)."""

    hidden: torch.Tensor

    def forward(self, pixel_values: torch.Tensor, **options: Any) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.hidden, hidden_states=None, attentions=None)


@dataclass
class Answer:
    """What the detector says of one text: `post_process_instance_segmentation` and `..._semantic_segmentation`."""

    presence: float
    masks: list[Mask]
    heat: np.ndarray


class Detector:
    """SAM 3's detector: the photo's features are computed once, a text's once, and then brought together."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self._tokenizer = model, tokenizer
        self.side = model.config.vision_config.backbone_config.image_size
        self._texts: OrderedDict[str, tuple[Any, torch.Tensor]] = OrderedDict()
        self._last: tuple[str, Any] | None = None
        self._lock = threading.Lock()

    def hidden(self, pixels: torch.Tensor) -> torch.Tensor:
        """(1, T, C) of (1, 3, side, side): what the necks of detector and tracker begin with."""
        return self.model.vision_encoder.backbone(pixels).last_hidden_state

    def vision(self, key: str, hidden: torch.Tensor) -> Any:
        """The feature pyramid of `get_vision_features`; that of the last photo is kept, it takes 110 MB."""
        with self._lock:
            if self._last is None or self._last[0] != key:
                side = self.side // self.model.config.vision_config.backbone_config.patch_size
                spatial = hidden.view(1, side, side, -1).permute(0, 3, 1, 2)
                maps, places = self.model.vision_encoder.neck(spatial)
                self._last = (
                    key,
                    SimpleNamespace(
                        fpn_hidden_states=maps, fpn_position_encoding=places, hidden_states=None, attentions=None
                    ),
                )
            return self._last[1]

    def text(self, text: str) -> tuple[Any, torch.Tensor]:
        """(features, (1, 32) mask of its tokens) of a text."""
        with self._lock:
            if text not in self._texts:
                tokens = self._tokenizer(
                    [text], return_tensors="pt", padding="max_length", max_length=LONGEST, truncation=True
                ).to(self.model.device)
                ids, mask = tokens["input_ids"], tokens["attention_mask"]
                features = self.model.get_text_features(input_ids=ids, attention_mask=mask, return_dict=True)
                self._texts[text] = SimpleNamespace(pooler_output=features.pooler_output), mask
                if len(self._texts) > TEXTS:
                    self._texts.popitem(last=False)
            self._texts.move_to_end(text)
            return self._texts[text]

    def ask(
        self,
        vision: Any,
        text: str,
        size: tuple[int, int],
        boxes: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> Answer:
        """What a text, and examples where there are some, show in a photo of `size` (width, height).

        `boxes` are (N, 4) left, top, right, bottom in shares of the photo, `labels` (N,) 1 like it, 0 unlike it.
        """
        features, mask = self.text(text)
        given: dict[str, Any] = {}
        if boxes is not None and labels is not None:
            corner, far = boxes[:, :2], boxes[:, 2:]
            given["input_boxes"] = torch.cat([(corner + far) / 2, far - corner], 1)[None].to(self.model.device)
            given["input_boxes_labels"] = labels[None].to(self.model.device)
        found = self.model(vision_embeds=vision, text_embeds=features, attention_mask=mask, **given)
        presence = found.presence_logits.float().sigmoid()
        scores = (found.pred_logits.float().sigmoid() * presence)[0]
        kept = (scores > SCORE).nonzero()[:, 0]
        kept = kept[scores[kept].argsort(descending=True, stable=True)]
        shares = found.pred_masks[0, kept].float().sigmoid().cpu().numpy()
        masks = [
            Mask(encode_resized(share, size[::-1], INSIDE), float(score))
            for share, score in zip(shares, scores[kept], strict=True)
        ]
        heat = found.semantic_seg[0, 0].float().sigmoid().cpu().numpy()
        return Answer(float(presence[0, 0]), masks, heat)


class WordsOfAPhoto(EncodedPhoto[Any]):
    """One photo in front of a SAM 3, asked by words."""

    def __init__(self, model: Any, pixels: np.ndarray) -> None:
        super().__init__(model, pixels)
        self._answers: dict[str, Answer] = {}

    @property
    def nbytes(self) -> int:
        return sum(answer.heat.nbytes for answer in self._answers.copy().values())

    def named(self, vocabulary: Vocabulary, cancel: Cancel | None = None) -> list[Named]:
        """What SAM 3 says of each word: of its names the best. A text that was asked before costs nothing."""
        found = []
        for k, word in enumerate(vocabulary, start=1):
            stop_if(cancel)
            found.append(self._named(k, word))
        return found

    def _named(self, k: int, word: Word) -> Named:
        answers = [self.answer(text) for text in word.texts]
        masks = [mask for answer in answers for mask in answer.masks]
        if len(answers) > 1:
            masks = _different(masks)
        heat = np.max([answer.heat for answer in answers], axis=0)
        return Named(k, max(answer.presence for answer in answers), masks, heat, self.size)

    @torch.inference_mode()
    def answer(self, text: str) -> Answer:
        """What the detector says of one text."""
        if text not in self._answers:
            self._answers[text] = self.model.detector.ask(self._vision(), text, self.size)
        return self._answers[text]

    def _vision(self) -> Any:
        return self.model.detector.vision(self.key, self.encoded()["hidden"])


class Sam3(HfSam):
    """SAM 3 whole: the tracker answers clicks, the detector words."""

    knows_words = True

    def __init__(
        self, detector: Detector, tracker: Any, processor: Any, name: str, path: Path, device: str | None = None
    ) -> None:
        super().__init__(tracker, processor, KINDS["sam3_tracker"], name, path, device)
        self.detector = detector

    def encode(self, pixels: np.ndarray) -> Embedding:
        prepared = self.pixels(pixels)
        hidden = self.detector.hidden(prepared)
        self.model.vision_encoder.backbone.hidden = hidden
        return {**self.embedded(prepared), "hidden": hidden}

    def open(self, photo: Image.Image, scene: Scene | None = None) -> Sam3Proposals:
        return Sam3Proposals(self, np.asarray(images.open(photo)))


class Sam3Proposals(WordsOfAPhoto, PromptableProposals):
    """One photo in front of a SAM 3: words, clicks and everything."""


class Sam3Detector(PhotoEncoder):
    """SAM 3 as far as it was saved without its tracker."""

    knows_words = True

    def __init__(self, detector: Detector, processor: Any, name: str, path: Path) -> None:
        super().__init__()
        self.detector, self.name, self.path, self._processor = detector, name, path, processor
        self.device = detector.model.device

    @cached_property
    def encoder(self) -> str:  # type: ignore[override]
        """Short hash of all that decides what a photo is encoded to."""
        return encoder_hash(self.detector.model, self._processor, self.path)

    def encode(self, pixels: np.ndarray) -> Embedding:
        square = {"height": self.detector.side, "width": self.detector.side}
        return {"hidden": self.detector.hidden(pixel_values(self._processor, pixels, self.detector.model, size=square))}

    def open(self, photo: Image.Image, scene: Scene | None = None) -> Examples:
        """Get `photo` ready; it is encoded at the first question."""
        return Examples(self, np.asarray(images.open(photo)))


class Examples(WordsOfAPhoto):
    """One photo in front of the detector alone: clicks and boxes are put to it as examples."""

    def everything(self, cancel: Cancel | None = None) -> list[Mask]:
        """What the word 'object' finds, best first. Raises Cancelled."""
        stop_if(cancel)
        return list(self.answer(ANYTHING).masks)

    @torch.inference_mode()
    def prompt(self, points: Sequence[Point] = (), box: Box | None = None, previous: Mask | None = None) -> list[Mask]:
        """What is like the box, and what lies around points inside, and unlike that around points outside.

        Only masks that hold every point inside and none outside; those that overlap the box most come first. A
        `previous` mask is an example by its box. Raises PromptError.
        """
        prompt = read_prompt(self.size, points, box, previous)
        width, height = self.size
        half = CLICK * min(width, height) / 2
        boxes = [(x - half, y - half, x + half, y + half) for x, y in prompt.points]
        labels = (prompt.labels > 0).astype(int).tolist()
        if prompt.previous is not None and prompt.previous.area:
            left, top, wide, high = prompt.previous.bbox
            box = box or (left, top, left + wide, top + high)
        if box is not None:
            boxes, labels = [*boxes, box], [*labels, 1]
        shares = torch.tensor(boxes, dtype=torch.float32) / torch.tensor([width, height, width, height])
        answer = self.model.detector.ask(
            self._vision(), VISUAL, self.size, shares.clamp(0, 1), torch.tensor(labels, dtype=torch.long)
        )
        masks = [mask for mask in answer.masks if _holds(mask, prompt.inside, prompt.outside)]
        return masks if box is None else sorted(masks, key=lambda mask: -_overlap(mask, box))

    def hierarchy(self, x: float, y: float) -> list[Mask]:
        """The masks that hold the pixel (x, y), from small to large."""
        point = np.array([[int(x), int(y)]])
        masks = [mask for mask in self.everything() if _holds(mask, point, point[:0])]
        return sorted(_different(self.prompt([(x, y, 1)]) + masks), key=lambda mask: mask.area)


def _holds(mask: Mask, inside: np.ndarray, outside: np.ndarray) -> bool:
    def at(pixels: np.ndarray) -> list[bool]:
        return [bool(mask.sample(np.array([y]), np.array([x]))[0, 0]) for x, y in pixels]

    return all(at(inside)) and not any(at(outside))


def _overlap(mask: Mask, box: Box) -> float:
    """IoU of the mask's box and another one."""
    left, top, wide, high = mask.bbox
    across = min(left + wide, box[2]) - max(left, box[0])
    down = min(top + high, box[3]) - max(top, box[1])
    both = max(across, 0.0) * max(down, 0.0)
    return both / (wide * high + (box[2] - box[0]) * (box[3] - box[1]) - both)


def _different(masks: list[Mask]) -> list[Mask]:
    """The masks, best first, without those that are nearly one before them."""
    kept: list[Mask] = []
    for mask in sorted(masks, key=lambda mask: -mask.score):
        if all(rle.iou(mask.rle, other.rle) < SAME for other in kept):
            kept.append(mask)
    return kept
