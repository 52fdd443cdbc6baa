"""Other words: everyday nouns that nobody typed, which compete with the vocabulary for every pixel (our own).

What a page or a program needs:

    labels = textseg.segment(scene, vocabulary)        # others="default"; None: only these words; or words of one's own
    labels.presence        {class id: probability that the word is somewhere in the photo}, every asked word
    labels.confidence      {class id: probability that its pixels are right}, words that have pixels
    labels.elsewhere       [("snow", 0.56), ("ski", 0.12), ...]  what the pixels of id 0 are instead, share of the photo

    rest = others.of(scene.model)                      # the other words ready for a model; the first call embeds them
    rest.near(scene, x, y, vocabulary, n=3)            # [("snow", similarity), ...] at a pixel: those that compete

A noun too near to an asked word (or alias), a kind of it or what it is a kind of does not compete: asked "animal", the
noun dog must not take the dog's pixels. Which nouns are best at each position depends on the photo alone and is worked
out once a scene, on the grid and by region; asking then takes the first of them that competes.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from textseg.errors import VocabularyError
from textseg.files import write_atomically
from textseg.model.embedding import embed_words
from textseg.shipped import asset
from textseg.vocabulary import MAX_WORDS, Vocabulary

if TYPE_CHECKING:
    from textseg.model import Model
    from textseg.model.scene import Scene

log = logging.getLogger(__name__)

COUNT = 1000
"""So many of the shipped nouns compete, the most frequent ones."""

KEPT = 64
"""So many of the best nouns are kept at each position of a photo: with fewer than some hundred words asked, one of them
competes."""

UNLIKE = 0.45
"""A noun competes when the cosine of its text embedding with every asked name, both less the nouns' mean, is below."""

Choice = str | Sequence[str] | None
"""Which other words compete: "default", a list of one's own, or None for none at all."""


@dataclass(frozen=True)
class Others:
    """The other words, embedded for one model."""

    names: tuple[str, ...]
    centre: torch.Tensor
    """(T,) mean of the nouns' text embeddings."""
    vectors: torch.Tensor
    """(N, T) text embeddings less the mean, unit length."""
    mapped: torch.Tensor
    """(N, E) as the model's head maps them."""
    key: str
    """Identifies the list."""

    def __len__(self) -> int:
        return len(self.names)

    def scores(self, embedding: torch.Tensor) -> torch.Tensor:
        """(N, h, w) similarity of each noun with an (E, h, w) embedding."""
        return torch.einsum("ehw,ne->nhw", embedding, self.mapped.to(embedding))

    def ranked(self, scene: Scene) -> Ranked:
        """The best nouns at each position of the scene's grid, row by row; computed once a scene."""
        return scene.once(("others", self.key), lambda: Ranked.of(self.scores(scene.embedding).flatten(1)))

    def strongest(self, scene: Scene, rivals: torch.Tensor) -> torch.Tensor:
        """(P,) similarity of the best noun that competes at each position of the scene's grid: as `ranked` has it.

        A scene's first question is answered without ranking them, which takes as long as all other comparisons; many
        scenes are asked one only.
        """
        earlier: list[bool] = scene.once(("others asked", self.key), list)
        if earlier or not rivals.any():
            return self.ranked(scene).strongest(rivals)[0]
        earlier.append(True)
        scores = self.scores(scene.embedding).flatten(1)
        best = scores.masked_fill(~rivals[:, None], -torch.inf).amax(0)
        buried = (scores > best).sum(0) >= min(KEPT, len(scores))
        if buried.any():
            best[buried] = Ranked.of(scores[:, buried]).strongest(rivals)[0]
        return best

    def rivals(self, model: Model, vocabulary: Vocabulary, templates: str | None = None) -> torch.Tensor:
        """(N,) bool: the nouns that compete with this vocabulary; of the last one they are kept."""
        texts = tuple(text for word in vocabulary for text in word.texts)
        last = model.once(("rivals", self.key), dict)
        rivals = last.get((texts, templates))
        if rivals is None:
            rivals = self._rivals(model, texts, templates)
            last.clear()
            last[texts, templates] = rivals
        return rivals

    def _rivals(self, model: Model, texts: Sequence[str], templates: str | None) -> torch.Tensor:
        asked = F.normalize(model.text(texts, templates).to(self.centre) - self.centre, dim=1)
        rivals = (self.vectors @ asked.T).amax(1) < UNLIKE
        names = {text.casefold() for text in texts}
        names |= {name.split()[-1] for name in names}
        up = above()
        higher = set().union(*(up.get(name, ()) for name in names))
        for i, noun in enumerate(self.names):
            if noun in names or noun in higher or not names.isdisjoint(up.get(noun, ())):
                rivals[i] = False
        return rivals

    def near(self, scene: Scene, x: int, y: int, vocabulary: Vocabulary, n: int = 3) -> list[tuple[str, float]]:
        """The `n` nouns that compete with `vocabulary` and score best at pixel (x, y), each with its similarity."""
        height, width = scene.grid
        row, column = y * height // scene.size[1], x * width // scene.size[0]
        at = self.scores(scene.embedding[:, row : row + 1, column : column + 1])[:, 0, 0]
        best = at.masked_fill(~self.rivals(scene.model, vocabulary), -torch.inf).topk(min(n, len(self)))
        return [(self.names[int(i)], float(s)) for s, i in zip(best.values, best.indices, strict=True) if s.isfinite()]


def of(model: Model, choice: Choice = "default") -> Others | None:
    """The other words of `choice` for `model`, kept with it; None where there are none to compete.

    Raises VocabularyError for a list that is too long.
    """
    if choice is None:
        return None
    if isinstance(choice, str) and choice != "default":
        raise VocabularyError(f"Other words are 'default', a list of words, or none at all, not '{choice[:40]}'.")
    names = shipped_nouns()[:COUNT] if choice == "default" else list(dict.fromkeys(w.strip() for w in choice))
    names = [name for name in names if name]
    if len(names) > 2 * MAX_WORDS:
        raise VocabularyError(f"There are {len(names)} other words; give at most {2 * MAX_WORDS}.")
    if not names:
        return None
    key = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    return model.once(("others", key), lambda: _embedded(model, tuple(names), key, choice == "default"))


def _embedded(model: Model, names: tuple[str, ...], key: str, shipped: bool) -> Others:
    with torch.inference_mode():
        raw = (embedded(model, names) if shipped else model.text(names)).float().to(model.device)
        centre = raw.mean(0) if len(names) >= COUNT else _centre(model, raw)
        mapped = model.head.rivals(names, raw)
        return Others(names, centre, F.normalize(raw - centre, dim=1), mapped, key)


def _centre(model: Model, raw: torch.Tensor) -> torch.Tensor:
    """The mean of the shipped nouns: a short list of one's own says little about where words lie."""
    common = of(model)
    return raw.mean(0) if common is None else common.centre


def embedded(model: Model, names: Sequence[str]) -> torch.Tensor:
    """(N, T) embeddings of the shipped nouns: those that travel with the program, else embedded once and kept."""
    backbone = model.backbone
    file = asset(f"words/others-{backbone.name}.safetensors")
    if not file.is_file():
        facts = "\n".join([backbone.name, backbone.weights_hash, backbone.templates, *names])
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textseg"
        file = folder / f"others-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.safetensors"
    found = _read(file, names, backbone.text_dim)
    if found is None:
        # Rounded as the file rounds them: the first answer and the ones after a restart are the same.
        found = embed_words(backbone.embed, names, backbone.templates).half().float()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            save_embedded(file, names, found)
        except OSError:
            log.info("the embedded other words could not be kept in %s", file.parent)
    return found


def _read(file: Path, names: Sequence[str], dim: int) -> torch.Tensor | None:
    """The vectors of a file of `save_embedded`; None when it is not there, torn, or of other words."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            vectors = opened.get_tensor("vectors").float()
            same = (opened.metadata() or {}).get("names") == "\n".join(names)
    except (OSError, SafetensorError):
        return None
    return vectors if same and vectors.shape == (len(names), dim) else None


def save_embedded(file: Path, names: Sequence[str], vectors: torch.Tensor) -> None:
    """Keep (N, T) text embeddings of `names`, in half precision."""
    from safetensors.torch import save

    write_atomically(file, save({"vectors": vectors.half().contiguous()}, metadata={"names": "\n".join(names)}))


@cache
def shipped_nouns() -> tuple[str, ...]:
    """All shipped nouns, most frequent first."""
    lines = asset("words/nouns.txt").read_text("utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip())


@cache
def above() -> dict[str, frozenset[str]]:
    """What each shipped noun is a kind of: every word on its way up in WordNet, but the most general ones."""
    rows = (line.split("\t") for line in asset("words/above.tsv").read_text("utf-8").splitlines())
    return {noun: frozenset(words.split("; ")) for noun, words in rows}


@dataclass(frozen=True)
class Ranked:
    """The best few nouns at each of P positions, best first: all that is kept of a photo's nouns."""

    values: torch.Tensor
    """(M, P) their similarities."""
    nouns: torch.Tensor
    """(M, P) which they are."""

    @classmethod
    def of(cls, scores: torch.Tensor) -> Ranked:
        """From the (N, P) similarities of all nouns."""
        values, nouns = scores.topk(min(KEPT, len(scores)), dim=0)
        return cls(values, nouns.short())

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.nouns.nbytes

    def strongest(self, rivals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """((P,) similarity, (P,) number) of the best noun that competes, `rivals` (N,) bool.

        Where none of the best few does, the last of them stands for what lies below: no word loses to it that beats
        them all. Where no noun at all competes the similarity is -inf.
        """
        nouns = self.nouns.long()
        competes = rivals.to(nouns.device)[nouns]
        first = torch.where(competes.any(0), competes.byte().argmax(0), len(nouns) - 1)[None]
        values = self.values.gather(0, first)[0]
        return values if rivals.any() else torch.full_like(values, -torch.inf), nouns.gather(0, first)[0]


def shares(winners: Iterable[tuple[int, float]], names: Sequence[str], n: int = 8) -> list[tuple[str, float]]:
    """The `n` nouns with the largest share of the photo, from (noun, share) of each of its pieces."""
    total: dict[int, float] = {}
    for noun, share in winners:
        total[noun] = total.get(noun, 0.0) + share
    best = sorted(total.items(), key=lambda item: -item[1])[:n]
    return [(names[noun], round(share, 4)) for noun, share in best if share > 0]
