"""Photos a second and peak memory of each device: encode, ask, segment, learn, and Segment Anything.

    python benchmarks/device.py [--photos 8] [--model lite] [--proposals NAME] [--points 16]

Runs on the CPU and, where there is one, on the GPU. Each stage runs in a process of its own, so that the peak is its
own (the process with its libraries and weights; on the GPU what PyTorch allocated). Photos are the samples, resized to
640 x 480. Without --proposals Segment Anything is a SAM 2.1 of the tiny size with random weights, which takes as long
as a trained one to encode and to answer a click; `everything` is faster, because it keeps fewer masks.

On a GPU a line for each half precision says how far its masks of a click agree with those of float32; that means
something with trained weights only.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from PIL import Image

import textseg
from textseg.proposals import Proposer, load_proposer
from textseg.vocabulary import Vocabulary
from textseg.web.samples import SAMPLES

WORDS = "person, animal, vehicle, furniture, building, tree, grass, sky, wall, floor, water, road"
SIZE = (640, 480)
BATCH = 32
"""Photos of a training step."""


def photos(count: int) -> list[Image.Image]:
    """`count` photos of SIZE, no two of equal pixels: nothing is remembered from the one before."""
    opened = [sample.photo().open().resize(SIZE) for sample in SAMPLES]
    return [opened[k % len(opened)].rotate(k // len(opened)) for k in range(count)]


def encode(options: argparse.Namespace) -> Iterator[Callable[[], Any]]:
    model = textseg.load_model(options.model, device=options.device)
    return (lambda photo=photo: model.encode(photo) for photo in photos(options.photos))


def ask(options: argparse.Namespace) -> Iterator[Callable[[], Any]]:
    """A vocabulary that is embedded, in a photo that is encoded: similarities to the end of the device's queue."""
    return _of_scenes(options, lambda scene, words: scene.scores(words).sum().item())


def segment(options: argparse.Namespace) -> Iterator[Callable[[], Any]]:
    """The whole answer with the best defaults, of a photo that is encoded: its regions are found too."""
    return _of_scenes(options, lambda scene, words: textseg.segment(scene, words))


def _of_scenes(options: argparse.Namespace, answer: Callable) -> Iterator[Callable[[], Any]]:
    model, words = textseg.load_model(options.model, device=options.device), Vocabulary.parse(WORDS)
    scenes = [model.encode(photo) for photo in photos(options.photos)]
    return (lambda scene=scene: answer(scene, words) for scene in scenes)


def learn(options: argparse.Namespace) -> Iterator[Callable[[], Any]]:
    """Steps of PACL on features that are there: forward, backward, AdamW."""
    from textseg.model import heads
    from trainer import objectives
    from trainer.objectives import Batch

    backbone = textseg.load_model(options.model, device=options.device).backbone
    objective = objectives.get("pacl")(heads.get("pacl").build(backbone), backbone, nouns=False).to(options.device)
    optimizer = torch.optim.AdamW(objective.parameters())
    features = torch.randn(BATCH, backbone.feature_dim, 14, 14, device=options.device)
    captions = torch.nn.functional.normalize(torch.randn(BATCH, backbone.text_dim, device=options.device), dim=1)
    batch = Batch(features, captions=captions, caption_ids=torch.arange(BATCH, device=options.device))

    def step() -> float:
        optimizer.zero_grad()
        losses = objective(batch)
        loss = sum(term for name, term in losses.items() if not name.startswith("_"))
        loss.backward()
        optimizer.step()
        return float(loss)

    return (step for _ in range(options.photos))


def sam_encode(options: argparse.Namespace) -> Iterator[Callable[[], Any]]:
    proposer = segmenter(options)
    return (lambda photo=photo: proposer.open(photo).encoded() for photo in photos(options.photos))  # type: ignore


def sam_click(options: argparse.Namespace) -> Iterator[Callable[[], Any]]:
    """A click in a photo that is encoded."""
    opened = segmenter(options).open(photos(1)[0])
    return (lambda k=k: opened.prompt([(40 + 20 * k % 600, 240, 1)]) for k in range(options.photos + 1))


def sam_everything(options: argparse.Namespace) -> Iterator[Callable[[], Any]]:
    """Everything in a photo that is encoded, from --points x --points points."""
    from dataclasses import replace

    proposer: Any = segmenter(options)
    proposer.settings = replace(proposer.settings, points_per_side=options.points)
    opened = [proposer.open(photo) for photo in photos(min(options.photos, 3))]
    for one in opened:
        one.encoded()
    return (one.everything for one in opened)


STAGES = {
    "encode": encode,
    "ask": ask,
    "segment": segment,
    "learn": learn,
    "SAM: encode": sam_encode,
    "SAM: a click": sam_click,
    "SAM: everything": sam_everything,
}


def segmenter(options: argparse.Namespace) -> Proposer:
    """The proposer that was named, or a SAM 2.1 tiny with random weights."""
    if options.proposals:
        return load_proposer(options.proposals, options.device)
    import transformers

    from textseg.model.pretrained import quiet
    from textseg.proposals.hf_sam import KINDS, HfSam

    torch.manual_seed(0)
    with quiet():
        model = transformers.Sam2Model(transformers.Sam2Config()).eval().requires_grad_(False)
    return HfSam(model, transformers.Sam2ImageProcessor(), KINDS["sam2"], "SAM 2.1 tiny, random", device=options.device)


def measured(stage: str, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of one piece of work, the median after the first, and MB at the peak."""
    taken = []
    for work in STAGES[stage](options):
        began = time.perf_counter()
        work()
        if options.device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    if options.device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": statistics.median(taken[1:] or taken), "mb": peak / 1e6}


def agreement(options: argparse.Namespace) -> None:
    """How far the masks of clicks in half precision agree with those of float32."""
    opened: Any = segmenter(options).open(photos(1)[0])
    clicks = [(x, y, 1) for x in range(80, 640, 160) for y in range(80, 480, 160)]
    exact = [opened.prompt([click])[0].to_array() for click in clicks]
    for half in (torch.bfloat16, torch.float16):
        again: Any = segmenter(options).open(photos(1)[0])
        with torch.autocast("cuda", dtype=half):
            masks = [again.prompt([click])[0].to_array() for click in clicks]
        ious = [(a & b).sum() / max((a | b).sum(), 1) for a, b in zip(exact, masks, strict=True)]
        print(f"{half}: IoU with float32 {min(ious):.4f} at worst, {statistics.mean(ious):.4f} in the mean")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--model", default="lite")
    parser.add_argument("--proposals")
    parser.add_argument("--points", type=int, default=16)
    parser.add_argument("--device", choices=["cpu", "cuda"], help=argparse.SUPPRESS)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(measured(options.stage, options)))
        return
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    print(
        f"{options.model}, {SIZE[0]} x {SIZE[1]} pixels, {torch.get_num_threads()} threads, PyTorch {torch.__version__}"
    )
    print(f"{'':18} {'device':>6} {'photos a second':>16} {'seconds':>9} {'peak MB':>8}")
    for device in devices:
        for stage in STAGES:
            told = [sys.executable, __file__, *sys.argv[1:], "--device", device, "--stage", stage]
            found = json.loads(subprocess.run(told, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            each = BATCH if stage == "learn" else 1
            print(
                f"{stage:18} {device:>6} {each / found['seconds']:16.2f} {found['seconds']:9.3f} {found['mb']:8.0f}",
                flush=True,
            )
    if "cuda" in devices:
        options.device = "cuda"
        agreement(options)
    else:
        print("No GPU here: CUDA and half precision are unmeasured.")


if __name__ == "__main__":
    main()
