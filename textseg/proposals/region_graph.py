"""Superpixels of a photo, the graph of which touch, and the hierarchy of merging them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from textseg import images
from textseg.model.partition import Partition

WORKING_SIDE = 640
"""Everything is done on a copy of the photo whose long side is at most this."""

SUPERPIXELS = 1000


class RegionGraph:
    """R superpixels with their colours, features and borders.

    `edges` (E, 2) are pairs of superpixels that touch, and `strength` (E,) how strong the border between them is,
    about 1 for a clear one.
    """

    def __init__(self, photo: Image.Image, features: np.ndarray | None = None) -> None:
        """`features` (D, h, w) are a backbone's; without them only colours and edges count."""
        from skimage.color import rgb2lab
        from skimage.segmentation import felzenszwalb, slic

        small = np.asarray(images.limit(photo, WORKING_SIDE))
        height, width = small.shape[:2]
        self.lab = rgb2lab(small.astype(np.float32) / 255).astype(np.float32)
        ids = slic(self.lab, min(SUPERPIXELS, height * width), compactness=8, convert2lab=False, max_num_iter=6, start_label=0)
        self.partition = Partition(np.unique(ids, return_inverse=True)[1].reshape(ids.shape))
        ids, count = self.partition.ids, self.partition.count
        self.areas = self.partition.areas.astype(np.float64)
        pixels = self.lab.reshape(-1, 3)
        self.colours = _mean_by(ids, pixels, self.areas)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self.centres = _mean_by(ids, np.stack([x.ravel(), y.ravel()], 1), self.areas)
        self.features = None if features is None else _region_features(self.partition, features)

        a, b, gap = _pairs(ids, self.lab)
        self.edges, index = np.unique(a.astype(np.int64) * count + b, return_inverse=True)
        self.edges = np.stack([self.edges // count, self.edges % count], 1)
        self.length = np.bincount(index).astype(np.float64)
        contrast = np.bincount(index, gap) / self.length
        first, second = self.edges.T
        colour = np.linalg.norm(self.colours[first] - self.colours[second], axis=1)
        # Felzenszwalb & Huttenlocher's regions at several scales vote on which borders are real.
        parted = np.zeros(len(self.edges))
        for scale in (100, 300, 900):
            coarse = felzenszwalb(small, scale=scale, sigma=0.8, min_size=scale // 3)
            major = _majority(ids, coarse, count)
            parted += major[first] != major[second]
        self.strength = 0.3 * contrast / 20 + 0.3 * colour / 20 + 0.4 * parted / 3
        if self.features is not None:
            self.strength = self.strength / 2 + (1 - (self.features[first] * self.features[second]).sum(1)) / 2

    @property
    def nbytes(self) -> int:
        arrays = [self.lab, self.partition.ids, self.edges, self.strength, self.colours, self.features]
        return sum(array.nbytes for array in arrays if array is not None)

    @cached_property
    def hierarchy(self) -> Hierarchy:
        return _merge(self)


@dataclass
class Hierarchy:
    """The binary tree of merging R superpixels: nodes 0..R-1 are the superpixels, later ones their unions in order.

    Superpixels are ranked so that every node is a run of ranks: node n holds the ranks first[n]..last[n]-1.
    """

    parent: np.ndarray
    """(N,) the node that swallows each node; -1 for roots."""
    height: np.ndarray
    """(N,) the border strength at which each node came to be; does not fall towards the root."""
    area: np.ndarray
    """(N,) pixels of the working copy."""
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

    @cached_property
    def stability(self) -> np.ndarray:
        """(N,) how long a node lives: the gap from its own height to that of its parent, 0..1."""
        top = self.height.max(initial=0) or 1.0
        dies = np.where(self.parent >= 0, self.height[self.parent], top)
        return (dies - self.height) / np.maximum(dies, 1e-6)


def _merge(graph: RegionGraph) -> Hierarchy:
    """Merge the two regions with the weakest border until one is left (as in Arbelaez et al., TPAMI 2011, section 4)."""
    count = len(graph.areas)
    total = 2 * count
    area = np.zeros(total)
    area[:count] = graph.areas
    colour = np.zeros((total, 3))
    colour[:count] = graph.colours
    parent, height = np.full(total, -1), np.zeros(total)
    children: dict[int, tuple[int, int]] = {}
    around: list[dict[int, list[float]]] = [{} for _ in range(count)]
    heap: list[tuple[float, int, int]] = []
    photo_area = graph.areas.sum()

    def cost(a: int, b: int, border: list[float]) -> float:
        strength = border[0] / border[1]
        spread = float(np.abs(colour[a] - colour[b]).sum()) / 60
        smaller = min(area[a], area[b]) / photo_area
        return (strength + spread) * smaller**0.25

    for (a, b), strength, length in zip(graph.edges.tolist(), graph.strength, graph.length, strict=True):
        border = [float(strength * length), float(length)]
        around[a][b] = around[b][a] = border
        heap.append((cost(a, b, border), a, b))
    heapq.heapify(heap)
    alive = [True] * count
    while heap:
        level, a, b = heapq.heappop(heap)
        if not (alive[a] and alive[b]):
            continue
        node = len(alive)
        alive[a] = alive[b] = False
        alive.append(True)
        children[node] = (a, b)
        parent[a] = parent[b] = node
        area[node] = area[a] + area[b]
        colour[node] = (colour[a] * area[a] + colour[b] * area[b]) / area[node]
        height[node] = max(level, height[a], height[b])
        merged: dict[int, list[float]] = {}
        for old in (a, b):
            for other, border in around[old].items():
                if other in (a, b):
                    continue
                del around[other][old]
                if other in merged:
                    merged[other][0] += border[0]
                    merged[other][1] += border[1]
                else:
                    merged[other] = list(border)
            around[old] = {}
        around.append(merged)
        for other, border in merged.items():
            around[other][node] = border
            heapq.heappush(heap, (cost(node, other, border), other, node))
    nodes = len(alive)
    rank, first, last = _rank(parent[:nodes], children, count)
    return Hierarchy(parent[:nodes], height[:nodes], area[:nodes], rank, first, last)


def _rank(parent: np.ndarray, children: dict[int, tuple[int, int]], count: int) -> tuple[np.ndarray, ...]:
    """Number the leaves depth first, so that every node holds neighbouring numbers."""
    rank, first, last = np.zeros(count, np.int32), np.zeros(len(parent), np.int64), np.zeros(len(parent), np.int64)
    stack, used = [(int(n), False) for n in np.flatnonzero(parent < 0)], 0
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


def _mean_by(ids: np.ndarray, values: np.ndarray, areas: np.ndarray) -> np.ndarray:
    flat = ids.ravel()
    return np.stack([np.bincount(flat, channel, len(areas)) / areas for channel in values.T], 1)


def _region_features(partition: Partition, features: np.ndarray) -> np.ndarray:
    """(R, D') unit features: the mean over each superpixel, centred over the photo."""
    dim, height, width = features.shape
    flat = features.reshape(dim, -1).T.astype(np.float32)
    flat = flat - flat.mean(0)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6
    pooled = partition.weights(height, width) @ flat
    return pooled / (np.linalg.norm(pooled, axis=1, keepdims=True) + 1e-6)


def _pairs(ids: np.ndarray, lab: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixel pairs across borders: (smaller id, larger id, colour distance two pixels apart)."""
    found = []
    for axis in (0, 1):
        n = ids.shape[axis]
        here, there = (np.take(ids, range(*span), axis) for span in ((0, n - 1), (1, n)))
        far_here = np.take(lab, np.maximum(np.arange(n - 1) - 1, 0), axis)
        far_there = np.take(lab, np.minimum(np.arange(1, n) + 1, n - 1), axis)
        cut = here != there
        gap = np.linalg.norm(far_here[cut] - far_there[cut], axis=-1)
        found.append((np.minimum(here[cut], there[cut]), np.maximum(here[cut], there[cut]), gap))
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
