"""Superpixels merged, two by two, until one is left: the nodes of this hierarchy are what `regions` proposes."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import cached_property

import numpy as np

COLOUR = 60
"""So large a difference of mean colours (CIELAB, summed) counts as much as a border of strength 1."""
SIZE = 0.3
"""The power of the smaller region's area by which merging it is cheaper: crumbs go first."""
WORTH = 1 / 16
"""Rounds of merging many pairs at once go on while at least this share of the regions finds its pair."""


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


@dataclass
class Borders:
    """Which regions touch: E pairs of them, the pixels of their border, and its strength summed over these."""

    pairs: np.ndarray
    """(E, 2), each pair once."""
    strength: np.ndarray
    length: np.ndarray


def merged(
    edges: np.ndarray, strength: np.ndarray, length: np.ndarray, areas: np.ndarray, colours: np.ndarray
) -> Hierarchy:
    """Merge the regions that cost least until one is left (greedy, as in Arbelaez et al., TPAMI 2011, section 4).

    `edges` (E, 2) touch along `length` (E,) pixels of mean `strength` (E,); `areas` (R,), `colours` (R, 3) CIELAB. The
    cost is the mean strength of the border plus the difference of the mean colours, less for a small region, so that
    crumbs go first. As long as many regions are each other's cheapest neighbour all these pairs merge at once, which
    is what would become of nearly all of them one by one (reciprocal nearest neighbours); the rest one by one.
    """
    tree = _Tree(areas, colours)
    borders = Borders(edges, strength * length, length)
    borders = _many_at_once(tree, borders)
    _one_by_one(tree, borders)
    return tree.hierarchy()


class _Tree:
    """A hierarchy in the making; arrays have room for all its nodes."""

    def __init__(self, areas: np.ndarray, colours: np.ndarray) -> None:
        self.leaves = self.count = len(areas)
        most = 2 * self.leaves - 1
        self.area, self.colour, self.height = np.zeros(most), np.zeros((most, 3)), np.zeros(most)
        self.area[: self.leaves], self.colour[: self.leaves] = areas, colours
        self.parent = np.full(most, -1)
        self.children = np.zeros((most, 2), np.int64)
        self.whole = float(areas.sum())

    def cost(self, borders: Borders) -> np.ndarray:
        first, second = borders.pairs.T
        apart = np.abs(self.colour[first] - self.colour[second]).sum(1) / COLOUR
        smaller = np.minimum(self.area[first], self.area[second]) / self.whole
        return (borders.strength / borders.length + apart) * smaller**SIZE

    def merge(self, pairs: np.ndarray, cost: np.ndarray) -> np.ndarray:
        """(M,) the new nodes of (M, 2) pairs of nodes without a parent, no node twice."""
        new = np.arange(self.count, self.count + len(pairs))
        self.count += len(pairs)
        self.parent[pairs] = new[:, None]
        self.children[new] = pairs
        area = self.area[pairs]
        self.area[new] = area.sum(1)
        self.colour[new] = (self.colour[pairs] * area[..., None]).sum(1) / self.area[new, None]
        self.height[new] = np.maximum(cost, self.height[pairs].max(1))
        return new

    def hierarchy(self) -> Hierarchy:
        """Leaves are numbered so that every node holds neighbouring numbers."""
        leaves, children = [1] * self.leaves, self.children.tolist()
        for one, other in children[self.leaves :]:
            leaves.append(leaves[one] + leaves[other])
        first = [0] * self.count
        for node in range(self.count - 1, self.leaves - 1, -1):
            one, other = children[node]
            first[one], first[other] = first[node], first[node] + leaves[one]
        start = np.array(first)
        rank = start[: self.leaves].astype(np.int32)
        return Hierarchy(self.parent, self.height, self.area, rank, start, start + np.array(leaves))


def _many_at_once(tree: _Tree, borders: Borders) -> Borders:
    """Merge all pairs of each other's cheapest neighbours, again and again while they are many; what borders remain."""
    while len(borders.pairs):
        cost = tree.cost(borders)
        dear_first = np.argsort(-cost, kind="stable")
        cheapest = np.full(tree.count, -1)
        cheapest[borders.pairs[dear_first].ravel()] = dear_first.repeat(2)  # the last one written stays
        mutual = np.flatnonzero((cheapest[borders.pairs] == np.arange(len(cost))[:, None]).all(1))
        if len(mutual) < WORTH * np.count_nonzero(cheapest >= 0):
            break
        mutual = mutual[np.argsort(cost[mutual], kind="stable")]
        pairs = borders.pairs[mutual]
        into = np.arange(tree.count)
        into[pairs] = tree.merge(pairs, cost[mutual])[:, None]
        borders = _joined(into[borders.pairs], borders)
    return borders


def _joined(pairs: np.ndarray, borders: Borders) -> Borders:
    """Borders of the same two regions as one, and none within a region."""
    apart = pairs[:, 0] != pairs[:, 1]
    low, high = pairs.min(1)[apart], pairs.max(1)[apart]
    wide = int(pairs.max(initial=0)) + 1
    keys, index = np.unique(low * wide + high, return_inverse=True)
    strength, length = (np.bincount(index, values[apart], len(keys)) for values in (borders.strength, borders.length))
    return Borders(np.stack([keys // wide, keys % wide], 1), strength, length)


def _one_by_one(tree: _Tree, borders: Borders) -> None:
    """Merge the two regions that cost least, until there are no borders."""
    area, colour = tree.area.tolist(), tree.colour.tolist()
    around: dict[int, dict[int, tuple[float, float]]] = {}
    gone: set[int] = set()

    def cost(a: int, b: int, strength: float, length: float) -> float:
        (l1, a1, b1), (l2, a2, b2) = colour[a], colour[b]
        apart = (abs(l1 - l2) + abs(a1 - a2) + abs(b1 - b2)) / COLOUR
        return (strength / length + apart) * (min(area[a], area[b]) / tree.whole) ** SIZE

    heap = []
    for (a, b), *border in zip(borders.pairs.tolist(), borders.strength.tolist(), borders.length.tolist(), strict=True):
        around.setdefault(a, {})[b] = around.setdefault(b, {})[a] = (border[0], border[1])
        heap.append((cost(a, b, border[0], border[1]), a, b))
    heapq.heapify(heap)
    while heap:
        level, a, b = heapq.heappop(heap)
        if a in gone or b in gone:
            continue
        gone |= {a, b}
        (node,) = tree.merge(np.array([[a, b]]), np.array([level])).tolist()
        area[node], colour[node] = float(tree.area[node]), tree.colour[node].tolist()
        borders_of: dict[int, tuple[float, float]] = {}
        for old in (a, b):
            for other, (strength, length) in around.pop(old).items():
                if other in (a, b):
                    continue
                del around[other][old]
                known = borders_of.get(other, (0.0, 0.0))
                borders_of[other] = (known[0] + strength, known[1] + length)
        around[node] = borders_of
        for other, border_with in borders_of.items():
            around[other][node] = border_with
            heapq.heappush(heap, (cost(node, other, *border_with), other, node))
