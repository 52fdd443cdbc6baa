"""What leaves a project: photos and classes as an export writes them, and the report of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from textseg.errors import spelt_out
from textseg.project.schema import StoredPhoto
from textseg.wording import counted, some


@dataclass
class ExportReport:
    """What was written, what was not and why, and what the format cannot hold."""

    format: str
    out: str
    photos: int = 0
    labelled: int = 0
    """Photos that have at least one labelled pixel in what was written."""
    splits: dict[str, int] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """(photo, reason)."""
    renamed: list[tuple[str, str]] = field(default_factory=list)
    """(photo's name in the project, its file name in the export)."""
    numbers: dict[str, int] = field(default_factory=dict)
    """The number that each class has in the files, where the format has numbers."""
    notes: list[str] = field(default_factory=list)
    loses: list[str] = field(default_factory=list)
    """What the format cannot hold."""
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """The report in a few lines of text."""
        did = "Would write" if self.dry_run else "Wrote"
        dealt = f" ({', '.join(f'{count} {name}' for name, count in self.splits.items())})" if self.splits else ""
        what = f"{counted(self.photos, 'photo')}{dealt} and {counted(len(self.classes), 'class')}"
        lines = [f"{did} {what} as {self.format} to {self.out}."]
        if self.numbers:
            listed = [f"{number} {name}" for name, number in sorted(self.numbers.items(), key=lambda item: item[1])]
            lines.append(f"  class numbers: {', '.join(listed[:20])}{', …' if len(listed) > 20 else ''}")
        lines += some([f"{name} is written as {written}" for name, written in self.renamed])
        lines += [f"  {note}" for note in self.notes]
        lines += some([f"left out: {name}: {reason}" for name, reason in self.skipped])
        return "\n".join(map(spelt_out, [*lines, f"  {self.format} cannot hold {', '.join(self.loses)}."]))


@dataclass(frozen=True)
class OutClass:
    """A class as it leaves; `id` is the project's."""

    id: int
    name: str
    aliases: tuple[str, ...]
    colour: str
    background: bool


@dataclass
class Item:
    """A photo as it leaves: `stem` is unique and fits every file system, `name` has the suffix of what is written."""

    photo: StoredPhoto
    stem: str
    split: str | None
    name: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), upright."""
        return self.photo.width, self.photo.height
