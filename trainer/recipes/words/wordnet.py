"""WordNet's nouns, as far as the word tables need them: meanings, counts, what is above and what is concrete."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from trainer.recipes.words.tables import GENERIC

# The lexicographer files of nouns, in WordNet's numbering from 3.
LEXICOGRAPHER_FILES = """
Tops act animal artifact attribute body cognition communication event feeling food group location motive
object person phenomenon plant possession process quantity relation shape state substance time
"""

PLURALS = [("ies", "y"), ("ves", "f"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("ses", "s"), ("s", "")]


@dataclass
class Synset:
    """One meaning: its words, its lexicographer file, the meanings just above it."""

    words: list[str]
    lexicographer_file: str
    hypernyms: list[str]
    instance: bool = False


@dataclass
class WordNet:
    """The noun part of WordNet, as far as the tables need it."""

    synsets: dict[str, Synset] = field(default_factory=dict)
    senses: dict[str, list[str]] = field(default_factory=dict)  # word -> meanings, most frequent first
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)  # (word, sense from 1) -> corpus count
    irregular: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> WordNet:
        net = cls()
        for fields in _records(folder / "data.noun"):
            end = 4 + 2 * int(fields[3], 16)
            words = [word.replace("_", " ") for word in fields[4:end:2]]
            pointers = fields[end + 1 : end + 1 + 4 * int(fields[end])]
            up = [p for p in zip(pointers[::4], pointers[1::4], strict=True) if p[0] in ("@", "@i")]
            file = LEXICOGRAPHER_FILES.split()[int(fields[1]) - 3]
            instance = any(symbol == "@i" for symbol, _ in up)
            net.synsets[fields[0]] = Synset(words, file, [target for _, target in up], instance)
        for fields in _records(folder / "index.noun"):
            net.senses[fields[0].replace("_", " ")] = [f for f in fields if re.fullmatch(r"\d{8}", f)]
        for line in (folder / "cntlist.rev").read_text().splitlines():
            key, sense, count = line.split()
            word, rest = key.split("%")
            if rest.startswith("1:"):
                net.counts[word.replace("_", " "), int(sense)] += int(count)
        net.irregular = dict(line.split()[:2] for line in (folder / "noun.exc").read_text().splitlines())
        return net

    def count(self, word: str) -> int:
        """How often the tagged corpus has this noun, in all its meanings."""
        return sum(self.counts[word, i + 1] for i in range(len(self.senses.get(word, ()))))

    def lemma(self, word: str) -> str | None:
        """The singular of a noun, or None when WordNet has no such noun."""
        if word in self.irregular:
            return self.irregular[word]
        for ending, singular in PLURALS:
            stem = word.removesuffix(ending) + singular
            if word.endswith(ending) and not word.endswith("ss") and stem in self.senses:
                return stem
        return word if word in self.senses else None

    def concreteness(self, word: str, files: set[str]) -> float:
        """Share of the uses of a noun that mean something of these lexicographer files.

        The corpus is small, so each meaning gets a little on top of its count, the first one most.
        """
        shown = total = 0.0
        for rank, offset in enumerate(self.senses.get(word, ())):
            synset, uses = self.synsets[offset], self.counts[word, rank + 1] + (0.3 if rank else 1.5)
            total += uses
            shown += uses * (synset.lexicographer_file in files and not synset.instance)
        return shown / total if total else 0.0

    def hypernym(self, offset: str) -> str:
        """The nearest meaning above with a corpus count, so that people have a word for it; "" if generic."""
        seen = self.synsets[offset].hypernyms
        while seen:
            for offset in seen:
                synset = self.synsets[offset]
                ranks = {word: self.senses[word.lower()].index(offset) + 1 for word in synset.words}
                used = {word: self.counts[word.lower(), rank] for word, rank in ranks.items()}
                word = max(used, key=used.__getitem__)
                if used[word] > 0:
                    return "" if word in GENERIC else word
            seen = [up for o in seen for up in self.synsets[o].hypernyms]
        return ""


def _records(path: Path) -> list[list[str]]:
    """Fields of the lines of a WordNet file, less its licence (indented) and the glosses."""
    lines = path.read_text().splitlines()
    return [line.split(" | ")[0].split() for line in lines if not line.startswith("  ")]
