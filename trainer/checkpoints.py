"""Checkpoints beside a head in training: what a training that was killed goes on from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from textseg.errors import TrainingError
from textseg.files import write_atomically


def read(path: Path, identity: Mapping[str, Any], resume: bool) -> dict[str, Any] | None:
    """What to go on from, if anything; raises TrainingError when that is not what was asked for."""
    if not path.is_file():
        return None
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        made_by = json.loads(checkpoint["identity"])
    except Exception:  # torch and pickle raise many kinds
        raise TrainingError(f"{path} is damaged; delete it to start over.") from None
    other = sorted(key for key, value in identity.items() if made_by.get(key) != value)
    if resume and other:
        raise TrainingError(
            f"{path.name} belongs to another training (other: {', '.join(other)}); leave out --resume to start over."
        )
    if not resume and not other:
        raise TrainingError(
            f"{path} holds {checkpoint['step']:,} steps of this very training; go on with --resume, or delete it to "
            "start over."
        )
    return checkpoint if resume else None


def write(path: Path, identity: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Keep `state` under the training's identity, atomically."""
    kept = {"identity": json.dumps(identity), **state}
    write_atomically(path, lambda file: torch.save(kept, file))
