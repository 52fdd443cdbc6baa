"""What a person asks about: words with aliases, colours, thresholds, and the prompt templates around them."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from textseg.errors import UnknownNameError, VocabularyError

MAX_WORDS = 1000
MAX_WORD_LENGTH = 200
MAX_ALIASES = 100
SEPARATORS = ",，、\n"

# Okabe-Ito first (Okabe & Ito 2008, colour-blind safe), then well-separated colours in the manner of glasbey.
COLOURS = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#8c564b",
    "#7fdf5f", "#9467bd", "#17becf", "#e377c2", "#bcbd22", "#ff6f61", "#2f6b2f", "#4e79ff",
    "#ffb3a7", "#a05d00", "#00d5b0", "#b04fd0", "#c7e9b4", "#7a0f3b", "#86a5ff", "#ffd92f",
    "#4c4c9d", "#ff9da7", "#3fa34d", "#d0a3ff", "#996515", "#5ad1e6", "#ff3f8f", "#6b8e23",
)  # fmt: skip

TEMPLATES: dict[str, tuple[str, ...]] = {
    "plain": ("{}",),
    "photo": ("a photo of a {}.",),
    "scene": ("a photo of a {}.", "{}", "there is a {} in the scene."),
}
"""Prompt templates by name; open_clip adds `simple` (7) and `imagenet` (80), both of Radford et al. 2021."""

_OPEN_CLIP_LISTS = {"simple": "SIMPLE_IMAGENET_TEMPLATES", "imagenet": "OPENAI_IMAGENET_TEMPLATES"}


def templates(name: str) -> tuple[str, ...]:
    """The prompt templates called `name`, each with one `{}` for the word; raises UnknownNameError."""
    if name in TEMPLATES:
        return TEMPLATES[name]
    if name in _OPEN_CLIP_LISTS:
        from open_clip import zero_shot_metadata

        return tuple(template("{}") for template in getattr(zero_shot_metadata, _OPEN_CLIP_LISTS[name]))
    raise UnknownNameError(f"There are no templates called '{name}'; choose one of {', '.join(template_names())}.")


def template_names() -> list[str]:
    return [*TEMPLATES, *_OPEN_CLIP_LISTS]


@dataclass(frozen=True)
class Word:
    """One class of a vocabulary; a background word wins pixels but is shown as "none"."""

    name: str
    aliases: tuple[str, ...] = ()
    colour: str = COLOURS[0]
    threshold: float | None = None
    background: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """The name and its aliases; the class scores the maximum over them."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class Vocabulary(Sequence[Word]):
    """The ordered words of one question; the k-th word (from 1) has id k in a label map."""

    words: tuple[Word, ...] = field(default=())

    @classmethod
    def parse(
        cls,
        text: str,
        background: str = "",
        colours: Mapping[str, str] | None = None,
        separators: str = SEPARATORS,
    ) -> "Vocabulary":
        """Read words as a person types them.

        Words are separated by commas or new lines, aliases by `;`; a leading `-` (or the second argument) makes a
        background word. A word given twice counts once, in its first place. `colours` keeps the colours of names that
        had one; a list with one word a line has `separators="\\n"`. Raises VocabularyError when no word is left, when
        one is too long, or when there are too many.

        >>> words = Vocabulary.parse("cat; kitten, sofa, -wall")
        >>> words.names, words[0].aliases, words[2].background
        (['cat', 'sofa', 'wall'], ('kitten',), True)
        >>> str(words)
        'cat; kitten, sofa, -wall'
        """
        entries: dict[str, tuple[dict[str, str], bool]] = {}
        given = [(part, False) for part in re.split(f"[{separators}]", text)]
        given += [(part, True) for part in re.split(f"[{SEPARATORS}]", background)]
        for part, behind in given:
            part = part.strip()
            if part.startswith("-"):
                part, behind = part[1:], True
            names = [name for name in (_clean(name).lstrip("- ") for name in part.split(";")) if name]
            if not names:
                continue
            known, _ = entries.setdefault(fold(names[0]), ({}, behind))
            for name in names:
                known.setdefault(fold(name), name)
        if all(behind for _, behind in entries.values()):
            raise VocabularyError("Give at least one word, for example: cat; kitten, sofa, wall.")
        return cls._of(((list(names.values()), behind) for names, behind in entries.values()), colours or {})

    @classmethod
    def from_names(cls, names: Iterable[str]) -> "Vocabulary":
        """One word a name, taken literally (no separators), in order; names may repeat."""
        return cls._of((([name], False) for name in (_clean(name) for name in names)), {})

    @classmethod
    def _of(cls, entries: Iterable[tuple[list[str], bool]], colours: Mapping[str, str]) -> "Vocabulary":
        entries = list(entries)
        if len(entries) > MAX_WORDS:
            raise VocabularyError(f"There are {len(entries)} words; ask for at most {MAX_WORDS} at a time.")
        taken = {colours[names[0]] for names, _ in entries if names[0] in colours}
        free = iter([colour for colour in colour_cycle(len(entries) + len(taken)) if colour not in taken])
        words = []
        for names, behind in entries:
            if len(names) > MAX_ALIASES:
                raise VocabularyError(f"'{names[0][:20]}' has {len(names)} names; a word has at most {MAX_ALIASES}.")
            for name in names:
                if len(name) > MAX_WORD_LENGTH:
                    raise VocabularyError(
                        f"The word '{name[:20]}…' has {len(name)} characters; a word has at most {MAX_WORD_LENGTH}."
                    )
            colour = colours.get(names[0]) or next(free)
            words.append(Word(names[0], tuple(names[1:]), colour, background=behind))
        return cls(tuple(words))

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, index):
        return self.words[index]

    def __iter__(self) -> Iterator[Word]:
        return iter(self.words)

    def __str__(self) -> str:
        return ", ".join(("-" if word.background else "") + "; ".join(word.texts) for word in self)

    @property
    def names(self) -> list[str]:
        return [word.name for word in self]

    @property
    def colours(self) -> dict[str, str]:
        return {word.name: word.colour for word in self}

    def with_thresholds(self, thresholds: Mapping[str, float]) -> "Vocabulary":
        """The same words; those named get a threshold (the least similarity at which a pixel shows the word)."""
        return Vocabulary(tuple(replace(w, threshold=thresholds.get(w.name, w.threshold)) for w in self))


def colour_cycle(count: int) -> list[str]:
    """`count` distinct colours: the fixed list, then mixes of it towards dark and light."""
    colours = list(COLOURS)
    step = 0
    while len(colours) < count:
        step += 1
        for colour in COLOURS:
            target = 0 if step % 2 else 255
            share = 1 - 0.75 ** ((step + 1) // 2) * 0.999
            mixed = [round(c + (target - c) * share) for c in bytes.fromhex(colour[1:])]
            colours.append(f"#{bytes(mixed).hex()}")
    return colours[:count]


def _clean(name: str) -> str:
    """Collapse white space, drop control characters, compose accents."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else " " for c in composed(name)).split())


def words_in(text: str) -> list[str]:
    """The words of a text in lower case, letters alone: "Dog's collar 2" is dog, s, collar."""
    return re.findall(r"[^\W\d_]+", text.casefold())


def composed(text: str) -> str:
    """`text` with every accent in one character with its letter where there is one (NFC): é, however it was typed."""
    return unicodedata.normalize("NFC", text)


def fold(name: str) -> str:
    """Names with the same fold name one class: neither case nor the way accents are encoded tells them apart."""
    return composed(composed(name).casefold())
