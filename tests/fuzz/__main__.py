"""Try mutated input at every door for some minutes, and print what came of it.

    python -m tests.fuzz [--minutes 10] [--door NAME] [--seed N] [--finds FOLDER]

A door is tried in a process of its own, a few seconds at a time, so that a crash is a find like any other. A find (an
exception that is no sentence, a crash, more than ten seconds or a gigabyte) is written to FOLDER, and the exit status
is 1. To see one again: python -m tests.fuzz --door NAME --again FILE
"""

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.doors import doors
from textseg.errors import TextsegError

SLOW = 10.0
LARGE = 2**30
TURN = 20.0


def try_one(door, data: bytes) -> str:  # type: ignore[no-untyped-def]
    """ "taken", "refused", or a find as text."""
    began = time.monotonic()
    try:
        door.try_(data)
        outcome = "taken"
    except TextsegError as error:
        sentence = str(error)
        plain = sentence.endswith((".", "…")) and "\n" not in sentence and len(sentence) < 1000
        outcome = "refused" if plain else f"no sentence: {sentence[:2000]!r}"
    except Exception:
        outcome = traceback.format_exc()
    took = time.monotonic() - began
    return f"took {took:.1f} s" if took > SLOW else outcome


def turn(name: str, seed: int, seconds: float, current: Path, answers: Connection) -> None:
    """Try one door for some seconds; what is being tried lies in `current`, for a crash leaves nothing else."""
    rng, counts = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="textseg-fuzz-") as folder:
        door = doors()[name](Path(folder))
        began, end = _peak(), time.monotonic() + seconds
        while time.monotonic() < end:
            data = door.make(rng)
            current.write_bytes(data)
            outcome = try_one(door, data)
            if _peak() - began > LARGE:
                outcome, began = f"took {(_peak() - began) >> 20} MiB", _peak()
            counts[outcome if outcome in ("taken", "refused") else "finds"] += 1
            if outcome not in ("taken", "refused"):
                answers.send((outcome, data))
    answers.send((counts, None))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--door", choices=sorted(doors()))
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run; by default another one each time")
    parser.add_argument("--finds", type=Path, default=Path(".fuzz"))
    parser.add_argument("--again", type=Path, metavar="FILE", help="try one input again")
    args = parser.parse_args()
    if args.again:
        with tempfile.TemporaryDirectory(prefix="textseg-fuzz-") as folder:
            print(try_one(doors()[args.door](Path(folder)), args.again.read_bytes()))
        return 0
    seed = random.SystemRandom().randrange(2**31) if args.seed is None else args.seed
    names = [args.door] if args.door else list(doors())
    print(f"seed {seed}, {args.minutes:g} minutes, {len(names)} doors", flush=True)
    totals: dict[str, Counter[str]] = {name: Counter() for name in names}
    known: set[str] = set()
    end, round_ = time.monotonic() + 60 * args.minutes, 0
    while time.monotonic() < end:
        for name in names:
            left = end - time.monotonic()
            if left > 0:
                seconds = min(TURN, left, max(2.0, 60 * args.minutes / len(names) / 2))
                for outcome, data in one_turn(name, seed + round_, seconds, totals[name]):
                    if (key := f"{name}: {cause(outcome)}") not in known:
                        known.add(key)
                        keep(args.finds, name, len(known), outcome, data)
                        print(f"find at {key}", flush=True)
            round_ += 1
    for name, counts in totals.items():
        print(f"{name:20} {counts['taken']:9,} taken {counts['refused']:9,} refused {counts['finds']:6,} finds")
    print(f"{sum(sum(counts.values()) for counts in totals.values()):,} inputs, {len(known)} kinds of finds")
    return 1 if known else 0


def cause(outcome: str) -> str:
    """What tells finds apart: the exception and the line that raised it."""
    lines = outcome.strip().splitlines()
    frames = [line.split(", in ")[0].strip() for line in lines if line.strip().startswith("File ")]
    return " ".join([lines[-1].split(":")[0][:80], *frames[-1:]])


def one_turn(name: str, seed: int, seconds: float, counts: Counter[str]) -> list[tuple[str, bytes]]:
    """The finds of one process; what it counted is added to `counts`."""
    answers, theirs = multiprocessing.Pipe(duplex=False)
    finds: list[tuple[str, bytes]] = []
    with tempfile.TemporaryDirectory(prefix="textseg-fuzz-") as folder:
        current = Path(folder) / "current"
        process = multiprocessing.Process(target=turn, args=(name, seed, seconds, current, theirs))
        process.start()
        theirs.close()
        deadline = time.monotonic() + seconds + 120
        try:
            while answers.poll(max(0.0, deadline - time.monotonic())):
                outcome, data = answers.recv()
                if data is None:
                    counts.update(outcome)
                    break
                finds.append((outcome, data))
            else:
                process.kill()
                finds.append(("hung", current.read_bytes()))
        except EOFError:
            process.join()
            tried = current.read_bytes() if current.exists() else b""
            finds.append((f"the process ended with {process.exitcode}", tried))
        process.join()
    return finds


def keep(folder: Path, name: str, number: int, outcome: str, data: bytes) -> None:
    folder.mkdir(exist_ok=True)
    stem = folder / f"{name.replace(' ', '-')}-{number:03}"
    stem.with_suffix(".input").write_bytes(data)
    stem.with_suffix(".txt").write_text(outcome, "utf-8", "replace")


def _peak() -> int:
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
