"""What speaks for a superpixel being part of the mask that clicks point at: clues, weighed by logistic regression.

The weights are a few dozen numbers, fitted to simulated clicks by `benchmarks/fit_clues.py`.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from textseg.proposals.region_graph import RegionGraph
from textseg.shipped import asset


def probability(graph: RegionGraph, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """(R,) how likely each superpixel belongs to the mask that holds the superpixels `inside` and none of `outside`."""
    weights = fitted()[case(graph, outside)]
    found = clues(graph, inside, outside)
    evidence = sum(weights[name] * clue for name, clue in found.items())
    return 1 / (1 + np.exp(-np.clip(evidence, -30, 30)))


def clues(graph: RegionGraph, inside: np.ndarray, outside: np.ndarray) -> dict[str, np.ndarray]:
    """Each clue, (R,), by name. `inside` is not empty; what a clue lacks (features, points outside) it is without."""
    found = {"always": np.ones(graph.count), "on rim": graph.on_rim.astype(float)}
    found["from rim"] = np.minimum(graph.rim_distance, 3)
    far_in, way_in = _add(found, graph, inside, "inside")
    if len(outside):
        far_out, way_out = _add(found, graph, outside, "outside")
        found["nearer inside"] = np.log((far_out + 0.02) / (far_in + 0.02))
        found["easier from inside"] = np.log((way_out + 0.05) / (way_in + 0.05))
    return found


def _add(
    found: dict[str, np.ndarray], graph: RegionGraph, seeds: np.ndarray, side: str
) -> tuple[np.ndarray, np.ndarray]:
    """Clues relative to one side's points; returns the straight and the geodesic distance to the nearest."""
    gap = np.linalg.norm(graph.colours[:, None] - graph.colours[None, seeds], axis=2).min(1)
    far = np.linalg.norm(graph.centres[:, None] - graph.centres[None, seeds], axis=2).min(1)
    far /= np.hypot(*graph.ids.shape)
    way = graph.distance(seeds)
    found[f"colour {side}"] = np.exp(-gap / 20)
    found[f"far {side}"], found[f"near {side}"] = far, np.exp(-far / 0.1)
    found[f"way {side}"], found[f"at hand {side}"] = np.minimum(way, 5), np.exp(-way)
    if graph.features is not None:
        found[f"features {side}"] = (graph.features @ graph.features[seeds].T).max(1)
    return far, way


def case(graph: RegionGraph, outside: np.ndarray) -> str:
    """Which set of weights applies."""
    return ("plain" if graph.features is None else "features") + (" with outside" if len(outside) else "")


@cache
def fitted() -> dict[str, dict[str, float]]:
    """The weight of each clue, by case."""
    return json.loads(asset("regions.json").read_text())["weights"]
