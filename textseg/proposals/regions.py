"""`regions`: masks that need no weights, from a hierarchy of superpixels and a random walk between the clicks.

Everything is worked out on superpixels of a copy of the photo whose long side is at most 640, so a prompt takes the
same time at any photo size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import sparse
from scipy.sparse.linalg import spsolve

from textseg import images
from textseg.errors import Cancelled
from textseg.model import Scene
from textseg.proposals import Box, Cancel, Mask, Point, Prompt, read_prompt, register
from textseg.proposals.region_graph import RegionGraph
from textseg.proposals.rle import encode_resized

MOST_MASKS = 200


@register("regions")
class Regions:
    """The proposer that needs nothing but the photo; a scene's backbone features make it better."""

    def __init__(self, details: str = "", device: str | None = None) -> None:
        self.name = "regions"

    def open(self, photo: Image.Image, scene: Scene | None = None) -> RegionProposals:
        """Find the superpixels of `photo`; with a scene this is done once for it."""
        if scene is None:
            return RegionProposals(photo)
        return scene.once("regions", lambda: RegionProposals(photo, scene.features.float().cpu().numpy()))


class RegionProposals:
    """The superpixels of one photo with their hierarchy."""

    def __init__(self, photo: Image.Image, features: np.ndarray | None = None) -> None:
        photo = images.open(photo)
        self.size = photo.size
        self.graph = RegionGraph(photo, features)

    @property
    def nbytes(self) -> int:
        return self.graph.nbytes

    def everything(self, cancel: Cancel | None = None) -> list[Mask]:
        """The stable nodes of the hierarchy, the most stable first. Raises Cancelled."""
        tree = self.graph.hierarchy
        share = tree.area / self.graph.areas.sum()
        good = np.flatnonzero((share > 0.001) & (share < 0.95) & (tree.stability > 0.05))
        masks = []
        for node in good[np.argsort(-tree.stability[good], kind="stable")][:MOST_MASKS]:
            if cancel is not None and cancel():
                raise Cancelled("The search for masks was stopped.")
            masks.append(self._node_mask(int(node)))
        return masks

    def hierarchy(self, x: float, y: float) -> list[Mask]:
        """The nodes that hold the pixel (x, y), from its superpixel to the whole photo."""
        prompt = read_prompt(self.size, [(x, y, 1)])
        leaf = int(self._superpixels(prompt.inside)[0])
        tree = self.graph.hierarchy
        nodes, area = [], 0.0
        for node in tree.ancestors(leaf):
            if tree.area[node] >= 1.15 * area:
                nodes.append(node)
                area = tree.area[node]
        return [self._node_mask(node) for node in nodes]

    def prompt(
        self, points: Sequence[Point] = (), box: Box | None = None, previous: Mask | None = None
    ) -> list[Mask]:
        """The region that a random walk from the points reaches; then the nodes of the hierarchy that agree with them."""
        prompt = read_prompt(self.size, points, box, previous)
        walk = self._walk(prompt)
        mask = self._mask(walk, 1.0, prompt)
        return [mask] if mask is not None else []

    def _walk(self, prompt: Prompt) -> np.ndarray:
        """(R,) the probability that a superpixel belongs to the mask (Grady, TPAMI 2006, with priors as in CVPR 2005)."""
        graph = self.graph
        count = len(graph.areas)
        inside, outside = self._superpixels(prompt.inside), self._superpixels(prompt.outside)
        both = np.intersect1d(inside, outside)
        inside, outside = np.setdiff1d(inside, both), np.setdiff1d(outside, both)
        weight = np.exp(-6 * graph.strength) + 1e-4
        first, second = graph.edges.T
        laplacian = sparse.coo_matrix((np.r_[weight, weight], (np.r_[first, second], np.r_[second, first])), (count, count))
        degree = np.asarray(laplacian.sum(1)).ravel()
        near = self._likeness(inside) if len(inside) else np.full(count, 0.3)
        far = self._likeness(outside) if len(outside) else np.full(count, 0.35)
        prior = 1 / (1 + np.exp(-8 * (near - far)))
        rigid = np.full(count, 0.02)
        rigid[inside], prior[inside] = 1e3, 1
        rigid[outside], prior[outside] = 1e3, 0
        if prompt.box is not None:
            left, top, right, bottom = np.array(prompt.box) * self._scale
            x, y = graph.centres.T
            out = (x < left) | (x > right) | (y < top) | (y > bottom)
            rigid[out], prior[out] = 1e3, 0
        if prompt.previous is not None:
            before = self._pooled(prompt.previous)
            prior = 0.5 * prior + 0.5 * before
        system = sparse.diags(degree + rigid) - laplacian
        return spsolve(system.tocsc(), rigid * prior)

    def _likeness(self, seeds: np.ndarray) -> np.ndarray:
        """(R,) how much each superpixel looks like the most similar of the seeds, 0..1."""
        graph = self.graph
        gap = np.linalg.norm(graph.colours[:, None] - graph.colours[None, seeds], axis=2)
        alike = np.exp(-gap / 20)
        if graph.features is not None:
            alike = 0.3 * alike + 0.7 * (graph.features @ graph.features[seeds].T)
        return alike.max(1)

    def _mask(self, walk: np.ndarray, score: float, prompt: Prompt) -> Mask | None:
        inside = walk > 0.5
        ids = self.graph.partition.ids
        values = inside[ids].astype(np.float32)
        if len(prompt.inside):
            from skimage.measure import label

            parts = label(values > 0.5, connectivity=1)
            at = (prompt.inside * self._scale).astype(int)
            values = np.isin(parts, np.setdiff1d(parts[at[:, 1], at[:, 0]], 0)).astype(np.float32)
        rle = encode_resized(values, self.size[::-1])
        mask = Mask(rle, score)
        return self._honour(mask, prompt) if mask.area else None

    def _honour(self, mask: Mask, prompt: Prompt) -> Mask:
        return mask

    @property
    def _scale(self) -> float:
        return self.graph.partition.ids.shape[1] / self.size[0]

    def _superpixels(self, points: np.ndarray) -> np.ndarray:
        """The distinct superpixels under (P, 2) photo pixels."""
        ids = self.graph.partition.ids
        limit = np.array([ids.shape[1], ids.shape[0]]) - 1
        at = np.minimum(((points + 0.5) * self._scale).astype(int), limit)
        return np.unique(ids[at[:, 1], at[:, 0]])

    def _pooled(self, mask: Mask) -> np.ndarray:
        """(R,) the share of each superpixel that a mask covers."""
        ids = self.graph.partition.ids
        small = Image.fromarray(mask.to_array()).convert("L").resize(ids.shape[::-1], Image.Resampling.BOX)
        return np.bincount(ids.ravel(), np.asarray(small).ravel() / 255) / self.graph.areas

    def _node_mask(self, node: int) -> Mask:
        tree = self.graph.hierarchy
        rank = tree.rank[self.graph.partition.ids]
        values = ((rank >= tree.first[node]) & (rank < tree.last[node])).astype(np.float32)
        return Mask(encode_resized(values, self.size[::-1]), float(tree.stability[node]))
