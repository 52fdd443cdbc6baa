"""Fit presence and calibration to a head, from captions and object names; no mask is looked at.

    python -m trainer.recipes.others.fit --data captions.tsv names.tsv [--head HEAD] [--out FILE] [--photos 300]

Prints the numbers of `Calibration`; with `--out` the head is written there with them in its file. `questions.py` says
what is asked and what is known of the answers. Two fits follow each other:

1. Presence: a logistic regression of whether the noun is there on the leads of the pair.
2. Bias and temperature: the likeliest ones, for the places that are known. Every place is wrong where the noun is not
   there, and all of the second photo; of the first photo that shows it, the `SHARE` with the widest lead counts as
   right, and of the rest nothing is known.

The gate is not fitted: with it free, both presence and bias say the same. Nobody names all that a photo shows, so some
nouns that count as absent are there. Every fourth photo is kept to see what the numbers are worth.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from textseg.errors import HeadError, TrainingError
from textseg.model import Model, default_head, heads, load_model
from textseg.model.calibration import Calibration
from trainer import data
from trainer.data import TrainingPhoto
from trainer.features import default_cache
from trainer.recipes.others.questions import Questions, gather
from trainer.store import ArrayStore

SHARE = 0.3
"""What a caption names is taken to cover this share of its photo. The one number that is assumed: a smaller share makes
fewer pixels say a word, and more of them right."""

FEWEST = 20
"""With fewer nouns that are there, or that are not, nothing is fitted."""

PRIOR = 1e-3
"""Weight of the squared coefficients, against a mean over all nouns: keeps them finite where nothing overlaps."""


def fit(questions: Questions, start: Calibration) -> Calibration:
    """`start` with presence, bias and temperature that make the known answers likeliest; raises TrainingError."""
    found = replace(start, presence=logistic(questions.evidence, questions.there))
    there, ahead = torch.from_numpy(questions.there), torch.from_numpy(questions.ahead)
    gated = ahead + found.gate * F.logsigmoid(_logit(found, questions))[:, None, None]
    numbers = torch.tensor([start.bias, float(np.log(start.temperature))], dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([numbers], max_iter=100, line_search_fn="strong_wolfe")

    def surprise() -> torch.Tensor:
        search.zero_grad()
        loss = _surprise(gated, there, numbers[0], numbers[1].exp())
        loss.backward()
        return loss

    search.step(surprise)
    bias, temperature = numbers.detach()[0].item(), numbers.detach()[1].exp().item()
    if not np.isfinite([bias, temperature]).all():
        raise TrainingError("Bias and temperature cannot be fitted: the leads of these photos say nothing.")
    return replace(found, bias=bias, temperature=temperature)


def log_loss(found: Calibration, questions: Questions) -> tuple[float, float]:
    """Mean surprise, in nats, at whether the nouns are there, and at the places that are known."""
    logit = _logit(found, questions)
    there = torch.from_numpy(questions.there)
    gated = torch.from_numpy(questions.ahead) + found.gate * F.logsigmoid(logit)[:, None, None]
    bias, temperature = torch.tensor([found.bias, found.temperature], dtype=torch.float64)
    told = F.softplus(torch.where(there, -logit, logit)).mean()
    return float(told), float(_surprise(gated, there, bias, temperature))


def _logit(found: Calibration, questions: Questions) -> torch.Tensor:
    """(N,) logit of presence."""
    constant, *weights = found.presence
    return torch.from_numpy(constant + questions.evidence @ np.array(weights))


def _surprise(gated: torch.Tensor, there: torch.Tensor, bias: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
    """Mean over the known places; `gated` (N, 2, P) leads, with the gate. One word asked: a softmax over two."""
    logit = temperature * (gated - bias)
    wrong = F.softplus(logit)
    right = F.softplus(-logit[:, 0].topk(max(1, round(SHARE * logit.shape[2])), dim=1).values)
    known = torch.where(there, right.sum(1) + wrong[:, 1].sum(1), wrong.sum((1, 2)))
    places = torch.where(there, right.shape[1] + logit.shape[2], 2 * logit.shape[2])
    return known.sum() / places.sum()


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


def rounded(found: Calibration) -> Calibration:
    """To four digits, as a head file holds them."""
    a, b, c = (round(number, 4) for number in found.presence)
    return replace(found, bias=round(found.bias, 4), temperature=round(found.temperature, 4), presence=(a, b, c))


def write(model: Model, source: Path, found: Calibration, out: Path) -> None:
    """The head file `source` again at `out`, with these numbers in its facts."""
    facts, head = heads.read_facts(source), heads.load(source, model.backbone)
    head.calibration = found
    heads.save(head, out, model.backbone, **facts | {"calibration": head.calibration.facts()})


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit presence and calibration to a head, from captions and names.")
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
    questions = gather(model, photos, ArrayStore((options.cache or default_cache()) / "presence"))
    kept = questions.photo % 4 == 3
    fitted, there = fit(questions.take(~kept), model.head.calibration), questions.there
    print(f"{there.sum()} nouns are there, {(~there).sum()} are not, in {len(np.unique(questions.photo))} photos.")
    for name, found in (("in use", model.head.calibration), ("fitted", fitted)):
        presence, places = log_loss(found, questions.take(kept))
        told = f"presence {', '.join(f'{n:.2f}' for n in found.presence)}, bias {found.bias:.2f}"
        print(f"{name}: {told}, temperature {found.temperature:.3f}, gate {found.gate:g}")
        print(f"    log loss on every fourth photo: {presence:.3f} of presence, {places:.4f} of places")
    if options.out and source is not None:
        write(model, Path(source), rounded(fitted), options.out)
        print(f"{options.out} is written.")


def _some(photos: Sequence[TrainingPhoto], most: int) -> Sequence[TrainingPhoto]:
    return photos[:: max(1, len(photos) // most)][:most]


if __name__ == "__main__":
    main()
