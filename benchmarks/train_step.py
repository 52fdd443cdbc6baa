"""What caching the frozen features saves: a head-training step from the cache against one that encodes its photos.

    python benchmarks/train_step.py [--data PATH] [--objective pacl] [--batch 16]

Both kinds of training take turns in one run, and the ratio is what counts: the machines this runs on are noisy. Without
`--data` the photos are coloured noise, which costs as much to encode as any other.
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
    options = parser.parse_args()
    backbone = backbones.load(options.backbone)
    seconds: dict[str, list[float]] = {"cached": [], "encoding": []}
    with tempfile.TemporaryDirectory() as folder:
        cache, photos = Path(folder, "cache"), Path(folder, "photos")
        photos.mkdir()
        photo_set = data.read(options.data or [noise(photos)], cache)
        photo_set.photos = photo_set.photos[: max(PHOTOS, options.batch)]
        recipe = {"batch": options.batch, "steps": STEPS}
        for round_number in range(ROUNDS + 1):
            for kind, limit in (("cached", fit.features.DEFAULT_LIMIT), ("encoding", 0)):
                taken: list[float] = []
                fit.train(
                    options.objective,
                    photo_set,
                    Path(folder, f"{kind}.safetensors"),
                    backbone,
                    recipe,
                    cache=cache / kind,
                    cache_limit=limit,
                    say=lambda text: None,
                    watch=lambda progress, taken=taken: taken.append(progress.seconds),
                )
                if round_number:  # the first round fills the cache and warms everything up
                    seconds[kind] += taken[1:]  # a training's first step has nothing read ahead
    cached, encoding = (statistics.median(seconds[kind]) for kind in ("cached", "encoding"))
    print(
        f"{options.objective} on {backbone.name}, {options.batch} photos a step, {len(seconds['cached'])} steps of each"
    )
    print(f"from cached features: {cached:.3f} s a step")
    print(f"encoding every step:  {encoding:.3f} s a step")
    print(f"ratio: {encoding / cached:.1f}")


if __name__ == "__main__":
    main()
