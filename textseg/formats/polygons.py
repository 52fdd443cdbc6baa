"""Label maps as polygons and back, by GDAL (rasterio) and GEOS (shapely). Needs the extra `textseg[formats]`.

Corners lie on pixel corners, so a polygon read back with the rule "a pixel belongs to it when its centre is inside"
gives the same pixels: nothing is smoothed. Regions are connected through pixel edges, not corners.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from textseg.errors import FormatError

if TYPE_CHECKING:
    from shapely import Polygon


def of_labels(ids: np.ndarray) -> Iterator[tuple[int, Polygon]]:
    """(class id, polygon) of each connected region of an (H, W) label map; holes are the polygon's interiors."""
    features, shapely = _libraries()
    for outline, value in features.shapes(ids.astype(np.int32), mask=ids > 0, connectivity=4):
        rings = outline["coordinates"]
        yield int(value), shapely.Polygon(rings[0], rings[1:])


def without_holes(polygon: Polygon) -> list[Polygon]:
    """The polygon cut along pixel columns into pieces without holes, which cover exactly the same pixels."""
    if not polygon.interiors:
        return [polygon]
    _, shapely = _libraries()
    spans = sorted((hole.bounds[0] + hole.bounds[2]) / 2 for hole in polygon.interiors)
    at = int(spans[len(spans) // 2])  # through the middle hole, so that the number of cuts in a row stays small
    left, top, right, bottom = polygon.bounds
    pieces = []
    for box in (shapely.box(left, top, at, bottom), shapely.box(at, top, right, bottom)):
        part = shapely.intersection(polygon, box)
        for piece in shapely.get_parts(part):
            if piece.geom_type == "Polygon" and piece.area > 0:
                pieces += without_holes(piece)
    return pieces


def ring(polygon: Polygon) -> np.ndarray:
    """(N, 2) corners of the outline, the first one not repeated; no corner lies on a straight line."""
    corners = np.asarray(polygon.exterior.coords)[:-1]
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    a, b = corners - before, after - corners
    return corners[a[:, 0] * b[:, 1] != a[:, 1] * b[:, 0]]


def paint(ids: np.ndarray, outlines: Sequence[tuple[np.ndarray, int]]) -> int:
    """Write each value where pixel centres lie inside its closed outline, in order, into an (H, W) map.

    An outline is (N, 2) corners. Returns how many pixels more than one outline covers; the last one is seen.
    """
    return paint_rings(ids, [((corners,), value) for corners, value in outlines])


def paint_rings(ids: np.ndarray, regions: Sequence[tuple[Sequence[np.ndarray], int]]) -> int:
    """As `paint`, of regions with holes: the outline first, then those of its holes."""
    if not regions:
        return 0
    features, _ = _libraries()
    shapes = [
        ({"type": "Polygon", "coordinates": [np.vstack([ring, ring[:1]]).tolist() for ring in rings]}, value)
        for rings, value in regions
    ]
    painted = features.rasterize(shapes, ids.shape, fill=-1, dtype=np.int32)
    times = features.rasterize([(shape, 1) for shape, _ in shapes], ids.shape, merge_alg=_add(), dtype=np.uint16)
    np.copyto(ids, painted, where=painted >= 0, casting="unsafe")
    return int(np.count_nonzero(times > 1))


def _add() -> Any:
    from rasterio.enums import MergeAlg

    return MergeAlg.add


def _libraries() -> tuple[Any, Any]:
    try:
        import rasterio.features
        import shapely
    except ImportError:
        raise FormatError("Polygons need rasterio and shapely: pip install 'textseg[formats]'.") from None
    return rasterio.features, shapely
