"""Make `assets/words/above.tsv` and `assets/words/others-lite.safetensors`.

    python -m trainer.recipes.others --wordnet /usr/share/wordnet

`above.tsv` holds for each noun of `nouns.txt` the words for what it is a kind of, from WordNet 3.0 (its notice is in
`assets/words/NOTICE`): `puppy<TAB>dog; canine; animal`. Parts of a body and clothes are filed under "person" and parts
of a body under "animal" too, for who asks for a person means all of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from textseg.files import write_atomically
from textseg.model import backbones
from textseg.model.embedding import embed_words
from textseg.model.others import COUNT, save_embedded, shipped_nouns
from trainer.recipes.words.wordnet import WordNet

LEAST_SHARE = 0.25
"""A meaning counts when it has this share of a noun's uses: a bat is an animal and a club."""

TOO_GENERAL = frozenset(
    """
entity|physical entity|object|physical object|whole|unit|artifact|artefact|instrumentality|instrumentation|thing|being|
organism|living thing|animate thing|matter|substance|part|piece|abstraction|abstract entity|cause|causal agent|
causal agency|construction|area|covering|device|article|commodity|consumer goods|good|natural object|attribute|
psychological feature|group|grouping|material|region|location|relation|measure|quantity|content|event|act|action
""".replace("\n", "").split("|")
)
"""Nearly everything is one of these: they would leave no other word to compete."""

CLOTHES = frozenset({"clothing", "garment", "footwear", "headdress"})


def above(net: WordNet, noun: str) -> list[str]:
    """The words for what a noun is a kind of, its synonyms included, nearest first."""
    words = dict.fromkeys(word for meaning in meanings(net, noun) for word in closure(net, meaning))
    if "body part" in words or any(net.synsets[m].lexicographer_file == "body" for m in meanings(net, noun)):
        words |= dict.fromkeys(["person", "animal"])
    elif CLOTHES & words.keys():
        words |= dict.fromkeys(["person"])
    return [word for word in words if word != noun and word not in TOO_GENERAL]


def meanings(net: WordNet, noun: str) -> list[str]:
    """The meanings that a noun mostly has, most frequent first; of an unknown phrase those of its last word."""
    known = next((w for w in (noun, net.lemma(noun), noun.split()[-1]) if w and w in net.senses), None)
    if known is None:
        return []
    offsets = net.senses[known]
    # The corpus is small, so each meaning gets a little on top of its count, the first one most.
    uses = [net.counts[known, rank + 1] + (0.3 if rank else 1.5) for rank in range(len(offsets))]
    pairs = zip(offsets, uses, strict=True)
    return [o for o, n in pairs if n >= LEAST_SHARE * sum(uses) and not net.synsets[o].instance] or offsets[:1]


def closure(net: WordNet, offset: str) -> list[str]:
    """All words of a meaning and of what lies above it, nearest first."""
    words, seen, waiting = [], set(), [offset]
    while waiting:
        at = waiting.pop(0)
        if at not in seen:
            seen.add(at)
            words += [word.lower() for word in net.synsets[at].words]
            waiting += net.synsets[at].hypernyms
    return words


def main() -> None:
    parser = argparse.ArgumentParser(description="Make what the other words need.")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="WordNet 3.0")
    parser.add_argument("--out", type=Path, default=Path("assets/words"))
    options = parser.parse_args()

    net = WordNet.read(options.wordnet)
    nouns = shipped_nouns()
    rows = [f"{noun}\t{'; '.join(above(net, noun))}" for noun in nouns]
    write_atomically(options.out / "above.tsv", ("\n".join(rows) + "\n").encode())
    lite = backbones.load("lite")
    vectors = embed_words(lite.embed, nouns[:COUNT], lite.templates)
    save_embedded(options.out / "others-lite.safetensors", nouns[:COUNT], vectors)


if __name__ == "__main__":
    main()
