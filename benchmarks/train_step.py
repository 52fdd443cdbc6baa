"""What caching the frozen features saves, and what seeing every fourth patch: a head-training step of each kind.

    python benchmarks/train_step.py [--data PATH] [--objective pacl] [--batch 16] [--set KEY=VALUE]

The three kinds of training take turns in one run, and the ratio is what counts: the machines this runs on are noisy.
Without `--data` the photos are coloured noise, which costs as much to encode as any other.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from textseg.model import backbones
from trainer import data, fit

PHOTOS, ROUNDS, STEPS = 32, 3, 4


def noise(folder: Path) -> Path:
    """A folder of captioned photos made of noise."""
    words = ("a dog", "two cats", "a red car", "children on the grass", "a boat", "the sky over a road")
    for seed in range(PHOTOS):
        rng = np.random.default_rng(seed)
        Image.fromarray(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)).save(folder / f"{seed}.jpg")
        (folder / f"{seed}.txt").write_text(f"{words[seed % len(words)]} number {seed}")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description="A training step from cached features against encoding every step.")
    parser.add_argument("--data", nargs="+", type=Path)
    parser.add_argument("--objective", default="pacl")
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings of all recipes")
    options = parser.parse_args()
    backbone = backbones.load(options.backbone)
    seconds: dict[str, list[float]] = {"thinned": [], "cached": [], "encoding": []}
    with tempfile.TemporaryDirectory() as folder:
        cache, photos = Path(folder, "cache"), Path(folder, "photos")
        photos.mkdir()
        photo_set = data.read(options.data or [noise(photos)], cache)
        photo_set.photos = photo_set.photos[: max(PHOTOS, options.batch)]
        for round_number in range(ROUNDS + 1):
            for kind in seconds:
                recipe = {"batch": options.batch, "steps": STEPS, "thin": 4 if kind == "thinned" else 1}
                limit = 0 if kind == "encoding" else fit.features.DEFAULT_LIMIT
                taken: list[float] = []
                fit.train(
                    options.objective,
                    photo_set,
                    Path(folder, f"{kind}.safetensors"),
                    backbone,
                    recipe,
                    cache=cache / ("none" if kind == "encoding" else "full"),
                    cache_limit=limit,
                    changes=options.set,
                    say=lambda text: None,
                    watch=lambda progress, taken=taken: taken.append(progress.seconds),
                )
                if round_number:  # the first round fills the cache and warms everything up
                    seconds[kind] += taken[1:]  # a training's first step has nothing read ahead
    thinned, cached, encoding = (statistics.median(taken) for taken in seconds.values())
    print(
        f"{options.objective} on {backbone.name}, {options.batch} photos a step, {len(seconds['cached'])} steps of each"
    )
    print(f"all cached features:   {cached:.3f} s a step")
    print(f"every fourth of them:  {thinned:.3f} s, {cached / thinned:.1f} times as quick")
    print(f"encoding every step:   {encoding:.3f} s, {encoding / cached:.1f} times as slow")


if __name__ == "__main__":
    main()
