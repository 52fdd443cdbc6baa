"""The Space on a machine like `cpu-basic`: how long it takes to start and to answer, and how much memory it holds.

    python benchmarks/space.py [--python INTERPRETER] [--json FILE]

The built Space is started as the hub starts it, in a process whose path holds its folder alone; `--python` is that of
an environment where only its requirements.txt is installed. The hub gives cpu-basic 2 cores and 16 GB, and starts a
Space anew that is not there within `startup_duration_timeout`; the last lines say how far both are.
"""

import argparse
import json
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

from gradio_client import Client, handle_file

from tests.spaces import Started, started
from textseg import space
from textseg.web.samples import SAMPLES

MEMORY_GB = 16
UNITS = {"s": 1, "m": 60, "h": 3600}


class Peak:
    """The most memory that a Space held, looked at five times a second."""

    def __init__(self, running: Started) -> None:
        self.most, self._running, self._stop = 0, running, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stop.wait(0.2):
            self.most = max(self.most, self._running.memory())

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self.most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    allowed = re.fullmatch(r"(\d+)([smh])", space.read()["startup_duration_timeout"])
    limit = int(allowed[1]) * UNITS[allowed[2]]  # type: ignore[index]
    with tempfile.TemporaryDirectory() as folder:
        built, work = Path(folder) / "space", Path(folder) / "home"
        work.mkdir()
        space.build(built)
        size = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
        with started(built, work, args.python) as running:
            print(f"the page was there after {running.seconds:.1f} s", flush=True)
            peak, began = Peak(running), time.monotonic()
            client = Client(running.url, verbose=False)
            answers = []
            for sample in SAMPLES:
                at = time.monotonic()
                client.predict(handle_file(sample.path), sample.words, {}, api_name="/segment")
                answers.append(time.monotonic() - at)
                print(f"{sample.name} was answered in {answers[-1]:.2f} s", flush=True)
            ready = running.seconds + answers[0] + (time.monotonic() - began - sum(answers))
            held, most = running.memory(), peak.stop()
    told = {
        "folder_mb": round(size / 2**20, 1), "page_seconds": round(running.seconds, 1),
        "first_answer_seconds": round(ready, 1), "answer_seconds": [round(one, 2) for one in answers[1:]],
        "memory_mb": round(held / 2**20), "peak_mb": round(most / 2**20),
        "memory_limit_mb": MEMORY_GB * 1024, "start_limit_seconds": limit,
    }  # fmt: skip
    print(f"the folder               {told['folder_mb']:8} MB")
    print(f"start to page            {told['page_seconds']:8} s")
    print(f"start to first answer    {told['first_answer_seconds']:8} s of {limit} s allowed")
    print(
        f"memory, five photos      {told['memory_mb']:8} MB, at most {told['peak_mb']} of {told['memory_limit_mb']} MB"
    )
    print(f"answers after the first  {', '.join(map(str, told['answer_seconds']))} s")
    if args.json:
        args.json.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
