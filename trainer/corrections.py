"""A project's corrections -> a head: only what a person drew, erased or accepted, from features encoded once.

The residual of the head (textseg/model/heads/corrected.py) is fitted anew from all corrections each time, over the same
base head: nothing is forgotten, nothing is learnt twice, and a gesture that was undone is gone. What a person did not
label keeps the start head's answer; pseudo-labels teach nothing more than that. Some photos, chosen by their hash, are
never trained on: they say whether it helped.
"""

from __future__ import annotations

import copy
import datetime
import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from textseg.errors import Cancelled, HeadError, PhotoError, TrainingError
from textseg.model import Model, default_head, heads
from textseg.model.backbones import Backbone
from textseg.model.embedding import embed_words
from textseg.model.heads.corrected import CorrectedHead
from textseg.model.partition import Layers, Partition, layers
from textseg.project import Project
from textseg.project.schema import Class
from textseg.project.schema import Photo as Row
from textseg.vocabulary import Vocabulary, Word
from trainer.evaluate import Confusion
from trainer.features import SPARE_DISK, Texts
from trainer.nouns import default_nouns
from trainer.objectives.corrections import Corrections, Patches
from trainer.recipes import Recipe
from trainer.store import ArrayStore

IGNORED = frozenset({"ignore", "void"})
"""Classes of these names mean: do not look here."""

PATCHES_A_PHOTO = 150
"""At most so many labelled and so many other patches of a photo, drawn anew from a seed."""

MOST_PATCHES = 150_000
"""Over all photos together: about half a gigabyte."""

OTHER_WORDS = 400
UNLIKE = 0.55
"""An "other word" has a lower cosine than this to every class."""

LEAST_LABELLED = 0.25
"""A patch is labelled when a person labelled this share of it, and "none of these" at three quarters."""


@dataclass(frozen=True)
class Progress:
    """One step of the fit, or before it one photo."""

    doing: str
    done: float
    """Share of the whole work, 0..1."""
    step: int = 0
    steps: int = 0
    loss: float | None = None


class Encodings:
    """Features and regions of a project's photos, made once and kept in its cache folder while there is room."""

    def __init__(self, project: Project, model: Model) -> None:
        self._project, backbone = project, model.backbone
        sizes = tuple(getattr(model.head, "sizes", ()))
        encoder: Any = torch.nn.Identity()  # the head is what changes: only features are kept
        encoder.sizes = sizes
        self._encoder = Model(backbone, encoder, "none")
        facts = ["layers", backbone.name, backbone.weights_hash, str(backbone.short_side), *map(str, sizes)]
        digest = hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]
        self.root = project.folder / "cache" / "features"
        self._store = ArrayStore(self.root / digest)

    def __contains__(self, photo: Row) -> bool:
        return photo.sha256 in self._store

    def of(self, photo: Row) -> tuple[torch.Tensor, Partition]:
        """((D, h, w) float16 features, the photo's regions); raises PhotoError when its file has vanished."""
        if photo.sha256 not in self._store:
            scene = self._encoder.encode(self._project.picture(photo.id))
            features, regions = scene.features.cpu(), layers(scene.photo)
            if shutil.disk_usage(self.root).free > SPARE_DISK:
                ids = torch.from_numpy(np.stack([layer.ids for layer in regions.layers]))
                self._store.add({photo.sha256: features, f"{photo.sha256}/regions": ids})
            return features, regions
        stored = self._store[f"{photo.sha256}/regions"].numpy()
        return self._store[photo.sha256], Layers([Partition(ids) for ids in stored])


@dataclass
class Lesson:
    """One corrected photo: its encoding, and what a person says of it."""

    photo: Row
    features: torch.Tensor
    """(D, h, w) float16."""
    regions: Partition
    said: np.ndarray
    """(H, W) int32: class id, 0 nothing, -1 none of these."""


@dataclass
class Corpus:
    """What a project has to teach."""

    classes: list[Class]
    """Those with corrected pixels in the lessons, by id."""
    unlearnt: list[Class]
    """The project's other classes: their words stay as they are."""
    lessons: list[Lesson]
    held_back: list[Lesson]
    skipped: dict[str, str] = field(default_factory=dict)
    """Photos that could not be read, with the reasons."""

    @property
    def fingerprint(self) -> str:
        """Identifies photos, corrections and classes."""
        digest = hashlib.sha256()
        for lesson in sorted([*self.lessons, *self.held_back], key=lambda one: one.photo.sha256):
            digest.update(lesson.photo.sha256.encode() + lesson.said.astype("<i4").tobytes())
        for one in self.classes:
            digest.update("\0".join([str(one.id), one.name, *one.aliases, "\n"]).encode())
        return digest.hexdigest()[:16]

    def facts(self) -> dict[str, Any]:
        """What a head says about its data."""
        pixels = {one.id: 0 for one in self.classes}
        for lesson in self.lessons:
            for class_id in pixels:
                pixels[class_id] += int((lesson.said == class_id).sum())
        return {
            "fingerprint": self.fingerprint,
            "photos": len(self.lessons),
            "held_back": [lesson.photo.name for lesson in self.held_back],
            "pixels": {one.name: pixels[one.id] for one in self.classes},
            "skipped": self.skipped,
        }


def is_held_back(photo: Row, share: float) -> bool:
    """Whether a photo is for scoring only: decided by its hash, so the same ones at every training."""
    return int(photo.sha256[:8], 16) / 0x1_0000_0000 < share


def read(
    project: Project,
    encodings: Encodings,
    hold_back: float,
    watch: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Corpus:
    """All corrections of `project`, photos encoded where they are not yet; raises TrainingError when there are none."""
    living = [one for one in project.classes() if one.name.casefold() not in IGNORED]
    ids = np.array([one.id for one in living], np.int32)
    lessons: list[Lesson] = []
    skipped: dict[str, str] = {}
    rows = project.corrected()
    for n, photo in enumerate(rows):
        _stop_if(cancel)
        if watch is not None:
            fresh = "Reading" if photo in encodings else "Encoding"
            watch(Progress(f"{fresh} {photo.name} ({n + 1} of {len(rows)})", 0.8 * n / len(rows)))
        said = project.corrections(photo.id)
        said[~np.isin(said, ids) & (said > 0)] = 0
        if not said.any():
            continue
        try:
            lessons.append(Lesson(photo, *encodings.of(photo), said))
        except PhotoError as error:
            skipped[photo.name] = str(error)
    held = [one for one in lessons if is_held_back(one.photo, hold_back)]
    kept = [one for one in lessons if not is_held_back(one.photo, hold_back)]
    if not kept:  # the first corrections of all: something must be learnt from
        kept, held = held, []
    found = set(np.unique(np.concatenate([np.unique(one.said) for one in kept]))) if kept else set()
    if not found - {0, -1}:
        why = f" ({len(skipped)} photos cannot be read: {next(iter(skipped.values()))})" if skipped else ""
        raise TrainingError(
            f"There is nothing to learn from in {project.name}: label a region, or accept one, then train{why}."
        )
    classes = [one for one in living if one.id in found]
    return Corpus(classes, [one for one in living if one.id not in found], kept, held, skipped)


def new_head(model: Model, corpus: Corpus, root: Path, presence: float) -> CorrectedHead:
    """A head for the corpus's classes that answers as the base of `model`'s head does, until it is fitted."""
    base, facts = base_of(model.head)
    backbone = model.backbone
    texts = [(text, k) for k, one in enumerate(corpus.classes) for text in (one.name, *one.aliases)]
    names = embed_words(backbone.embed, [text for text, _ in texts], backbone.templates)
    nouns = default_nouns().names[: 2 * OTHER_WORDS]
    others = Texts(root, backbone, nouns, backbone.templates)[range(len(nouns))]
    others = others[(others @ names.T).amax(1) < UNLIKE][:OTHER_WORDS]
    if corpus.unlearnt:
        unlearnt = embed_words(backbone.embed, [one.name for one in corpus.unlearnt], backbone.templates)
        others = torch.cat([others, unlearnt])
    scale = getattr(base, "logit_scale", backbone.logit_scale)
    head = CorrectedHead(base, facts, scale, backbone.text_dim, [k for _, k in texts], len(others), presence)
    head.names.copy_(names)
    head.others.copy_(others)
    return head


def base_of(head: Any) -> tuple[Any, dict[str, Any]]:
    """(a copy of the head below all corrections, how to build it again)."""
    if isinstance(head, CorrectedHead):
        return copy.deepcopy(head.base), head.config["base"]
    facts = {"type": getattr(head, "kind", "none"), "config": getattr(head, "config", {})}
    return copy.deepcopy(head), facts


@torch.no_grad()
def embedded(head: CorrectedHead, lesson: Lesson) -> torch.Tensor:
    """(1, E, h', w') the base's embedding of a lesson's photo: the same at every step of a fit."""
    return head.base(lesson.features[None].float())


@torch.no_grad()
def patches(
    head: CorrectedHead,
    corpus: Corpus,
    seed: int = 0,
    embed: Callable[[CorrectedHead, Lesson], torch.Tensor] = embedded,
) -> Patches:
    """The patches that a fit sees, drawn from every lesson alike."""
    most = max(4, min(PATCHES_A_PHOTO, MOST_PATCHES // (2 * len(corpus.lessons))))
    ids = [one.id for one in corpus.classes]
    parts = []
    for lesson in corpus.lessons:
        draw = np.random.default_rng([seed, int(lesson.photo.sha256[:8], 16)])
        height, width = lesson.features.shape[1:]
        share = shares(lesson.said, (height, width), [*ids, -1])
        labelled, none = share[:, :-1].sum(1) > LEAST_LABELLED, share[:, -1] > 0.75
        kind = np.where(labelled, Patches.LABELLED, np.where(none, Patches.NONE, Patches.UNLABELLED))
        # A patch that is labelled in part, but below the least share, says nothing.
        clear = labelled | none | (share.sum(1) == 0)
        drawn = [draw.permutation(np.flatnonzero((kind == 0) == one & clear))[:most] for one in (True, False)]
        index = torch.from_numpy(np.concatenate(drawn))
        z = embed(head, lesson)
        if z.shape[-2:] != (height, width):
            z = torch.nn.functional.interpolate(z, (height, width), mode="area")
        start = torch.cat([head.logit_scale * head.start(z), head.rest(z)], 1)[0].flatten(1).T
        parts.append(
            Patches(
                head.evidence(z)[0].flatten(1).T[index],
                start[index],
                torch.from_numpy(share[:, :-1].astype(np.float32))[index],
                torch.from_numpy(kind)[index],
            )
        )
    return Patches(*(torch.cat([getattr(part, one.name) for part in parts]) for one in fields(Patches)))


def shares(said: np.ndarray, grid: tuple[int, int], ids: Sequence[int]) -> np.ndarray:
    """(h * w, len(ids)): the share of each grid cell's pixels that has each id."""
    height, width = said.shape
    cell = (np.arange(height) * grid[0] // height)[:, None] * grid[1] + np.arange(width) * grid[1] // width
    cells = grid[0] * grid[1]
    pixels = np.bincount(cell.ravel(), minlength=cells)
    counts = [np.bincount(cell[said == one], minlength=cells) for one in ids]
    return np.stack(counts, 1) / np.maximum(pixels, 1)[:, None]


def fit(
    objective: Corrections,
    data: Patches,
    recipe: Recipe,
    watch: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> float:
    """Fit the objective's head to `data`, Adam on all or `recipe.batch` patches a step; -> the last loss."""
    torch.manual_seed(recipe.seed)
    head = objective.corrected
    optimizer = torch.optim.Adam([head.weight, head.bias], lr=recipe.lr)
    steps, loss = recipe.steps or 80, torch.zeros(())
    for step in range(1, steps + 1):
        _stop_if(cancel)
        batch = data
        if len(data) > recipe.batch:
            batch = data.take(torch.randperm(len(data))[: recipe.batch])
        terms = objective(batch)  # type: ignore[arg-type]
        loss = torch.stack([term for name, term in terms.items() if not name.startswith("_")]).sum()
        if not torch.isfinite(loss):
            raise TrainingError(f"The loss is {float(loss)} at step {step} of {steps}; try a lower lr.")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if watch is not None:
            watch(
                Progress(
                    f"Learning, step {step} of {steps}", 0.8 + 0.15 * step / steps, step, steps, float(loss.detach())
                )
            )
    head.requires_grad_(False)
    return float(loss.detach())


def similarities(model: Model, features: torch.Tensor, vocabulary: Vocabulary) -> torch.Tensor:
    """(K, h, w) what a model with this backbone and head says of a photo whose features are known."""
    with torch.inference_mode():
        z = model.head(features[None].float())[0]
        texts, owner = model.embed(vocabulary)
        scores = torch.einsum("ehw,te->thw", z, texts)
        best = scores.new_full((len(vocabulary), *z.shape[-2:]), -torch.inf)
        return best.scatter_reduce_(0, owner[:, None, None].expand_as(scores), scores, "amax")


def score(model: Model, lessons: Sequence[Lesson], classes: Sequence[Class]) -> dict[str, Any] | None:
    """mIoU, pixel accuracy and IoU by class in per cent, on what a person labelled; None without lessons.

    All words of `classes` compete, averaged inside the photo's regions, as `textseg segment` answers by default.
    """
    if not lessons:
        return None
    vocabulary = Vocabulary(tuple(Word(one.name, tuple(one.aliases)) for one in classes))
    index = np.full(max(one.id for one in classes) + 2, -1)
    index[[one.id for one in classes]] = range(len(classes))  # -1 ("none of these") reads the last place: not scored
    confusion = Confusion(len(classes))
    for lesson in lessons:
        grid = similarities(model, lesson.features, vocabulary)
        winner = lesson.regions.pool(grid).argmax(0).numpy()
        confusion.add(index[lesson.said], lesson.regions.spread(winner, lesson.said.shape))
    counted, iou = confusion.counted(), confusion.iou()
    if not counted.any():
        return None
    return {
        "miou": round(confusion.miou(), 2),
        "pixel_accuracy": round(confusion.pixel_accuracy(), 2),
        "per_class": {one.name: round(float(iou[k]), 2) for k, one in enumerate(classes) if counted[k]},
        "photos": len(lessons),
    }


def learn(
    project: Project,
    out: Path,
    model: Model,
    recipe: Recipe,
    say: Callable[[str], None] = lambda text: None,
    watch: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Fit a head to the project's corrections and write it to `out`; -> the facts that the head file carries.

    `model` is what the project is labelled with now: its scores are "before", and what lies below its corrections, if
    it has any, is the base. Raises TrainingError when there is nothing to learn from, Cancelled, PhotoError.
    """
    began = time.monotonic()
    encodings = Encodings(project, model)
    corpus = read(project, encodings, recipe.objective.get("hold_back", 0.15), watch, cancel)
    read_seconds = time.monotonic() - began
    for name, reason in corpus.skipped.items():
        say(f"{name} is left out: {reason}")
    say(
        f"Corrected photos to learn from: {len(corpus.lessons)}, with {len(corpus.classes)} of the classes; "
        f"held back to see whether it helps: {len(corpus.held_back)}."
    )
    head = new_head(model, corpus, encodings.root, recipe.objective.get("presence", 0.03))
    data = patches(head, corpus, recipe.seed)
    objective = Corrections(head, model.backbone, photos=len(corpus.lessons), **recipe.objective)
    fitting = time.monotonic()
    loss = fit(objective, data, recipe, watch, cancel)
    fit_seconds = time.monotonic() - fitting
    say(f"{len(data):,} patches, {recipe.steps or 80} steps, loss {loss:.3f}, {fit_seconds:.1f} s.")
    if watch is not None:
        watch(Progress("Comparing on the photos held back", 0.96))
    learnt = Model(model.backbone, head.eval(), str(out))
    classes = [*corpus.classes, *corpus.unlearnt]
    before, after = (score(one, corpus.held_back, classes) for one in (model, learnt))
    facts: dict[str, Any] = {
        "objective": "corrections",
        "recipe": recipe.as_dict(),
        "classes": [[one.name, *one.aliases] for one in corpus.classes],
        "data": corpus.facts(),
        "seed": recipe.seed,
        "start": model.head_name,
        "scores": {"loss": loss, "before": before, "after": after},
        "seconds": {"reading": round(read_seconds, 2), "fitting": round(fit_seconds, 2)},
        "date": datetime.date.today().isoformat(),
        "licence": recipe.licence,
    }
    _stop_if(cancel)
    heads.save(head, out, model.backbone, **facts)
    say(f"{out} is written. {helped(facts['scores'])}")
    return facts


def helped(scores: dict[str, Any]) -> str:
    """Before and after in one sentence."""
    before, after = scores["before"], scores["after"]
    if before is None or after is None:
        return "No corrected photo was held back yet, so nothing says whether it helps."
    return (
        f"mIoU on {after['photos']} photos held back: {before['miou']:.1f} before, {after['miou']:.1f} after "
        f"({after['miou'] - before['miou']:+.1f})."
    )


def start_model(backbone: Backbone, head: str | PathLike[str] | None) -> Model:
    """The model to start from: `head` is a file, "default" or None (the one shipped), or "none"."""
    path = default_head(backbone.name) if head in (None, "default") else None if head == "none" else head
    if path is not None:
        return Model(backbone, heads.load(path, backbone), str(head or "default"))
    alignment = backbone.alignment()
    if alignment is None:
        raise HeadError(f"'{backbone.name}' needs a trained head to start from; give one with --head FILE.")
    return Model(backbone, alignment.eval(), "none")


def _stop_if(cancel: Callable[[], bool] | None) -> None:
    if cancel is not None and cancel():
        raise Cancelled("Stopped; the head that was active stays active.")
