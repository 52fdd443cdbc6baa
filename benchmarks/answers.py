"""What encoding once saves, and what streaming the arg-max saves; side by side in one run.

    python benchmarks/answers.py [PHOTO]

Prints ratios: the machines this runs on are noisy, and ratios of one run are not.
"""

import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from textseg.vocabulary import Vocabulary

SIZE, GRID, WORDS = (3000, 4000), (28, 37), 133


def median_seconds(*runs: Callable[[], object], repeats: int = 5) -> list[float]:
    """Median wall seconds of each of `runs`, called in turn so that a slow moment hits all of them."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for taken, run in zip(seconds, runs, strict=True):
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


def answer_against_encode(path: str | None) -> None:
    import textseg
    from textseg import images

    if path is None:
        from skimage import data

        photo = images.limit(images.open(_as_photo(data.chelsea())), 640)
    else:
        photo = images.open(path)
    model = textseg.load_model("lite")
    scene = model.encode(photo)
    textseg.segment(scene, Vocabulary.parse("warm, up"))
    pools = [iter(range(10_000)), iter(range(10_000))]

    def fresh(pool: int) -> Vocabulary:
        """Four common words and one that was never asked, as when a person edits the list."""
        return Vocabulary.parse(f"cat; kitten, sofa, wall, floor, thing {'ab'[pool]}{next(pools[pool])}")

    answer, both = median_seconds(
        lambda: textseg.segment(scene, fresh(0)), lambda: textseg.segment(model.encode(photo), fresh(1)), repeats=9
    )
    print(f"new vocabulary on an encoded {photo.width} x {photo.height} scene: {answer * 1000:.0f} ms")
    print(f"encode + answer:                                {both * 1000:.0f} ms")
    print(f"ratio: 1/{both / answer:.0f}")


def _as_photo(pixels):  # type: ignore[no-untyped-def]
    from PIL import Image

    return Image.fromarray(pixels)


def label_once(kind: str) -> None:
    """One arg-max in a process of its own, so that the peak memory is that of this way alone."""
    import torch

    from textseg.model import dense

    grid = torch.randn(WORDS, *GRID, generator=torch.Generator().manual_seed(0))
    dense.label(grid, (64, 64))
    dense.upsample(grid, (64, 64)).max(0)
    Path("/proc/self/clear_refs").write_text("5")  # start the peak anew (Linux)
    before = memory("VmRSS")
    start = time.perf_counter()
    if kind == "streamed":
        ids = torch.from_numpy(dense.label(grid, SIZE)[0])
    else:
        ids = dense.upsample(grid, SIZE).max(0).indices.add(1).byte()
    seconds = time.perf_counter() - start
    print(seconds, (memory("VmHWM") - before) / 1024, int(ids.long().sum()), zlib.crc32(ids.numpy().tobytes()))


def memory(field: str) -> int:
    """KiB of this process: VmRSS now, VmHWM at the peak."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0])


def streamed_against_naive() -> None:
    results = {}
    for kind in ("naive", "streamed") * 3:
        command = [sys.executable, __file__, f"--{kind}"]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds, megabytes, checksum, digest = out.split()
        results.setdefault(kind, []).append((float(seconds), float(megabytes), (checksum, digest)))
    print(f"arg-max of {WORDS} words on {SIZE[1]} x {SIZE[0]} pixels:")
    best = {kind: (min(r[0] for r in rows), min(r[1] for r in rows)) for kind, rows in results.items()}
    for kind, (seconds, megabytes) in best.items():
        print(f"  {kind:9} {seconds:6.2f} s  {megabytes:7.0f} MiB above the start")
    same = len({row[2] for rows in results.values() for row in rows}) == 1
    (naive_s, naive_m), (streamed_s, streamed_m) = best["naive"], best["streamed"]
    print(f"  streamed / naive: time {streamed_s / naive_s:.2f}, memory 1/{naive_m / streamed_m:.0f}, same map: {same}")


if __name__ == "__main__":
    if sys.argv[1:] in (["--streamed"], ["--naive"]):
        label_once(sys.argv[1][2:])
    else:
        answer_against_encode(sys.argv[1] if len(sys.argv) > 1 else None)
        streamed_against_naive()
