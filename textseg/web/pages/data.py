"""Data: photos in, labels out. Files come in pieces into a folder of the project's cache, reports go out."""

import os
import secrets
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from gradio.utils import get_upload_folder

from textseg import formats
from textseg.errors import Cancelled, DatasetError, PhotoError, TextsegError
from textseg.film.intake import EVERY, is_video, seconds
from textseg.film.numbered import Numbered, sequences
from textseg.folders import SUFFIXES, Gathered, gather, hidden
from textseg.formats.archives import unzip
from textseg.formats.exporting import PROVENANCE
from textseg.project import Project
from textseg.project.intake import MERGES
from textseg.project.photos import is_large, still_to_do
from textseg.project.schema import STATES
from textseg.web.api.export import export_options, export_zip
from textseg.web.api.project import ProjectApi
from textseg.web.intake import take_films, take_in, together
from textseg.web.pages import Shared, register
from textseg.web.rpc.jobs import Jobs, Progress
from textseg.web.rpc.messages import Message, whole
from textseg.web.rpc.page import of_any_project, page

MAKERS: tuple[Literal["person", "model"], ...] = ("person", "model")
"""Whose work imported labels are."""

MOST_NAMED = 1_000_000
"""Photos that one message may name."""


@register("data", title="Data", order=40)
def component(shared: Shared) -> gr.HTML:
    """The page as a Gradio component."""
    return Data(shared.api).component()


class Data:
    """The server side of the page. Its functions take one message (a dict from a stranger) and give one dict."""

    def __init__(self, api: ProjectApi) -> None:
        self._api = api
        self._jobs = Jobs()
        self._staged_bytes: dict[str, int] = {}

    def component(self) -> gr.HTML:
        """The page as a Gradio component."""
        functions = [
            self.overview, self.statistics, self.stage, self.add, self.check, self.take, self.export, self.work,
        ]  # fmt: skip
        given = {
            "formats": sorted(map(_described, formats.readable()), key=lambda one: one["title"].casefold()),
            "states": list(STATES),
            "provenance": list(PROVENANCE),
            "merges": list(MERGES),
        }
        return page("data", functions, given, self._api.meant)

    @of_any_project
    def overview(self, message: Any) -> dict[str, Any]:
        """The project, its photos by state and its classes; `project` is null without one."""
        here: dict[str, Any] = {"key": self._api.key, "local": self._api.local, "project": None}
        if self._api.key is None:
            return here
        project = self._api.project
        states = project.photos_by_state()
        if self._api.local:
            here["folder"] = str(project.folder.resolve())
        return here | {
            "project": project.name,
            "photos": {"total": sum(states.values()), **states},
            "classes": [
                {"id": c.id, "name": c.name, "aliases": c.aliases, "colour": c.colour, "background": c.background}
                for c in project.classes()
            ],
        }

    def statistics(self, message: Any) -> dict[str, Any]:
        """Pixels of each class."""
        status = self._api.project.status()
        pixels = {str(row["id"]): row["pixels"] for row in status["classes"]}
        return {"pixels": pixels, "unlabelled": status["unlabelled_pixels"]}

    # In

    def stage(self, message: Any) -> dict[str, Any]:
        """A piece of a file: a multipart message with `upload` ("" begins one), `path`, `offset` and the bytes.

        Answers the upload's token. Pieces of a file come in order; its path is kept, as folders have a meaning.
        """
        asked = Message(message)
        self._api.project.database.check_may_change()
        if len(asked.files) != 1:
            raise DatasetError("The page sent no piece of a file; reload it.")
        content, token = asked.files[0][1], asked.text("upload", "")
        if not token:
            token = secrets.token_hex(16)
            self._clear(older_than=self._api.staged_for)
            self._staged(token).mkdir(parents=True)
        folder = self._uploaded(token)
        path = folder / _relative(asked.text("path", ""))
        offset = asked.text("offset", "0")
        there = path.stat().st_size if path.is_file() else 0
        if not offset.isdecimal() or int(offset) != there:
            raise DatasetError(f"A piece of {path.name} is missing; send it again.")
        if token not in self._staged_bytes:  # the server was started again since
            self._staged_bytes[token] = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        most = self._api.most_staged
        if self._staged_bytes[token] + len(content) > most:
            size = f"{most / 2**30:.0f} GB" if most >= 2**30 else f"{most / 2**20:.0f} MB"
            raise DatasetError(f"The files are larger than {size} together; use the command line.")
        self._staged_bytes[token] += len(content)  # before it is written: pieces may come at once
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)
        return {"upload": token}

    def add(self, message: Any) -> dict[str, Any]:
        """`{"upload", "every", "film"}`: take the photos of an upload in, those in zips too, in the background.

        Of videos a frame each `every` ("0.5 s"); with `film` numbered photos are the frames of one.
        """
        asked, project = Message(message), self._api.project
        folder = self._uploaded(asked.text("upload", ""))
        every, film = seconds(asked.text("every", f"{EVERY}s")), asked.flag("film")

        def work(progress: Progress) -> dict[str, Any]:
            try:
                return _add(project, folder, every, film, progress)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        return self._jobs.start(self._api.key, "Adding photos", work)

    def check(self, message: Any) -> dict[str, Any]:
        """`{"then": "look" | "skip" | "take", "photos"}`: begin to see whether each file is there and as it was.

        Those of `photos`, which an earlier look answered as `left`, are skipped then if they still cannot be read; or
        huge ones that were changed are taken as they are now.
        """
        asked, project = Message(message), self._api.project
        then = asked.choice("then", ("look", "skip", "take"), "look")
        named = set(asked.items("photos", MOST_NAMED, whole))

        def work(progress: Progress) -> dict[str, Any]:
            found = project.unreadable(progress)
            if then == "take":
                found = project.take_changed(found)
            if then == "skip":
                project.skip(one for one in found if one[0].id in named)
            left = [photo.id for photo, _ in found if still_to_do(project.photo(photo.id))]
            changed = [photo for photo, _ in found if is_large(photo) and project.original(photo).is_file()]
            told = {"failed": [reason for _, reason in found], "left": left}
            return {"check": {"photos": progress.all, **told, "changed": len(changed) * (then != "take")}}

        return self._jobs.start(self._api.key, "Checking files", work)

    def take(self, message: Any) -> dict[str, Any]:
        """`{"upload"} or {"folder"}`, with `format`, `merge`, `as`, `background`, `strict`, `dry_run`: import it.

        Without a format it is recognised.
        """
        asked, project = Message(message), self._api.project
        name, merge, made_by = (
            asked.text("format", "") or None,
            asked.choice("merge", MERGES),
            asked.choice("as", MAKERS),
        )
        if name is not None:
            formats.get(name)
        given = asked.text("folder", "")
        folder = None if given else self._uploaded(asked.text("upload", ""))
        path = self._api.place(given) if folder is None else _inner(folder)
        background = asked.text("background", "").strip() or None
        strict, dry_run = asked.flag("strict"), asked.flag("dry_run")

        def work(progress: Progress) -> dict[str, Any]:
            try:
                report = formats.import_(
                    path, name, project, merge=merge, dry_run=dry_run, strict=strict,
                    source=made_by, background=background, progress=progress,
                )  # fmt: skip
            except TextsegError as error:
                if folder is None or isinstance(error, Cancelled):
                    raise
                raise DatasetError(_in_words_of_the_person(str(error), folder)) from None
            if folder is not None and not dry_run:
                shutil.rmtree(folder, ignore_errors=True)
            return {"import": report.to_dict() | {"source": path.name}}

        return self._jobs.start(self._api.key, "Checking" if dry_run else "Importing", work)

    # Out

    def export(self, message: Any) -> dict[str, Any]:
        """`{"format", "options", "dry_run", "folder"?}`: write an export, to a zip for download or a local folder."""
        asked, project = Message(message), self._api.project
        name, dry_run = asked.text("format"), asked.flag("dry_run")
        options = export_options(asked.raw("options"))
        formats.get(name)
        given = asked.text("folder", "")
        place = self._api.place(given) if given else None
        cache = Path(get_upload_folder())

        def work(progress: Progress) -> dict[str, Any]:
            if place is not None or dry_run:
                out = place or Path(name)
                report = formats.export(project, name, out, dry_run=dry_run, progress=progress, **options)
                return {"export": report.to_dict() | {"out": str(place or "")}}
            path, report = export_zip(project, name, options, cache, progress)
            download = {"path": path.as_posix(), "name": path.name, "bytes": path.stat().st_size}
            return {"export": report.to_dict() | {"out": path.name}, "download": download}

        return self._jobs.start(self._api.key, "Checking" if dry_run else "Exporting", work)

    def work(self, message: Any) -> dict[str, Any]:
        """`{"action": "look" | "cancel"}`: how far the work in the background is, and what came of it."""
        action = Message(message).choice("action", ("look", "cancel"), "look")
        return self._jobs.cancel(self._api.key) if action == "cancel" else self._jobs.poll(self._api.key)

    # Uploads

    def _staged(self, token: str) -> Path:
        if len(token) != 32 or not set(token) <= set("0123456789abcdef"):
            raise DatasetError("The page sent no upload; choose the files again.")
        return self._api.project.folder / "cache" / "uploads" / token

    def _uploaded(self, token: str) -> Path:
        folder = self._staged(token)
        if not folder.is_dir():
            raise DatasetError("The files are not here any more; choose them again.")
        return folder

    def _clear(self, older_than: float) -> None:
        """Remove uploads that nobody came back to."""
        for folder in (self._api.project.folder / "cache" / "uploads").glob("*"):
            if time.time() - folder.stat().st_mtime > older_than:
                shutil.rmtree(folder, ignore_errors=True)


def _described(name: str) -> dict[str, Any]:
    one = formats.get(name)
    return {
        "name": name,
        "title": one.title,
        "layout": one.layout,
        "loses": list(one.loses),
        "export_options": [option.to_dict() for option in one.export_options],
        "import_options": [option.to_dict() for option in one.import_options],
        "background": one.background,
        "writes": one.writes,
    }


def _add(project: Project, folder: Path, every: float, film: bool, progress: Progress) -> dict[str, Any]:
    """Take in every photo and video under `folder`; zips are unpacked first, other files are named."""
    failed: list[tuple[str, str]] = []
    for number, path in enumerate([p for p in sorted(folder.rglob("*")) if p.suffix.lower() == ".zip"]):
        inside = folder / f"zip {number}"
        inside.mkdir()
        try:
            unzip(path, inside)
        except DatasetError as error:
            failed.append((path.name, str(error)))
    zips = [_wrapping(inside) for inside in sorted(folder.glob("zip *"))]
    bases = [folder, *zips] if zips else [_wrapping(folder)]  # what comes later names a photo
    photos = list({one.path: one for base in bases for one in gather([base]).photos}.values())
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    seen = [path for path in files if not any(map(hidden, path.relative_to(folder).parts))]
    videos = [path for path in seen if is_video(path)]
    known = {*SUFFIXES, ".zip"}
    others = [path for path in seen if path.suffix.lower() not in known and path not in videos]
    failed += [(path.name, "is no photo.") for path in others]
    if not photos and not videos and len(failed) == len(others):
        raise PhotoError(f"There are no photos in it; they end in {', '.join(sorted(SUFFIXES))}.")
    films: list[Numbered | Path] = []
    if film:
        frames = set[Path]()
        for base in reversed(bases):  # what a zip holds is named by it, not by where it was unpacked
            for one in sequences(base, "film" if base == folder else None)[0]:
                paths = {found.path for _, found in one.frames}
                films += [] if paths & frames else [one]
                frames |= paths
        photos = [one for one in photos if one.path not in frames]
    endings = Counter(path.suffix.lower() or "file without ending" for path in others)
    still = take_in(project, Gathered(photos, endings), progress)
    report = together([still, take_films(project, [*films, *videos], every, progress)])
    return {"add": report | {"failed": failed + report["failed"]}}


def _wrapping(folder: Path) -> Path:
    """The one folder in a folder, which a photo's name need not tell; else the folder itself."""
    inside = [path for path in folder.iterdir() if not hidden(path.name)]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder


def _relative(path: str) -> Path:
    """Where a file of an upload lies in it; raises DatasetError for a path that leads elsewhere."""
    parts = path.replace("\\", "/").split("/")
    for part in parts:
        if part in ("", ".", "..") or "\0" in part or ":" in part[1:2] or len(part.encode("utf-8", "replace")) > 255:
            raise DatasetError(f"'{path[:80]}' is no path of a file in a folder.")
    return Path(*parts)


def _in_words_of_the_person(sentence: str, folder: Path) -> str:
    """A sentence about an upload, with paths as they were on the person's own machine."""
    return sentence.replace(f"{folder}{os.sep}", "").replace(str(folder), "the upload")


def _inner(folder: Path) -> Path:
    """What was uploaded: the one file, or the one folder, or the folder of it all."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 else folder
