"""What happens once before a training: photos are encoded, captions embedded, unlabelled photos labelled.

Each step says beforehand what it is about to do, shares the work among the processes and leaves it in the cache.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from textseg.errors import TrainingError
from textseg.model import Model, heads, load_model
from textseg.model.backbones import Backbone
from textseg.proposals import Proposer
from textseg.vocabulary import Vocabulary
from trainer import features, notes
from trainer.batches import Labels, Words
from trainer.data import TrainingPhoto, TrainingSet
from trainer.features import FeatureCache, Texts
from trainer.labelling import label_keys, pseudo_labels
from trainer.masks import MaskStore
from trainer.nouns import default_nouns, nouns_of
from trainer.recipes import Recipe
from trainer.store import ArrayStore

Say = Callable[[str], None]


def encoded(
    photos: TrainingSet, backbone: Backbone, recipe: Recipe, accelerator: Any, root: Path, limit: int, say: Say
) -> tuple[TrainingSet, list[FeatureCache]]:
    """The readable photos, with their features on disk as far as the limit allows."""
    from accelerate.utils import gather_object

    caches = [FeatureCache(root, backbone, size, recipe.packing) for size in sizes(recipe, backbone)]
    readable = notes.of_readability(root)
    kept, told = features.plan(photos.photos, caches, root, limit, readable)
    say(told)
    accelerator.wait_for_everyone()
    share = (accelerator.process_index, accelerator.num_processes)
    with _bar(len(photos.photos) // share[1], "encoding", accelerator) as bar:
        unreadable = features.fill(photos.photos, kept, caches, backbone, readable, share, bar)
    accelerator.wait_for_everyone()
    for cache in caches:
        cache.refresh()
    unreadable = dict(gather_object(list(unreadable.items())))
    if unreadable:
        why = next(iter(unreadable.values()))
        say(f"{len(unreadable):,} photos cannot be read and are left out, the first because: {why}")
    photos = photos.without(unreadable, "unreadable photos")
    if not photos.photos:
        raise TrainingError("None of the photos can be read.")
    return photos, caches


def sizes(recipe: Recipe, backbone: Backbone) -> list[tuple[int, int]]:
    """(width, height) of each size in the recipe, rounded to what the backbone takes."""
    side = min(backbone.short_side, backbone.window or backbone.short_side)
    step = backbone.multiple
    rounded = [tuple(max(step, round(n / step) * step) for n in size) for size in recipe.sizes or [[side, side]]]
    if backbone.window and any(max(size) > backbone.window for size in rounded):
        raise TrainingError(
            f"'{backbone.name}' encodes at most {backbone.window} pixels a side; lower the recipe's 'sizes'."
        )
    return list(dict.fromkeys(rounded))  # type: ignore[arg-type]


def words(
    photos: Sequence[TrainingPhoto], backbone: Backbone, recipe: Recipe, accelerator: Any, root: Path, say: Say
) -> Words:
    """Captions and nouns with their embeddings."""
    share, together = (accelerator.process_index, accelerator.num_processes), accelerator.wait_for_everyone
    found = nouns_of(photos, default_nouns(), root, share, together)
    captions = {text: i for i, text in enumerate(dict.fromkeys(text for photo in photos for text in photo.captions))}
    nouns = {noun: i for i, noun in enumerate(sorted({noun for nouns in found for noun in nouns}))}
    say(f"{len(captions):,} different captions hold {len(nouns):,} different nouns.")
    templates = recipe.templates or backbone.templates
    with _bar(len(captions) // share[1], "embedding", accelerator) as bar:
        return Words(
            Texts(root, backbone, list(captions), "plain", bar, share, together),
            [[captions[text] for text in photo.captions] for photo in photos],
            Texts(root, backbone, list(nouns), templates, None, share, together),
            [[nouns[noun] for noun in names] for names in found],
        )


def labels(
    photos: Sequence[TrainingPhoto],
    caches: Sequence[FeatureCache],
    backbone: Backbone,
    recipe: Recipe,
    proposer: Proposer,
    accelerator: Any,
    root: Path,
    say: Say,
) -> Labels:
    """Pseudo-labels of all photos from the masks of `proposer`, with the embeddings of their classes."""
    share, together = (accelerator.process_index, accelerator.num_processes), accelerator.wait_for_everyone
    names = recipe.words
    if not names:
        found = nouns_of(photos, default_nouns(), root, share, together)
        counted = Counter(noun for nouns in found for noun in nouns)
        names = [noun for noun, _ in counted.most_common()] or default_nouns().names
    vocabulary = Vocabulary.parse(",".join(names[: recipe.max_words]))
    teacher = teacher_of(backbone, recipe, str(accelerator.device))
    head_bytes = Path(recipe.teacher).read_bytes() if Path(recipe.teacher).is_file() else recipe.teacher.encode()
    made_by = (
        teacher.name, teacher.backbone.weights_hash, hashlib.sha256(head_bytes).hexdigest(), str(vocabulary),
        getattr(proposer, "encoder", recipe.proposer), recipe.words_a_photo, recipe.confidence, recipe.margin,
        recipe.class_proposal,
    )  # fmt: skip
    store = ArrayStore(root / "labels" / hashlib.sha256(repr(made_by).encode()).hexdigest()[:16])
    grids = list(dict.fromkeys(cache.shape[1:] for cache in caches))
    say(f"Pseudo-labels of {len(photos):,} photos from {len(vocabulary)} words and '{recipe.proposer}' proposals.")
    together()
    with _bar(len(photos) // share[1], "labelling", accelerator) as bar:
        pseudo_labels(
            photos, teacher, vocabulary, proposer, grids, store,
            recipe.words_a_photo, recipe.confidence, recipe.margin, share, bar, MaskStore.of(root, proposer, teacher),
            recipe.class_proposal,
        )  # fmt: skip
    together()
    store.refresh()
    counts = torch.zeros(1 + len(vocabulary), dtype=torch.long)  # the unlabelled first
    for photo in photos:
        counts += torch.bincount(store[label_keys(photo, grids[0])[0]].flatten().long() + 1, minlength=len(counts))
    covered = 1 - float(counts[0] / counts.sum())
    say(f"They cover {covered:.0%} of the patches.")
    if covered == 0:
        raise TrainingError(
            f"No patch was labelled: no proposal reaches the recipe's confidence {recipe.confidence:g} with the margin "
            f"{recipe.margin:g}; lower them or give words that the photos show."
        )
    texts = Texts(root, backbone, vocabulary.names, recipe.templates or backbone.templates, None, share, together)
    seen = counts[1:].float() + 1  # a word that no label has is rare, not impossible
    return Labels(store, texts[range(len(vocabulary))], seen / seen.sum())


def teacher_of(backbone: Backbone, recipe: Recipe, device: str) -> Model:
    """The model that makes pseudo-labels."""
    name = recipe.teacher_backbone or backbone.name
    if name != backbone.name or recipe.teacher_readout not in ("", heads.readout_of(backbone)):
        return load_model(name, recipe.teacher, device, recipe.teacher_readout or None)
    if recipe.teacher != "none":
        return Model(backbone, heads.load(recipe.teacher, backbone).to(device), recipe.teacher)
    alignment = backbone.alignment()
    if alignment is None:
        raise TrainingError(
            f"'{backbone.name}' has no alignment of its own to make pseudo-labels with; name another model in the "
            "recipe's 'teacher_backbone', or a head in 'teacher'."
        )
    return Model(backbone, alignment.eval(), "none")


def _bar(total: int, what: str, accelerator: Any) -> Any:
    from tqdm import tqdm

    shown = accelerator.is_main_process and sys.stderr.isatty()
    return tqdm(total=total, desc=what, disable=not shown, file=sys.stderr)
