"""Masks of training photos on disk: a proposer looks at a photo once, whatever words and thresholds are asked later."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from textseg.model import Model, Scene
from textseg.model.encodings import encoder
from textseg.proposals import Cancel, Everything, Mask, Proposer, knows_words
from trainer.store import ArrayStore


class MaskStore:
    """What `everything` of one proposer gave, photo by photo."""

    def __init__(self, proposer: Proposer, store: ArrayStore) -> None:
        self.proposer, self._store = proposer, store
        self._new: dict[str, torch.Tensor] = {}

    @classmethod
    def of(cls, root: Path, proposer: Proposer, teacher: Model) -> "MaskStore":
        """The store below `root` for this proposer: by its weights, or where it has none and looks at the features
        of the scene, by what encodes them."""
        made_by = getattr(proposer, "encoder", None) or encoder(teacher)
        facts = repr((proposer.name, made_by, getattr(proposer, "settings", None)))
        return cls(proposer, ArrayStore(root / "masks" / hashlib.sha256(facts.encode()).hexdigest()[:16]))

    def __contains__(self, photo: str) -> bool:
        """Whether the masks of the photo with this sha256 were found before."""
        return photo in self._store

    def open(self, photo: str, scene: Scene) -> Everything:
        """The photo with this sha256 in front of the proposer, or its masks as they were found before."""
        if photo in self._store:
            return Found(scene.size, _read(self._store[photo]))
        opened = self.proposer.open(scene.photo, scene)
        if knows_words(self.proposer):  # its masks are those of the words
            return opened
        masks = opened.everything()
        self._new[photo] = _written(masks)
        return Found(scene.size, masks)

    def flush(self) -> None:
        """Put on disk what was found since the last time; what is not is lost with the process."""
        self._store.add(self._new)
        self._new = {}


@dataclass
class Found:
    """Masks that were found before."""

    size: tuple[int, int]
    masks: list[Mask]

    def everything(self, cancel: Cancel | None = None) -> list[Mask]:
        """The masks, best first."""
        return list(self.masks)


def _written(masks: list[Mask]) -> torch.Tensor:
    """Run-length codes and scores as the bytes of a JSON text."""
    text = json.dumps([[mask.rle, mask.score] for mask in masks]).encode()
    return torch.from_numpy(np.frombuffer(text, np.uint8).copy())


def _read(text: torch.Tensor) -> list[Mask]:
    return [Mask(code, score) for code, score in json.loads(text.numpy().tobytes())]
