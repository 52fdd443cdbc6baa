"""Fit what presence is told from to a head, from captions and object names; no mask is looked at.

    python -m trainer.recipes.others.fit --data captions.tsv names.tsv [--head HEAD] [--out FILE] [--photos 300]

Prints the three numbers of `Calibration.presence`; with `--out` the head is written there with them in its file.

A noun is there when two captions of a photo name it, or its only one (an object's name). It is not there when it
competes with everything that the photo's captions name: nobody said it, nor a kind of it, nor what it is a kind of.
Of these as many are drawn as `ABSENT` for each that is there; nobody names all that a photo shows, so some are. The
numbers are those of a logistic regression, and every fourth photo is kept to see what they are worth.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from textseg.errors import HeadError, PhotoError, TrainingError
from textseg.model import Model, calibration, default_head, heads, load_model, others
from textseg.model.contest import evidence
from textseg.model.others import Others
from textseg.vocabulary import Vocabulary
from trainer import data
from trainer.data import TrainingPhoto
from trainer.features import default_cache
from trainer.nouns import Nouns, default_nouns
from trainer.store import ArrayStore

if TYPE_CHECKING:
    from textseg.model import Scene

ABSENT = 2
"""So many nouns that are not there for each that is."""

FEWEST = 20
"""With fewer nouns that are there, or that are not, nothing is fitted."""

PRIOR = 1e-3
"""Weight of the squared coefficients, against a mean over all nouns: keeps them finite where nothing overlaps."""


def named(captions: Sequence[str], nouns: Nouns) -> tuple[list[str], list[str]]:
    """(the nouns that are there, all that are named at all); an object's name counts though it is on no list."""
    if len(captions) == 1:
        found = list(nouns.find(captions[0])) if len(captions[0].split()) > 3 else [captions[0].strip().lower()]
        return found, found
    times = Counter(noun for caption in captions for noun in nouns.find(caption))
    return [noun for noun, n in times.items() if n > 1], list(times)


def leads(scene: Scene, words: Sequence[str], rest: Others) -> np.ndarray:
    """(W, 2) what the presence of each word is told from, asked alone."""
    rows = []
    for word in words:
        vocabulary = Vocabulary.from_names([word])
        rivals = rest.rivals(scene.model, vocabulary).to(scene.model.device)
        grid = scene.scores(vocabulary)
        rows.append(calibration.leads(*evidence(scene, vocabulary, grid, rest, rivals))[0].double().cpu().numpy())
    return np.array(rows).reshape(-1, 2)


def gather(
    model: Model, photos: Sequence[TrainingPhoto], store: ArrayStore, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """((N, 2) leads, (N,) whether the noun is there, (N,) number of the photo); features are kept in `store`."""
    from tqdm import tqdm

    rest, nouns, draw = others.of(model), default_nouns(), np.random.default_rng(seed)
    assert rest is not None  # the shipped nouns
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for number, photo in enumerate(tqdm(photos, unit="photo", disable=None)):
        there, said = named(photo.captions, nouns)
        if not there:
            continue
        competes = rest.rivals(model, Vocabulary.from_names(said)).numpy()
        absent = [rest.names[i] for i in np.flatnonzero(competes)]
        gone = draw.choice(absent, min(len(absent), ABSENT * len(there)), replace=False).tolist() if absent else []
        try:
            picture = photo.open()
        except PhotoError:
            continue
        key = f"{photo.sha256}-{model.backbone.weights_hash}-{model.head.sizes}"
        if key not in store:
            store.add({key: model.features(picture)})
        rows = leads(model.scene(picture, store[key]), [*there, *gone], rest)
        found.append((rows, np.arange(len(rows)) < len(there), np.full(len(rows), number)))
    if not found:
        raise TrainingError("No caption names a noun that two of a photo's captions agree on.")
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


def logistic(rows: np.ndarray, there: np.ndarray, steps: int = 50) -> tuple[float, float, float]:
    """Constant and weights of the (N, 2) `rows` that make `there` (N,) likeliest; Newton's method.

    Raises TrainingError when there are too few of either kind.
    """
    if min(there.sum(), (~there).sum()) < FEWEST:
        raise TrainingError(f"{there.sum()} nouns are there and {(~there).sum()} are not; {FEWEST} of each are needed.")
    design = np.column_stack([np.ones(len(rows)), rows])
    weights = np.zeros(3)
    prior = PRIOR * np.diag([0.0, 1.0, 1.0])
    for _ in range(steps):
        told = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (told - there) / len(there) + prior @ weights
        curve = (design * (told * (1 - told))[:, None]).T @ design / len(there) + prior
        step = np.linalg.solve(curve + 1e-9 * np.eye(3), slope)
        weights -= step * min(1.0, 5 / np.abs(step).max(initial=1e-9))
    constant, local, whole = map(float, weights)
    return constant, local, whole


def log_loss(coefficients: tuple[float, float, float], rows: np.ndarray, there: np.ndarray) -> float:
    """Mean surprise at what is there and what is not, in nats."""
    constant, *weights = coefficients
    logit = constant + rows @ np.array(weights)
    return float(np.logaddexp(0, np.where(there, -logit, logit)).mean())


def write(model: Model, source: Path, presence: tuple[float, float, float], out: Path) -> None:
    """The head file `source` again at `out`, with these numbers in its facts."""
    facts, head = heads.read_facts(source), heads.load(source, model.backbone)
    head.calibration = replace(head.calibration, presence=presence)
    heads.save(head, out, model.backbone, **facts | {"calibration": head.calibration.facts()})


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the presence of words to a head, from captions and names.")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="photos with captions, as for training")
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--head", default="default", help="head file, or default")
    parser.add_argument("--out", type=Path, help="write the head with the numbers here; it may be the head itself")
    parser.add_argument("--photos", type=int, default=300, help="at most so many of each place (default: 300)")
    parser.add_argument("--cache", type=Path, help="folder for features (default: the user's cache folder)")
    options = parser.parse_args()

    model = load_model(options.backbone, options.head)
    source = default_head(model.name) if options.head == "default" else options.head
    if options.out and (source is None or options.head == "none"):
        raise HeadError("There is no head file to write the numbers into; give one with --head FILE.")
    photos = [photo for place in options.data for photo in _some(data.read([place]).photos, options.photos)]
    rows, there, photo = gather(model, photos, ArrayStore((options.cache or default_cache()) / "presence"))
    kept = photo % 4 == 3
    fitted = logistic(rows[~kept], there[~kept])
    print(f"{there.sum()} nouns are there, {(~there).sum()} are not, in {len(np.unique(photo))} photos.")
    for name, numbers in (("in use", model.head.calibration.presence), ("fitted", fitted)):
        told = ", ".join(f"{number:.3f}" for number in numbers)
        print(f"{name}: {told}; log loss on every fourth photo {log_loss(numbers, rows[kept], there[kept]):.3f}")
    if options.out:
        write(model, Path(source), tuple(round(number, 4) for number in fitted), options.out)  # type: ignore[arg-type]
        print(f"{options.out} is written.")


def _some(photos: Sequence[TrainingPhoto], most: int) -> Sequence[TrainingPhoto]:
    return photos[:: max(1, len(photos) // most)][:most]


if __name__ == "__main__":
    main()
