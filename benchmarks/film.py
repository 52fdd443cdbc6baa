"""Labels carried through a film: how right they are 1, 5, 10 and 20 frames after a person's, and how sure.

    python -m benchmarks.film [DATA] [--films 8] [--frames 20] [--seed 1] [--every 1] [--back]

Films are made from photos with masks of DATA (`coco-eval` and `voc-eval`), so that every frame's truth is known:
*pan*, a window that moves and zooms over a photo; *things*, two cut-outs that move, grow and turn over a photo that
pans slowly. Frames get the noise, the flicker and the JPEG of a camera. The first frame's truth is the person's.
Compared are the map of the first frame kept as it is, the model's own answer to the classes of the film, and the
carried labels; `--every 5` takes each fifth frame alone, so that more moves from one to the next; with `--back` the
last frame's truth is the person's, and labels go backwards. mIoU is over the classes of the frame's truth, in per cent,
mean over films; beside it, how sure the carried labels say they are and the share of their pixels that is right.
Settings were chosen on seed 0.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from textseg import load_model, segment
from textseg.film.carry import Labelled, carry
from textseg.model import Scene
from textseg.vocabulary import Vocabulary

AFTER = (1, 5, 10, 20)
"""Frames after the person's that are scored."""

CUT = 200
"""What is added to the class ids of cut-outs that the photos do not know by name."""

SIZE = (480, 360)
"""(width, height) of the films."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--films", type=int, default=8)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--back", action="store_true")
    args = parser.parse_args()
    model, names = load_model("lite"), words(args.data)
    scored: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    seconds = 0.0
    for number, film in enumerate(films(args.data, args.films, args.frames, args.seed)):
        if args.back:
            film.pictures.reverse()
            film.truths.reverse()
        kind = "things" if number % 2 else "pan"
        frames = range(0, args.frames + 1, args.every)
        truth = film.truths[0].astype(np.int64)
        first = last = Labelled(model.encode(film.pictures[0]), truth, np.ones(truth.shape, np.float32))
        for k in frames[1:]:
            scene = model.encode(film.pictures[k])
            began = time.process_time()
            last = carry(last, scene, first)
            seconds += time.process_time() - began
            if k not in AFTER:
                continue
            known = film.truths[k] > 0
            marks = {
                "copy": miou(truth, film.truths[k]),
                "model": miou(answer(scene, film, names), film.truths[k]),
                "carried": miou(last.ids, film.truths[k]),
                "sure": 100 * float(last.sure[known].mean()),
                "right": 100 * float((last.ids == film.truths[k])[known].mean()),
            }
            for name, mark in marks.items():
                for which in (kind, "all"):
                    scored[which, name, k].append(mark)
        print(film.name, *(f"{k}: {scored['all', 'carried', k][-1]:.1f}" for k in frames if k in AFTER), flush=True)
    print(f"\n{seconds / args.films / (len(frames) - 1):.2f} s of CPU a frame beside encoding it\n")
    after = [k for k in frames if k in AFTER]
    print("| films | | " + " | ".join(f"after {k}" for k in after) + " |\n|---|---|" + "---:|" * len(after))
    for which in ("all", "pan", "things"):
        for name in ("copy", "model", "carried", "sure", "right"):
            print(f"| {which} | {name} | " + " | ".join(f"{np.mean(scored[which, name, k]):.1f}" for k in after) + " |")


def words(data: Path) -> dict[int, str]:
    """What each class id is called."""
    found = {}
    for folder, more in (("coco-eval", 0), ("voc-eval", CUT)):
        for line in (data / folder / "classes.txt").read_text("utf-8").splitlines():
            number, *_, name = line.split("\t")
            found[int(number) + more] = name
    return found


def answer(scene: Scene, film: Sequence, names: dict[int, str]) -> np.ndarray:
    """(H, W) ids: the model's own answer, told which classes the film has."""
    ids = [int(k) for k in np.unique(np.concatenate([np.unique(truth) for truth in film.truths])) if k]
    found = segment(scene, Vocabulary.from_names(names[k] for k in ids), others=None).ids
    return np.array([0, *ids])[found]


def miou(ids: np.ndarray, truth: np.ndarray) -> float:
    """Mean over the classes of the truth, in per cent; pixels that it does not know are not scored."""
    known = truth > 0
    each = []
    for k in np.unique(truth[known]):
        found, there = (ids == k) & known, truth == k
        each.append((found & there).sum() / (found | there).sum())
    return 100 * float(np.mean(each))


@dataclass
class Sequence:
    """A film with its truth."""

    name: str
    pictures: list[Image.Image]
    truths: list[np.ndarray]
    """(H, W) class ids, 0: not known, which is not scored."""


def films(data: Path, count: int, frames: int, seed: int) -> Iterator[Sequence]:
    """`count` films, in turn a pan and one with things that move."""
    names = words(data)
    photos = sorted((data / "coco-eval" / "images").glob("*.jpg"))
    objects = sorted((data / "voc-eval" / "images").glob("*.jpg"))
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        behind = photos[int(rng.integers(len(photos)))]
        if number % 2 == 0:
            yield _filmed(f"pan over {behind.stem}", pan(behind, frames, 0.012, rng), rng)
        else:
            cut = [cutout(objects, names, rng) for _ in range(2)]
            yield _filmed(f"things over {behind.stem}", things(behind, cut, frames, rng), rng)


def pan(photo: Path, frames: int, speed: float, rng: np.random.Generator) -> Iterator[tuple[Image.Image, Image.Image]]:
    """A window over a photo that moves by `speed` of its width a frame, and grows or shrinks by up to 0.6 % a frame."""
    picture = Image.open(photo).convert("RGB")
    labels = Image.open(photo.parent.parent / "labels" / f"{photo.stem}.png")
    scale = max(1.9 * SIZE[0] / picture.width, 1.9 * SIZE[1] / picture.height) / 1.3
    size = round(picture.width * scale), round(picture.height * scale)
    picture, labels = picture.resize(size, Image.Resampling.BICUBIC), labels.resize(size, Image.Resampling.NEAREST)
    angle, zoom = rng.uniform(0, 2 * np.pi), rng.uniform(0.994, 1.006)
    step = speed * SIZE[0] * np.array([np.cos(angle), np.sin(angle)])
    half = np.array(SIZE) / 2
    for k in range(frames + 1):
        grown = zoom ** (k - frames / 2)
        centre = np.array(size) / 2 + step * (k - frames / 2)
        centre = np.clip(centre, half * grown, np.array(size) - half * grown)
        box = (*(centre - half * grown), *(centre + half * grown))
        window = Image.Transform.EXTENT
        yield (
            picture.transform(SIZE, window, box, Image.Resampling.BICUBIC),
            labels.transform(SIZE, window, box, Image.Resampling.NEAREST),
        )


def things(
    photo: Path, cut: list[tuple[Image.Image, Image.Image, int]], frames: int, rng: np.random.Generator
) -> Iterator[tuple[Image.Image, Image.Image]]:
    """Two cut-outs that move on their own over a photo that pans slowly."""
    places = rng.uniform(0.25, 0.75, (2, 2)) * SIZE
    steps = rng.uniform(0.008, 0.02, 2)[:, None] * SIZE[0] * _directions(rng)
    grows, turns = rng.uniform(0.99, 1.01, 2), rng.uniform(-1.2, 1.2, 2)
    for k, (picture, labels) in enumerate(pan(photo, frames, 0.004, rng)):
        for which, (thing, mask, class_id) in enumerate(cut):
            scale = grows[which] ** (k - frames / 2)
            size = [max(8, round(side * scale)) for side in thing.size]
            turned = [
                one.resize(size, how).rotate(turns[which] * k, how, expand=True)
                for one, how in ((thing, Image.Resampling.BICUBIC), (mask, Image.Resampling.BILINEAR))
            ]
            centre = _bounced(places[which] + steps[which] * k)
            at = tuple(int(c - s / 2) for c, s in zip(centre, turned[0].size, strict=True))
            picture.paste(turned[0], at, turned[1])
            labels.paste(class_id, at, turned[1].point(lambda value: 255 * (value > 127)))
        yield picture, labels


def cutout(
    objects: list[Path], names: dict[int, str], rng: np.random.Generator
) -> tuple[Image.Image, Image.Image, int]:
    """(picture, mask, class id) of the largest class of a photo, where that takes 8 to 60 per cent of it."""
    while True:
        path = objects[int(rng.integers(len(objects)))]
        ids = np.asarray(Image.open(path.parent.parent / "labels" / f"{path.stem}.png"))
        counts = np.bincount(ids[(ids > 0) & (ids < 255)], minlength=2)
        if 0.08 < counts.max() / ids.size < 0.6:
            break
    mask = Image.fromarray(np.where(ids == counts.argmax(), 255, 0).astype(np.uint8))
    box = mask.getbbox()
    assert box is not None
    scale = 0.45 * SIZE[1] / (box[3] - box[1])
    size = max(8, round((box[2] - box[0]) * scale)), max(8, round((box[3] - box[1]) * scale))
    return (
        Image.open(path).convert("RGB").crop(box).resize(size, Image.Resampling.BICUBIC),
        mask.crop(box).resize(size, Image.Resampling.BILINEAR),
        next(k for k, name in names.items() if name == names[CUT + int(counts.argmax())]),
    )


def _directions(rng: np.random.Generator) -> np.ndarray:
    angles = rng.uniform(0, 2 * np.pi, 2)
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def _bounced(place: np.ndarray) -> np.ndarray:
    """A place that turns back at the border of the picture."""
    return np.abs((place + SIZE) % (2 * np.array(SIZE)) - SIZE)


def _filmed(name: str, frames: Iterator[tuple[Image.Image, Image.Image]], rng: np.random.Generator) -> Sequence:
    """The frames as a camera writes them."""
    pictures, truths = [], []
    for picture, labels in frames:
        values = np.asarray(picture, np.float32) * rng.normal(1, 0.015) + rng.normal(0, 2.5, (*picture.size[::-1], 3))
        buffer = io.BytesIO()
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
        pictures.append(Image.open(buffer).convert("RGB"))
        truths.append(np.asarray(labels))
    return Sequence(name, pictures, truths)


if __name__ == "__main__":
    main()
