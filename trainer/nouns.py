"""The nouns of captions: concrete things a photo can show, found by a word list, so that every run finds the same."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from textseg.shipped import asset
from trainer.data import TrainingPhoto
from trainer.notes import Notes

PHOTOS_AT_ONCE = 20_000
"""Photos whose nouns are kept together: what a kill can cost."""

IRREGULAR = {"children": "child", "feet": "foot", "geese": "goose", "mice": "mouse", "oxen": "ox", "teeth": "tooth"}


@cache
def default_nouns() -> "Nouns":
    """The shipped list, `assets/words/nouns.txt`."""
    return Nouns(asset("words/nouns.txt").read_text(encoding="utf-8").splitlines())


class Nouns:
    """Finds the nouns of a list in texts, in the singular; of nouns that overlap the longest is taken.

    `names` keeps the order of the list; spaces and hyphens are the same to it ("t-shirt", "traffic light").
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = [name for name in (name.strip().lower() for name in names) if name]
        self._by_words = {tuple(_words(name)): name for name in reversed(self.names)}
        self._longest = max(map(len, self._by_words), default=0)

    def find(self, text: str) -> tuple[str, ...]:
        """The nouns of `text` in the order they are first named, each once."""
        words, found, at = _words(text), {}, 0
        while at < len(words):
            for length in range(min(self._longest, len(words) - at), 0, -1):
                noun = self._noun(words[at : at + length])
                if noun:
                    found[noun] = None
                    at += length - 1
                    break
            at += 1
        return tuple(found)

    def _noun(self, words: list[str]) -> str | None:
        for last in (words[-1], *singulars(words[-1])):
            noun = self._by_words.get((*words[:-1], last))
            if noun:
                return noun
        return None


def nouns_of(
    photos: Sequence[TrainingPhoto],
    nouns: Nouns,
    root: Path | None = None,
    share: tuple[int, int] = (0, 1),
    together: Callable[[], None] = lambda: None,
) -> list[tuple[str, ...]]:
    """The nouns of each photo's captions, in the order they are first named; kept below `root`.

    With `share` (i, n) this process looks through the i-th of n parts, and knows the others' after `together`, which
    waits for all.
    """
    digest = hashlib.sha256(json.dumps(nouns.names).encode())
    for photo in photos:
        digest.update(json.dumps(photo.captions).encode())
    kept = Notes(root and root / "nouns" / digest.hexdigest()[:16])
    starts = range(0, len(photos), PHOTOS_AT_ONCE)
    for part, wait in ((starts[share[0] :: share[1]], together), (starts, lambda: None)):
        kept.refresh()
        for start in part:
            if kept.get(str(start)) is None:
                some = photos[start : start + PHOTOS_AT_ONCE]
                found = [list(dict.fromkeys(n for text in photo.captions for n in nouns.find(text))) for photo in some]
                kept.add({str(start): found})
        wait()
    return [tuple(found) for start in starts for found in kept.get(str(start))]


def singulars(word: str) -> Iterator[str]:
    """What a plural may be the plural of, likeliest first; the word list decides."""
    if word in IRREGULAR:
        yield IRREGULAR[word]
    if word.endswith("men"):
        yield word[:-3] + "man"
    if word.endswith("ves"):
        yield from (word[:-3] + "f", word[:-3] + "fe")
    if word.endswith("ies"):
        yield word[:-3] + "y"
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]
    if word.endswith("es"):
        yield word[:-2]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())
