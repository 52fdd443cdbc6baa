"""A huge photo labelled by tiles that overlap, in memory that does not grow with its height (our own).

Each tile is looked at as a photo of its own. What it says of each word (a probability, or in a closed vocabulary a
similarity) is laid on one grid over the whole photo; where tiles overlap it is averaged, each tile weighing less
towards its edges, so that none of them ends anywhere. Only then a word is chosen: no seam can come from a decision that
two tiles take differently. Where this differs from one run over everything is said in `docs/large.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from textseg.errors import Cancelled
from textseg.labelmap import facts_of
from textseg.model import Model, Scene, dense
from textseg.model.decision import Scores, decide
from textseg.model.partition import RegionScores
from textseg.project import Region
from textseg.pyramids import Box, Pyramid, plan
from textseg.pyramids.rows import Rows
from textseg.segmentation import REST
from textseg.vocabulary import Vocabulary

BAND_BYTES = 256 * 2**20
"""Most memory of the scores that a row of tiles is averaged in."""

SURETIES = 20
"""Steps of confidence: pixels of a class that are as sure are one region of a project."""

Ask = Callable[[Scene], tuple[Scores, dict[int, float]]]
"""Gives what a scene says of each word, and the presence of each by class id; see `segmentation.scored`."""


@dataclass
class TiledMap:
    """The answer for one huge photo, as coarse as it was looked at; its arrays lie on disk until it is closed."""

    vocabulary: Vocabulary
    size: tuple[int, int]
    """(width, height) of the photo in full pixels."""
    scale: int
    """Full pixels a side that one of the arrays' stands for."""
    ids: Rows
    sure: Rows
    """uint8 probability of what won at each pixel, 255 = 1.0."""
    pixels: np.ndarray
    """(K + 1,) how many of the arrays' pixels each id has."""
    total: np.ndarray
    """(K + 1,) their probabilities together."""
    presence: dict[int, float] = field(default_factory=dict)
    """By class id, that of the tile where it is greatest; empty in a closed vocabulary."""

    def classes(self) -> list[dict]:
        """The facts of each class, as in `LabelMap.classes`."""
        areas = {k: float(n / self.pixels.sum()) for k, n in enumerate(self.pixels)}
        confidence = {k: float(self.total[k] / n) for k, n in enumerate(self.pixels) if k and n}
        return facts_of(self.vocabulary, areas, confidence, self.presence)

    def read(self, box: Box) -> np.ndarray:
        """(h, w) ids of a box in full pixels."""
        left, top, right, bottom = box
        by = self.scale
        part = self.ids[top // by : -(-bottom // by), left // by : -(-right // by)]
        return part[np.ix_(np.arange(top, bottom) // by - top // by, np.arange(left, right) // by - left // by)]

    def regions(self, class_ids: list[int]) -> tuple[Regions, list[Region]]:
        """(which region each pixel belongs to, the regions): all pixels of a class that are as sure, in SURETIES steps.

        `class_ids` are the project's, of the vocabulary's words.
        """
        steps = [(k + 0.5) / SURETIES for k in range(SURETIES)]
        return Regions(self.ids, self.sure), [Region(class_id, step) for class_id in class_ids for step in steps]

    def close(self) -> None:
        self.ids.close()
        self.sure.close()


@dataclass(frozen=True)
class Regions:
    """(H, W) int32 numbers of regions, made where they are read; there are SURETIES times as many as words."""

    ids: Rows
    sure: Rows

    @property
    def shape(self) -> tuple[int, int]:
        return self.ids.shape

    def __getitem__(self, cut: tuple[slice, slice]) -> np.ndarray:
        ids, step = self.ids[cut].astype(np.int32), self.sure[cut].astype(np.int32) * SURETIES // 256
        return np.where(ids > 0, (ids - 1) * SURETIES + step + 1, 0)


@dataclass(frozen=True)
class Progress:
    """How far a huge photo is."""

    tiles: int
    of: int


def label(
    pyramid: Pyramid,
    model: Model,
    vocabulary: Vocabulary,
    ask: Ask,
    others: bool,
    scale: int | None = None,
    threshold: float | None = None,
    confidence: float = 0.0,
    margin: float = 0.0,
    progress: Callable[[Progress], object] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> TiledMap:
    """Label a huge photo, looked at `scale` times smaller (default: `plan.sensible_scale`).

    `ask` says what a tile shows, `others` whether the last of its scores is anything else. A word shows where it wins
    with at least `threshold`, as in `segment`; its probability is at least `confidence` and leads by `margin`. Raises
    PhotoError, and Cancelled when `cancel` says so.
    """
    scale = plan.sensible_scale(pyramid.size) if scale is None else scale
    look = _Look(pyramid, model, ask, scale, len(vocabulary) + others)
    choose = _Choice(Vocabulary((*vocabulary, REST)) if others else vocabulary, threshold, confidence, margin, look)
    found = TiledMap(
        vocabulary, pyramid.size, scale,
        Rows(look.size[0], np.uint8 if len(vocabulary) <= 255 else np.uint16), Rows(look.size[0], np.uint8),
        np.zeros(len(vocabulary) + 1, np.int64), np.zeros(len(vocabulary) + 1), look.presence,
    )  # fmt: skip
    try:
        for ids, sure in choose.rows(look.bands(progress, cancel)):
            found.ids.append(ids)
            found.sure.append(sure)
            found.pixels += np.bincount(ids.ravel(), minlength=len(found.pixels))
            found.total += np.bincount(ids.ravel(), sure.ravel(), len(found.pixels)) / 255
    except BaseException:
        found.close()
        raise
    return found


class _Look:
    """The tiles of one photo, and what they say on a grid over all of it."""

    def __init__(self, pyramid: Pyramid, model: Model, ask: Ask, scale: int, words: int) -> None:
        self._pyramid, self._model, self._ask, self._scale = pyramid, model, ask, scale
        self.size = plan.looked_at(pyramid.size, scale)
        row = words * self.size[0] * plan.TILE * 4
        self.cell = next((cell for cell in (2, 4) if row // cell**2 <= BAND_BYTES), 8)
        """Looked-at pixels a side of a cell of the grid."""
        self._words, self.logit_scale = words, model.logit_scale
        self.presence: dict[int, float] = {}

    def bands(
        self, progress: Callable[[Progress], object] | None, cancel: Callable[[], bool] | None
    ) -> Iterator[np.ndarray]:
        """(words, rows, columns) float32 means over all tiles, from the top down, each row of cells once."""
        rows = plan.tiles(self.size, self.cell)
        done, number = 0, sum(len(row) for row in rows)
        columns, first = -(-self.size[0] // self.cell), 0
        total, weight = np.zeros((self._words, 0, columns), np.float32), np.zeros((0, columns), np.float32)
        for k, row in enumerate(rows):
            last = row[0][3] // self.cell
            more = last - first - total.shape[1]
            total = np.pad(total, ((0, 0), (0, more), (0, 0)))
            weight = np.pad(weight, ((0, more), (0, 0)))
            for box in row:
                if cancel is not None and cancel():
                    raise Cancelled("The labelling was stopped.")
                left, top, right, bottom = (edge // self.cell for edge in box)
                share = self._weights(box)
                there = slice(top - first, bottom - first), slice(left, right)
                total[:, *there] += self._said(box, (bottom - top, right - left)) * share
                weight[there] += share
                done += 1
                if progress is not None:
                    progress(Progress(done, number))
            ready = (rows[k + 1][0][1] // self.cell if k + 1 < len(rows) else last) - first
            yield total[:, :ready] / weight[:ready]
            total, weight, first = total[:, ready:], weight[ready:], first + ready

    def _said(self, box: Box, grid: tuple[int, int]) -> np.ndarray:
        """(words, h, w) what a tile says in its cells."""
        scene = self._model.encode(plan.picture(self._pyramid, box, self._scale))
        with torch.inference_mode():
            scores, presence = self._ask(scene)
        for k, p in presence.items():
            self.presence[k] = max(p, self.presence.get(k, 0.0))
        if isinstance(scores, RegionScores):
            numbers = scores.partition.spread(np.arange(scores.partition.count), grid)
            return scores.table.float().cpu().numpy()[:, numbers]
        return dense.upsample(scores.float(), grid).cpu().numpy()

    def _weights(self, box: Box) -> np.ndarray:
        """(h, w) how much a tile counts in each of its cells: less towards its edges, but for those of the photo."""
        ramp = (plan.TILE - plan.STEP) // self.cell

        def along(start: int, end: int, length: int) -> np.ndarray:
            cells = (end - start) // self.cell
            at = np.arange(cells) + 0.5
            rise = np.minimum(at / ramp, 1) if start else np.ones(cells)
            return rise if end >= length else np.minimum(rise, np.minimum((cells - at) / ramp, 1))

        return np.outer(along(box[1], box[3], self.size[1]), along(box[0], box[2], self.size[0])).astype(np.float32)


@dataclass(frozen=True)
class _Choice:
    """From scores to words, a band of rows after the other."""

    vocabulary: Vocabulary
    """With the rest, where others compete."""
    threshold: float | None
    confidence: float
    margin: float
    look: _Look

    def rows(self, bands: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """((n, W) ids, (n, W) uint8 probability) of the looked-at pixels, from the top down.

        Scores are blended between cells before a word is chosen, so each band needs a row of both its neighbours.
        """
        width, height = self.look.size
        above: np.ndarray | None = None
        band, made = next(bands), 0
        while True:
            below = next(bands, None)
            parts = [] if above is None else [above[:, -1:]]
            parts += [band] if below is None else [band, below[:, :1]]
            first = 0 if above is None else self.look.cell
            rows = min(band.shape[1] * self.look.cell, height - made)
            ids, sure = self._decided(torch.from_numpy(np.concatenate(parts, 1)))
            yield ids[first : first + rows, :width], sure[first : first + rows, :width]
            made += rows
            if below is None:
                return
            above, band = band, below

    def _decided(self, grid: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        cell = self.look.cell
        size = grid.shape[1] * cell, grid.shape[2] * cell
        ids, sure = decide(grid, self.vocabulary, size, self.threshold)
        words = len(self.vocabulary) - (self.vocabulary[-1] is REST)
        if words == 255:  # with the rest there are 256, but it is never written
            ids = ids.astype(np.uint8)
        chance = grid
        if self.vocabulary[-1] is not REST:
            chance = (grid * self.look.logit_scale).softmax(0)
            sure = _repeated((chance.amax(0) * 255).round().byte().numpy(), cell)
        best = chance.topk(min(2, len(chance)), dim=0).values
        lead = best[0] - best[1] if len(best) > 1 else best[0]
        unsure = (best[0] < self.confidence) | (lead < self.margin)
        if unsure.any():
            ids[_repeated(unsure.numpy(), cell)] = 0
        return ids, sure


def _repeated(cells: np.ndarray, by: int) -> np.ndarray:
    return cells.repeat(by, 0).repeat(by, 1)
