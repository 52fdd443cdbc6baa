"""Pseudo-labels of photos that nobody labelled: AFSS (arXiv 2403.09307), stage 1."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from textseg.errors import TrainingError
from textseg.model import Model, Scene
from textseg.overlap import overlapped
from textseg.proposals import Proposer
from textseg.pseudolabel import CONFIDENCE, MARGIN, label_regions
from textseg.vocabulary import Vocabulary
from trainer import whole
from trainer.data import TrainingPhoto
from trainer.masks import MaskStore
from trainer.nouns import default_nouns
from trainer.store import ArrayStore

PHOTOS_A_SHARD = 64
"""Photos whose pseudo-labels are written together: what a kill can cost."""


def pseudo_labels(
    photos: Sequence[TrainingPhoto],
    model: Model,
    vocabulary: Vocabulary,
    proposer: Proposer,
    grids: Sequence[tuple[int, int]],
    store: ArrayStore,
    words_a_photo: int = 20,
    confidence: float = CONFIDENCE,
    margin: float = MARGIN,
    share: tuple[int, int] = (0, 1),
    progress: Any = None,
    masks: MaskStore | None = None,
    class_proposal: str = "auto",
) -> None:
    """AFSS, stage 1: label the patches of photos that nobody labelled, into `store`.

    Of each photo first its `words_a_photo` likeliest words are kept (`likely_words`), then its proposals are named with
    them (`textseg.pseudolabel`); while one photo's are named the next is encoded. The store gets, for each (h, w) of
    `grids`, `label_keys(photo, grid)`: int16 word index or -1, and float16 confidence. `share` (i, n) does the i-th of
    n parts of the work; `masks` keeps what the proposer finds for other words.
    """
    todo = [p for p in photos if any(key not in store for grid in grids for key in label_keys(p, grid))]

    def opened(photo: TrainingPhoto) -> tuple[TrainingPhoto, Image.Image]:
        return photo, photo.open()

    def encoded(given: tuple[TrainingPhoto, Image.Image]) -> tuple[TrainingPhoto, Scene]:
        photo, image = given
        return photo, model.encode(image)

    def labelled(given: tuple[TrainingPhoto, Scene]) -> dict[str, torch.Tensor]:
        photo, scene = given
        likely = likely_words(scene, vocabulary, words_a_photo, class_proposal, photo.captions)
        if not len(likely):  # its captions name nothing, and nothing else is asked
            return _unlabelled(photo, grids)
        asked = Vocabulary(tuple(vocabulary[int(k)] for k in likely))
        proposals = masks.open(photo.sha256, scene) if masks else proposer.open(scene.photo, scene)
        regions = label_regions(scene, asked, proposals, others=None)
        found: dict[str, torch.Tensor] = {}
        for grid in grids:
            index, surety = regions.patches(grid, confidence, margin)
            index = torch.where(index < 0, -1, likely[index.clamp(min=0)])
            label_key, confidence_key = label_keys(photo, grid)
            found |= {label_key: index.to(torch.int16), confidence_key: surety.half()}
        return found

    for start in range(share[0] * PHOTOS_A_SHARD, len(todo), share[1] * PHOTOS_A_SHARD):
        some = todo[start : start + PHOTOS_A_SHARD]
        shard: dict[str, torch.Tensor] = {}
        for done in overlapped(some, [opened, encoded, labelled]):
            shard |= done.result()
        store.add(shard)
        if masks is not None:
            masks.flush()
        if progress is not None:
            progress.update(len(some))


def likely_words(
    scene: Scene, vocabulary: Vocabulary, count: int, class_proposal: str = "auto", captions: Sequence[str] = ()
) -> torch.Tensor:
    """Indices of the at most `count` words that a photo likeliest shows, the likeliest first: AFSS's class proposal.

    "photo": by the probability that the backbone's embedding of whole photos gives, the best of the photo and its crops
    (`trainer.whole`), as the paper has it. "patches": by the mean probability over patches, for backbones without such
    an embedding. "auto": the first where there is one. Which crops, and the best of them, is our reading. "captions":
    the nouns of the photo's captions before `count` of the patches' words; ours, for photos that have captions and a
    backbone that does not know what they show as a whole.
    """
    backbone = scene.model.backbone
    if class_proposal == "photo" and not whole.embeds_photos(backbone):
        raise TrainingError(
            f"'{backbone.name}' has no embedding of whole photos; set the recipe's 'class_proposal' to patches or auto."
        )
    if class_proposal in ("auto", "photo") and whole.embeds_photos(backbone):
        photos = whole.embed(backbone, whole.crops(scene.photo))
        texts = scene.model.text([text for word in vocabulary for text in word.texts])
        owner = torch.tensor([k for k, word in enumerate(vocabulary) for _ in word.texts])
        by_text = photos @ texts.cpu().T
        cosines = torch.full((len(photos), len(vocabulary)), -torch.inf)
        cosines = cosines.scatter_reduce(1, owner.expand_as(by_text), by_text, "amax")
        probability = (cosines * backbone.trained_scale).softmax(1).amax(0)
    else:
        similarity = torch.from_numpy(scene.similarity(vocabulary)).flatten(1)
        probability = (similarity * scene.model.logit_scale).softmax(0).mean(1)
    likely = probability.topk(min(count, len(vocabulary))).indices
    if class_proposal != "captions":
        return likely
    said = {noun for caption in captions for noun in default_nouns().find(caption)}
    named = [k for k, name in enumerate(vocabulary.names) if name in said]
    return torch.tensor(list(dict.fromkeys([*named, *likely.tolist()])), dtype=torch.long)


def _unlabelled(photo: TrainingPhoto, grids: Sequence[tuple[int, int]]) -> dict[str, torch.Tensor]:
    empty: dict[str, torch.Tensor] = {}
    for grid in grids:
        label_key, confidence_key = label_keys(photo, grid)
        empty |= {label_key: torch.full(grid, -1, dtype=torch.int16), confidence_key: torch.zeros(grid).half()}
    return empty


def label_keys(photo: TrainingPhoto, grid: tuple[int, int]) -> tuple[str, str]:
    """Where a store holds the labels and the confidence of a photo's patches."""
    place = f"{photo.sha256}/{grid[0]}x{grid[1]}"
    return f"{place}/labels", f"{place}/confidence"
