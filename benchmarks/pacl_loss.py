"""PACL's logits, exact, against the formula taken literally: seconds and memory, forward and backward.

    python benchmarks/pacl_loss.py                 # B=256 photos and texts, T=196 patches, D=512 dimensions
    python benchmarks/pacl_loss.py --device cuda

The literal formula holds every weighted token of every (photo, text) pair, B x B x T x D numbers: 26 GB at these sizes,
and as much again for gradients. It is therefore run a few photos at a time (`--naive-photos`) against all texts, which
understates its memory, and on the first `--naive-sample` photos only, from which its seconds are multiplied up: photos
are independent and cost the same. What it would hold at once is printed as well. Both variants are given the same
gradient of the loss with respect to the logits and must give the same gradient of the tokens. Each runs in its own
process, because a process never gives its peak memory back.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from trainer.objectives.contrast import compatibility

KAPPA = 10.0


def naive(v: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """(B, C) from tokens (B, T, D) and unit texts (C, D), as it stands in the paper."""
    similarity = torch.einsum("btd,cd->bct", F.normalize(v, dim=-1), texts)
    attention = (KAPPA * similarity).softmax(-1)
    pooled = (attention[..., None] * v[:, None]).sum(2)
    return torch.einsum("bcd,cd->bc", F.normalize(pooled, dim=-1), texts)


def exact(v: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    return compatibility(v, texts, KAPPA)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Run one variant; its logits and gradients go to `options.out`."""
    logits_of: Callable = {"naive": naive, "exact": exact}[options.variant]
    group, photos = options.photos, options.photos
    if options.variant == "naive":
        group, photos = options.naive_photos, min(options.naive_sample, options.photos)
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(options.photos, options.patches, options.dim, generator=generator).to(options.device)
    texts = F.normalize(torch.randn(options.photos, options.dim, generator=generator), dim=1).to(options.device)
    upstream = torch.randn(options.photos, options.photos, generator=generator).to(options.device)

    logits_of(v[:1], texts[:2])  # libraries load at the first call
    before, seconds = peak(options.device), []
    for _ in range(options.repeat):
        began, logits, gradients = time.perf_counter(), [], []
        for tokens, gradient in zip(v[:photos].split(group), upstream[:photos].split(group), strict=True):
            tokens = tokens.detach().requires_grad_()
            part = logits_of(tokens, texts)
            part.backward(gradient)
            logits.append(part.detach())
            gradients.append(tokens.grad)
            del part
        if options.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    used = peak(options.device) - before
    torch.save((torch.cat(logits).cpu(), torch.cat(gradients).cpu()), options.out)
    return {"seconds": min(seconds) * options.photos / photos, "bytes": used}


def peak(device: str) -> int:
    """Most memory, in bytes, that this process has held so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description="PACL's loss, exact against naive.")
    parser.add_argument("--photos", type=int, default=256, help="photos, and as many texts")
    parser.add_argument("--patches", type=int, default=196)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--naive-photos", type=int, default=8, help="photos that the naive variant takes at a time")
    parser.add_argument("--naive-sample", type=int, default=32, help="photos that the naive variant is run on")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each variant; the fastest counts")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--variant", choices=["naive", "exact"], help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options)))
        return

    at_once = 4 * options.photos**2 * options.patches * options.dim
    print(f"B={options.photos}, T={options.patches}, D={options.dim}, {options.device}; forward and backward, float32")
    with tempfile.TemporaryDirectory() as folder:
        measured, saved = {}, {}
        for variant in ("naive", "exact"):
            out = Path(folder) / f"{variant}.pt"
            command = [sys.executable, __file__, *sys.argv[1:], "--variant", variant, "--out", str(out)]
            lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            measured[variant], saved[variant] = json.loads(lines), torch.load(out, weights_only=True)
            note = f" ({options.naive_photos} of the photos at a time)" if variant == "naive" else ""
            print(
                f"{variant}: {measured[variant]['seconds']:8.2f} s {measured[variant]['bytes'] / 1e6:10,.0f} MB{note}"
            )
    seconds, size = (measured["naive"][key] / measured["exact"][key] for key in ("seconds", "bytes"))
    differences = [float((a - b[: len(a)]).abs().max()) for a, b in zip(saved["naive"], saved["exact"], strict=True)]
    print(f"exact is {seconds:.1f} times as fast and holds 1/{size:.0f} of the memory")
    print(
        f"all photos at once, the weighted tokens alone would hold {at_once / 1e6:,.0f} MB, "
        f"{at_once / measured['exact']['bytes']:.0f} times what exact holds in all"
    )
    print(f"largest difference: logits {differences[0]:.1e}, gradients {differences[1]:.1e}")


if __name__ == "__main__":
    main()
