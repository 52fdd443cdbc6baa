"""What photos were encoded to, on disk: what one process encoded, no other one encodes again."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from textseg.files import write_atomically
from textseg.model.partition import LAYER_SIDE, Layers, Partition, layers

if TYPE_CHECKING:
    from PIL import Image

    from textseg.model import Model
    from textseg.model.scene import Scene

MOST_BYTES = 8 * 10**9
"""Features of `lite` take 2.6 MB a photo: some 3,000 photos."""

REGIONS = f"regions-{LAYER_SIDE}"
"""Where regions lie: those found at another size are not read."""

SPARE_DISK = 10**9
"""Bytes left free on the disk, whatever the bound."""

LEFTOVER = 3600
"""Seconds after which an unfinished file belongs to a writer that was killed: a live one needs less than one."""


class EncodingStore:
    """Features and regions of photos in a folder, a file each, bounded in bytes: what was asked for longest ago leaves.

    A file is named by the photo's hash and lies in the folder of what encoded it (`encoder`), so nothing that was made
    by other weights or at another size is ever read. It appears whole or not at all; several processes may share a
    folder, and at worst encode the same photo twice. It is a cache: whatever is wrong with the disk costs time only.
    """

    def __init__(self, folder: Path, max_bytes: int = MOST_BYTES) -> None:
        self.folder, self.max_bytes = folder, max_bytes

    def has(self, photo: str, model: Model) -> bool:
        """Whether `model` has encoded the photo with this sha256 before."""
        return self._path(encoder(model), photo).is_file()

    def features(self, photo: str, model: Model) -> torch.Tensor | None:
        """(D, h, w) float16 features of the photo with this sha256, None where they are not there."""
        return self._read(encoder(model), photo).get("x")

    def keep(self, photo: str, model: Model, features: torch.Tensor) -> None:
        """Keep the (D, h, w) features that `model` made of a photo, as far as there is room."""
        self._write(encoder(model), photo, {"x": features.half()})

    def embedding(
        self, encoder: str, photo: str, encode: Callable[[], Mapping[str, torch.Tensor]]
    ) -> Mapping[str, torch.Tensor]:
        """What a proposer's encoder, named by a hash of all that decides it, makes of a photo: read, or made and kept.

        Tensors that are read lie on the CPU; none is rounded.
        """
        found = self._read(encoder, photo)
        if not found:
            found = encode()
            self._write(encoder, photo, found)
        return found

    def regions(self, photo: str, picture: Callable[[], Image.Image]) -> Layers:
        """The regions of a photo at three scales; `picture` opens it where they were not found before."""
        stored = self._read(REGIONS, photo).get("x")
        if stored is not None:
            return Layers([Partition(ids) for ids in stored.numpy()])
        found = layers(picture())
        self._write(REGIONS, photo, {"x": torch.stack([torch.from_numpy(layer.ids) for layer in found.layers])})
        return found

    def scene(self, photo: str, model: Model, picture: Callable[[], Image.Image]) -> Scene:
        """The scene of the photo with this sha256: only the head runs where `model` has encoded it before.

        `picture` opens it and may raise PhotoError.
        """
        features = self.features(photo, model)
        if features is not None:
            return model.scene(picture(), features)
        scene = model.encode(picture())
        self.keep(photo, model, scene.features)
        return scene

    def _path(self, folder: str, photo: str) -> Path:
        return self.folder / folder / f"{photo}.safetensors"

    def _read(self, folder: str, photo: str) -> Mapping[str, torch.Tensor]:
        """The tensors of a file by name; none where it is not there."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        path = self._path(folder, photo)
        try:
            tensors = load(path.read_bytes())
        except OSError:
            return {}
        except (SafetensorError, ValueError):  # torn by a failing disk: as good as not there
            with suppress(OSError):
                path.unlink()
            return {}
        with suppress(OSError):
            os.utime(path)
        return tensors

    def _write(self, folder: str, photo: str, tensors: Mapping[str, torch.Tensor]) -> None:
        from safetensors.torch import save

        path = self._path(folder, photo)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
            if shutil.disk_usage(path.parent).free < SPARE_DISK + len(content):
                return
            write_atomically(path, content)
            self._trim(path)
        except OSError:  # full or read-only: the photo is encoded again next time
            return

    def _trim(self, newest: Path) -> None:
        """Let go what was used longest ago, until all files together fit the bound."""
        found = []
        for path in self.folder.rglob("*"):
            with suppress(OSError):  # another process let it go
                facts = path.stat()
                if path.suffix == ".partial" and time.time() - facts.st_mtime > LEFTOVER:
                    path.unlink()
                elif path.suffix == ".safetensors":
                    found.append((facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.max_bytes:
                break
            if path != newest:
                with suppress(OSError):
                    path.unlink()
                total -= size


def encoder(model: Model) -> str:
    """Short hash of all that decides a photo's features: backbone, weights with their readout, and working sizes."""
    backbone = model.backbone
    sizes = model.head.sizes or ((backbone.short_side, backbone.window),)
    facts = [backbone.name, backbone.weights_hash, *map(str, sizes)]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]
