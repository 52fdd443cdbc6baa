"""The graph of which superpixels of a photo touch, and how strong the borders between them are."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from PIL import Image
from scipy import sparse

from textseg import images
from textseg.model.partition import WORKING_SIDE
from textseg.proposals.merging import Hierarchy, merged
from textseg.proposals.superpixels import Superpixels

SCALES = (1600, 4800, 14400)
"""Felzenszwalb & Huttenlocher scales that vote on which borders are real: differences of colour times pixels."""
LEAST = 1 / 48
"""A region of a scale has at least so many times the scale of pixels."""
EDGES_AT_ONCE = 256


class RegionGraph:
    """R superpixels with colours, features and borders; all in pixels of the working size (long side at most 640).

    `edges` (E, 2) are the pairs of superpixels that touch, `length` (E,) the pixels of their border and `strength` (E,)
    how strong it is: near 0 within an even surface, about 1 for a clear outline.
    """

    def __init__(self, photo: Image.Image, features: np.ndarray | None = None) -> None:
        """`features` (D, h, w) are a backbone's; without them only colours and edges count."""
        found = Superpixels.of(photo)
        self._photo = photo
        self.ids = found.ids
        self.areas = np.bincount(self.ids.ravel()).astype(np.float64)
        """(R,) pixels."""
        self.count = len(self.areas)
        self.colours = found.mean(found.lab)
        """(R, 3) mean CIELAB colour."""
        self.centres = found.centres()
        """(R, 2) mean x, y in pixels."""
        rim = np.concatenate([self.ids[0], self.ids[-1], self.ids[:, 0], self.ids[:, -1]])
        self.on_rim = np.bincount(rim, minlength=self.count) > 0
        """(R,) whether the superpixel touches the photo's border."""
        self.features = None if features is None else self._features(features)
        """(R, D) unit features, or None."""
        self._join(found)

    def _join(self, found: Superpixels) -> None:
        a, b, gap = _touching(found.coarse, found.lab)
        keys, index = np.unique(a.astype(np.int64) * self.count + b, return_inverse=True)
        first, second = keys // self.count, keys % self.count
        self.edges = np.stack([first, second], 1)
        pixels = np.bincount(index, minlength=len(keys))
        self.length = pixels * (1.0 if found.coarse is found.ids else 2.0)
        contrast = np.bincount(index, gap, len(keys)) / pixels
        colour = np.linalg.norm(self.colours[first] - self.colours[second], axis=1)
        parted = votes(self.edges, contrast + colour, self.areas)
        self.strength = (contrast + colour) / 40 + parted + 0.05
        if self.features is not None:
            self.strength = self.strength / 2 + 2 * (1 - _cosines(self.features, self.edges))

    def _features(self, features: np.ndarray) -> np.ndarray:
        """(R, D) unit features: those at each superpixel's centre, less the photo's mean."""
        dim, height, width = features.shape
        flat = features.reshape(dim, -1).T.astype(np.float32)
        x, y = (self.centres / self.ids.shape[::-1] * (width, height) - 0.5).clip(0).T
        weights = sparse.csr_matrix((self.count, height * width), dtype=np.float32)
        for row, down in _ends(y, height):
            for column, right in _ends(x, width):
                cells = row * width + column
                weights += sparse.csr_matrix((down * right, cells, np.arange(self.count + 1)), weights.shape)
        found = weights.astype(np.float32) @ flat - flat.mean(0)
        return found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-6)

    @cached_property
    def guide(self) -> np.ndarray:
        """(h, w) brightness 0..1, to whose edges masks are fitted."""
        return np.asarray(images.limit(self._photo, WORKING_SIDE)).mean(axis=2, dtype=np.float32) / 255

    @property
    def nbytes(self) -> int:
        arrays = [self.ids, self.edges, self.strength, self.length, self.colours, self.features]
        return self.ids.size * 4 + sum(array.nbytes for array in arrays if array is not None)

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
        return merged(self.edges, self.strength, self.length, self.areas, self.colours)


def votes(edges: np.ndarray, weight: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """(E,) the share of SCALES at which the two superpixels of an edge are parted.

    Felzenszwalb & Huttenlocher (IJCV 2004) on the graph of superpixels instead of pixels: edges by rising `weight`
    (E,) join two regions unless it exceeds what either holds together inside, plus scale / area. Edges are sorted once
    for all scales.
    """
    order = np.argsort(weight, kind="stable")
    first, second, rising = edges[order, 0].tolist(), edges[order, 1].tolist(), weight[order].tolist()
    parted = np.zeros(len(edges))
    for scale in SCALES:
        region = _felzenszwalb(first, second, rising, areas.tolist(), scale, scale * LEAST)
        parted += region[edges[:, 0]] != region[edges[:, 1]]
    return parted / len(SCALES)


def _felzenszwalb(
    first: list[int], second: list[int], weight: list[float], area: list[float], scale: float, least: float
) -> np.ndarray:
    """(R,) the region of each superpixel, from edges in the order of their weights; none smaller than `least`."""
    into = list(range(len(area)))
    limit = [scale / pixels for pixels in area]

    def root(node: int) -> int:
        while into[node] != node:
            into[node] = node = into[into[node]]
        return node

    for a, b, apart in zip(first, second, weight, strict=True):
        a, b = root(a), root(b)
        if a != b and apart <= limit[a] and apart <= limit[b]:
            into[b] = a
            area[a] += area[b]
            limit[a] = apart + scale / area[a]
    for a, b in zip(first, second, strict=True):
        a, b = root(a), root(b)
        if a != b and (area[a] < least or area[b] < least):
            into[b] = a
            area[a] += area[b]
    return np.array([root(node) for node in range(len(area))])


def _ends(at: np.ndarray, cells: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The two of `cells` along a side that each place `at` lies between, with their weights."""
    low = np.minimum(at.astype(np.int32), cells - 1)
    share = (at - low).astype(np.float32).clip(0, 1)
    return [(low, 1 - share), (np.minimum(low + 1, cells - 1), share)]


def _cosines(features: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(E,) dot products of the (R, D) unit features of each edge's two superpixels."""
    found = np.empty(len(edges), np.float32)
    for start in range(0, len(edges), EDGES_AT_ONCE):
        first, second = edges[start : start + EDGES_AT_ONCE].T
        np.einsum("ed,ed->e", features[first], features[second], out=found[start : start + EDGES_AT_ONCE])
    return found


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
