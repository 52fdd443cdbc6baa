"""Segment Anything in textseg against segment_anything itself: the same masks, side by side in one run.

    python benchmarks/sam.py [PHOTO] [--size vit_b] [--checkpoint FILE] [--points 32]

Without a checkpoint the weights are random. Their scores mean nothing, so the two thresholds are set where real ones
are: such that a share of the masks passes each (`--pass`).
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from segment_anything import SamAutomaticMaskGenerator, SamPredictor, sam_model_registry

from textseg import images
from textseg.proposals import promptable, sam_decoder
from textseg.proposals import sam as ours

STAGES = {
    "image encoder": "the same",
    "transformer": "projections multiplied into the few tokens; image side shared before the first block",
    "mask upscaling": "only for prompts with a good predicted IoU",
    "full size": "only good masks; the padding is not upsampled",
    "scores, boxes, RLE": "counts on one mask at a time; RLE from the mask instead of index lists",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo", nargs="?")
    parser.add_argument("--size", default="vit_b", choices=ours.SIZES)
    parser.add_argument("--checkpoint")
    parser.add_argument("--points", type=int, default=32)
    parser.add_argument("--pass", dest="share", type=float, default=0.5)
    args = parser.parse_args()
    pixels = photo(args.photo)
    torch.manual_seed(0)
    model = sam_model_registry[args.size]().eval()
    settings: dict[str, Any] = {"points_per_side": args.points}
    if args.checkpoint:
        model.load_state_dict(torch.load(args.checkpoint, weights_only=True))
    else:
        settings |= thresholds(model, pixels, args.share)
    print(f"{args.size}, {pixels.shape[1]} x {pixels.shape[0]} pixels, {args.points} x {args.points} points,", end=" ")
    print(f"{torch.get_num_threads()} threads, {settings}")

    reference, theirs = timed(
        lambda: SamAutomaticMaskGenerator(model, output_mode="coco_rle", **settings).generate(pixels),
        their_stages(model),
    )
    sam = ours.Sam(model, device="cpu", settings=promptable.Settings(**settings))
    masks, mine = timed(lambda: sam.open(Image.fromarray(pixels)).everything(), our_stages(sam))

    worst = min((iou(a.rle, b["segmentation"]) for a, b in zip(masks, reference, strict=True)), default=1.0)
    print(f"masks: {len(reference)} and {len(masks)}, in the same order; worst IoU of a pair {worst:.5f}\n")
    print(f"{'seconds':20} {'segment_anything':>16} {'textseg':>8} {'ratio':>6}")
    for stage, cause in STAGES.items():
        ratio = theirs[stage] / max(mine[stage], 1e-9)
        print(f"{stage:20} {theirs[stage]:16.2f} {mine[stage]:8.2f} {ratio:5.1f}x  {cause}")
    total, total_mine = theirs["all"], mine["all"]
    print(f"{'everything':20} {total:16.2f} {total_mine:8.2f} {total / total_mine:5.1f}x")
    prompts(model, sam, pixels)


def prompts(model: torch.nn.Module, sam: ours.Sam, pixels: np.ndarray) -> None:
    """A click on a photo that is encoded already."""
    predictor = SamPredictor(model)
    predictor.set_image(pixels)
    opened = sam.open(Image.fromarray(pixels))
    height, width = pixels.shape[:2]
    click = np.array([[width // 2, height // 2]])
    start = time.perf_counter()
    expected = predictor.predict(click, np.array([1]))[0]
    middle = time.perf_counter()
    found = opened.prompt([(width // 2, height // 2, 1)])
    end = time.perf_counter()
    assert len(found) == len(expected)
    print(f"{'a click':20} {middle - start:16.2f} {end - middle:8.2f} {(middle - start) / (end - middle):5.1f}x")


def photo(path: str | None) -> np.ndarray:
    if path:
        return np.asarray(images.limit(images.open(path), 1024))
    from skimage import data

    return data.chelsea()


def thresholds(model: torch.nn.Module, pixels: np.ndarray, share: float) -> dict[str, float]:
    """Predicted IoU and stability that the share `share` of a coarse grid's masks pass, one after the other."""
    probe = {"points_per_side": 6, "box_nms_thresh": 1.0, "stability_score_thresh": 0.0}
    records = SamAutomaticMaskGenerator(model, pred_iou_thresh=0.0, **probe).generate(pixels)
    good = float(np.quantile([record["predicted_iou"] for record in records], 1 - share))
    stable = [record["stability_score"] for record in records if record["predicted_iou"] > good]
    return {"pred_iou_thresh": good, "stability_score_thresh": float(np.quantile(stable, 1 - share))}


def their_stages(model: torch.nn.Module) -> list[tuple[Any, str, str]]:
    return [
        (model.image_encoder, "forward", "image encoder"),
        (model.mask_decoder.transformer, "forward", "transformer"),
        (model.mask_decoder, "forward", "mask upscaling"),
        (model, "postprocess_masks", "full size"),
        (SamAutomaticMaskGenerator, "_process_batch", "scores, boxes, RLE"),
    ]


def our_stages(sam: ours.Sam) -> list[tuple[Any, str, str]]:
    return [
        (sam.model.image_encoder, "forward", "image encoder"),
        (ours, "decode", "transformer"),
        (sam_decoder.Decoded, "masks", "mask upscaling"),
        (ours, "unpadded", "full size"),
        (promptable.PromptableProposals, "_stable", "scores, boxes, RLE"),
    ]


def timed(work: Callable[[], Any], stages: list[tuple[Any, str, str]]) -> tuple[Any, dict[str, float]]:
    """The result of `work` and the seconds in each stage; time in an inner stage does not count for the outer."""
    seconds: dict[str, float] = defaultdict(float)
    running: list[str] = []

    @contextmanager
    def clock(stage: str) -> Iterator[None]:
        start = time.perf_counter()
        running.append(stage)
        yield
        running.pop()
        taken = time.perf_counter() - start
        seconds[stage] += taken
        if running:
            seconds[running[-1]] -= taken

    def wrap(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with clock(stage):
                return function(*args, **kwargs)

        return wrapped

    with ExitStack() as stack:
        for owner, name, stage in stages:
            stack.enter_context(patch.object(owner, name, wrap(getattr(owner, name), stage)))
        start = time.perf_counter()
        result = work()
        seconds["all"] = time.perf_counter() - start
    return result, seconds


def iou(one: dict, other: dict) -> float:
    from pycocotools import mask as coco

    pair = [{"size": rle["size"], "counts": rle["counts"].encode()} for rle in (one, other)]
    return float(coco.iou(pair[:1], pair[1:], [0])[0, 0])


if __name__ == "__main__":
    main()
