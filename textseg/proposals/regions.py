"""`regions`: masks that need no weights of their own, from a hierarchy of superpixels and a random walk between clicks.

Everything is worked out on superpixels of a copy of the photo whose long side is at most 640, and the answer is written
at the photo's size without a full-size array, so a prompt hardly takes longer on a larger photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from textseg import grids, images
from textseg.errors import Cancelled
from textseg.model import Scene
from textseg.proposals import SAMPLES, Box, Cancel, Mask, Point, Prompt, read_prompt, register
from textseg.proposals.clues import probability
from textseg.proposals.region_graph import RegionGraph
from textseg.proposals.resized import encode_resized
from textseg.registry import Facts

MOST_MASKS = 200
LEAST_AREA, MOST_AREA = 0.001, 0.95
"""Shares of the photo that `everything` keeps."""
DUPLICATE_IOU = 0.85
WHEEL_STEP = 1.2
"""Each step up the hierarchy makes the mask at least this much larger."""
CONTRAST, PULL = 2.0, 0.03
"""Of the random walk: how much a strong border stops it, and how firmly each superpixel holds to its own evidence."""
TRUST = 4.0
"""Evidence (in nats) for a superpixel that lies wholly in the previous mask, and against one wholly outside."""


@register(
    "regions",
    Facts(
        title="Regions",
        about="Connected regions of like colour at several sizes, ranked without a network.",
        licence="Apache-2.0",
    ),
)
class Regions:
    """The proposer that needs nothing but the photo; a scene's backbone features make it better."""

    def __init__(self, details: str = "", device: str | None = None) -> None:
        self.name = "regions"

    def open(self, photo: Image.Image, scene: Scene | None = None) -> RegionProposals:
        """Find the superpixels of `photo`; for a scene this is done once, and its features are used."""
        if scene is None:
            return RegionProposals(photo)
        return scene.once("regions", lambda: RegionProposals(photo, scene.features.float().cpu().numpy()))


class NodeMask(Mask):
    """The mask of a node of the hierarchy; its code is made when it is asked for, which most are not.

    Where the photo is no larger than the working size all else is read off the superpixels, and is the same. Shares of
    a grid's cells always are.
    """

    _proposals: RegionProposals
    _node: int

    def __init__(self, proposals: RegionProposals, node: int, score: float) -> None:
        for name, value in {"_proposals": proposals, "_node": node, "score": score, "state": None}.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> Any:
        return Mask, (self.rle, self.score)

    @cached_property
    def rle(self) -> dict:  # type: ignore[override]
        return self._proposals.node_code(self._node)

    @property
    def size(self) -> tuple[int, int]:
        return self._proposals.size

    @property
    def area(self) -> int:
        if self._proposals.whole_size:
            return int(self._proposals.graph.hierarchy.area[self._node])
        return super().area

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        return self._proposals.node_box(self._node) if self._proposals.whole_size else super().bbox

    def to_array(self) -> np.ndarray:
        if self._proposals.whole_size:
            return self._proposals.node_at(self._node, slice(None), slice(None))
        return super().to_array()

    def boxed(self) -> tuple[tuple[slice, slice], np.ndarray]:
        if not self._proposals.whole_size:
            return super().boxed()
        left, top, wide, high = self.bbox
        box = slice(top, top + high), slice(left, left + wide)
        return box, self._proposals.node_at(self._node, *box)

    def sample(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        if self._proposals.whole_size:
            return self._proposals.node_at(self._node, rows[:, None], columns)
        return super().sample(rows, columns)

    def coverage(self, grid: tuple[int, int]) -> np.ndarray:
        return self._proposals.coverage(self._node, grid)


class RegionProposals:
    """The superpixels of one photo with their hierarchy."""

    def __init__(self, photo: Image.Image, features: np.ndarray | None = None) -> None:
        photo = images.open(photo)
        self.size = photo.size
        self.graph = RegionGraph(photo, features)
        self._everything: list[Mask] | None = None
        self._sampled: dict[tuple[int, int], np.ndarray] = {}

    @property
    def nbytes(self) -> int:
        return self.graph.nbytes

    def everything(self, cancel: Cancel | None = None) -> list[Mask]:
        """The nodes of the hierarchy that stand out most, those first; near duplicates once. Raises Cancelled."""
        if self._everything is not None and not (cancel and cancel()):
            return list(self._everything)
        tree = self.graph.hierarchy
        share = tree.area / self.graph.areas.sum()
        good = (share >= LEAST_AREA) & (share <= MOST_AREA)
        kept: list[int] = []
        for node in np.flatnonzero(good)[np.argsort(-tree.prominence[good], kind="stable")].tolist():
            if len(kept) < MOST_MASKS and not self._known(node, kept):
                kept.append(node)
        masks: list[Mask] = []
        for node in kept:
            if cancel is not None and cancel():
                raise Cancelled("The search for masks was stopped.")
            masks.append(NodeMask(self, node, float(tree.prominence[node])))
        self._everything = masks
        return list(masks)

    def hierarchy(self, x: float, y: float) -> list[Mask]:
        """The nodes that hold the pixel (x, y), from its superpixel to the whole photo."""
        leaf = int(self._superpixels(read_prompt(self.size, [(x, y, 1)]).inside)[0])
        tree = self.graph.hierarchy
        steps: list[int] = []
        for node in tree.ancestors(leaf):
            if not steps or tree.area[node] >= WHEEL_STEP * tree.area[steps[-1]]:
                steps.append(node)
        return [self._node_mask(node, float(tree.prominence[node]), [(int(x), int(y), True)]) for node in steps]

    def prompt(self, points: Sequence[Point] = (), box: Box | None = None, previous: Mask | None = None) -> list[Mask]:
        """The mask of a random walk from the points, then up to two nodes of the hierarchy that agree with them.

        Points inside are in every mask and points outside in none; of a box nothing outside is taken, and nothing of
        it when no part of the photo speaks for more. The score is the expected IoU. Raises PromptError.
        """
        prompt = read_prompt(self.size, points, box, previous)
        graph = self.graph
        inside, outside = self._superpixels(prompt.inside), self._superpixels(prompt.outside)
        contested = np.intersect1d(inside, outside)
        allowed = self._allowed(prompt)
        belief = self._walk(prompt, np.setdiff1d(inside, contested), np.setdiff1d(outside, contested), allowed)
        chosen, score = _best_part(belief, graph.areas)
        chosen[inside] = True
        chosen[np.setdiff1d(outside, contested)] = False
        if len(inside):
            chosen = graph.connected(chosen, inside)
        masks = [self._mask(chosen, score, prompt, contested)] if chosen.any() else []
        return masks + self._alternatives(belief, chosen, score, prompt, inside, outside, allowed)

    def _allowed(self, prompt: Prompt) -> np.ndarray:
        """(R,) bool: the superpixels that a box does not shut out."""
        if prompt.box is None:
            return np.ones(self.graph.count, bool)
        left, top, right, bottom = np.array(prompt.box) * np.tile(self._scale, 2)
        x, y = self.graph.centres.T
        allowed = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        allowed[self._superpixels(np.array([self._middle(prompt.box)], np.intp))] = True
        allowed[self._superpixels(prompt.inside)] = True
        return allowed

    def _walk(self, prompt: Prompt, inside: np.ndarray, outside: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """(R,) the belief that each superpixel is in the mask.

        A random walk on the graph of superpixels (Grady, TPAMI 2006) that each superpixel's own evidence pulls at (with
        priors: Grady, CVPR 2005): the solution x of (L + P) x = P e, with L the Laplacian of border weights, e the
        evidence and P how firmly it is held; clicked superpixels are held fast.
        """
        graph = self.graph
        if prompt.box is not None and not allowed.all():
            ring = ~allowed & (graph.matrix(np.ones(len(graph.edges))) @ allowed > 0)
            outside_too = np.union1d(outside, np.flatnonzero(ring))
        else:
            outside_too = outside
        seeds = inside
        if not len(seeds) and prompt.box is not None:
            seeds = np.setdiff1d(self._superpixels(np.array([self._middle(prompt.box)], np.intp)), outside_too)
        evidence = probability(graph, seeds, outside_too) if len(seeds) else np.full(graph.count, 0.5)
        if prompt.previous is not None:
            evidence = _shift(evidence, TRUST * (2 * self._covered(prompt.previous) - 1))
        hold = np.full(graph.count, PULL)
        for fixed, value in ((~allowed, 0.0), (inside, 1.0), (outside, 0.0)):
            hold[fixed], evidence[fixed] = 1e3, value
        flow = np.exp(-CONTRAST * graph.strength) * graph.length / 10
        links = graph.matrix(flow)
        system = sparse.diags(np.asarray(links.sum(1)).ravel() + hold) - links
        return spsolve(system.tocsc(), hold * evidence).clip(0, 1)

    def _alternatives(
        self,
        belief: np.ndarray,
        chosen: np.ndarray,
        score: float,
        prompt: Prompt,
        inside: np.ndarray,
        outside: np.ndarray,
        allowed: np.ndarray,
    ) -> list[Mask]:
        """The two most prominent nodes that hold all points inside, none outside, and differ from what was chosen."""
        if not len(inside):
            return []
        tree, areas = self.graph.hierarchy, self.graph.areas
        expected = tree.total(belief * areas)
        iou = expected / ((belief * areas).sum() + tree.area - expected)
        ranks, barred = tree.rank[inside], np.union1d(tree.rank[outside], tree.rank[~allowed])
        fits = (tree.first <= ranks.min()) & (tree.last > ranks.max())
        fits &= np.searchsorted(barred, tree.first) == np.searchsorted(barred, tree.last)
        common = tree.total(chosen * areas)
        fits &= common < DUPLICATE_IOU * ((chosen * areas).sum() + tree.area - common)
        nodes: list[int] = []
        for node in np.flatnonzero(fits)[np.argsort(-tree.prominence[fits], kind="stable")].tolist():
            if len(nodes) < 2 and not self._known(node, nodes):
                nodes.append(node)
        nodes.sort(key=lambda node: -iou[node])
        fixed = _fixed(prompt)
        return [self._node_mask(node, min(float(iou[node]), score), fixed) for node in nodes]

    def _known(self, node: int, nodes: list[int]) -> bool:
        """Whether one of `nodes` is nearly the same as `node`; nodes are nested or apart."""
        tree = self.graph.hierarchy
        others = np.array(nodes, int)
        nested = (tree.first[others] < tree.last[node]) & (tree.last[others] > tree.first[node])
        areas = tree.area[others]
        return bool(
            (nested & (np.minimum(areas, tree.area[node]) > DUPLICATE_IOU * np.maximum(areas, tree.area[node]))).any()
        )

    def _mask(self, chosen: np.ndarray, score: float, prompt: Prompt, contested: np.ndarray) -> Mask:
        """The mask of superpixels (R,) bool, its outline fitted to the photo's edges and its points honoured."""
        ids = self.graph.ids
        values = chosen[ids]
        inside, outside = self._at(prompt.inside), self._at(prompt.outside)
        if len(contested):
            # A superpixel that holds points of both kinds is parted halfway between them.
            y, x = np.nonzero(np.isin(ids, contested))
            nearest = [((x[:, None] - p[:, 0]) ** 2 + (y[:, None] - p[:, 1]) ** 2).min(1) for p in (inside, outside)]
            values[y, x] = nearest[0] <= nearest[1]
        values = _fit_to_edges(values.astype(np.float32), self.graph.guide)
        for points, value in ((inside, 1.0), (outside, 0.0)):
            values[points[:, 1], points[:, 0]] = value
        return Mask(encode_resized(values, self.size[::-1], fixed=_fixed(prompt)), score)

    @property
    def whole_size(self) -> bool:
        """Whether the superpixels are those of the photo itself, not of a smaller copy."""
        return self.graph.ids.shape == self.size[::-1]

    def node_code(self, node: int) -> dict:
        """The RLE of a node at the photo's size."""
        return self._node_mask(node, 0.0).rle

    def node_box(self, node: int) -> tuple[int, int, int, int]:
        """(left, top, width, height) of a node at the working size."""
        tree = self.graph.hierarchy
        low, high = self._corners
        within = slice(tree.first[node], tree.last[node])
        (top, left), (bottom, right) = low[within].min(0).tolist(), high[within].max(0).tolist()
        return left, top, right - left, bottom - top

    def node_at(self, node: int, rows: Any, columns: Any) -> np.ndarray:
        """Whether the node holds the working pixels at `rows` and `columns` (slices, or as numpy reads arrays)."""
        tree, ranks = self.graph.hierarchy, self._ranks[rows, columns]
        return (ranks >= tree.first[node]) & (ranks < tree.last[node])

    def coverage(self, node: int, grid: tuple[int, int]) -> np.ndarray:
        """(h, w) the share of each cell of a grid that the node covers, from the same points as `Mask.coverage`."""
        tree = self.graph.hierarchy
        if grid not in self._sampled:
            rows, columns = (grids.nearest(n * SAMPLES, m) for n, m in zip(grid, self.graph.ids.shape, strict=True))
            ranks = self._ranks[rows[:, None], columns].reshape(grid[0], SAMPLES, grid[1], SAMPLES)
            self._sampled[grid] = np.ascontiguousarray(ranks.transpose(0, 2, 1, 3)).reshape(-1, SAMPLES**2)
        ranks = self._sampled[grid]
        within = (ranks >= tree.first[node]) & (ranks < tree.last[node])
        share = np.count_nonzero(within, axis=1).reshape(grid) / np.float64(SAMPLES**2)
        if not share.any():  # smaller than the space between two points
            left, top, _, _ = self.node_box(node)
            height, width = self.graph.ids.shape
            share[grids.cells(height, grid[0])[top], grids.cells(width, grid[1])[left]] = 1
        return share

    @cached_property
    def _corners(self) -> tuple[np.ndarray, np.ndarray]:
        """((R, 2) first row and column, (R, 2) those after the last) of each superpixel, by rank."""
        boxes = ndimage.find_objects(self.graph.ids + 1)
        low = np.array([[rows.start, columns.start] for rows, columns in boxes])
        high = np.array([[rows.stop, columns.stop] for rows, columns in boxes])
        order = np.argsort(self.graph.hierarchy.rank)
        return low[order], high[order]

    def _node_mask(self, node: int, score: float, fixed: Sequence[tuple[int, int, bool]] = ()) -> Mask:
        tree = self.graph.hierarchy
        values = (self._ranks >= tree.first[node]) & (self._ranks < tree.last[node])
        return Mask(encode_resized(values, self.size[::-1], fixed=fixed), score)

    @cached_property
    def _ranks(self) -> np.ndarray:
        return self.graph.hierarchy.rank[self.graph.ids]

    @property
    def _scale(self) -> np.ndarray:
        """Working pixels per photo pixel, (x, y)."""
        return np.array(self.graph.ids.shape[::-1]) / self.size

    def _at(self, points: np.ndarray) -> np.ndarray:
        """(P, 2) photo pixels -> working pixels x, y."""
        return ((points + 0.5) * self._scale).astype(np.intp)

    def _superpixels(self, points: np.ndarray) -> np.ndarray:
        """The distinct superpixels under (P, 2) photo pixels."""
        at = self._at(points)
        return np.unique(self.graph.ids[at[:, 1], at[:, 0]])

    @staticmethod
    def _middle(box: Box) -> tuple[int, int]:
        return int((box[0] + box[2]) / 2), int((box[1] + box[3]) / 2)

    def _covered(self, mask: Mask) -> np.ndarray:
        """(R,) the share of each superpixel that a mask covers."""
        ids = self.graph.ids
        small = Image.fromarray(mask.to_array()).convert("L").resize(ids.shape[::-1], Image.Resampling.BOX)
        return np.bincount(ids.ravel(), np.asarray(small).ravel() / 255, self.graph.count) / self.graph.areas


def _best_part(belief: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, float]:
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


def _fixed(prompt: Prompt) -> list[tuple[int, int, bool]]:
    return [(int(x), int(y), bool(label > 0)) for (x, y), label in zip(prompt.points, prompt.labels, strict=True)]


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
