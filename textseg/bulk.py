"""Pseudo-labels for many photos in one process, into a folder or a project; a bad photo does not stop the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from textseg import images
from textseg.errors import EditError, PhotoError, TextsegError, VocabularyError, explain
from textseg.files import write_atomically
from textseg.folders import Found, Gathered, gather
from textseg.labelmap import LabelMap
from textseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textseg.model import Model
    from textseg.model.others import Choice
    from textseg.project import Project
    from textseg.proposals import Proposer
    from textseg.tones import Span


@dataclass
class Report:
    """What became of the photos."""

    labelled: list[Found] = field(default_factory=list)
    skipped: list[Found] = field(default_factory=list)
    """Done by an earlier run, or left alone because a person has finished them."""
    failed: list[tuple[Found, str]] = field(default_factory=list)
    """(photo, reason)."""
    stopped: str | None = None
    """Why the run ended before the last photo: the disk is full, the project is damaged."""


class Target(Protocol):
    """Where labels go."""

    def label(self, photo: Found) -> bool:
        """Label one photo and put it on disk; False if there was nothing to do. Raises PhotoError and others."""


def label(photos: Iterable[Found], target: Target, tell: Callable[[Found, str], object] | None = None) -> Report:
    """Label photos one after the other.

    A photo's own fault is noted, and told at once to `tell(photo, reason)`; what would fail every photo ends the run.
    """
    report = Report()
    for photo in photos:
        try:
            (report.labelled if target.label(photo) else report.skipped).append(photo)
        except (PhotoError, EditError) as error:
            report.failed.append((photo, str(error)))
            if tell is not None:
                tell(photo, str(error))
        except (TextsegError, OSError) as error:
            if not report.labelled:
                raise
            report.stopped = explain(error) if isinstance(error, OSError) else str(error)
            break
    return report


def read_list(path: Path, flat: bool = False, without: Path | None = None) -> Gathered:
    """The photos of a folder and its subfolders, or of a text file that names one a line, relative to its own folder.

    Blank lines and lines that begin with # are left out; `flat` and `without` as for `gather`. Raises PhotoError.
    """
    if path.is_dir() or path.suffix.lower() in images.SUFFIXES:
        gathered = gather([path], flat, without)
    else:
        try:
            lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
        except FileNotFoundError:
            raise PhotoError(f"{path} does not exist; give a folder of photos, or a list of them.") from None
        except (OSError, UnicodeDecodeError):
            raise PhotoError(f"{path} is neither a folder nor a text file that lists photos.") from None
        named = [path.parent / line for line in lines if line and not line.startswith("#")]
        gathered = gather(named, flat, without)
    if not gathered.photos:
        raise PhotoError(f"There are no photos in {path}.")
    return gathered


class LabelFolder:
    """A folder with `<stem>.png` (index PNG) and `<stem>.json` (facts) of each photo; the JSON is written last.

    Photos of subfolders have theirs in subfolders.
    """

    def __init__(self, folder: Path, photos: Sequence[Found]) -> None:
        """`photos` are never written over."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._photos = {photo.path.resolve() for photo in photos}
        self._taken: dict[Path, Found] = {}

    def claim(self, photo: Found) -> Path:
        """The stem of the files for `photo`; raises PhotoError if they are another photo's, or a photo themselves."""
        stem = self.stem(photo)
        png = _with(stem, ".png")
        if png.resolve() in self._photos:
            raise PhotoError(f"{png} is a photo and would be overwritten; use another --out.")
        if self._taken.get(stem, photo) != photo:
            raise PhotoError(f"{png.name} was already written for {self._taken[stem]}; use another --out.")
        self._taken[stem] = photo
        return stem

    def release(self, photo: Found) -> None:
        """`photo` failed: its files are free for another photo of the same stem."""
        self._taken.pop(self.stem(photo), None)

    def stem(self, photo: Found) -> Path:
        """What the files of a photo begin with: its name without ending, in subfolders like its own."""
        return self.folder / PurePosixPath(photo.name).with_suffix("")

    def write(
        self, photo: Found, model: Model, labels: LabelMap, others: Choice, proposer: Proposer | None = None
    ) -> None:
        """Write both files; `proposer` is where the masks came from, None where there were none."""
        made = {**_maker(model), "others": _told(others)}
        if proposer is not None:
            made["proposals"] = proposer.name
        facts = {"photo": photo.name, "size": list(labels.size), **made, "classes": labels.classes()}
        stem = self.stem(photo)
        stem.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_with(stem, ".png"), labels.to_png())
        write_atomically(_with(stem, ".json"), json.dumps(facts, ensure_ascii=False, indent=1).encode())

    def has(
        self, photo: Found, model: Model, vocabulary: Vocabulary, others: Choice, proposals: str = "regions"
    ) -> bool:
        """Whether an earlier run wrote this photo's files.

        Raises VocabularyError if it had other words, another model or other masks, or let others compete. A file that
        does not say what competed, or where masks came from, is from before there was a choice.
        """
        stem = self.stem(photo)
        try:
            facts = json.loads(_with(stem, ".json").read_text("utf-8"))
            if facts["photo"] != photo.name or not _with(stem, ".png").is_file():
                return False
            asked = [(c["name"], *c["aliases"]) for c in facts["classes"]]
            maker = {**_maker(model), **{key: facts[key] for key in facts if key == "readout"}}
            maker |= {key: facts[key] for key in ("backbone", "head")}
            competed, masks = facts.get("others", "none"), facts.get("proposals", "regions")
        except (OSError, ValueError, KeyError, TypeError):
            return False  # there is none, or it is not ours
        if asked != [word.texts for word in vocabulary] or maker != _maker(model):
            raise VocabularyError(
                f"{self.folder} holds labels made with other words or another model ({stem.name}.json); "
                "leave out --resume, or use another --out."
            )
        if competed != _told(others):
            raise VocabularyError(
                f"{self.folder} holds labels made with other words competing ({stem.name}.json: --others {competed}); "
                "use the same --others, leave out --resume, or use another --out."
            )
        if masks != proposals:
            raise VocabularyError(
                f"{self.folder} holds labels made with other masks ({stem.name}.json: --proposals {masks}); "
                "use the same --proposals, leave out --resume, or use another --out."
            )
        return True


def _with(stem: Path, ending: str) -> Path:
    """A name may have dots that begin no ending."""
    return stem.with_name(f"{stem.name}{ending}")


@dataclass
class IntoFolder:
    """Pseudo-labels as files."""

    model: Model
    vocabulary: Vocabulary
    out: LabelFolder
    confidence: float
    margin: float
    resume: bool = False
    others: Choice = "default"
    proposer: Proposer | None = None
    """Where masks come from; None: `regions`."""
    span: Span | None = None
    """The values over which deep photos are shown; None: each over its own."""

    def label(self, photo: Found) -> bool:
        from textseg.proposals import load_proposer, opened
        from textseg.pseudolabel import label_regions

        self.out.claim(photo)
        proposer = self.proposer or load_proposer("regions")
        if self.resume and self.out.has(photo, self.model, self.vocabulary, self.others, proposer.name):
            return False
        try:
            scene = self.model.encode(photo.open(self.span))
            found = label_regions(scene, self.vocabulary, opened(scene, proposer), others=self.others)
        except PhotoError:
            self.out.release(photo)
            raise
        self.out.write(photo, self.model, found.paint(self.confidence, self.margin), self.others, proposer)
        return True


@dataclass
class IntoProject:
    """Pseudo-labels in a project; photos that it lacks are taken in. Done and skipped photos are left alone."""

    model: Model
    project: Project
    confidence: float
    margin: float
    resume: bool = False
    overwrite: int | None = None
    """At most so many pixels that a person made are written over, all photos together; None: not one."""
    others: Choice = "default"
    proposer: Proposer | None = None
    """Where masks come from; None: `regions`."""

    def label(self, photo: Found) -> bool:
        from textseg.project.labeller import pseudo_label

        report = self.project.add([photo])
        if report.failed:
            raise PhotoError(report.failed[0][1])
        row = self.project.photo(report.ids[0])
        if row.state in ("done", "skipped") or (self.resume and row.state != "new"):
            return False
        before = self.project.person_pixels(row.id) if self.overwrite is not None else 0
        pseudo_label(
            self.project, row.id, self.model, self.confidence, self.margin,
            over_person=self.overwrite, others=self.others, proposer=self.proposer,
        )  # fmt: skip
        if self.overwrite is not None:
            self.overwrite -= before - self.project.person_pixels(row.id)
        return True


@dataclass
class Count:
    """What a run into a project would do."""

    new: int = 0
    again: int = 0
    """In the project already, and labelled again where no person was."""
    finished: int = 0
    """Done or skipped: left alone."""
    person_photos: int = 0
    person_pixels: int = 0
    """Photos and pixels that a person has worked on, among those labelled again."""


def count(photos: Iterable[Found], project: Project | None) -> Count:
    """Look what `label` would find in the project (None: there is none yet); nothing is written."""
    total = Count()
    for photo in photos:
        try:
            content = photo.content()
        except (OSError, PhotoError):
            continue  # the run will say so
        row = None if project is None else project.photo_with(hashlib.sha256(content).hexdigest())
        if project is None or row is None:
            total.new += 1
        elif row.state in ("done", "skipped"):
            total.finished += 1
        else:
            pixels = project.person_pixels(row.id)
            total.again += 1
            total.person_pixels += pixels
            total.person_photos += pixels > 0
    return total


def _maker(model: Model) -> dict[str, str]:
    readout = {"readout": model.readout} if model.readout else {}
    return {"backbone": model.name, "head": model.head_name, **readout}


def _told(others: Choice) -> str:
    """Which other words competed: "default", "none", or for a list of one's own "list" and a hash of it."""
    if not others:
        return "none"
    return others if isinstance(others, str) else f"list {hashlib.sha256(repr(others).encode()).hexdigest()[:16]}"
