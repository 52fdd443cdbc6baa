"""How many clicks and strokes a label map takes: from pseudo-labels or nothing, with every tool or the brush alone.

    python benchmarks/annotator.py DATASET [--limit N] [--least-labelled 0.25] [--words present|all] [--goal 0.9]
        [--background WORDS]

DATASET holds images/, labels/ and classes.txt. The annotator is `trainer.simulate.correct`. Unlabelled counts as right
where the truth is background; classes that ignore.txt or an id above 254 names are not scored, but background is. Only
photos are taken of which at least `--least-labelled` is something else than background: the others are nearly right
before anybody has begun. The limit takes every n-th of them.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import textseg
from textseg import images, labelmap
from textseg.proposals import load_proposer
from textseg.pseudolabel import label_regions
from trainer.simulate import Action, agreement, correct

MOST = 100
STARTS = ("nothing", "pseudo-labels")
TOOLS = ("brush only", "all tools")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--limit", type=int, default=30)
    parser.add_argument("--least-labelled", type=float, default=0.25)
    parser.add_argument("--words", choices=["present", "all"], default="present")
    parser.add_argument("--background", default="", help="words that the model may say where the truth is background")
    parser.add_argument("--goal", type=float, default=0.9)
    args = parser.parse_args()
    names, scores_background = read_classes(args.dataset)
    chosen = [
        (photo, truth)
        for photo in images.find([args.dataset / "images"])
        if (truth := read_truth(args.dataset, photo, names, scores_background)) is not None
        and (truth > 0).mean() >= args.least_labelled
    ]
    chosen = [chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, args.limit).astype(int))]
    model = textseg.load_model("lite")
    runs: dict[tuple[str, str], list[list[Action]]] = {}
    at_start: dict[str, list[float]] = {}
    began = time.perf_counter()
    for photo, truth in chosen:
        scene = model.encode(images.open(photo))
        proposals = load_proposer("regions").open(scene.photo, scene)
        ids = [k for k in (np.unique(truth) if args.words == "present" else names) if k > 0]
        vocabulary = textseg.Vocabulary.parse(", ".join(names[k] for k in ids), args.background)
        word_ids = np.zeros(len(vocabulary) + 1, np.int32)
        word_ids[1 : len(ids) + 1] = ids
        painted = label_regions(scene, vocabulary, proposals).paint()
        starts = {"nothing": np.zeros_like(truth), "pseudo-labels": word_ids[painted.ids]}
        for start, labels in starts.items():
            at_start.setdefault(start, []).append(agreement(labels, truth))
            for tools in TOOLS:
                given = proposals if tools == "all tools" else None
                runs.setdefault((start, tools), []).append(list(correct(labels, truth, given, args.goal, MOST)))
    print_table(runs, at_start, len(chosen), args.goal, time.perf_counter() - began)


def read_classes(dataset: Path) -> tuple[dict[int, str], bool]:
    """Word by id (background and void left out), and whether 0 is a background that counts."""
    rows = [line.split("\t") for line in (dataset / "classes.txt").read_text("utf-8").splitlines() if line.strip()]
    names = {int(row[0]): (row[2] if len(row) > 2 else row[1]).replace(",", " ") for row in rows}
    return {k: name for k, name in names.items() if 0 < k < 255}, 0 in names


def read_truth(dataset: Path, photo: Path, names: dict[int, str], scores_background: bool) -> np.ndarray | None:
    """(H, W) int32 class ids, 0 background, -1 not scored."""
    truth = labelmap.read_index_png(dataset / "labels" / f"{photo.stem}.png").astype(np.int32)
    truth[~np.isin(truth, [0, *names])] = -1
    if not scores_background:
        truth[truth == 0] = -1
    return truth if (truth >= 0).any() else None


def print_table(
    runs: dict[tuple[str, str], list[list[Action]]],
    at_start: dict[str, list[float]],
    photos: int,
    goal: float,
    seconds: float,
) -> None:
    print(f"{photos} photos, to {goal:.0%} of the pixels, at most {MOST} gestures; {seconds:.0f} s")
    print(
        "| start | right at the start | tools | gestures, mean | median | clicks | strokes | stroke length | missed |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for start in STARTS:
        for tools in TOOLS:
            done = runs[start, tools]
            counts = [len(actions) for actions in done]
            strokes = [sum(action.tool == "brush" for action in actions) for actions in done]
            length = np.mean([sum(action.length for action in actions) for actions in done])
            missed = sum(
                (actions[-1].agreement if actions else begun) < goal
                for actions, begun in zip(done, at_start[start], strict=True)
            )
            cells = [
                start,
                f"{np.mean(at_start[start]):.0%}",
                tools,
                f"{np.mean(counts):.1f}",
                f"{np.median(counts):.0f}",
                f"{np.mean(counts) - np.mean(strokes):.1f}",
                f"{np.mean(strokes):.1f}",
                f"{length:.0f} px",
                str(missed),
            ]
            print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
