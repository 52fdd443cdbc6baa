"""Four more questions one may ask of a model, beside mIoU, the first three from PACL (Mukhoti et al., CVPR 2023).

    python -m trainer.diagnostics patches   DATASET          patch classification accuracy
    python -m trainer.diagnostics coherence DATASET          do patches of one class look alike to the backbone alone?
    python -m trainer.diagnostics classify  names.tsv|FOLDER zero-shot classification of whole photos
    python -m trainer.diagnostics retrieve  captions.tsv     image-text retrieval, R@1, R@5, R@10

DATASET is what `textseg evaluate` reads; the tables are `file<TAB>text`, photos beside them or in `images/`; a FOLDER
holds a folder of photos for each class, called by its name or by WordNet's number for it (as ImageNet's are). With
`--pool photo` whole photos are compared by the backbone's own embedding of them: the baseline that PACL's pooling over
patches is measured against.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

import textseg
from textseg import images
from textseg.errors import DatasetError, TextsegError
from textseg.model import Model, Scene, default_head, heads
from textseg.model.embedding import embed_words
from textseg.vocabulary import Vocabulary
from trainer import data, datasets, recipes, whole
from trainer.datasets import UNSCORED, Dataset
from trainer.objectives.contrast import compatibility
from trainer.objectives.pacl import PACL

TEXTS_AT_ONCE = 256


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


def classification(
    model: Model, photos: Sequence[data.TrainingPhoto], attn_scale: float | None = 10.0
) -> dict[str, Any]:
    """Per cent of photos whose name is the best (top 1) or among the five best, by PACL's score of whole photos.

    Without `attn_scale` by the backbone's own embedding of them, and no head has a part in it. The classes are all the
    names that occur; a photo with several is right with any of them.
    """
    names = sorted({name for photo in photos for name in photo.captions})
    scores = _scores(model, photos, names, model.backbone.templates, attn_scale)
    own = np.array([[name in photo.captions for name in names] for photo in photos])
    best = _own_rank(scores, own)
    return {"top1": _within(best, 1), "top5": _within(best, 5), "photos": len(photos), "classes": len(names)}


def retrieval(model: Model, photos: Sequence[data.TrainingPhoto], attn_scale: float | None = 10.0) -> dict[str, Any]:
    """R@1, R@5, R@10 in per cent by PACL's score: captions for a photo (any of its own), and the photo of a caption.

    Without `attn_scale` by the backbone's own embedding of whole photos.
    """
    captions = [caption for photo in photos for caption in photo.captions]
    owner = np.repeat(np.arange(len(photos)), [len(photo.captions) for photo in photos])
    scores = _scores(model, photos, captions, "plain", attn_scale)
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
    parts = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
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


@torch.inference_mode()
def photo_scores(model: Model, photos: Sequence[data.TrainingPhoto], texts: torch.Tensor) -> np.ndarray:
    """(B, N) cosine of the backbone's embedding of each whole photo with unit texts (N, E) as the backbone embeds them.

    Raises DatasetError where the backbone has no such embedding.
    """
    backbone = model.backbone
    if not whole.embeds_photos(backbone):
        raise DatasetError(f"'{backbone.name}' has no embedding of whole photos; leave out --pool photo.")
    shown = tqdm(photos, unit="photo", disable=None)
    return torch.cat([whole.embed(backbone, [photo.open()]) @ texts.cpu().T for photo in shown]).numpy()


def _scores(
    model: Model, photos: Sequence[data.TrainingPhoto], texts: Sequence[str], templates: str, attn_scale: float | None
) -> np.ndarray:
    if attn_scale is None:
        parts = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
        return photo_scores(
            model, photos, torch.cat([embed_words(model.backbone.embed, part, templates) for part in parts])
        )
    return pacl_scores(model, photos, embed_texts(model, texts, templates), attn_scale)


def trained_attn_scale(head: str, backbone: str) -> float:
    """kappa that a head was trained with, PACL's default for one that was not trained by PACL. Raises HeadError."""
    usual = recipes.defaults(PACL)["attn_scale"]
    path = None if head == "none" else default_head(backbone) if head == "default" else head
    facts = heads.read_facts(path) if path else {}
    if facts.get("objective") != "pacl":
        return usual
    return float(facts.get("recipe", {}).get("objective", {}).get("attn_scale", usual))


def of_class_folders(folder: Path) -> list[data.TrainingPhoto]:
    """The photos of a folder of class folders, each captioned with its class; raises DatasetError.

    A folder called by WordNet's number, as ImageNet's are, stands for the number's first name; `_` for a space.
    """
    names = {entry.name: _class_name(entry.name) for entry in sorted(folder.iterdir()) if entry.is_dir()}
    photos = [
        replace(photo, captions=(names[Path(photo.name).parts[0]],))
        for photo in data.read([folder]).photos
        if Path(photo.name).parts[0] in names
    ]
    if not photos:
        raise DatasetError(f"{folder} has no folders of photos; give a folder that holds one for each class.")
    return photos


def _class_name(folder: str) -> str:
    if re.fullmatch(r"n\d{8}", folder):
        with suppress(KeyError):
            return _wordnet().label_name_to_description(folder).split(",")[0]
    return " ".join(folder.replace("_", " ").split())


@cache
def _wordnet() -> Any:
    from timm.data import ImageNetInfo

    return ImageNetInfo("imagenet22k")


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
    if args.question == "classify" and args.data.is_dir() and not (args.data / "captions.tsv").is_file():
        photos = of_class_folders(args.data)[: args.limit]
    else:
        photos = data.read([args.data]).captioned().photos[: args.limit]
    kappa = args.attn_scale if args.attn_scale is not None else trained_attn_scale(args.head, args.backbone)
    question = classification if args.question == "classify" else retrieval
    found = question(_model(args), photos, None if args.pool == "photo" else kappa)
    return found | {"pool": args.pool, **({"attn_scale": kappa} if args.pool == "pacl" else {})}


def _model(args: argparse.Namespace) -> Model:
    return textseg.load_model(args.backbone, args.head, readout=args.readout)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trainer.diagnostics", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("question", choices=["patches", "coherence", "classify", "retrieve"])
    parser.add_argument("data", type=Path, help="a labelled photo set, or a table of names or captions")
    parser.add_argument("--layout", default="folder")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N photos")
    parser.add_argument(
        "--pool", choices=["pacl", "photo"], default="pacl",
        help="whole photos by PACL's pooling of patches (default), or by the backbone's own embedding of them",
    )  # fmt: skip
    parser.add_argument(
        "--attn-scale",
        type=float,
        metavar="KAPPA",
        help="sharpness of PACL's pooling (default: as the head was trained)",
    )
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
