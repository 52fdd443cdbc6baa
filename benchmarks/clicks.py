"""How many clicks a mask takes: `regions` against GrabCut and one felzenszwalb segment, centred and jittered clicks.

    python benchmarks/clicks.py DATASET [--limit N] [--every N] [--plain] [--classes 1-90] [--processes 2]

DATASET holds images/, labels/ and classes.txt, and perhaps ignore.txt. Objects are the connected parts of each class
(1 % of the photo or more). Protocol: RITM's clicker, at most 20 clicks, no click or mask is drawn from the truth
otherwise; NoC@t is the mean number of clicks to an IoU of t, counted as 20 where it is never reached (NoF: how many).
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from textseg import images, labelmap
from textseg.proposals import Mask, Point
from trainer.simulate import MOST_CLICKS, click_through, clicks_to, iou_after, targets

GOALS = (0.80, 0.85)
AFTER = (1, 3, 5)
LEAST = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--limit", type=int, help="at most so many photos")
    parser.add_argument("--every", type=int, default=1, help="only every n-th photo")
    parser.add_argument("--plain", action="store_true", help="without a scene: colours and edges only")
    parser.add_argument("--classes", help="first-last class id that counts as an object")
    parser.add_argument("--methods", default="regions,grabcut,felzenszwalb")
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    photos = images.find([args.dataset / "images"])[:: args.every][: args.limit]
    classes = object_classes(args.dataset, args.classes)
    work = partial(measure, dataset=args.dataset, classes=classes, methods=args.methods.split(","), plain=args.plain)
    rows: dict[tuple[str, str], list[list[float]]] = {}
    seconds: dict[str, list[float]] = {}
    pool = ProcessPoolExecutor(args.processes) if args.processes > 1 else None
    for found, taken in pool.map(work, photos) if pool else map(work, photos):
        for key, ious in found.items():
            rows.setdefault(key, []).extend(ious)
        for method, times in taken.items():
            seconds.setdefault(method, []).extend(times)
    print_table(rows, seconds, len(photos))


def object_classes(dataset: Path, span: str | None) -> list[int]:
    ids = [int(line.split("\t")[0]) for line in (dataset / "classes.txt").read_text().splitlines() if line.strip()]
    if span is None:
        return [k for k in ids if 0 < k < 255]
    first, last = map(int, span.split("-"))
    return [k for k in ids if first <= k <= last]


def measure(
    photo: Path, dataset: Path, classes: list[int], methods: Sequence[str], plain: bool
) -> tuple[dict[tuple[str, str], list[list[float]]], dict[str, list[float]]]:
    """IoUs after each click for every object of one photo, by (method, clicks), and the seconds of each answer."""
    ids = labelmap.read_index_png(dataset / "labels" / f"{photo.stem}.png")
    objects = list(targets(ids, classes, ignored=[255], least=LEAST))
    found: dict[tuple[str, str], list[list[float]]] = {}
    taken: dict[str, list[float]] = {}
    if not objects:
        return found, taken
    image = images.open(photo)
    for method in methods:
        prepare = METHODS[method]
        answerer = prepare(image, plain)
        for clicks in ("centred", "jittered"):
            # Seeded by the photo, so that every method is given the same first click.
            seed = sum(photo.stem.encode())
            jitter = np.random.default_rng(seed) if clicks == "jittered" else None
            for target in objects:
                answer = timed(answerer(), taken.setdefault(method, []))
                ious = click_through(answer, target, goal=max(GOALS), jitter=jitter, least=max(AFTER))
                found.setdefault((method, clicks), []).append(ious)
    return found, taken


Answer = Callable[[Sequence[Point]], np.ndarray]


def regions(image: Image.Image, plain: bool) -> Callable[[], Answer]:
    from textseg.proposals import load_proposer

    scene = None if plain else model().encode(image)
    opened = load_proposer("regions").open(image, scene)

    def answer(points: Sequence[Point]) -> np.ndarray:
        return best(opened.prompt(points), image.size)

    return lambda: answer


def model(loaded: list = []) -> object:  # noqa: B006 (one model a process)
    import textseg

    if not loaded:
        loaded.append(textseg.load_model("lite"))
    return loaded[0]


def grabcut(image: Image.Image, plain: bool) -> Callable[[], Answer]:
    """Rother et al. 2004 as in OpenCV: sure pixels in a disc around each click, a disc of a quarter of the short side
    around clicks inside is probably the object, the rest probably not; later clicks start from the mask before."""
    import cv2

    pixels = np.ascontiguousarray(np.asarray(image)[..., ::-1])
    height, width = pixels.shape[:2]
    near, sure = min(height, width) // 4, 5

    def fresh() -> Answer:
        state: list[np.ndarray] = []

        def answer(points: Sequence[Point]) -> np.ndarray:
            if not state:
                state.append(np.full((height, width), cv2.GC_PR_BGD, np.uint8))
            mask = state[0]
            x, y, label = points[-1]
            if label > 0:
                guess = np.zeros_like(mask)
                cv2.circle(guess, (int(x), int(y)), near if len(points) == 1 else near // 3, 1, -1)
                mask[(guess > 0) & (mask == cv2.GC_PR_BGD)] = cv2.GC_PR_FGD
            for x, y, label in points:
                cv2.circle(mask, (int(x), int(y)), sure, cv2.GC_FGD if label > 0 else cv2.GC_BGD, -1)
            models = np.zeros((1, 65)), np.zeros((1, 65))
            with contextlib.suppress(cv2.error):  # one side has no pixels left
                cv2.grabCut(pixels, mask, None, *models, 5, cv2.GC_INIT_WITH_MASK)
            return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)

        return answer

    return fresh


def felzenszwalb(image: Image.Image, plain: bool) -> Callable[[], Answer]:
    """The union of the segments (scale 300) under clicks inside, less those under clicks outside."""
    from skimage.segmentation import felzenszwalb as segment

    segments = segment(np.asarray(image), scale=300, sigma=0.8, min_size=100)

    def answer(points: Sequence[Point]) -> np.ndarray:
        state = {}
        for x, y, label in points:
            state[segments[int(y), int(x)]] = label > 0
        return np.isin(segments, [k for k, inside in state.items() if inside])

    return lambda: answer


METHODS = {"regions": regions, "grabcut": grabcut, "felzenszwalb": felzenszwalb}


def best(masks: list[Mask], size: tuple[int, int]) -> np.ndarray:
    return masks[0].to_array() if masks else np.zeros(size[::-1], bool)


def timed(answer: Answer, seconds: list[float]) -> Answer:
    def with_clock(points: Sequence[Point]) -> np.ndarray:
        start = time.perf_counter()
        mask = answer(points)
        seconds.append(time.perf_counter() - start)
        return mask

    return with_clock


def print_table(rows: dict, seconds: dict, photos: int) -> None:
    objects = len(next(iter(rows.values()), []))
    print(f"{objects} objects in {photos} photos, at most {MOST_CLICKS} clicks each")
    heads = [f"IoU@{k}" for k in AFTER] + [f"{kind}@{goal * 100:.0f}" for goal in GOALS for kind in ("NoC", "NoF")]
    print(f"{'method':13} {'clicks':9} " + " ".join(f"{head:>7}" for head in heads) + "  s/click")
    for (method, clicks), ious in sorted(rows.items(), key=lambda row: (row[0][1], -np.mean([i[-1] for i in row[1]]))):
        cells = [f"{np.mean([iou_after(i, k) for i in ious]):7.3f}" for k in AFTER]
        for goal in GOALS:
            needed = [clicks_to(i, goal) for i in ious]
            cells.append(f"{np.mean([n or MOST_CLICKS for n in needed]):7.2f}")
            cells.append(f"{needed.count(None):7d}")
        print(f"{method:13} {clicks:9} " + " ".join(cells) + f"  {np.median(seconds[method]):7.3f}")


if __name__ == "__main__":
    main()
