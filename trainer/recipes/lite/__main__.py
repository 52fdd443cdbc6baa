"""Train the default head of `lite` from captions and object names; no pixel label is used.

    python -m trainer.recipes.lite --data ../shared/data --out assets/heads/lite.safetensors

Four steps, about 15 minutes on two cores:

1. Patch features of the Flickr8k photos (captions) and the object photos (one ImageNet class name each), once.
2. Two teachers by candidate multiple-instance learning: a photo's words must be found somewhere in it, and each
   patch must be one of its photo's candidates, its words or stuff (sky, wall, grass ...) that captions seldom name.
3. Pseudo-labels: teachers and ConSE together, smoothed over feature affinity, restricted to the photo's candidates.
4. The head learns them with all words competing, so that at test time it needs no captions to rule words out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from datetime import date
from pathlib import Path

import torch

from textseg.model import backbones
from textseg.model.heads import save
from trainer.recipes.lite.data import load
from trainer.recipes.lite.losses import Losses
from trainer.recipes.lite.stages import pseudo_labels, student, teacher, untrained

LICENCE = "Apache-2.0; learnt from Flickr8k captions (research and education) and ImageNet class names"


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description="Train the default head of lite; no pixel label is used.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("assets/heads/lite.safetensors"))
    parser.add_argument("--cache", type=Path, help="folder for 5 GB of patch features (default: a temporary one)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        train(options.data, options.out, options.cache or Path(temporary), options.seed)


def fingerprint(data: Path) -> str:
    """Identifies the words that were taught: the captions and the object names."""
    taught = (data / "flickr8k" / "captions.tsv", data / "object-photos" / "names.tsv")
    return hashlib.sha256(b"".join(file.read_bytes() for file in taught)).hexdigest()[:16]


def train(data: Path, out: Path, cache: Path, seed: int) -> None:
    """All four steps."""
    start = time.time()

    def log(step: str) -> None:
        print(f"{time.time() - start:6.0f} s  {step}", flush=True)

    backbone = backbones.load("lite", "cpu", None)
    torch.manual_seed(seed)
    words, captioned, objects = load(backbone, data, cache)
    log(f"{len(captioned.target)} captioned photos, {len(objects.target)} objects, {len(words)} words")
    teachers = []
    for k in range(2):
        torch.manual_seed(seed * 10 + k)
        head = untrained(backbone, 512)
        losses = Losses(head, words, backbone, (captioned, objects))
        teachers.append(teacher(head, losses, seed * 10 + k))
        log(f"teacher {k + 1}")
    labels = [pseudo_labels(teachers, losses, captioned, 0.8, 0.6), pseudo_labels(teachers, losses, objects, 0.6, 0.4)]
    log("pseudo-labels")
    torch.manual_seed(seed * 10 + 2)
    head = student(untrained(backbone, 768), losses, labels, seed * 10 + 2)
    log("head")
    facts = {
        "objective": "lexical",
        "seed": seed,
        "words": words,
        "data": {"sources": ["flickr8k captions", "object-photos names"], "fingerprint": fingerprint(data)},
        "date": date.today().isoformat(),
        "licence": LICENCE,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save(head.half(), out, backbone, **facts)
    log(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {json.dumps(head.config)}")


if __name__ == "__main__":
    main()
