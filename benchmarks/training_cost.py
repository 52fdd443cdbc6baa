"""What a training at full size costs in bytes, hours and memory, computed from operations counted and measured here.

    python benchmarks/training_cost.py [--tflops 100] [--batch 4]
    python benchmarks/training_cost.py --gpu          # measures encoding and whole steps on the GPU that is here

Operations are counted by torch's FlopCounterMode on the real architectures with random weights: of encoding one photo,
and of one step of the objective on cached features, forward and backward, at two small batches; from these follow the
terms that grow with the batch and with its square. Hours on a GPU are operations divided by `--tflops`, the sustained
rate that is assumed of one GPU (an A100 has 312 at its peak in bf16); seconds on this machine are those of the rate
that is measured here. Memory is what a step keeps for its backward pass in float32 (autocast to bf16 keeps a little
over half); what grows with the square of the batch is taken in groups by the objectives and not counted. MGCA decodes
in groups too: what one group keeps is counted once, and that it decodes a second time is. Texts are the
captions alone; nouns add to them. Reading and decoding photos, SAM and the network are left out.

With `--gpu` nothing is assumed: photos are encoded in bfloat16, 64 at a time, and steps are taken at the recipe's own
batch in bfloat16 with AdamW, from features that lie on the GPU.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from textseg.model import heads
from textseg.model.heads import Head
from trainer import objectives, recipes
from trainer.objectives import Batch
from trainer.objectives.contrast import CHUNK
from trainer.objectives.mgca import MGCA

CLIP, DINO = "clip:ViT-B-16/openai", "dinov2:base+clip:ViT-B-16/openai"
PAIRS = {"pacl": ("CC3M + CC12M + YFCC15M", 30e6), "mgca": ("CC3M", 3e6), "mixreorg": ("CC12M", 12e6),
         "afss": ("COCO-Stuff train2017", 118_287)}  # fmt: skip

COLUMNS = ("objective", "photos", "features", "GFLOP to encode one", "encode all, one GPU", "eight GPUs", "steps",
           "TFLOP a step", "kept for a step", "all steps, one GPU", "encode one, this machine")  # fmt: skip
ON_GPU = ("objective", "photos encoded a second", "encode all", "on eight", "batch", "a step", "at most", "all steps")


@dataclass
class Stand:
    """Stands for the backbone: its dimensions, and an alignment of the same shape."""

    feature_dim: int = 768
    text_dim: int = 512
    aligned: bool = True
    name: str = CLIP

    def alignment(self) -> Head | None:
        return Alignment(self.feature_dim, self.text_dim) if self.aligned else None


class Alignment(Head):
    """CLIP's: norm and projection."""

    def __init__(self, feature_dim: int, text_dim: int) -> None:
        super().__init__()
        self.norm, self.project = torch.nn.LayerNorm(feature_dim), torch.nn.Linear(feature_dim, text_dim, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        z = self.project(self.norm(features.movedim(1, -1)))
        return torch.nn.functional.normalize(z, dim=-1).movedim(-1, 1)


def operations(run: Callable[[], Any]) -> float:
    """Operations of `run`, two for a multiplication with an addition."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def _architecture(objective: str) -> str:
    return "vit_base_patch14_reg4_dinov2.lvd142m" if objective == "afss" else "vit_base_patch16_clip_224.openai"


def encoder_operations(objective: str, side: int) -> float:
    """Of encoding one photo."""
    import timm

    net = timm.create_model(_architecture(objective), pretrained=False, num_classes=0, img_size=side).eval()
    with torch.inference_mode():
        return operations(lambda: net.forward_features(torch.zeros(1, 3, side, side)))


def step(
    objective: str, count: int, grouped: bool = True, device: str = "cpu"
) -> tuple[Callable[[], None], recipes.Recipe]:
    """One step on `count` photos, and the recipe that it follows; `grouped`: MGCA's photos one by one, as in groups."""
    backbone = Stand(aligned=objective != "afss", name=DINO if objective == "afss" else CLIP)
    recipe = recipes.load(objective, backbone=backbone.name)
    side = recipe.sizes[0][0] // (14 if objective == "afss" else 16)
    kind = objectives.get(objective)
    torch.manual_seed(0)
    head = heads.get(kind.head_type).build(backbone, **recipe.head)  # type: ignore[arg-type]
    module = kind(head, backbone, **recipe.objective).to(device).train()  # type: ignore[arg-type]
    if isinstance(module, MGCA) and grouped:
        module.read = partial(module.read, chunk=1)  # type: ignore[method-assign]
    unit = torch.nn.functional.normalize
    batch = Batch(
        features=torch.randn(count, backbone.feature_dim, side, side, device=device),
        captions=unit(torch.randn(count, backbone.text_dim, device=device), dim=1),
        caption_ids=torch.arange(count, device=device),
    )
    if kind.needs == "labels":
        batch.labels = torch.randint(-1, len(recipe.words), (count, side, side), device=device)
        batch.classes = unit(torch.randn(len(recipe.words), backbone.text_dim, device=device), dim=1)
    optimizer = torch.optim.AdamW(module.parameters()) if device != "cpu" else None

    def run() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            terms = module(batch)
        torch.stack([v.float() for k, v in terms.items() if not k.startswith("_")]).sum().backward()
        if optimizer is not None:
            optimizer.step()
            optimizer.zero_grad()

    return run, recipe


def on_gpu(objective: str) -> str:
    """A row of what this machine's GPU takes for the objective's photos and steps."""
    _, photos = PAIRS[objective]
    recipe = step(objective, 1)[1]
    side = recipe.sizes[0][0]
    rate = photos_a_second(objective, side)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    steps = recipe.steps or round(recipe.epochs * (photos // recipe.batch))
    try:
        taken = _seconds(step(objective, recipe.batch, grouped=False, device="cuda")[0], 3)
        cells = [f"{taken:.2f} s", f"{torch.cuda.max_memory_allocated() / 1e9:.0f} GB", f"{steps * taken / 3600:.1f} h"]
    except torch.OutOfMemoryError:
        cells = ["does not fit", "–", "–"]
    hours = photos / rate / 3600
    return " | ".join([objective, f"{rate:,.0f}", f"{hours:.1f} h", f"{hours / 8:.2f} h", f"{recipe.batch:,}", *cells])


def photos_a_second(objective: str, side: int) -> float:
    """Encoded on the GPU, 64 at a time in bfloat16."""
    import timm

    net = timm.create_model(_architecture(objective), pretrained=False, num_classes=0, img_size=side).eval().cuda()
    pixels = torch.randn(64, 3, side, side, device="cuda")

    def encode() -> None:
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
            net.forward_features(pixels)

    return 64 / _seconds(encode, 10)


def _seconds(run: Callable[[], Any], times: int) -> float:
    """Of one run, after two that are not counted."""
    for _ in range(2):
        run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(times):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tflops", type=float, default=100.0, help="sustained rate assumed of one GPU (default: 100)")
    parser.add_argument("--batch", type=int, default=4, help="photos of the smaller batch that is counted")
    parser.add_argument("--only", nargs="+", choices=PAIRS, help="these rows alone")
    parser.add_argument("--gpu", action="store_true", help="measure on this machine's GPU instead of counting")
    args = parser.parse_args()
    if args.gpu:
        print(f"{torch.cuda.get_device_name()}, bfloat16.")
        print("| " + " | ".join(ON_GPU) + " |\n|" + "---|" * len(ON_GPU), flush=True)
        for objective in args.only or PAIRS:
            print(f"| {on_gpu(objective)} |", flush=True)
        return
    rate = cpu_rate()
    print(f"This machine: {rate / 1e9:.0f} GFLOP/s on a layer of ViT-B/16, {torch.get_num_threads()} threads.")
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
    for objective in args.only or PAIRS:
        data, photos = PAIRS[objective]
        small, recipe = step(objective, args.batch)
        double, _ = step(objective, 2 * args.batch)
        whole = at(recipe.batch, args.batch, operations(small), operations(double))
        memory = kept(small) / args.batch * recipe.batch
        if objective == "mgca":
            pixels = (4 * recipe.sizes[0][0] // 16) ** 2
            memory += kept(step(objective, 1, grouped=False)[0]) * max(1, CHUNK // (recipe.batch * pixels))
        side = recipe.sizes[0][0]
        patches = (side // (14 if objective == "afss" else 16)) ** 2
        encode = encoder_operations(objective, side)
        steps = recipe.steps or round(recipe.epochs * (photos // recipe.batch))
        a_gpu = args.tflops * 1e12 * 3600  # operations an hour
        cells = [
            objective,
            f"{data}, {photos:,.0f}",
            f"{photos * patches * 768 * 2 / 1e9:,.0f} GB",
            f"{encode / 1e9:.0f}",
            f"{encode * photos / a_gpu:.1f} h",
            f"{encode * photos / a_gpu / 8:.2f} h",
            f"{steps:,}",
            f"{whole / 1e12:.1f}",
            f"{memory / 1e9:,.0f} GB",
            f"{steps * whole / a_gpu:.1f} h",
            f"{encode / rate:.1f} s",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def kept(run: Callable[[], Any]) -> float:
    """Bytes that `run` keeps for its backward pass, weights included."""
    sizes: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        held.append(tensor)  # no address may be used twice
        return tensor

    held: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        run()
    return float(sum(sizes.values()))


def at(batch: int, small: int, one: float, two: float) -> float:
    """A cost at `batch` photos from those at `small` and at twice as many: a linear and a square term."""
    square = max(0.0, (two - 2 * one) / (2 * small**2))
    return (one / small - square * small) * batch + square * batch**2


def cpu_rate() -> float:
    """Operations a second of a transformer layer of ViT-B/16 on eight photos."""
    layer = torch.nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True).eval()
    tokens = torch.randn(8, 197, 768)
    with torch.inference_mode():
        count = operations(lambda: layer(tokens)) or 8 * 197 * 2 * (12 * 768**2 + 2 * 197 * 768)
        layer(tokens)
        start = time.perf_counter()
        for _ in range(5):
            layer(tokens)
    return 5 * count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
