"""The words, the photos and the losses that teachers and student share."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from textseg.model import backbones
from textseg.model.embedding import embed_words
from textseg.model.heads.lexical import LexicalHead
from trainer.recipes.lite.data import Photos
from trainer.recipes.lite.words import ABOVE, ALSO_CALLED, BELOW, STUFF

SCALE = 15.0  # logit scale of every softmax over words


class Losses:
    """Words, photos and the losses that teachers and student share."""

    def __init__(
        self, head: LexicalHead, words: list[str], backbone: backbones.Backbone, photos: tuple[Photos, Photos]
    ) -> None:
        def text(words: list[str]) -> torch.Tensor:
            return head.text(embed_words(backbone.embed, words, backbone.templates))

        self.words, self.photos = words, photos
        self.texts = text(words)
        self.other_names = {words.index(word): text(names) for word, names in ALSO_CALLED.items() if word in words}
        self.class_texts = F.normalize(head.names, dim=1)
        self.stuff = torch.tensor([word in set(STUFF) for word in words])
        self.person = words.index("person")

    def gravity(self, height: int) -> torch.Tensor:
        """(height, K) how readily a row of the photo has the word: ABOVE and BELOW fade out the other way."""
        y = ((torch.arange(height) + 0.5) / height)[:, None]
        above, below = (torch.tensor([word in group for word in self.words]) for group in (ABOVE, BELOW))
        fading = torch.where(above, ((0.65 - y) / 0.4).clamp(0.03, 1), torch.ones(()))
        return torch.where(below, ((y - 0.15) / 0.45).clamp(0.1, 1), fading)

    def candidates(self, photos: Photos, stuff: float, person: float) -> torch.Tensor:
        """(N, K) how readily a patch may be the word: 1 for the photo's own, less for stuff and for person."""
        weight = torch.where(photos.target > 0, 1.0, torch.where(self.stuff, stuff, 0.0))
        weight[:, self.person] = person * (photos.target[:, self.person] > 0) if photos.people_told else person
        return weight

    def prior(self, photos: Photos) -> torch.Tensor:
        """(K,) log share of each word in a set, added to logits in training only."""
        share = (photos.target * photos.weight[:, None]).mean(0) + 1e-3
        return (share / share.sum()).log()

    def drawn_texts(self) -> torch.Tensor:
        """(K, E) the words, or for half of those that have some, another name."""
        texts = self.texts.clone()
        for k, names in self.other_names.items():
            if torch.rand(()) < 0.5:
                texts[k] = names[torch.randint(len(names), ())]
        return texts

    def named_somewhere(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """(B,) cross-entropy between the photo's words and log-mean-exp of patch posteriors, logits (B, T, K)."""
        photo = logits.log_softmax(-1).logsumexp(1) - math.log(logits.shape[1])
        return -(target / target.sum(1, keepdim=True).clamp(min=1e-6) * photo).sum(1)

    def distilled(self, head: LexicalHead, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """(B,) cross-entropy with the classifier's posterior at 16 patches."""
        some = torch.randint(x.shape[1], (16,))
        with torch.no_grad():
            posterior = head.posterior(x[:, some])
        return -(posterior * (SCALE * z[:, some] @ self.class_texts.T).log_softmax(-1)).sum(-1).mean(1)

    def batches(self, epochs: int, size: int, seed: int) -> Iterator[list[tuple[np.ndarray, int]]]:
        """Photo indices of each set and a phase, a third as many object photos as captioned ones."""
        random = np.random.default_rng(seed)
        many, few = (len(photos.target) for photos in self.photos)
        for _ in range(epochs):
            order, others = random.permutation(many), random.permutation(few)
            steps = many // size
            for k in range(steps):
                phase = int(random.integers(4))
                share = few // steps
                chosen = order[k * size : (k + 1) * size], others[k * share : (k + 1) * share]
                yield [(np.sort(index), phase) for index in chosen]
