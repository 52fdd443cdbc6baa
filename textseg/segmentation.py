"""The whole answer: scene x vocabulary -> label map, with the best defaults. What page, commands and API call."""

import numpy as np
import torch

from textseg import refine as refinements
from textseg.errors import UnknownNameError
from textseg.labelmap import LabelMap
from textseg.model import others as other_words
from textseg.model import partition
from textseg.model.contest import Contest
from textseg.model.decision import Scores, decide
from textseg.model.others import Choice, Ranked, shares
from textseg.model.partition import Partition, RegionScores
from textseg.model.scene import Scene
from textseg.proposals import Naming, Proposals
from textseg.pseudolabel import CONFIDENCE, PseudoLabels, named_regions
from textseg.vocabulary import Vocabulary, Word

BY = ("pixel", "unit", "slic", "proposal")

AVERAGES = (None, "regions", "units", "proposals")
"""Refinements that average scores over regions, word by word: other words are averaged first, then compared."""

REST = Word("anything else", background=True)


def segment(
    scene: Scene,
    vocabulary: Vocabulary,
    by: str = "pixel",
    refine: str | None = None,
    threshold: float | None = None,
    templates: str | None = None,
    granularity: float = 0.5,
    others: Choice = "default",
    proposals: Proposals | None = None,
) -> LabelMap:
    """Label `scene`: by pixel, adaptive unit, SLIC superpixel or proposal; then bring the map to image edges.

    `refine` is the name of a refinement, "none", or None for the best default: superpixels and proposals lie on edges
    already and take none. `others` are the words that nobody typed and that compete all the same, "default", a list of
    one's own, or None: the closed vocabulary, in which some word wins every pixel. A word shows where it wins and its
    probability (closed: its similarity) is at least `threshold` (0..1) or its own; background words win pixels but are
    written as 0. `proposals`, the scene's photo in front of a proposer, has the masks of `by="proposal"` and of
    refinements that work on masks; without it they are those of `regions`. Where it knows words, `by="proposal"` asks
    it by them: pixels that no mask holds show nothing then, and with `others` no mask of a probability below a half.
    Raises UnknownNameError for an unknown `by`, `refine` or `templates`.
    """
    _check(by, refine)
    if by == "proposal" and isinstance(proposals, Naming):
        found = named_regions(proposals.named(vocabulary), vocabulary, scene.size)
        return _named(found, threshold, 0.0 if others is None else CONFIDENCE)
    rest = other_words.of(scene.model, others)
    if rest is None:
        grid = scene.scores(vocabulary, templates)
        scores = pooled(scene, grid, by, refine, granularity, proposals)
        ids, score = decide(scores, vocabulary, scene.size[::-1], threshold)
        return LabelMap(ids, vocabulary, scene.confidence(grid, ids), score)
    contest = Contest.of(scene, vocabulary, rest, templates)
    scores, winners = _open(contest, by, refine, granularity, proposals)
    ids, score = decide(scores, Vocabulary((*vocabulary, REST)), scene.size[::-1], threshold)
    if len(vocabulary) == 255:  # with the rest there are 256 words, but it is never written
        ids = ids.astype(np.uint8)
    confidence = _means(ids, score, len(vocabulary))
    elsewhere = shares(_somewhere(scores, winners), rest.names)
    return LabelMap(ids, vocabulary, confidence, score, contest.told(), elsewhere)


def scored(
    scene: Scene,
    vocabulary: Vocabulary,
    by: str = "pixel",
    refine: str | None = None,
    templates: str | None = None,
    granularity: float = 0.5,
    others: Choice = "default",
    proposals: Proposals | None = None,
) -> tuple[Scores, dict[int, float]]:
    """(what `segment` decides from, presence by class id): for whoever averages over scenes before anything is decided.

    Probabilities of the words and, last, of anything else; in a closed vocabulary similarities, and no presence.
    """
    _check(by, refine)
    rest = other_words.of(scene.model, others)
    if rest is None:
        return pooled(scene, scene.scores(vocabulary, templates), by, refine, granularity, proposals), {}
    contest = Contest.of(scene, vocabulary, rest, templates)
    return _open(contest, by, refine, granularity, proposals)[0], contest.told()


def pooled(
    scene: Scene,
    grid: torch.Tensor,
    by: str = "pixel",
    refine: str | None = None,
    granularity: float = 0.5,
    proposals: Proposals | None = None,
) -> Scores:
    """(K, h, w) similarities averaged over what `by` and `refine` say belongs together; arguments as in `segment`."""
    _check(by, refine)
    to_edges = refinements.get(refine or refinements.DEFAULT, proposals)
    if by == "slic":
        return scene.once(("slic", granularity), lambda: partition.slic(scene.photo, granularity)).scores(grid)
    if by == "proposal":
        return refinements.get("proposals", proposals)(scene, grid)
    return to_edges(scene, scene.units(granularity).smooth(grid) if by == "unit" else grid)


def _check(by: str, refine: str | None) -> None:
    if by not in BY:
        raise UnknownNameError(f"A photo is labelled by {', '.join(BY)}, not by '{by}'.")
    refinements.get(refine or refinements.DEFAULT)
    if by in ("slic", "proposal") and refine not in (None, "none"):
        raise UnknownNameError(f"Labels by {by} lie on image edges already; use the refinement 'none' with them.")


def _named(found: PseudoLabels, threshold: float | None, least: float) -> LabelMap:
    """The label map of masks that were found by words, those of at least a probability of `least`."""
    index, sure = found.index(least, 0.0)
    nothing = np.zeros(len(found.vocabulary), np.float32)
    words = np.array([nothing, *(region.scores for region in sure)], np.float32).T
    rest = np.eye(1, words.shape[1], dtype=np.float32)  # where no mask is
    masks = Partition(index)
    scores = RegionScores(masks, torch.from_numpy(np.concatenate([words, rest])[:, : masks.count]))
    ids, score = decide(scores, Vocabulary((*found.vocabulary, REST)), found.size[::-1], threshold)
    if len(found.vocabulary) == 255:
        ids = ids.astype(np.uint8)
    confidence = _means(ids, score, len(found.vocabulary))
    return LabelMap(ids, found.vocabulary, confidence, score, found.presence, heat=found.heat)


def _open(
    contest: Contest, by: str, refine: str | None, granularity: float, proposals: Proposals | None
) -> tuple[Scores, torch.Tensor]:
    """Probabilities of the words and, last, of anything else; and the noun that is best at each position of them."""
    scene, how = contest.scene, (by, refine, granularity, proposals)
    others = contest.others
    if refine in AVERAGES or by in ("slic", "proposal"):
        words = pooled(scene, contest.grid, *how)
        assert isinstance(words, RegionScores)
        ranked = scene.once(
            ("others", others.key, *how),
            lambda: Ranked.of(_table(pooled(scene, others.scores(scene.embedding), *how))),
        )
        best, winners = ranked.strongest(contest.rivals)
        return RegionScores(words.partition, contest.probabilities(words.table, best)), winners
    best, winners = (one.view(scene.grid) for one in others.ranked(scene).strongest(contest.rivals))
    together = pooled(scene, torch.cat([contest.grid, best[None]]), *how)
    rows = _table(together)
    probabilities = contest.probabilities(rows[:-1], rows[-1])
    if isinstance(together, RegionScores):
        near = together.partition.pool(torch.nn.functional.one_hot(winners, len(others)).movedim(2, 0).float())
        return RegionScores(together.partition, probabilities), near.argmax(0)
    size = (1, 1, *probabilities.shape[1:])
    return probabilities, torch.nn.functional.interpolate(winners[None, None].float(), size[2:])[0, 0].long()


def _table(scores: Scores) -> torch.Tensor:
    return scores if isinstance(scores, torch.Tensor) else scores.table


def _means(ids: np.ndarray, score: np.ndarray, words: int) -> dict[int, float]:
    """The mean probability over the pixels of each class id that has some."""
    pixels = np.bincount(ids.ravel(), minlength=words + 1)
    total = np.bincount(ids.ravel(), score.ravel(), minlength=words + 1)
    return {int(k): float(total[k] / pixels[k] / 255) for k in np.flatnonzero(pixels) if k > 0}


def _somewhere(scores: Scores, winners: torch.Tensor) -> list[tuple[int, float]]:
    """(noun, share of the photo) of each position that the rest won."""
    table = _table(scores)
    lost = (table.argmax(0) == len(table) - 1).flatten().cpu().numpy()
    area = np.full(lost.size, 1 / lost.size)
    if isinstance(scores, RegionScores):
        area = scores.partition.areas / scores.partition.areas.sum()
    found = np.bincount(winners.flatten().cpu().numpy()[lost], area[lost])
    return [(int(noun), float(found[noun])) for noun in np.flatnonzero(found)]
