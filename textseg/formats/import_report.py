"""What an import came to, as a person and as a program read it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from textseg.errors import spelt_out
from textseg.formats.tally import sentences
from textseg.wording import counted, some


@dataclass
class ImportReport:
    """What was taken in, what was recognised, and what was left."""

    format: str
    source: str
    added: list[str] = field(default_factory=list)
    """Photos new to the project."""
    recognised: list[str] = field(default_factory=list)
    """Photos that the project has already: equal bytes, or the same picture saved again, or known by name."""
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    """(file, name of the photo of equal bytes that the project has already or that came before it)."""
    classes_matched: dict[str, str] = field(default_factory=dict)
    """Their class: the project's."""
    classes_added: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    """Photos whose label map changed."""
    kept: list[str] = field(default_factory=list)
    """Photos that had labels and kept them."""
    changed_pixels: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    """(photo, reason) of each that was left out."""
    left_out: list[dict[str, Any]] = field(default_factory=list)
    """What was left out or mended: `reason`, `count`, and the `first` three of each."""
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def describe(self) -> str:
        """The report in a few lines of text."""
        did = "Would take in" if self.dry_run else "Took in"
        lines = [
            f"{did} {counted(len(self.added), 'photo')} from {self.source}; "
            f"{len(self.recognised):,} {'is' if len(self.recognised) == 1 else 'are'} in the project already.",
            f"  label maps: {len(self.labelled):,} changed ({counted(self.changed_pixels, 'pixel')}), "
            f"{len(self.kept):,} kept",
        ]
        lines += some([f"{name}: equal to {there}, and not taken in again" for name, there in self.duplicates])
        lines += some([f"class {theirs} is {mine}" for theirs, mine in self.classes_matched.items() if theirs != mine])
        lines += some([f"new class: {name}" for name in self.classes_added])
        lines += [f"  {line}" for line in [*sentences(self.left_out), *self.notes]]
        return "\n".join(map(spelt_out, lines))
