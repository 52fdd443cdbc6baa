"""Tensors by key on disk.

A store is a folder of immutable safetensors shards. A shard appears whole or not at all, under a name nobody else
uses, so that a kill loses at most one shard of work, and several processes may fill one store without a lock: at
worst they compute the same thing twice.
"""

import time
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from textseg.files import write_atomically


class ArrayStore:
    """Tensors by key in a folder; reading maps the files into memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shard_of: dict[str, Path] = {}
        self._seen: set[Path] = set()
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.partial"):
            if time.time() - leftover.stat().st_mtime > 3600:  # a live writer needs seconds
                leftover.unlink(missing_ok=True)
        self.refresh()

    def refresh(self) -> None:
        """Take notice of what other processes have added."""
        from safetensors import SafetensorError

        for path in sorted(self.folder.glob("*.safetensors")):
            if path not in self._seen:
                self._seen.add(path)
                try:
                    keys = _mapped(path).keys()
                except (SafetensorError, OSError):  # torn by a failing disk: as good as not there
                    path.unlink(missing_ok=True)
                    continue
                for key in keys:
                    self._shard_of.setdefault(key, path)

    def __contains__(self, key: str) -> bool:
        return key in self._shard_of

    def __len__(self) -> int:
        return len(self._shard_of)

    def __getitem__(self, key: str) -> torch.Tensor:
        """The tensor under `key`, mapped from the file: copy before you write to it."""
        return _mapped(self._shard_of[key]).get_tensor(key)

    def add(self, tensors: dict[str, torch.Tensor]) -> None:
        """Store `tensors` as one shard, atomically."""
        from safetensors.torch import save

        if tensors:
            path = self.folder / f"{uuid4().hex}.safetensors"
            write_atomically(path, save({key: tensor.cpu().contiguous() for key, tensor in tensors.items()}))
            self._seen.add(path)
            self._shard_of.update(dict.fromkeys(tensors, path))


@lru_cache(maxsize=128)
def _mapped(path: Path) -> Any:
    from safetensors import safe_open

    return safe_open(path, framework="pt")
