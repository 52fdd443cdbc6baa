"""Fit the weights of the clues that `regions` weighs (textseg/proposals/clues.py) to simulated clicks.

    python benchmarks/fit_clues.py DATASET --out assets/regions.json [--classes 1-90] [--every N]

The policy that places the clicks is the one being fitted, so it is fitted in rounds on the states that it meets itself
(DAgger: Ross et al., AISTATS 2011). Half of the click sequences are jittered. Each case (with and without backbone
features, with and without points outside) is one logistic regression over superpixels, weighed by their share of the
object's area.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

import textseg
from textseg import images, labelmap
from textseg.proposals import Point, clues
from textseg.proposals.regions import RegionProposals
from trainer.simulate import Target, next_click, targets

CLICKS, ROUNDS, LEAST = 6, 3, 0.01
START = {"always": -2.0, "at hand inside": 3.0, "near inside": 3.0, "colour inside": 1.0, "easier from inside": 1.5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--classes", default="1-90", help="first-last class id that counts as an object")
    parser.add_argument("--every", type=int, default=1)
    args = parser.parse_args()
    first, last = map(int, args.classes.split("-"))
    model = textseg.load_model("lite")
    opened: list[tuple[RegionProposals, list[Target]]] = []
    photos = images.find([args.dataset / "images"])[:: args.every]
    for path in photos:
        ids = labelmap.read_index_png(args.dataset / "labels" / f"{path.stem}.png")
        objects = list(targets(ids, range(first, last + 1), ignored=[0, 255], least=LEAST))
        if objects:
            photo = images.open(path)
            features = model.encode(photo).features.float().numpy()
            opened += [(RegionProposals(photo, features), objects), (RegionProposals(photo), objects)]
    weights: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float, START))
    clues.fitted = lambda: weights  # the answers below weigh by what is being fitted
    rows: dict[str, list] = defaultdict(list)
    for turn in range(ROUNDS):
        random = np.random.default_rng(turn)
        ious: dict[bool, list[list[float]]] = defaultdict(list)
        for proposals, objects in opened:
            for target in objects:
                plain = proposals.graph.features is None
                ious[plain].append(play(proposals, target, random, rows))
        for plain, found in sorted(ious.items()):
            means = " ".join(f"{mean:.3f}" for mean in np.mean(found, 0))
            print(
                f"round {turn}, {'plain' if plain else 'features':8} IoU after 1..{CLICKS} clicks: {means}", flush=True
            )
        weights = {kind: fit(found) for kind, found in sorted(rows.items())}
        if turn == 0:
            rows.clear()  # the states that hand-set weights lead to are not met again
    facts = {
        "source": "benchmarks/fit_clues.py",
        "data": f"{args.dataset.name}: {sum(len(o) for _, o in opened) // 2} objects of {len(photos)} photos",
        "weights": {kind: {name: round(w, 3) for name, w in found.items()} for kind, found in weights.items()},
    }
    args.out.write_text(json.dumps(facts, indent=1) + "\n")


def play(proposals: RegionProposals, target: Target, random: np.random.Generator, rows: dict[str, list]) -> list[float]:
    """IoU after each click on one object; the states met on the way are added to `rows` by case."""
    graph = proposals.graph
    jitter = random if random.random() < 0.5 else None
    small = {name: _shrink(getattr(target, name), graph.ids.shape) for name in ("truth", "valid")}
    valid = np.bincount(graph.ids[small["valid"]], minlength=graph.count)
    truth = np.bincount(graph.ids[small["truth"] & small["valid"]], minlength=graph.count) / np.maximum(valid, 1)
    importance = np.minimum(valid / max(small["truth"].sum(), 1), 1)
    points: list[Point] = []
    ious: list[float] = []
    mask = np.zeros_like(target.truth)
    for _ in range(CLICKS):
        click = next_click(mask, target, points, jitter)
        if click is None:
            break
        points.append(click)
        mask = proposals.prompt(points)[0].to_array()
        ious.append(target.iou(mask))
        seeds = [
            proposals._superpixels(np.array([p[:2] for p in points if p[2] == side], int).reshape(-1, 2))
            for side in (1, -1)
        ]
        inside, outside = np.setdiff1d(*seeds), np.setdiff1d(*seeds[::-1])
        if len(inside):
            found = clues.clues(graph, inside, outside)
            some = slice(int(random.integers(4)), None, 4)
            columns = np.stack(list(found.values()), 1)[some].astype(np.float32)
            rows[clues.case(graph, outside)].append((list(found), columns, truth[some], importance[some]))
    return ious + [ious[-1]] * (CLICKS - len(ious))


def fit(rows: list, ridge: float = 1e-3, steps: int = 30) -> dict[str, float]:
    """Logistic regression on soft targets by Newton's method."""
    names = rows[0][0]
    x, y, w = (np.concatenate([row[i] for row in rows]).astype(np.float64) for i in (1, 2, 3))
    penalty = ridge * len(y) * np.maximum(x.var(0), 1e-6) * w.mean()
    weight = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(x @ weight, -30, 30)))
        slope = x.T @ (w * (p - y)) + penalty * weight
        bend = (x * (w * p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-9)
        step = np.linalg.solve(bend, slope)
        weight -= step
        if np.abs(step).max() < 1e-5:
            break
    return dict(zip(names, weight.tolist(), strict=True))


def _shrink(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, mask.shape, strict=True))
    return mask[rows[:, None], columns]


if __name__ == "__main__":
    main()
