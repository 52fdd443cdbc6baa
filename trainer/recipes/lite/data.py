"""The photos that the default head learns from: patch features, and the words that captions and class names give."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from textseg.model import backbones
from textseg.shipped import asset
from trainer.nouns import default_nouns
from trainer.recipes.lite.words import IMPLIED, PERSON, STUFF, UNTAUGHT

CAPTIONED_GRID, OBJECT_GRID = (20, 24), (20, 20)  # Flickr8k's photos are squeezed to squares: most were 4:3 or 3:2


@dataclass
class Photos:
    """Patch features of one set, and what is known of each photo."""

    features: np.ndarray  # (N, h * w, D) float16, on disk
    grid: tuple[int, int]
    target: torch.Tensor  # (N, K) share of the captions that have the word
    people_told: bool  # captions never leave people out; a class name does not tell
    weight: torch.Tensor  # (N,) weight of the photo in the loss

    def batch(self, index: np.ndarray, phase: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Every second patch of every second row from one of four phases: (B, T, D) features and their (T,) numbers."""
        height, width = self.grid
        rows, columns = np.arange(phase // 2, height, 2), np.arange(phase % 2, width, 2)
        patches = (rows[:, None] * width + columns).ravel()
        features = np.stack([self.features[i][patches] for i in index])
        return torch.from_numpy(features).float(), torch.from_numpy(patches)


def encode(backbone: backbones.Backbone, files: Sequence[Path], grid: tuple[int, int], cache: Path) -> np.ndarray:
    """(N, h * w, D) float16 patch features of photos squeezed to `grid`, kept in a file under `cache`.

    The file is named by everything that decides what is in it: the weights, the grid, and the photos' names and bytes.
    """
    height, width = grid
    digest = hashlib.sha256("\0".join([backbone.name, backbone.weights_hash, str(grid)]).encode())
    for file in files:
        digest.update(f"\0{file.name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    path = cache / f"{files[0].parent.parent.name}-{height}x{width}-{digest.hexdigest()[:16]}.npy"
    if path.exists():
        return np.load(path, mmap_mode="r")
    partial = path.with_suffix(f".{os.getpid()}.partial.npy")
    shape = (len(files), height * width, backbone.feature_dim)
    features = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
    size = (width * backbone.patch_stride, height * backbone.patch_stride)
    for i, file in enumerate(files):
        photo = Image.open(file).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        features[i] = backbone.encode([photo])[0].flatten(1).T.half().numpy()
    features.flush()
    partial.rename(path)
    return np.load(path, mmap_mode="r")


def captions(data: Path) -> dict[str, list[str]]:
    """The captions of each photo of Flickr8k's training list."""
    found = defaultdict(list)
    for line in (data / "flickr8k" / "captions.tsv").read_text().splitlines():
        file, caption = line.split("\t", 1)
        found[file].append(caption)
    return found


def said(texts: Sequence[str]) -> dict[str, float]:
    """Words of one photo -> share of its captions that have or imply the word."""
    counts: Counter[str] = Counter()
    for text in texts:
        nouns = default_nouns().find(text)
        words = {"person" if noun in PERSON else noun for noun in nouns}
        counts.update(words | {word for noun in nouns for word in IMPLIED.get(noun, ())})
    return {word: count / len(texts) for word, count in counts.items()}


def class_words() -> list[str]:
    """An everyday word for each ImageNet class: its name, or for what few people can name the kind of thing it is."""
    nouns, words = set(default_nouns().names), []
    for line in asset("words/concepts.tsv").read_text().splitlines():
        _, _, synonyms, hypernym = line.split("\t")
        names = synonyms.lower().split("; ")
        choices = [
            "dog" if hypernym in {"terrier", "hound", "spaniel", "dog", "wild dog", "fox terrier"} else "",
            *(name for name in names if name in nouns and " " not in name),
            hypernym if hypernym in nouns else "",
            *(name for name in names if name in nouns),
            hypernym or names[0],
        ]
        words.append(next(filter(None, choices)))
    return words


def load(backbone: backbones.Backbone, data: Path, cache: Path) -> tuple[list[str], Photos, Photos]:
    """(words, captioned photos, object photos)."""
    texts = captions(data)
    shares = [said(texts[file]) for file in texts]
    photos_with = Counter(word for share in shares for word in share)
    heard = [word for word, n in photos_with.most_common() if n >= 10 and word not in UNTAUGHT]
    named = class_words()
    words = list(dict.fromkeys([*heard, *STUFF, *named]))
    place = {word: k for k, word in enumerate(words)}

    taught = set(heard) | set(STUFF)
    captioned = torch.zeros(len(shares), len(words))
    for i, share in enumerate(shares):
        for word in share.keys() & taught:
            captioned[i, place[word]] = share[word]
    objects = F.one_hot(torch.tensor([place[word] for word in named]), len(words)).float()
    repeats = Counter(named)
    weight = torch.tensor([repeats[word] ** -0.5 for word in named])

    files = [data / "flickr8k" / "images" / file for file in texts]
    rows = (data / "object-photos" / "names.tsv").read_text().splitlines()
    object_files = [data / "object-photos" / "images" / row.split("\t")[0] for row in rows]
    return (
        words,
        Photos(encode(backbone, files, CAPTIONED_GRID, cache), CAPTIONED_GRID, captioned, True, torch.ones(len(files))),
        Photos(encode(backbone, object_files, OBJECT_GRID, cache), OBJECT_GRID, objects, False, weight / weight.mean()),
    )
