"""Four more questions one may ask of a model, beside mIoU, the first three from PACL (Mukhoti et al., CVPR 2023).

    python -m trainer.diagnostics patches   DATASET          patch classification accuracy
    python -m trainer.diagnostics coherence DATASET          do patches of one class look alike to the backbone alone?
    python -m trainer.diagnostics classify  names.tsv        zero-shot classification of whole photos
    python -m trainer.diagnostics retrieve  captions.tsv     image-text retrieval, R@1, R@5, R@10

DATASET is what `textseg evaluate` reads; the tables are `file<TAB>text`, photos beside them or in `images/`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

import textseg
from textseg import images
from textseg.errors import DatasetError, TextsegError
from textseg.model import Model, Scene
from textseg.model.embedding import embed_words
from textseg.vocabulary import Vocabulary
from trainer import data, datasets
from trainer.datasets import UNSCORED, Dataset
from trainer.objectives.pacl import compatibility


def patch_accuracy(model: Model, dataset: Dataset, limit: int | None = None, purity: float = 0.5) -> dict[str, Any]:
    """Per cent of patches whose best word, among all of the set, is the class that most of the patch shows.

    A patch counts when more than `purity` of its pixels are scored and of one class (our reading; the paper does not
    say how mixed patches are treated). No upsampling, no refinement: this is the alignment itself.
    """
    vocabulary = Vocabulary.from_names(entry.word for entry in dataset.classes)
    right = total = 0
    for scene, truth in _scenes(model, dataset, limit):
        best = scene.similarity(vocabulary).argmax(0)
        classes = patch_classes(truth, best.shape, len(vocabulary), purity)
        right += int((best == classes).sum())
        total += int((classes != UNSCORED).sum())
    if not total:
        raise DatasetError("No patch of the set is of one class; there is nothing to measure.")
    return {"patch_accuracy": 100 * right / total, "patches": total}


def patch_classes(truth: np.ndarray, grid: tuple[int, int], classes: int, purity: float) -> np.ndarray:
    """(h, w) the class on more than `purity` of each patch's pixels in (H, W) `truth`, else UNSCORED."""
    (height, width), (rows, columns) = truth.shape, grid
    # A photo smaller than the grid leaves patches without a pixel of their own: they are unscored.
    cell = (np.arange(height) * rows // height)[:, None] * columns + np.arange(width) * columns // width
    scored = truth != UNSCORED
    counts = np.bincount(cell[scored] * classes + truth[scored], minlength=rows * columns * classes)
    counts = counts.reshape(rows * columns, classes)
    area = np.bincount(cell.ravel(), minlength=rows * columns)
    return np.where(counts.max(1) > purity * area, counts.argmax(1), UNSCORED).reshape(grid)


def coherence(
    model: Model, dataset: Dataset, limit: int | None = None, patches: int = 4000, seed: int = 0
) -> dict[str, Any]:
    """Semantic coherence: the AUROC of "same class" against the cosine of two patches, 0.5 is chance.

    The patches are the backbone's own, before any head or word: PACL finds that this predicts best whether a backbone
    can be aligned. At most `patches` patches are drawn, equally many a photo, and all their pairs compared.
    """
    rng = np.random.default_rng(seed)
    count = min(limit or len(dataset.pairs), len(dataset.pairs))
    share = max(1, patches // count)
    features, labels = [], []
    for scene, truth in _scenes(model, dataset, limit):
        height, width = scene.features.shape[-2:]
        classes = patch_classes(truth, (height, width), len(dataset.classes), 0.5).ravel()
        usable = np.flatnonzero(classes != UNSCORED)
        drawn = rng.permutation(usable)[:share]
        features.append(F.normalize(scene.features.float().flatten(1).mT.cpu()[drawn], dim=1))
        labels.append(classes[drawn])
    vectors, classes = torch.cat(features), np.concatenate(labels)
    first, second = np.triu_indices(len(classes), k=1)
    cosine = (vectors @ vectors.mT).numpy()[first, second]
    return {"auroc": auroc(cosine, classes[first] == classes[second]), "patches": len(classes), "pairs": len(first)}


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        raise DatasetError("Coherence needs patches of at least two classes, and two of one class.")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return float((mean_rank[place[positive]].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def classification(model: Model, photos: Sequence[data.TrainingPhoto], attn_scale: float = 10.0) -> dict[str, Any]:
    """Per cent of photos whose name is the best (top 1) or among the five best, by PACL's score of whole photos.

    The classes are all the names that occur; a photo with several is right with any of them.
    """
    names = sorted({name for photo in photos for name in photo.captions})
    scores = pacl_scores(model, photos, embed_texts(model, names, model.backbone.templates), attn_scale)
    own = np.array([[name in photo.captions for name in names] for photo in photos])
    best = _own_rank(scores, own)
    return {"top1": _within(best, 1), "top5": _within(best, 5), "photos": len(photos), "classes": len(names)}


def retrieval(model: Model, photos: Sequence[data.TrainingPhoto], attn_scale: float = 10.0) -> dict[str, Any]:
    """R@1, R@5, R@10 in per cent by PACL's score: captions for a photo (any of its own), and the photo of a caption."""
    captions = [caption for photo in photos for caption in photo.captions]
    owner = np.repeat(np.arange(len(photos)), [len(photo.captions) for photo in photos])
    scores = pacl_scores(model, photos, embed_texts(model, captions, "plain"), attn_scale)
    own = owner == np.arange(len(photos))[:, None]
    to_text, to_photo = _own_rank(scores, own), _own_rank(scores.T, own.T)
    return {
        "image_to_text": {f"R@{k}": _within(to_text, k) for k in (1, 5, 10)},
        "text_to_image": {f"R@{k}": _within(to_photo, k) for k in (1, 5, 10)},
        "photos": len(photos),
        "captions": len(captions),
    }


@torch.inference_mode()
def embed_texts(model: Model, texts: Sequence[str], templates: str) -> torch.Tensor:
    """(N, E) unit embeddings of texts of any number and length, as the model's head maps them."""
    device = next((t.device for t in [*model.head.parameters(), *model.head.buffers()]), torch.device("cpu"))
    parts = [texts[start : start + 256] for start in range(0, len(texts), 256)]
    vectors = torch.cat([embed_words(model.backbone.embed, part, templates) for part in parts])
    return F.normalize(model.head.text(vectors.to(device)), dim=1)


@torch.inference_mode()
def pacl_scores(
    model: Model, photos: Sequence[data.TrainingPhoto], texts: torch.Tensor, attn_scale: float
) -> np.ndarray:
    """(B, N) PACL's compatibility phi of each photo with each text, pooled separately for every pair.

    A head that has `tokens` (PACL's embedder before it is normalised) pools those, any other its embedding.
    """
    rows = []
    for photo in tqdm(photos, unit="photo", disable=None):
        scene = model.encode(photo.open())
        tokens = getattr(model.head, "tokens", None)
        grid = tokens(scene.features.float()[None])[0] if tokens else scene.embedding
        rows.append(compatibility(grid.flatten(1).mT[None], texts, attn_scale)[0].cpu().numpy())
    return np.stack(rows)


def _own_rank(scores: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(B,) how many others score at least as well as the best of a row's own; ties do not count as found."""
    best = np.where(own, scores, -np.inf).max(1, keepdims=True)
    return ((scores >= best) & ~own).sum(1)


def _within(rank: np.ndarray, k: int) -> float:
    return float(100 * (rank < k).mean())


def _scenes(model: Model, dataset: Dataset, limit: int | None) -> Iterator[tuple[Scene, np.ndarray]]:
    for photo_file, label_file in tqdm(dataset.pairs[:limit], unit="photo", disable=None):
        photo = images.open(photo_file)
        truth = dataset.truth(label_file, photo.size)
        yield model.encode(photo), truth


def _answer(args: argparse.Namespace) -> dict[str, Any]:
    if args.question in ("patches", "coherence"):
        dataset = datasets.open(args.data, args.layout)
        measure = patch_accuracy if args.question == "patches" else coherence
        return measure(_model(args), dataset, args.limit)
    photos = data.read([args.data]).captioned().photos[: args.limit]
    question = classification if args.question == "classify" else retrieval
    return question(_model(args), photos, args.attn_scale)


def _model(args: argparse.Namespace) -> Model:
    return textseg.load_model(args.backbone, args.head, readout=args.readout)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer.diagnostics", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("question", choices=["patches", "coherence", "classify", "retrieve"])
    parser.add_argument("data", type=Path, help="a labelled photo set, or a table of names or captions")
    parser.add_argument("--layout", default="folder")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N photos")
    parser.add_argument("--attn-scale", type=float, default=10.0, metavar="KAPPA", help="sharpness of PACL's pooling")
    parser.add_argument("--backbone", default="lite", metavar="NAME")
    parser.add_argument("--head", default="default", metavar="FILE")
    parser.add_argument("--readout", metavar="NAME")
    args = parser.parse_args(arguments)
    try:
        found = _answer(args)
    except TextsegError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
