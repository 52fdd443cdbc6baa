"""Every backbone, tower, readout and proposer, and whether it would load here. Loads and downloads nothing."""

from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from textseg.registry import Facts


@dataclass(frozen=True)
class Entry:
    """One of them, by its facts; a text is empty where there is nothing to say."""

    kind: str
    """`backbone`, `tower`, `readout`, `proposer` or `refinement`."""
    name: str
    """What it is registered by."""
    title: str
    about: str
    example: str
    """A full name that can be typed."""
    licence: str
    size: str
    needs: str
    default: bool
    missing: str | None
    """Why the example would not load here now, in one sentence; None: everything that it needs is here."""
    readouts: list[str] = field(default_factory=list)
    """Of a family of towers: the names of its readouts, the default first."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"loads": self.missing is None}


def entries() -> list[Entry]:
    """All of them, kind by kind, sorted by name."""
    from textseg import proposals, refine
    from textseg.model import backbones, readouts, towers

    kinds: list[tuple[str, Any, str]] = [
        ("backbone", backbones, "lite"),
        ("tower", towers, "vit"),
        ("readout", readouts, readouts.DEFAULT),
        ("proposer", proposals, "regions"),
        ("refinement", refine, refine.DEFAULT),
    ]
    found = [
        _entry(kind, name, package.facts(name), name == default)
        for kind, package, default in kinds
        for name in package.names()
    ]
    return [
        replace(entry, readouts=readouts.of(towers.get(entry.name).has)) if entry.kind == "tower" else entry
        for entry in found
    ]


def missing(facts: Facts) -> str | None:
    """What an entry's example lacks on this machine, in one sentence; None when it lacks nothing."""
    absent = [name for name in facts.packages if find_spec(name) is None]
    if absent:
        return f"Python cannot import {' and '.join(absent)}."
    if facts.weights is not None and not _fetched(*facts.weights):
        return f"The weights of {facts.weights[0]} are not on this machine; the first use fetches them."
    return None


def _entry(kind: str, name: str, facts: Facts, default: bool) -> Entry:
    return Entry(
        kind, name, facts.title or name, facts.about, facts.example or name, facts.licence, facts.size, facts.needs,
        default, missing(facts),
    )  # fmt: skip


def _fetched(repository: str, files: tuple[str, ...]) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(repository, file), str) for file in files)
