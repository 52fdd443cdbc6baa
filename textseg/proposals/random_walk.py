"""Which superpixels a prompt means: a random walk from what was clicked, on the graph of those that touch."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from PIL import Image
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from textseg.proposals import Mask, Prompt
from textseg.proposals.clues import probability
from textseg.proposals.region_graph import RegionGraph

CONTRAST, PULL = 2.0, 0.03
"""How much a strong border stops the walk, and how firmly each superpixel holds to its own evidence."""
TRUST = 4.0
"""Evidence (in nats) for a superpixel that lies wholly in the previous mask, and against one wholly outside."""


class Placed:
    """A prompt on the superpixels of its photo, whose `size` is (width, height)."""

    def __init__(self, graph: RegionGraph, size: tuple[int, int], prompt: Prompt) -> None:
        self.graph, self.size, self.prompt = graph, size, prompt
        self.inside, self.outside = self.under(prompt.inside), self.under(prompt.outside)
        """The distinct superpixels that hold points of each kind."""
        self.contested = np.intersect1d(self.inside, self.outside)
        """Those that hold points of both."""

    @property
    def _scale(self) -> np.ndarray:
        """Working pixels per photo pixel, (x, y)."""
        return np.array(self.graph.ids.shape[::-1]) / self.size

    def at(self, points: np.ndarray) -> np.ndarray:
        """(P, 2) photo pixels -> working pixels x, y."""
        return ((points + 0.5) * self._scale).astype(np.intp)

    def under(self, points: np.ndarray) -> np.ndarray:
        """The distinct superpixels under (P, 2) photo pixels."""
        at = self.at(points)
        return np.unique(self.graph.ids[at[:, 1], at[:, 0]])

    @property
    def fixed(self) -> list[tuple[int, int, bool]]:
        """What the points say of their own pixels: (x, y, inside)."""
        points, labels = self.prompt.points, self.prompt.labels
        return [(int(x), int(y), bool(label > 0)) for (x, y), label in zip(points, labels, strict=True)]

    @cached_property
    def allowed(self) -> np.ndarray:
        """(R,) bool: the superpixels that a box does not shut out."""
        if self.prompt.box is None:
            return np.ones(self.graph.count, bool)
        left, top, right, bottom = np.array(self.prompt.box) * np.tile(self._scale, 2)
        x, y = self.graph.centres.T
        allowed = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        allowed[self._middle] = True
        allowed[self.inside] = True
        return allowed

    @property
    def _middle(self) -> np.ndarray:
        """The superpixel in the middle of the box."""
        assert self.prompt.box is not None
        left, top, right, bottom = self.prompt.box
        return self.under(np.array([[int((left + right) / 2), int((top + bottom) / 2)]], np.intp))

    def belief(self) -> np.ndarray:
        """(R,) the belief that each superpixel is in the mask.

        A random walk on the graph of superpixels (Grady, TPAMI 2006) that each superpixel's own evidence pulls at (with
        priors: Grady, CVPR 2005): the solution x of (L + P) x = P e, with L the Laplacian of border weights, e the
        evidence and P how firmly it is held; clicked superpixels are held fast.
        """
        graph, box = self.graph, self.prompt.box
        inside, outside = (np.setdiff1d(side, self.contested) for side in (self.inside, self.outside))
        beyond = outside
        if box is not None and not self.allowed.all():
            ring = ~self.allowed & (graph.matrix(np.ones(len(graph.edges))) @ self.allowed > 0)
            beyond = np.union1d(outside, np.flatnonzero(ring))
        seeds = inside
        if not len(seeds) and box is not None:
            seeds = np.setdiff1d(self._middle, beyond)
        evidence = probability(graph, seeds, beyond) if len(seeds) else np.full(graph.count, 0.5)
        if self.prompt.previous is not None:
            evidence = _shift(evidence, TRUST * (2 * self._covered(self.prompt.previous) - 1))
        hold = np.full(graph.count, PULL)
        for fixed, value in ((~self.allowed, 0.0), (inside, 1.0), (outside, 0.0)):
            hold[fixed], evidence[fixed] = 1e3, value
        flow = np.exp(-CONTRAST * graph.strength) * graph.length / 10
        links = graph.matrix(flow)
        system = sparse.diags(np.asarray(links.sum(1)).ravel() + hold) - links
        return spsolve(system.tocsc(), hold * evidence).clip(0, 1)

    def _covered(self, mask: Mask) -> np.ndarray:
        """(R,) the share of each superpixel that a mask covers."""
        ids = self.graph.ids
        small = Image.fromarray(mask.to_array()).convert("L").resize(ids.shape[::-1], Image.Resampling.BOX)
        return np.bincount(ids.ravel(), np.asarray(small).ravel() / 255, self.graph.count) / self.graph.areas

    def drawn(self, chosen: np.ndarray) -> np.ndarray:
        """(h, w) float32, above a half inside, of superpixels (R,) bool: fitted to the photo's edges, points kept."""
        ids = self.graph.ids
        values = chosen[ids]
        inside, outside = self.at(self.prompt.inside), self.at(self.prompt.outside)
        if len(self.contested):
            # A superpixel that holds points of both kinds is parted halfway between them.
            y, x = np.nonzero(np.isin(ids, self.contested))
            nearest = [((x[:, None] - p[:, 0]) ** 2 + (y[:, None] - p[:, 1]) ** 2).min(1) for p in (inside, outside)]
            values[y, x] = nearest[0] <= nearest[1]
        values = _fit_to_edges(values.astype(np.float32), self.graph.guide)
        for points, value in ((inside, 1.0), (outside, 0.0)):
            values[points[:, 1], points[:, 0]] = value
        return values


def best_part(belief: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, float]:
    """((R,) bool, IoU): the superpixels above the threshold with the largest expected IoU.

    With independent beliefs b and areas a the expected IoU of a set S is about sum_S a b / (sum a b + sum_S a (1 - b)),
    which some set {b > t} maximises. More likely than not (0.6) is always in.
    """
    order = np.argsort(-belief, kind="stable")
    hit = (belief * areas)[order].cumsum()
    miss = ((1 - belief) * areas)[order].cumsum()
    iou = hit / np.maximum(hit[-1] + miss, 1e-9)
    best = int(iou.argmax())
    return belief >= min(belief[order][best], 0.6), float(iou[best])


def _shift(probability: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Probabilities after further evidence, in nats."""
    known = probability.clip(1e-6, 1 - 1e-6)
    return 1 / (1 + (1 - known) / known * np.exp(-evidence))


def _fit_to_edges(values: np.ndarray, guide: np.ndarray, radius: int = 4, eps: float = 1e-3) -> np.ndarray:
    """The guided filter (He et al., TPAMI 2013) of (h, w) `values`, on the part of the photo where they change."""
    rows, columns = (np.flatnonzero(values.any(axis)) for axis in (1, 0))
    if not len(rows) or values.all():
        return values
    part = tuple(slice(max(0, n[0] - 3 * radius), n[-1] + 3 * radius + 1) for n in (rows, columns))

    def mean(x: np.ndarray) -> np.ndarray:
        return ndimage.uniform_filter(x, 2 * radius + 1, mode="nearest")

    p, i = values[part], guide[part]
    mean_p, mean_i = mean(p), mean(i)
    slope = (mean(i * p) - mean_i * mean_p) / (mean(i * i) - mean_i**2 + eps)
    out = np.zeros_like(values)
    out[part] = mean(slope) * i + mean(mean_p - slope * mean_i)
    return out
