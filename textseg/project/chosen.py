"""The model that a project is worked on with: remembered in the project's folder, so that the next start has it too."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textseg.files import write_atomically

FILE = "model.json"


@dataclass(frozen=True)
class Chosen:
    """A backbone, how it is read out, its head ("default", "none" or a file) and a proposer, by their names."""

    backbone: str = "lite"
    readout: str | None = None
    head: str = "default"
    proposals: str = "regions"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read(folder: Path) -> Chosen | None:
    """What the project in `folder` remembers; None where it remembers nothing, or what cannot be read."""
    try:
        told = json.loads((folder / FILE).read_text("utf-8"))
        chosen = Chosen(**told)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    names = [chosen.backbone, chosen.head, chosen.proposals, chosen.readout or ""]
    return chosen if all(isinstance(name, str) for name in names) else None


def remember(folder: Path, chosen: Chosen) -> None:
    """Have the project in `folder` remember it."""
    write_atomically(folder / FILE, json.dumps(chosen.to_dict(), indent=1).encode())
