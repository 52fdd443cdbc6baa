"""Patch features and text embeddings on disk: the encoders are frozen, so each photo and text is encoded once."""

import hashlib
import math
import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from textseg.errors import PhotoError
from textseg.model.backbones import Backbone
from trainer import packings
from trainer.data import TrainingPhoto, UnreachableError
from trainer.notes import Notes
from trainer.store import ArrayStore

DEFAULT_LIMIT = 20 * 10**9
"""Bytes that the whole cache folder may take unless told otherwise."""

SHARD_BYTES = 32 * 2**20
PHOTOS_AT_ONCE = 8
"""Photos that are encoded together on a CPU, where more are no quicker, and to begin with on a GPU."""
MOST_AT_ONCE = 256
MEMORY_SHARE = 0.6
"""Of the GPU's free memory, for photos that are encoded together."""
NOTED_AT_ONCE = 1000
"""Photos whose readability is noted together: what a kill can cost."""
TEXTS_AT_ONCE = 4096
SPARE_DISK = 10**9
"""Bytes left free on the disk, whatever the limit."""


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/textseg/features`; it can be deleted at any time."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textseg" / "features"


class FeatureCache(ArrayStore):
    """(D, h, w) features of photos squeezed to one size, by the photos' hash, packed into fewer bytes.

    The folder's name carries backbone, weights with their readout, size and packing, so that no other's are read.
    """

    def __init__(self, root: Path, backbone: Backbone, size: tuple[int, int], packing: str = "float16") -> None:
        self.size, self.packing = size, packings.get(packing)
        name = re.sub(r"[^\w.-]+", "-", backbone.name)
        parts = [name, backbone.weights_hash, "x".join(map(str, size)), *([] if packing == "float16" else [packing])]
        super().__init__(root / "-".join(parts))
        self.shape = tuple(backbone.encode([Image.new("RGB", size)]).shape[1:])
        self.at_once = PHOTOS_AT_ONCE
        self._measured = False

    @property
    def photo_bytes(self) -> int:
        """Bytes that one photo's features take."""
        depth, height, width = self.shape
        return self.packing.bytes_of(depth) * height * width

    def encode(self, photos: Sequence[Image.Image], backbone: Backbone) -> torch.Tensor:
        """Packed features of photos, the same to rounding as what the cache holds; a few photos at a time."""
        parts, start = [], 0
        while start < len(photos):
            some = [self.squeezed(photo) for photo in photos[start : start + self.at_once]]
            try:
                features = self._encoded(some, backbone)
            except torch.OutOfMemoryError:
                if len(some) == 1:
                    raise
                self.at_once, self._measured = max(1, len(some) // 2), True
                torch.cuda.empty_cache()
                continue
            parts.append(self.packing.pack(features))
            start += len(some)
        return torch.cat(parts) if parts else self.nothing()

    def _encoded(self, photos: Sequence[Image.Image], backbone: Backbone) -> torch.Tensor:
        """(B, D, h, w). The first photos on a GPU tell how many fit into the memory that is left of it."""
        if self._measured or not torch.cuda.is_available():
            return backbone.encode(photos)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        features = backbone.encode(photos)
        if features.is_cuda:
            each = (torch.cuda.max_memory_allocated() - before) / len(photos)
            free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
            self.at_once = max(1, min(MOST_AT_ONCE, int(free * MEMORY_SHARE / max(1.0, each))))
        self._measured = True
        return features

    def squeezed(self, photo: Image.Image) -> Image.Image:
        """The photo at the size that the backbone sees."""
        return photo if photo.size == self.size else photo.resize(self.size, Image.Resampling.BICUBIC)

    def nothing(self) -> torch.Tensor:
        """Packed features of no photo."""
        return self.packing.pack(torch.empty(0, *self.shape))

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) float32 of B packed photos, on their device."""
        return self.packing.unpack(packed)


def decoding_threads() -> int:
    """How many photos this process opens at the same time: its share of the machine's cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, min(32, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))


def folder_bytes(folder: Path) -> int:
    """Bytes of all files under `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def plan(
    photos: Sequence[TrainingPhoto], caches: Sequence[FeatureCache], root: Path, limit: int, readable: Notes
) -> tuple[list[TrainingPhoto], str]:
    """(the photos to encode and keep, what to tell the person), before any work is done.

    A photo is kept in all sizes or in none. Those beyond the limit are encoded anew whenever they are needed.
    `readable` says which photos are known to open (trainer/notes.py).
    """
    missing = [p for p in photos if any(p.sha256 not in cache for cache in caches) and not readable.get(p.sha256)]
    each = sum(cache.photo_bytes for cache in caches)
    room = min(limit - folder_bytes(root), shutil.disk_usage(root).free - SPARE_DISK)
    kept = missing[: max(0, room // each)]
    sizes = ", ".join("{} x {}".format(*cache.size) for cache in caches)
    told = (
        f"Patch features of {len(photos):,} photos at {sizes}: {size_of(len(photos) * each)} in {root}, "
        f"{size_of(each)} a photo, of which {len(photos) - len(missing):,} photos are there already."
    )
    if len(kept) < len(missing):
        told += (
            f" The limit ({size_of(limit)}, and {size_of(SPARE_DISK)} of free disk) leaves room for {len(kept):,} "
            f"more; the other {len(missing) - len(kept):,} are encoded anew at each step, which is much slower: raise "
            "--cache-limit, choose smaller sizes or --set packing=float8."
        )
    return kept, told


def fill(
    photos: Sequence[TrainingPhoto],
    kept: Iterable[TrainingPhoto],
    caches: Sequence[FeatureCache],
    backbone: Backbone,
    readable: Notes,
    share: tuple[int, int] = (0, 1),
    progress: Any = None,
) -> dict[str, str]:
    """Encode and store `kept`; only open the others that are not stored. -> {name: reason} of the unreadable ones.

    What opens and what does not is noted in `readable`: no photo is opened for that a second time. `share` (i, n) does
    the i-th of n parts of the work; `progress.update(photos)` is told how far it got.
    """
    keep = {photo.sha256 for photo in kept}
    missing = [photo for photo in photos if any(photo.sha256 not in cache for cache in caches)]
    unreadable = {photo.name: why for photo in missing if (why := readable.get(photo.sha256))}
    missing = [p for p in missing if readable.get(p.sha256) is None or (p.sha256 in keep and p.name not in unreadable)]
    shard = max(1, SHARD_BYTES // max(cache.photo_bytes for cache in caches))
    group = max(1, min(shard, math.ceil(len(missing) / share[1])))
    shares = [missing[i : i + group] for i in range(0, len(missing), group)][share[0] :: share[1]]
    opened_well: dict[str, str] = {}
    rows: list[dict[str, torch.Tensor]] = [{} for _ in caches]
    with ThreadPoolExecutor(decoding_threads()) as pool:
        for some, images_of, last in _opened_ahead(pool, shares, caches):
            good = []
            for photo, found in zip(some, images_of, strict=True):
                if isinstance(found, Image.Image):
                    if photo.sha256 in keep:
                        good.append((photo, found))
                    else:
                        opened_well[photo.sha256] = ""
                else:
                    unreadable[photo.name] = str(found)
                    if not isinstance(found, UnreachableError):
                        opened_well[photo.sha256] = str(found)
            for cache, row in zip(caches, rows, strict=True):
                if new := [(photo, image) for photo, image in good if photo.sha256 not in cache]:
                    features = cache.encode([image for _, image in new], backbone).cpu()
                    row.update({photo.sha256: f.clone() for (photo, _), f in zip(new, features, strict=True)})
            if last:
                for cache, row in zip(caches, rows, strict=True):
                    cache.add(row)
                    row.clear()
                if len(opened_well) >= NOTED_AT_ONCE:
                    readable.add(opened_well)
                    opened_well = {}
            if progress is not None:
                progress.update(len(some))
    readable.add(opened_well)
    return unreadable


Opened = tuple[list[TrainingPhoto], list[Image.Image | PhotoError], bool]


def _opened_ahead(
    pool: ThreadPoolExecutor, groups: Sequence[Sequence[TrainingPhoto]], caches: Sequence[FeatureCache]
) -> Iterator[Opened]:
    """(photos, each opened or why not, whether they are the last of their group), a few at a time.

    While those are encoded the next ones are opened. Photos that another process has encoded meanwhile are left out.
    """

    def begun() -> Iterator[tuple[list[TrainingPhoto], list[Future[Image.Image | PhotoError]], bool]]:
        for group in groups:
            for cache in caches:
                cache.refresh()
            todo = [photo for photo in group if any(photo.sha256 not in cache for cache in caches)]
            start = 0
            while start < len(todo):
                some = todo[start : start + min(cache.at_once for cache in caches)]
                start += len(some)
                yield some, [pool.submit(_opened, photo) for photo in some], start == len(todo)

    waiting: deque[tuple[list[TrainingPhoto], list[Future[Image.Image | PhotoError]], bool]] = deque()
    for batch in begun():
        waiting.append(batch)
        if len(waiting) > 1:
            some, futures, last = waiting.popleft()
            yield some, [future.result() for future in futures], last
    for some, futures, last in waiting:
        yield some, [future.result() for future in futures], last


class Texts:
    """The unit embeddings of a list of texts, computed once, kept on disk, mapped into memory."""

    def __init__(
        self,
        root: Path,
        backbone: Backbone,
        texts: Sequence[str],
        templates: str = "plain",
        progress: Any = None,
        share: tuple[int, int] = (0, 1),
        together: Callable[[], None] = lambda: None,
    ) -> None:
        """`templates` names the prompt templates that each text is put in; `progress.update` is told how far it got.

        With `share` (i, n) this process embeds the i-th of n parts, and reads the others' after `together`, which waits
        for all. What was embedded before a kill is read.
        """
        from textseg.model.embedding import embed_words

        store = ArrayStore(root / "texts")
        chunks = [list(texts[start : start + TEXTS_AT_ONCE]) for start in range(0, len(texts), TEXTS_AT_ONCE)]
        keys = []
        for chunk in chunks:
            facts = "\0".join([backbone.name, backbone.weights_hash, templates, *chunk])
            keys.append(hashlib.sha256(facts.encode()).hexdigest())
        every = list(zip(keys, chunks, strict=True))
        for part, wait in ((every[share[0] :: share[1]], together), (every, lambda: None)):
            store.refresh()
            for key, chunk in part:
                if key not in store:
                    store.add({key: embed_words(backbone.embed, chunk, templates).float()})
                if progress is not None:
                    progress.update(len(chunk))
            wait()
        self._chunks = [store[key] for key in keys]

    def __getitem__(self, indices: Sequence[int]) -> torch.Tensor:
        """(N, E) float32 embeddings of the texts at `indices`."""
        return torch.stack([self._chunks[i // TEXTS_AT_ONCE][i % TEXTS_AT_ONCE] for i in indices])


def _opened(photo: TrainingPhoto) -> Image.Image | PhotoError:
    try:
        return photo.open()
    except PhotoError as error:
        return error


def size_of(count: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
