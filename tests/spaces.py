"""A built Space, started as the hub starts it: `python app.py` in its folder, which alone is on the path."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.browser.conftest import free_port

RUNNER = """
import runpy, sys, time
from pathlib import Path
from types import SimpleNamespace
sys.path[0] = "."
from textseg.web.visitors import store
ahead = Path(sys.argv[1])
store.time = SimpleNamespace(time=lambda: time.time() + float(ahead.read_text()), sleep=time.sleep)
runpy.run_path("app.py", run_name="__main__")
"""
"""Starts the Space with a clock for its visitors that a test can put forward."""


@dataclass
class Started:
    """A running Space."""

    url: str
    process: psutil.Process
    seconds: float
    """From its start until it answered."""
    ahead: Path
    """Holds the seconds by which its visitors' clock is ahead."""

    def memory(self) -> int:
        """Bytes that it and what it has started hold now."""
        every = [self.process, *self.process.children(recursive=True)]
        held = 0
        for one in every:
            with suppress(psutil.NoSuchProcess):
                held += one.memory_info().rss
        return held


@contextmanager
def started(folder: Path, work: Path, python: str = sys.executable, patience: float = 600) -> Iterator[Started]:
    """Run the Space in `folder`, with `work` (an empty folder) as its home; yields it once it answers."""
    port, ahead = free_port(), work / "ahead"
    ahead.write_text("0")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "OMP_NUM_THREADS") if name in os.environ}
    environment = kept | {
        "SPACE_ID": "ada/textseg", "HOME": str(work), "TMPDIR": str(work), "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    with (work / "log").open("w") as log:
        process = subprocess.Popen(
            [python, "-c", RUNNER, str(ahead)], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    began, url = time.monotonic(), f"http://127.0.0.1:{port}/"
    try:
        while not _answers(url):
            if process.poll() is not None or time.monotonic() - began > patience:
                raise AssertionError(f"the Space did not start:\n{(work / 'log').read_text()[-3000:]}")
        yield Started(url, psutil.Process(process.pid), time.monotonic() - began, ahead)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        with suppress(TimeoutError):  # refused at once: look again in a moment
            time.sleep(0.2)
        return False
