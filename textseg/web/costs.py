"""What models cost on this machine, as measured when they were loaded; remembered in the user's cache folder."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import torch

from textseg.files import write_atomically

_writing = threading.Lock()


def file() -> Path:
    """`$XDG_CACHE_HOME/textseg/costs.json`; it can be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textseg" / "costs.json"


def known() -> dict[str, dict[str, float]]:
    """By name: `load` (seconds), `photo` (seconds) and `memory` (MB), as far as they were measured here."""
    try:
        told = json.loads(file().read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return {name: row for name, row in told.items() if isinstance(row, dict)} if isinstance(told, dict) else {}


def note(name: str, **measured: float) -> None:
    """Remember what was measured of the model called `name`; a disk that does not take it costs nothing else."""
    with _writing, contextlib.suppress(OSError):
        rows = known()
        row: dict[str, Any] = {**rows.get(name, {}), **{key: round(value, 2) for key, value in measured.items()}}
        file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file(), json.dumps({**rows, name: row}, indent=1).encode())


def held_mb() -> float:
    """Megabytes that this process holds now, on the GPU too."""
    import psutil

    on_gpu = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
    return (psutil.Process().memory_info().rss + on_gpu) / 2**20
