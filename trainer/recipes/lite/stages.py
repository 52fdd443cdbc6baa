"""The stages: a fresh head, teachers by candidate multiple-instance learning, pseudo-labels, and the student."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from textseg.model import backbones
from textseg.model.embedding import embed_words
from textseg.model.heads.lexical import LexicalHead, places
from textseg.shipped import asset
from trainer.recipes.lite.data import Photos
from trainer.recipes.lite.losses import SCALE, Losses

TOP = 8  # words kept of each patch's pseudo-label


def untrained(backbone: backbones.Backbone, width: int) -> LexicalHead:
    """A head that knows the classes and their names; the learnt part is fresh."""
    classifier: Any = backbone.alignment()
    head = LexicalHead(backbone.feature_dim, backbone.text_dim, len(classifier.bias), width)
    rows = [line.split("\t") for line in asset("words/concepts.tsv").read_text().splitlines()]
    wanted = sorted({name for row in rows for name in (*row[2].split("; "), row[3]) if name})
    embedded = dict(zip(wanted, embed_words(backbone.embed, wanted, backbone.templates), strict=True))
    names = torch.stack([
        torch.stack([embedded[name] for name in row[2].split("; ")]).mean(0) + (0.5 * embedded[row[3]] if row[3] else 0)
        for row in rows
    ])  # fmt: skip
    names = F.normalize(names, dim=1)
    centred = F.normalize(names - names.mean(0), dim=1)
    density = (centred @ centred.T).relu().square().sum(1)
    head.classifier.weight.data.copy_(classifier.weight)
    head.classifier.bias.data.copy_(classifier.bias - density.log())
    head.half_mean.copy_(names.mean(0) / 2)
    head.names.copy_(names - head.half_mean)
    return head


def fit(head: LexicalHead, losses: Iterator[torch.Tensor], steps: int, rate: float = 1.5e-3) -> LexicalHead:
    """AdamW, one cycle."""
    optimizer = torch.optim.AdamW([p for p in head.parameters() if p.requires_grad], lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for loss in losses:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return head.eval()


def words_of(head: LexicalHead, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """`head.words` in bfloat16 where the machine has it: half the time."""
    with torch.autocast("cpu", torch.bfloat16):
        return head.words(x, place).float()


def teacher(head: LexicalHead, losses: Losses, seed: int, epochs: int = 4, size: int = 128) -> LexicalHead:
    """Candidate multiple-instance learning, the same at every place of a photo."""
    torch.manual_seed(seed)
    candidates = [losses.candidates(losses.photos[0], 0.3, 0.3), losses.candidates(losses.photos[1], 0.2, 0.2)]
    priors = [losses.prior(photos) for photos in losses.photos]

    def steps() -> Iterator[torch.Tensor]:
        for batch in losses.batches(epochs, size, seed):
            total, texts = torch.zeros(()), losses.drawn_texts()
            for photos, allowed, prior, share, (index, phase) in zip(
                losses.photos, candidates, priors, (1.0, 0.3), batch, strict=True
            ):
                x, patches = photos.batch(index, phase)
                z = words_of(head, x, torch.zeros(len(patches), 4))
                logits = SCALE * z @ texts.T + prior
                mass = (logits.softmax(-1) * allowed[index][:, None]).sum(-1)
                loss = losses.named_somewhere(logits, photos.target[index])
                loss = loss - 0.5 * (mass + 1e-6).log().mean(1) + 0.7 * losses.distilled(head, x, z)
                total = total + share * (loss * photos.weight[index]).mean()
            yield total

    return fit(head, steps(), epochs * (len(losses.photos[0].target) // size))


@torch.inference_mode()
def pseudo_labels(
    heads: Sequence[LexicalHead], losses: Losses, photos: Photos, stuff: float, person: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, T, TOP) logits and words of every patch: what the teachers see, among the photo's candidates."""
    height, width = photos.grid
    allowed = losses.candidates(photos, stuff, person).clamp(min=1e-6).log()
    gravity = losses.gravity(height).log().repeat_interleave(width, 0)
    nowhere = torch.zeros(height * width, 4)
    logits, words = [], []
    for i, weight in enumerate(allowed):
        x = torch.from_numpy(photos.features[i].astype(np.float32))[None]
        learnt = sum(words_of(head, x, nowhere) for head in heads) / len(heads)
        z = heads[0].smooth(heads[0].mixed(x, learnt))[0]
        best = (35 * z @ losses.texts.T + weight + gravity).topk(TOP, dim=1)
        logits.append(best.values.half())
        words.append(best.indices.short())
    return torch.stack(logits).clone(), torch.stack(words).clone()


def student(
    head: LexicalHead, losses: Losses, labels: list[tuple[torch.Tensor, torch.Tensor]], seed: int,
    epochs: int = 4, size: int = 96,
) -> LexicalHead:  # fmt: skip
    """Learn the pseudo-labels with every word competing; common words are held back by the root of their share."""
    torch.manual_seed(seed)
    prior = losses.prior(losses.photos[0])
    common = torch.full((len(losses.words),), 1 / len(losses.words))

    def steps() -> Iterator[torch.Tensor]:
        for batch in losses.batches(epochs, size, seed):
            total, texts = torch.zeros(()), losses.drawn_texts()
            for k, (photos, share, (index, phase)) in enumerate(zip(losses.photos, (1.0, 0.3), batch, strict=True)):
                x, patches = photos.batch(index, phase)
                logits, words = (part[index][:, patches] for part in labels[k])
                logits, words = logits.float(), words.long()
                label = (logits - 0.5 * common.log()[words]).softmax(-1)
                z = words_of(head, x, places(*photos.grid)[patches])
                scores = SCALE * z @ texts.T
                loss = -(label * scores.log_softmax(-1).gather(-1, words)).sum(-1).mean(1)
                loss = loss + 0.5 * losses.distilled(head, x, z)
                if k == 0:
                    seen = torch.zeros_like(common).index_add_(0, words.flatten(), logits.softmax(-1).flatten())
                    common.mul_(0.98).add_(0.02 * seen / seen.sum()).clamp_(min=1e-5)
                    loss = loss + 0.3 * losses.named_somewhere(scores + prior, photos.target[index])
                total = total + share * (loss * photos.weight[index]).mean()
            yield total

    return fit(head, steps(), epochs * (len(losses.photos[0].target) // size))
