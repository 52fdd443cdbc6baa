"""The nouns of captions: concrete things a photo can show, found by a word list, so that every run finds the same."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from textseg.shipped import asset

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
