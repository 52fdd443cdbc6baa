"""Many photos: what the pipeline labels a second beside the plain loop and the bare encoder, its memory, and kills.

    python benchmarks/bulk.py [FOLDER] [--photos 60] [--rounds 3] [--workers 2] [--many 3000] [--kills 4] [--only PART]
        [--before CHECKOUT] [--tiny]

Three parts. *speed*: the same photos of 640 x 480, in turn by the plain loop (one photo after the other in one process,
torch on all threads, as before there was a pipeline), by the pipeline, by the encoder alone as the program uses it
(both working sizes and the head, one process a core), and by the bare encoder (one pass of the backbone a photo: one
process on all threads, and one process a core on one thread); start-up is left out of all, and each is the median of so
many rounds, in photos a second and in CPU seconds a photo, which other work on the machine changes less. `--before`
adds the command of another checkout, by the times of its files.
*memory*: the most that all processes hold together, sampled, at 100 photos and at `--many`, links to the same files;
with `--tiny` by the tests' model on photos of 160 x 120, which leaves the pipeline and takes two minutes.
*kills*: the command is killed with SIGKILL at random moments and gone on with by `--resume`; every file must be that of
a run that nobody disturbed.
"""

import argparse
import contextlib
import hashlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import torch

import textseg
from textseg import images
from textseg.bulk import run
from textseg.bulk.answerer import Answerer, Named, Question
from textseg.bulk.files import LabelFolder
from textseg.bulk.processes import Processes
from textseg.bulk.targets import IntoFolder
from textseg.folders import Found, gather
from textseg.proposals import load_proposer, opened
from textseg.pseudolabel import label_regions
from textseg.vocabulary import Vocabulary

WORDS = "person, animal, vehicle, furniture, building, tree, grass, sky, wall, floor, water, road"
QUESTION = Question(Vocabulary.parse(WORDS))
SIZE = (640, 480)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/data/coco-eval/images"))
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--many", type=int, default=3000)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--only", choices=["speed", "memory", "kills"])
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        size = (160, 120) if args.tiny else SIZE
        photos = resized(images.find([args.folder])[: args.photos], Path(place) / "photos", size)
        if args.only in (None, "speed"):
            speed(photos, Path(place), args.rounds, args.workers, args.before)
        if args.only in (None, "memory"):
            memory(photos, Path(place), args.many, args.workers, args.tiny)
        if args.only in (None, "kills"):
            kills(photos[0].path.parent, Path(place), args.kills, args.workers, random.Random(args.seed))


def resized(files: Sequence[Path], folder: Path, size: tuple[int, int]) -> list[Found]:
    """The photos as JPEGs of one size."""
    folder.mkdir()
    for number, file in enumerate(files):
        images.open(file).resize(size).save(folder / f"{number:04}.jpg", quality=92)
    return gather([folder]).photos


def speed(photos: list[Found], place: Path, rounds: int, workers: int, before: Path | None) -> None:
    model, proposer = textseg.load_model("lite"), load_proposer("regions")
    model.embed(QUESTION.vocabulary)

    def plain() -> None:
        out = LabelFolder(place / "plain", photos)
        for photo in photos:
            scene = model.encode(photo.open())
            found = label_regions(scene, QUESTION.vocabulary, opened(scene, proposer))
            out.write(photo, model, found.paint(), QUESTION.others, proposer)

    def pipeline(crew: Processes) -> None:
        target = IntoFolder(LabelFolder(place / "pipeline", photos), QUESTION)
        report = run.label(photos, target, crew)
        assert len(report.labelled) == len(photos)
        shares.append(report.seconds)

    def bare() -> None:
        for photo in photos:
            image = images.fit(photo.open(), model.backbone.short_side, model.backbone.multiple)
            model.backbone.encode([image])

    shares: list[dict[str, float]] = []
    ways: dict[str, Callable[[], Spent | None]] = {"plain loop": plain, "bare encoder, all threads": bare}
    if before is not None:
        ways["command of the other checkout"] = lambda: earlier(before, photos, place / "before")

    def each(way: Callable[[Path], None]) -> None:
        pool.map(way, [photo.path for photo in photos], chunksize=1)

    with (
        Processes(partial(Answerer.load, Named(), QUESTION), workers) as crew,
        get_context("spawn").Pool(workers, initializer=encoder) as pool,
    ):
        ways[f"pipeline, {workers} workers"] = partial(pipeline, crew)
        ways[f"encoder and head, {workers} processes"] = partial(each, encode)
        ways[f"bare encoder, {workers} processes"] = partial(each, encode_once)
        spent: dict[str, list[Spent]] = {name: [] for name in ways}
        for number in range(rounds + 1):  # the first one warms up
            for name, way in ways.items():
                began, used = time.perf_counter(), processor_seconds(os.getpid())
                took = way()
                if number:
                    whole = Spent(time.perf_counter() - began, processor_seconds(os.getpid()) - used)
                    spent[name].append(took or whole)
    rates = {name: len(photos) / statistics.median(one.seconds for one in all_) for name, all_ in spent.items()}
    costs = {name: statistics.median(one.cpu for one in all_) / len(photos) for name, all_ in spent.items()}
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{len(photos)} photos of {SIZE[0]} x {SIZE[1]}, lite, {os.cpu_count()} cores, {rounds} rounds in turn")
    print(f"load averages at the end: {load}")
    print(f"{'':34} {'photos/s':>9} {'x plain loop':>13} {'of bare encoder':>16} {'CPU s a photo':>14}")
    best = max(rate for name, rate in rates.items() if name.startswith("bare"))
    for name, rate in rates.items():
        print(f"{name:34} {rate:9.2f} {rate / rates['plain loop']:13.2f} {rate / best:16.0%} {costs[name]:14.3f}")
    total = {step: statistics.median(one[step] for one in shares[1:]) / len(photos) for step in shares[-1]}
    print("seconds a photo and worker: " + ", ".join(f"{step} {took:.3f}" for step, took in total.items()), flush=True)


@dataclass(frozen=True)
class Spent:
    """What labelling all photos took."""

    seconds: float
    cpu: float
    """CPU seconds of all processes together."""


def processor_seconds(process: int) -> float:
    """CPU seconds that a process and its children have used so far."""
    total = 0.0
    for one in [psutil.Process(process), *psutil.Process(process).children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += sum(one.cpu_times()[:2])
    return total


def earlier(checkout: Path, photos: list[Found], out: Path) -> Spent:
    """What the command of another checkout takes for the photos, from its first file to its last."""
    shutil.rmtree(out, ignore_errors=True)
    process = command(photos[0].path.parent, out, None, cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)})
    samples: list[tuple[int, float]] = []
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            samples.append((sum(1 for _ in out.glob("*.json")), processor_seconds(process.pid)))
        time.sleep(0.02)
    written = sorted(path.stat().st_mtime for path in out.glob("*.json"))
    assert len(written) == len(photos)
    first, last = next(one for one in samples if one[0]), max(samples)
    cpu = (last[1] - first[1]) / max(last[0] - first[0], 1) * len(photos)
    return Spent((written[-1] - written[0]) * len(photos) / (len(photos) - 1), cpu)


_model = None


def encoder() -> None:
    global _model
    torch.set_num_threads(1)
    _model = textseg.load_model("lite")


def encode(path: Path) -> None:
    assert _model is not None
    _model.encode(images.open(path))


def encode_once(path: Path) -> None:
    assert _model is not None
    image = images.fit(images.open(path), _model.backbone.short_side, _model.backbone.multiple)
    _model.backbone.encode([image])


def memory(photos: list[Found], place: Path, many: int, workers: int, tiny: bool) -> None:
    for number in (100, many):
        folder = place / f"photos-{number}"
        folder.mkdir()
        for k in range(number):
            (folder / f"{k:05}.jpg").hardlink_to(photos[k % len(photos)].path)
        began = time.perf_counter()
        out = place / f"labels-{number}"
        by_tests = [sys.executable, "-m", "tests.tiny_bulk", str(folder), str(out)]
        process = subprocess.Popen(by_tests) if tiny else command(folder, out, workers)
        largest = 0
        while process.poll() is None:
            largest = max(largest, held(process.pid))
            time.sleep(0.2)
        files = sum(1 for _ in out.glob("*.json"))
        took = time.perf_counter() - began
        most = f"{largest / 2**20:.0f} MiB at most, all processes together"
        print(f"{number} photos: {most}, {files} labelled, {took:.0f} s", flush=True)


def held(process: int) -> int:
    """Bytes that a process and its children hold, memory that they share counted once."""
    total = 0
    try:
        for one in [psutil.Process(process), *psutil.Process(process).children(recursive=True)]:
            total += one.memory_full_info().pss if sys.platform == "linux" else one.memory_info().rss
    except psutil.Error:
        pass
    return total


def kills(photos: Path, place: Path, times: int, workers: int, chance: random.Random) -> None:
    began = time.perf_counter()
    if command(photos, place / "undisturbed", workers).wait():
        raise SystemExit("the undisturbed run failed")
    whole, kept = time.perf_counter() - began, []
    for _ in range(times):
        process = command(photos, place / "killed", workers, "--resume")
        killer = threading.Timer(chance.uniform(0.3, 0.7) * whole / 2, process.send_signal, [signal.SIGKILL])
        killer.start()
        process.wait()
        killer.cancel()
        kept.append(sum(1 for _ in (place / "killed").glob("*.json")))
    if command(photos, place / "killed", workers, "--resume").wait():
        raise SystemExit("the last run failed")
    one, other = (digests(place / name) for name in ("undisturbed", "killed"))
    if one != other:
        raise SystemExit(f"{len(one.items() ^ other.items())} files differ after {times} kills")
    print(f"{times} kills, after them {kept} photos were done: {len(one)} files, all as in the undisturbed run")


def command(photos: Path, out: Path, workers: int | None, *more: str, **how: Any) -> subprocess.Popen:
    arguments = [sys.executable, "-m", "textseg.cli", "label", photos, "--out", out, "--words", WORDS]
    arguments += ["--workers", workers] if workers else []
    return subprocess.Popen([*map(str, arguments), *more], stdout=subprocess.DEVNULL, **how)


def digests(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".partial"]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    main()
