"""Words that a text side was not taught: nonsense, and other languages on an English one (our own rule).

Only sentences to a person follow from it: a word that is not known is asked like any other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import torch.nn.functional as F

from textseg.model import others
from textseg.vocabulary import Vocabulary, words_in

if TYPE_CHECKING:
    from textseg.model import Model

ALIKE = 0.4
"""A word that no lexicon holds is known all the same when the cosine of its embedding with an everyday noun, both less
the nouns' mean, is at least this: labtop is a laptop to the model, and casa a house (benchmarks/unknown_words.py)."""

SHOWN = 5
"""So many unknown words are named in a sentence."""

PLURALS = (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""))


def unknown(model: Model, vocabulary: Vocabulary) -> list[str]:
    """The names and aliases of `vocabulary` that the text side of `model` does not know, in order.

    A backbone whose text side is English alone says so by a method `lexicon()`, the lower-case words it surely knows.
    A text is known when the lexicon holds each of its words, or when it means about the same as an everyday noun; one
    in another script is not. Of other backbones nothing is known, so nothing is said: the list is empty.
    """
    lexicon = getattr(model.backbone, "lexicon", None)
    if lexicon is None:
        return []
    texts = list(dict.fromkeys(text for word in vocabulary for text in word.texts))
    words = everyday() | lexicon()
    strange = [text for text in texts if not _spelt(text, words)]
    latin = [text for text in strange if _latin(text)]
    nouns = others.of(model)
    if latin and nouns is not None:
        vectors = F.normalize(model.text(latin).to(nouns.centre) - nouns.centre, dim=1)
        alike = (vectors @ nouns.vectors.T).amax(1) >= ALIKE
        known = {text for text, near in zip(latin, alike.tolist(), strict=True) if near}
        strange = [text for text in strange if text not in known]
    return strange


def sentence(words: Iterable[str]) -> str:
    """What a person is told of unknown words: "The model does not know 'blorft' and 'wug'; it was taught English."."""
    named = [f"'{word}'" for word in words]
    if len(named) > SHOWN:
        named = [*named[: SHOWN - 1], f"{len(named) - SHOWN + 1} other words"]
    listed = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    return f"The model does not know {listed}; it was taught English."


@cache
def everyday() -> frozenset[str]:
    """The words of the shipped nouns."""
    return frozenset(word for noun in others.shipped_nouns() for word in words_in(noun))


def _spelt(text: str, words: frozenset[str]) -> bool:
    """Whether `words` hold every word of the text, or what it is the plural of."""
    parts = [part for part in words_in(text) if len(part) > 1]
    return bool(parts) and all(any(form in words for form in _forms(part)) for part in parts)


def _forms(word: str) -> list[str]:
    return [word, *(word.removesuffix(end) + one for end, one in PLURALS if word.endswith(end) and len(word) > 3)]


def _latin(text: str) -> bool:
    """Whether a text has letters, and Latin ones alone."""
    letters = [letter for letter in text if letter.isalpha()]
    return bool(letters) and all("LATIN" in unicodedata.name(letter, "") for letter in letters)
