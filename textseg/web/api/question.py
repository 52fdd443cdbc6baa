"""A question as it comes from a page or the API: words and how to answer them, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from textseg import refine
from textseg.errors import TextsegError, brief
from textseg.labelmap import LabelMap
from textseg.model import Scene, readouts
from textseg.model.others import Choice
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary
from textseg.web.engine import Engine

MAX_TEXT = 100_000


class OptionError(TextsegError):
    """An option is unknown or has a value that cannot be used."""


@dataclass(frozen=True)
class Question:
    """What is asked of one photo. Strangers fill it: every field is checked by `read`."""

    words: str
    background: str = ""
    by: str = "pixel"
    refine: str | None = None
    templates: str | None = None
    threshold: float | None = None
    granularity: float = 0.5
    readout: str | None = None
    others: str = "default"
    """Whether words that nobody typed compete: "default" or "none"."""
    colours: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """By class name; beats `threshold`."""

    @classmethod
    def read(cls, words: Any, options: Mapping[str, Any], allowed: frozenset[str]) -> "Question":
        """Check what came; `allowed` names the options that may be given. Raises OptionError with one sentence."""
        unknown = sorted(set(options) - allowed)
        if unknown:
            known = ", ".join(sorted(allowed))
            raise OptionError(f"There is no option '{str(unknown[0])[:40]}'; the options are {known}.")
        values: dict[str, Any] = {"words": _text(words, "words")}
        for name, value in options.items():
            if value is None:
                continue
            if name in ("threshold", "granularity"):
                values[name] = _share(value, name)
            elif name in ("colours", "thresholds"):
                values[name] = _READ[name](value)
            else:
                values[name] = _text(value, name)
        if values.get("others", "default") not in ("default", "none"):
            raise OptionError("'others' is 'default' or 'none'.")
        if values.get("readout"):
            _check_readout(values["readout"])
        return cls(**values)

    @property
    def vocabulary(self) -> Vocabulary:
        """The words, with colours and thresholds; raises VocabularyError."""
        vocabulary = Vocabulary.parse(self.words, self.background, dict(self.colours))
        return vocabulary.with_thresholds(self.thresholds) if self.thresholds else vocabulary

    @property
    def competing(self) -> Choice:
        """The other words as `textseg.segment` takes them."""
        return None if self.others == "none" else self.others

    @property
    def by_masks(self) -> bool:
        """Whether the answer is made of proposed masks; raises UnknownNameError."""
        return self.by == "proposal" or bool(self.refine and refine.takes_masks(self.refine))

    def ask(self, scene: Scene, engine: Engine) -> LabelMap:
        """The answer for one scene of the engine; raises UnknownNameError, VocabularyError."""
        return segment(
            scene,
            self.vocabulary,
            by=self.by,
            refine=self.refine or None,
            threshold=self.threshold,
            templates=self.templates or None,
            granularity=self.granularity,
            others=self.competing,
            proposals=engine.proposals(scene) if self.by_masks else None,
        )


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise OptionError(f"'{name}' must be text, not {type(value).__name__}.")
    if len(value) > MAX_TEXT:
        raise OptionError(f"'{name}' has {len(value)} characters; it may have at most {MAX_TEXT}.")
    return value


def _check_readout(name: str) -> None:
    """Only readouts of the served backbone: one that takes a second backbone would load what its caller names."""
    alone = [known for known in readouts.names() if readouts.get(known).second is None]
    if name not in alone:
        raise OptionError(f"'readout' must be one of {', '.join(alone)}, not {name[:40]!r}.")


def _share(value: Any, name: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1:
        raise OptionError(f"'{name}' must be a number from 0 to 1, not {brief(value, 40)}.")
    return float(value)


def _colours(value: Any) -> dict[str, str]:
    _mapping(value, "colours")
    for colour in value.values():
        if not (isinstance(colour, str) and re.fullmatch(r"#[0-9a-f]{6}", colour)):
            raise OptionError("A colour must be written as #rrggbb.")
    return dict(value)


def _thresholds(value: Any) -> dict[str, float]:
    _mapping(value, "thresholds")
    return {name: _share(threshold, "thresholds") for name, threshold in value.items()}


def _mapping(value: Any, name: str) -> None:
    if not isinstance(value, Mapping) or len(value) > 10_000 or not all(isinstance(key, str) for key in value):
        raise OptionError(f"'{name}' must be an object with class names as keys.")


_READ = {"colours": _colours, "thresholds": _thresholds}
