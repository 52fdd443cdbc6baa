"""Superpixels of a photo, the graph of which touch, and the hierarchy of merging them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from scipy import ndimage, sparse

from textseg import grids, images
from textseg.model.partition import WORKING_SIDE, Partition

SUPERPIXELS = 1500
SCALES = (100, 300, 900)
"""Felzenszwalb & Huttenlocher scales that vote on which borders are real."""


class RegionGraph:
    """R superpixels with colours, features and borders; all at the working size (long side at most 640).

    `edges` (E, 2) are the pairs of superpixels that touch, `length` (E,) the pixels of their border and `strength` (E,)
    how strong it is: near 0 within an even surface, about 1 for a clear outline.
    """

    def __init__(self, photo: Image.Image, features: np.ndarray | None = None) -> None:
        """`features` (D, h, w) are a backbone's; without them only colours and edges count."""
        from skimage.color import rgb2lab

        small = images.limit(photo, WORKING_SIDE)
        pixels = np.asarray(small)
        lab = rgb2lab(pixels.astype(np.float32) / 255).astype(np.float32)
        self.guide = pixels.mean(axis=2, dtype=np.float32) / 255
        """(h, w) brightness 0..1, to whose edges masks are fitted."""
        self.partition = Partition(_superpixels(lab))
        self.ids, self.count = self.partition.ids, self.partition.count
        self.areas = self.partition.areas.astype(np.float64)
        self.colours = self._mean(lab.reshape(-1, 3))
        """(R, 3) mean CIELAB colour."""
        height, width = self.ids.shape
        y, x = np.mgrid[:height, :width]
        self.centres = self._mean(np.stack([x.ravel() + 0.5, y.ravel() + 0.5], 1))
        """(R, 2) mean x, y in pixels."""
        rim = np.concatenate([self.ids[0], self.ids[-1], self.ids[:, 0], self.ids[:, -1]])
        self.on_rim = np.bincount(rim, minlength=self.count) > 0
        """(R,) whether the superpixel touches the photo's border."""
        self.features = None if features is None else _region_features(self.partition, features)
        """(R, D) unit features, or None."""
        self._join(lab, small)

    def _join(self, lab: np.ndarray, small: Image.Image) -> None:
        a, b, gap = _touching(self.ids, lab)
        keys, index = np.unique(a.astype(np.int64) * self.count + b, return_inverse=True)
        first, second = keys // self.count, keys % self.count
        self.edges = np.stack([first, second], 1)
        self.length = np.bincount(index, minlength=len(keys)).astype(np.float64)
        contrast = np.bincount(index, gap, len(keys)) / self.length
        colour = np.linalg.norm(self.colours[first] - self.colours[second], axis=1)
        parted = np.zeros(len(keys))
        for coarse in _segments(small, self.ids.shape):
            major = _majority(self.ids, coarse, self.count)
            parted += major[first] != major[second]
        self.strength = (contrast + colour) / 40 + parted / len(SCALES) + 0.05
        if self.features is not None:
            unlike = 1 - (self.features[first] * self.features[second]).sum(1)
            self.strength = self.strength / 2 + 2 * unlike

    def _mean(self, values: np.ndarray) -> np.ndarray:
        """(R, C) mean of (h w, C) pixel values over each superpixel."""
        flat = self.ids.ravel()
        return np.stack([np.bincount(flat, channel, self.count) / self.areas for channel in values.T], 1)

    @property
    def nbytes(self) -> int:
        arrays = [self.guide, self.ids, self.edges, self.strength, self.length, self.colours, self.features]
        return sum(array.nbytes for array in arrays if array is not None)

    def matrix(self, weight: np.ndarray) -> sparse.csr_matrix:
        """(R, R) symmetric, with (E,) `weight` on the edges."""
        first, second = self.edges.T
        pairs = np.r_[first, second], np.r_[second, first]
        return sparse.coo_matrix((np.r_[weight, weight], pairs), (self.count, self.count)).tocsr()

    def distance(self, seeds: np.ndarray) -> np.ndarray:
        """(R,) geodesic distance to the nearest of `seeds`: the least sum of border strengths on a way there.

        Measured in units of half the photo's side in an ordinary surface, so that it means the same in every photo.
        """
        from scipy.sparse.csgraph import dijkstra

        away = dijkstra(self._strengths, directed=False, indices=seeds, min_only=True)
        return away / (np.median(self.strength) * self.count**0.5 / 2 if len(self.strength) else 1.0)

    @cached_property
    def rim_distance(self) -> np.ndarray:
        """(R,) geodesic distance to the photo's border."""
        return self.distance(np.flatnonzero(self.on_rim))

    @cached_property
    def _strengths(self) -> sparse.csr_matrix:
        return self.matrix(self.strength)

    def connected(self, inside: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """(R,) bool: those of the superpixels `inside` (R,) bool that connect through it to one of `seeds`."""
        from scipy.sparse.csgraph import connected_components

        first, second = self.edges.T
        parts = connected_components(self.matrix((inside[first] & inside[second]).astype(np.int8)), directed=False)[1]
        return inside & np.isin(parts, parts[seeds[inside[seeds]]])

    @cached_property
    def hierarchy(self) -> Hierarchy:
        """All superpixels merged into one, weakest border first."""
        return _merge(self)


@dataclass
class Hierarchy:
    """The binary tree of merging R superpixels: nodes 0..R-1 are the superpixels, later ones their unions in order.

    Superpixels are ranked so that every node is a run of ranks: node n holds the ranks first[n]..last[n]-1.
    """

    parent: np.ndarray
    """(N,) the node that swallows each node; -1 for the root."""
    height: np.ndarray
    """(N,) the cost at which each node came to be; does not fall towards the root."""
    area: np.ndarray
    """(N,) pixels at the working size."""
    rank: np.ndarray
    """(R,) rank of each superpixel."""
    first: np.ndarray
    last: np.ndarray

    def ancestors(self, node: int) -> list[int]:
        """`node` and all that hold it, from small to large."""
        found = []
        while node >= 0:
            found.append(node)
            node = int(self.parent[node])
        return found

    def total(self, values: np.ndarray) -> np.ndarray:
        """(N,) the sum of (R,) superpixel values over each node."""
        running = np.zeros(len(values) + 1)
        running[1:][self.rank] = values
        running = running.cumsum()
        return running[self.last] - running[self.first]

    @cached_property
    def prominence(self) -> np.ndarray:
        """(N,) 0..1 what it cost to merge each node into its parent, as a share of the last merge: its strength as a
        contour (Arbelaez et al., TPAMI 2011, section 4.2)."""
        top = self.height.max(initial=0) or 1.0
        return np.where(self.parent >= 0, self.height[self.parent], top) / top


def _superpixels(lab: np.ndarray) -> np.ndarray:
    """(h, w) compact watershed (Neubert & Protzel, ICPR 2014) of the gradient: SLIC's evenness, sharper borders."""
    from skimage.segmentation import watershed

    gradient = np.sqrt(sum(ndimage.gaussian_gradient_magnitude(lab[..., i], 1.0) ** 2 for i in range(3)))
    found = watershed(gradient, markers=max(1, min(SUPERPIXELS, lab.shape[0] * lab.shape[1] // 16)), compactness=0.15)
    return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def _segments(small: Image.Image, shape: tuple[int, int]) -> list[np.ndarray]:
    """Felzenszwalb & Huttenlocher's regions (IJCV 2004) at several scales, found at half the working size."""
    from skimage.segmentation import felzenszwalb

    half = images.limit(small, max(1, max(small.size) // 2))
    rows, columns = (grids.cells(n, m) for n, m in zip(shape, half.size[::-1], strict=True))
    return [
        felzenszwalb(np.asarray(half), scale=scale / 2, sigma=0.5, min_size=max(1, scale // 12))[rows[:, None], columns]
        for scale in SCALES
    ]


def _region_features(partition: Partition, features: np.ndarray) -> np.ndarray:
    """(R, D) unit features: the mean over each superpixel, less the photo's mean."""
    dim, height, width = features.shape
    flat = features.reshape(dim, -1).T.astype(np.float32)
    pooled = partition.weights(height, width) @ (flat - flat.mean(0))
    return pooled / (np.linalg.norm(pooled, axis=1, keepdims=True) + 1e-6)


def _touching(ids: np.ndarray, lab: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixel pairs across borders: smaller id, larger id, and the colour distance a pixel further out on both sides."""
    found = []
    for axis in (0, 1):
        n = ids.shape[axis]
        here, there = np.arange(n - 1), np.arange(1, n)
        a, b = ids.take(here, axis), ids.take(there, axis)
        cut = a != b
        inner = lab.take(np.maximum(here - 1, 0), axis)[cut] - lab.take(np.minimum(there + 1, n - 1), axis)[cut]
        found.append((np.minimum(a[cut], b[cut]), np.maximum(a[cut], b[cut]), np.linalg.norm(inner, axis=-1)))
    a, b, gap = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return a, b, gap


def _majority(ids: np.ndarray, coarse: np.ndarray, count: int) -> np.ndarray:
    """(R,) the coarse region that holds most of each superpixel."""
    wide = int(coarse.max()) + 1
    keys, votes = np.unique(ids.ravel().astype(np.int64) * wide + coarse.ravel(), return_counts=True)
    order = np.argsort(votes, kind="stable")
    major = np.zeros(count, np.int64)
    major[keys[order] // wide] = keys[order] % wide
    return major


def _merge(graph: RegionGraph) -> Hierarchy:
    """Merge the two regions that cost least until one is left (greedy, as in Arbelaez et al., TPAMI 2011, section 4).

    The cost is the mean strength of the border plus the difference of the mean colours, less for a small region, so
    that crumbs go first.
    """
    count = graph.count
    area, colour = graph.areas.tolist(), graph.colours.tolist()
    parent, height = [-1] * count, [0.0] * count
    children: dict[int, tuple[int, int]] = {}
    around: list[dict[int, tuple[float, float]]] = [{} for _ in range(count)]
    whole = sum(area)

    def cost(a: int, b: int, strength: float, length: float) -> float:
        (l1, a1, b1), (l2, a2, b2) = colour[a], colour[b]
        apart = (abs(l1 - l2) + abs(a1 - a2) + abs(b1 - b2)) / 60
        return (strength / length + apart) * (min(area[a], area[b]) / whole) ** 0.25

    heap = []
    for (a, b), strength, length in zip(graph.edges.tolist(), graph.strength, graph.length, strict=True):
        around[a][b] = around[b][a] = border = (float(strength * length), float(length))
        heap.append((cost(a, b, *border), a, b))
    heapq.heapify(heap)
    while heap:
        level, a, b = heapq.heappop(heap)
        if parent[a] >= 0 or parent[b] >= 0:
            continue
        node = len(parent)
        parent[a] = parent[b] = node
        parent.append(-1)
        height.append(max(level, height[a], height[b]))
        children[node] = (a, b)
        area.append(area[a] + area[b])
        colour.append([(p * area[a] + q * area[b]) / area[node] for p, q in zip(colour[a], colour[b], strict=True)])
        borders: dict[int, tuple[float, float]] = {}
        for old in (a, b):
            for other, (strength, length) in around[old].items():
                if other in (a, b):
                    continue
                del around[other][old]
                known = borders.get(other, (0.0, 0.0))
                borders[other] = (known[0] + strength, known[1] + length)
            around[old] = {}
        around.append(borders)
        for other, border in borders.items():
            around[other][node] = border
            heapq.heappush(heap, (cost(node, other, *border), other, node))
    rank, first, last = _rank(parent, children, count)
    return Hierarchy(np.array(parent), np.array(height), np.array(area), rank, first, last)


def _rank(parent: list[int], children: dict[int, tuple[int, int]], count: int) -> tuple[np.ndarray, ...]:
    """Number the leaves depth first, so that every node holds neighbouring numbers."""
    rank, first, last = np.zeros(count, np.int32), np.zeros(len(parent), np.int64), np.zeros(len(parent), np.int64)
    stack, used = [(len(parent) - 1, False)], 0
    while stack:
        node, done = stack.pop()
        if done:
            last[node] = used
        elif node < count:
            rank[node], first[node], last[node] = used, used, used + 1
            used += 1
        else:
            first[node] = used
            stack.append((node, True))
            stack += [(child, False) for child in children[node]]
    return rank, first, last
