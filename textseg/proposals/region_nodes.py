"""The nodes of a hierarchy of superpixels as masks: their pixels and boxes are read off the superpixels' ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy import ndimage, sparse

from textseg import grids
from textseg.proposals import SAMPLES, Mask
from textseg.proposals.region_graph import RegionGraph
from textseg.proposals.resized import encode_resized


class Nodes:
    """The nodes of a graph's hierarchy on a photo of `size` (width, height)."""

    def __init__(self, graph: RegionGraph, size: tuple[int, int]) -> None:
        self.graph, self.size = graph, size
        self._sampled: dict[tuple[int, int], sparse.csr_matrix] = {}

    @property
    def whole_size(self) -> bool:
        """Whether the superpixels are those of the photo itself, not of a smaller copy."""
        return self.graph.ids.shape == self.size[::-1]

    def code(self, node: int, fixed: Iterable[tuple[int, int, bool]] = ()) -> dict:
        """The RLE of a node at the photo's size; pixels `fixed` as (x, y, inside) are that whatever the node says."""
        return encode_resized(self.at(node, slice(None), slice(None)), self.size[::-1], fixed=fixed)

    def box(self, node: int) -> tuple[int, int, int, int]:
        """(left, top, width, height) of a node at the working size."""
        tree = self.graph.hierarchy
        low, high = self._corners
        within = slice(tree.first[node], tree.last[node])
        (top, left), (bottom, right) = low[within].min(0).tolist(), high[within].max(0).tolist()
        return left, top, right - left, bottom - top

    def at(self, node: int, rows: Any, columns: Any) -> np.ndarray:
        """Whether the node holds the working pixels at `rows` and `columns` (slices, or as numpy reads arrays)."""
        tree, ranks = self.graph.hierarchy, self._ranks[rows, columns]
        return (ranks >= tree.first[node]) & (ranks < tree.last[node])

    def laid(self, nodes: Sequence[int], numbers: Sequence[int]) -> np.ndarray:
        """(h, w) uint16: at each working pixel the number of the last of `nodes` that holds it, else 0."""
        tree = self.graph.hierarchy
        by_rank = np.zeros(self.graph.count, np.uint16)
        for node, number in zip(nodes, numbers, strict=True):
            by_rank[tree.first[node] : tree.last[node]] = number
        return by_rank[tree.rank][self.graph.ids]

    def coverages(self, nodes: Sequence[int], grid: tuple[int, int]) -> np.ndarray:
        """(M, h, w) the share of each cell of a grid that each node covers, from the points of `Mask.coverage`."""
        tree, cells = self.graph.hierarchy, grid[0] * grid[1]
        if grid not in self._sampled:
            rows, columns = (grids.nearest(n * SAMPLES, m) for n, m in zip(grid, self.graph.ids.shape, strict=True))
            ranks = self._ranks[rows[:, None], columns].reshape(grid[0], SAMPLES, grid[1], SAMPLES)
            cell = np.arange(cells, dtype=np.int32).reshape(grid[0], 1, grid[1], 1)
            places = ranks.ravel(), np.broadcast_to(cell, ranks.shape).ravel()
            points = np.ones(ranks.size, np.float32)
            self._sampled[grid] = sparse.csr_matrix((points, places), (self.graph.count, cells))
        at = np.array(nodes, np.intp)
        first, many = tree.first[at], tree.last[at] - tree.first[at]
        starts = np.concatenate([[0], many.cumsum()])
        ranks = np.arange(starts[-1]) - (starts[:-1] - first).repeat(many)
        within = sparse.csr_matrix((np.ones(len(ranks), np.float32), ranks, starts), (len(many), self.graph.count))
        share = (within @ self._sampled[grid]).toarray().reshape(-1, *grid) / np.float32(SAMPLES**2)
        height, width = self.graph.ids.shape
        for k in np.flatnonzero(~share.any((1, 2))).tolist():  # smaller than the space between two points
            left, top, _, _ = self.box(nodes[k])
            share[k, grids.cells(height, grid[0])[top], grids.cells(width, grid[1])[left]] = 1
        return share

    @cached_property
    def _corners(self) -> tuple[np.ndarray, np.ndarray]:
        """((R, 2) first row and column, (R, 2) those after the last) of each superpixel, by rank."""
        boxes = ndimage.find_objects(self.graph.ids + 1)
        low = np.array([[rows.start, columns.start] for rows, columns in boxes])
        high = np.array([[rows.stop, columns.stop] for rows, columns in boxes])
        order = np.argsort(self.graph.hierarchy.rank)
        return low[order], high[order]

    @cached_property
    def _ranks(self) -> np.ndarray:
        return self.graph.hierarchy.rank[self.graph.ids]


class NodeMask(Mask):
    """The mask of a node; its code is made when it is asked for, which most are not.

    Where the photo is no larger than the working size all else is read off the superpixels, and is the same. Shares of
    a grid's cells always are.
    """

    _nodes: Nodes
    _node: int

    def __init__(self, nodes: Nodes, node: int, score: float) -> None:
        for name, value in {"_nodes": nodes, "_node": node, "score": score, "state": None}.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> Any:
        return Mask, (self.rle, self.score)

    @cached_property
    def rle(self) -> dict:  # type: ignore[override]
        return self._nodes.code(self._node)

    @property
    def size(self) -> tuple[int, int]:
        return self._nodes.size

    @property
    def area(self) -> int:
        return int(self._nodes.graph.hierarchy.area[self._node]) if self._nodes.whole_size else super().area

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        return self._nodes.box(self._node) if self._nodes.whole_size else super().bbox

    def to_array(self) -> np.ndarray:
        if self._nodes.whole_size:
            return self._nodes.at(self._node, slice(None), slice(None))
        return super().to_array()

    def boxed(self) -> tuple[tuple[slice, slice], np.ndarray]:
        if not self._nodes.whole_size:
            return super().boxed()
        left, top, wide, high = self.bbox
        box = slice(top, top + high), slice(left, left + wide)
        return box, self._nodes.at(self._node, *box)

    @classmethod
    def lay(cls, masks: Sequence[NodeMask], numbers: Sequence[int], size: tuple[int, int]) -> np.ndarray:
        nodes = masks[0]._nodes
        if not nodes.whole_size or any(mask._nodes is not nodes for mask in masks):
            return super().lay(masks, numbers, size)
        return nodes.laid([mask._node for mask in masks], numbers)

    def sample(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        if self._nodes.whole_size:
            return self._nodes.at(self._node, rows[:, None], columns)
        return super().sample(rows, columns)

    def coverage(self, grid: tuple[int, int]) -> np.ndarray:
        return self._nodes.coverages([self._node], grid)[0]

    @classmethod
    def coverages(cls, masks: Sequence[NodeMask], grid: tuple[int, int]) -> np.ndarray:
        nodes = masks[0]._nodes
        if any(mask._nodes is not nodes for mask in masks):
            return super().coverages(masks, grid)
        return nodes.coverages([mask._node for mask in masks], grid)
