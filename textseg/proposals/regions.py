"""`regions`: masks that need no weights of their own, from a hierarchy of superpixels and a random walk between clicks.

Everything is worked out on superpixels of a copy of the photo whose long side is at most 640, and the answer is written
at the photo's size without a full-size array, so a prompt hardly takes longer on a larger photo.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from textseg import images
from textseg.errors import Cancelled
from textseg.model import Scene
from textseg.proposals import Box, Cancel, Mask, Point, read_prompt, register
from textseg.proposals.random_walk import Placed, best_part
from textseg.proposals.region_graph import RegionGraph
from textseg.proposals.region_nodes import NodeMask, Nodes
from textseg.proposals.resized import encode_resized
from textseg.registry import Facts

MOST_MASKS = 200
LEAST_AREA, MOST_AREA = 0.001, 0.95
"""Shares of the photo that `everything` keeps."""
DUPLICATE_IOU = 0.85
WHEEL_STEP = 1.2
"""Each step up the hierarchy makes the mask at least this much larger."""


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


class RegionProposals:
    """The superpixels of one photo with their hierarchy."""

    def __init__(self, photo: Image.Image, features: np.ndarray | None = None) -> None:
        photo = images.open(photo)
        self.size = photo.size
        self.graph = RegionGraph(photo, features)
        self._nodes = Nodes(self.graph, self.size)
        self._everything: list[Mask] | None = None

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
            masks.append(NodeMask(self._nodes, node, float(tree.prominence[node])))
        self._everything = masks
        return list(masks)

    def hierarchy(self, x: float, y: float) -> list[Mask]:
        """The nodes that hold the pixel (x, y), from its superpixel to the whole photo."""
        placed = Placed(self.graph, self.size, read_prompt(self.size, [(x, y, 1)]))
        tree = self.graph.hierarchy
        steps: list[int] = []
        for node in tree.ancestors(int(placed.inside[0])):
            if not steps or tree.area[node] >= WHEEL_STEP * tree.area[steps[-1]]:
                steps.append(node)
        return [Mask(self._nodes.code(node, placed.fixed), float(tree.prominence[node])) for node in steps]

    def prompt(self, points: Sequence[Point] = (), box: Box | None = None, previous: Mask | None = None) -> list[Mask]:
        """The mask of a random walk from the points, then up to two nodes of the hierarchy that agree with them.

        Points inside are in every mask and points outside in none; of a box nothing outside is taken, and nothing of
        it when no part of the photo speaks for more. The score is the expected IoU. Raises PromptError.
        """
        placed = Placed(self.graph, self.size, read_prompt(self.size, points, box, previous))
        belief = placed.belief()
        chosen, score = best_part(belief, self.graph.areas)
        chosen[placed.inside] = True
        chosen[np.setdiff1d(placed.outside, placed.contested)] = False
        if len(placed.inside):
            chosen = self.graph.connected(chosen, placed.inside)
        masks: list[Mask] = []
        if chosen.any():
            masks.append(Mask(encode_resized(placed.drawn(chosen), self.size[::-1], fixed=placed.fixed), score))
        return masks + self._alternatives(placed, belief, chosen, score)

    def _alternatives(self, placed: Placed, belief: np.ndarray, chosen: np.ndarray, score: float) -> list[Mask]:
        """The two most prominent nodes that hold all points inside, none outside, and differ from what was chosen."""
        if not len(placed.inside):
            return []
        tree, areas = self.graph.hierarchy, self.graph.areas
        expected = tree.total(belief * areas)
        iou = expected / ((belief * areas).sum() + tree.area - expected)
        ranks, barred = tree.rank[placed.inside], np.union1d(tree.rank[placed.outside], tree.rank[~placed.allowed])
        fits = (tree.first <= ranks.min()) & (tree.last > ranks.max())
        fits &= np.searchsorted(barred, tree.first) == np.searchsorted(barred, tree.last)
        common = tree.total(chosen * areas)
        fits &= common < DUPLICATE_IOU * ((chosen * areas).sum() + tree.area - common)
        nodes: list[int] = []
        for node in np.flatnonzero(fits)[np.argsort(-tree.prominence[fits], kind="stable")].tolist():
            if len(nodes) < 2 and not self._known(node, nodes):
                nodes.append(node)
        nodes.sort(key=lambda node: -iou[node])
        return [Mask(self._nodes.code(node, placed.fixed), min(float(iou[node]), score)) for node in nodes]

    def _known(self, node: int, nodes: list[int]) -> bool:
        """Whether one of `nodes` is nearly the same as `node`; nodes are nested or apart."""
        tree = self.graph.hierarchy
        others = np.array(nodes, int)
        nested = (tree.first[others] < tree.last[node]) & (tree.last[others] > tree.first[node])
        areas = tree.area[others]
        return bool(
            (nested & (np.minimum(areas, tree.area[node]) > DUPLICATE_IOU * np.maximum(areas, tree.area[node]))).any()
        )
