"""Patch features and text embeddings on disk: the encoders are frozen, so each photo and text is encoded once."""

import hashlib
import math
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from textseg.errors import PhotoError
from textseg.model.backbones import Backbone
from trainer.data import TrainingPhoto
from trainer.store import ArrayStore

DEFAULT_LIMIT = 20 * 10**9
"""Bytes that the whole cache folder may take unless told otherwise."""

SHARD_BYTES = 32 * 2**20
PHOTOS_AT_ONCE = 8
TEXTS_AT_ONCE = 4096
SPARE_DISK = 10**9
"""Bytes left free on the disk, whatever the limit."""


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/textseg/features`; it can be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textseg" / "features"


class FeatureCache(ArrayStore):
    """(D, h, w) float16 features of photos squeezed to one size, by the photos' hash.

    The folder's name carries backbone, weights with their readout, and size, so that no other's features are read.
    """

    def __init__(self, root: Path, backbone: Backbone, size: tuple[int, int]) -> None:
        self.size = size
        name = re.sub(r"[^\w.-]+", "-", backbone.name)
        parts = [name, backbone.weights_hash, "x".join(map(str, size))]
        super().__init__(root / "-".join(parts))
        self.shape = tuple(backbone.encode([Image.new("RGB", size)]).shape[1:])

    @property
    def photo_bytes(self) -> int:
        """Bytes that one photo's features take."""
        depth, height, width = self.shape
        return 2 * depth * height * width

    def encode(self, photos: Sequence[Image.Image], backbone: Backbone) -> torch.Tensor:
        """(B, D, h, w) float16 features, the same to rounding as what the cache holds."""
        return backbone.encode([_squeezed(photo, self.size) for photo in photos]).half()


def folder_bytes(folder: Path) -> int:
    """Bytes of all files under `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def plan(
    photos: Sequence[TrainingPhoto], caches: Sequence[FeatureCache], root: Path, limit: int
) -> tuple[list[TrainingPhoto], str]:
    """(the photos to encode and keep, what to tell the person), before any work is done.

    A photo is kept in all sizes or in none. Those beyond the limit are encoded anew whenever they are needed.
    """
    missing = [photo for photo in photos if any(photo.sha256 not in cache for cache in caches)]
    each = sum(cache.photo_bytes for cache in caches)
    room = min(limit - folder_bytes(root), shutil.disk_usage(root).free - SPARE_DISK)
    kept = missing[: max(0, room // each)]
    sizes = ", ".join("{} x {}".format(*cache.size) for cache in caches)
    told = (
        f"Patch features of {len(photos):,} photos at {sizes}: {_bytes(len(photos) * each)} in {root}, "
        f"of which {len(photos) - len(missing):,} photos are there already."
    )
    if len(kept) < len(missing):
        told += (
            f" The limit ({_bytes(limit)}, and {_bytes(SPARE_DISK)} of free disk) leaves room for {len(kept):,} more; "
            f"the other {len(missing) - len(kept):,} are encoded anew at each step, which is much slower: raise "
            "--cache-limit or choose smaller sizes."
        )
    return kept, told


def fill(
    photos: Sequence[TrainingPhoto],
    kept: Iterable[TrainingPhoto],
    caches: Sequence[FeatureCache],
    backbone: Backbone,
    share: tuple[int, int] = (0, 1),
    progress: Any = None,
) -> dict[str, str]:
    """Encode and store `kept`; only open the others that are not stored. -> {name: reason} of the unreadable ones.

    `share` (i, n) does the i-th of n parts of the work; `progress.update(photos)` is told how far it got.
    """
    keep = {photo.sha256 for photo in kept}
    missing = [photo for photo in photos if any(photo.sha256 not in cache for cache in caches)]
    unreadable: dict[str, str] = {}
    shard = max(1, SHARD_BYTES // max(cache.photo_bytes for cache in caches))
    group = max(1, min(shard, math.ceil(len(missing) / share[1])))
    shares = [missing[i : i + group] for i in range(0, len(missing), group)][share[0] :: share[1]]
    with ThreadPoolExecutor(4) as pool:
        for group_photos in shares:
            for cache in caches:
                cache.refresh()
            todo = [photo for photo in group_photos if any(photo.sha256 not in cache for cache in caches)]
            rows: list[dict[str, torch.Tensor]] = [{} for _ in caches]
            for start in range(0, len(todo), PHOTOS_AT_ONCE):
                some = todo[start : start + PHOTOS_AT_ONCE]
                opened = list(pool.map(_opened, some))
                unreadable |= {p.name: str(o) for p, o in zip(some, opened, strict=True) if isinstance(o, PhotoError)}
                good = [
                    (photo, image)
                    for photo, image in zip(some, opened, strict=True)
                    if isinstance(image, Image.Image) and photo.sha256 in keep
                ]
                for cache, row in zip(caches, rows, strict=True):
                    if new := [(photo, image) for photo, image in good if photo.sha256 not in cache]:
                        features = cache.encode([image for _, image in new], backbone).cpu()
                        row.update({photo.sha256: f.clone() for (photo, _), f in zip(new, features, strict=True)})
            for cache, row in zip(caches, rows, strict=True):
                cache.add(row)
            if progress is not None:
                progress.update(len(group_photos))
    return unreadable


class Texts:
    """The unit embeddings of a list of texts, computed once, kept on disk, mapped into memory."""

    def __init__(
        self, root: Path, backbone: Backbone, texts: Sequence[str], templates: str = "plain", progress: Any = None
    ) -> None:
        """`templates` names the prompt templates that each text is put in; `progress.update` is told how far it got."""
        from textseg.model.embedding import embed_words

        store = ArrayStore(root / "texts")
        self._chunks = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            chunk = list(texts[start : start + TEXTS_AT_ONCE])
            facts = "\0".join([backbone.name, backbone.weights_hash, templates, *chunk])
            key = hashlib.sha256(facts.encode()).hexdigest()
            if key not in store:
                store.add({key: embed_words(backbone.embed, chunk, templates).float()})
            self._chunks.append(store[key])
            if progress is not None:
                progress.update(len(chunk))

    def __getitem__(self, indices: Sequence[int]) -> torch.Tensor:
        """(N, E) float32 embeddings of the texts at `indices`."""
        return torch.stack([self._chunks[i // TEXTS_AT_ONCE][i % TEXTS_AT_ONCE] for i in indices])


def _opened(photo: TrainingPhoto) -> Image.Image | PhotoError:
    try:
        return photo.open()
    except PhotoError as error:
        return error


def _squeezed(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    return photo if photo.size == size else photo.resize(size, Image.Resampling.BICUBIC)


def _bytes(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
