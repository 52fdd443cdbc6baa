"""Data: photos in, labels out. Files come in pieces into a folder of the project's cache, reports go out."""

import json
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from gradio.data_classes import DataWithFiles
from gradio.utils import get_upload_folder

from textseg import formats, images
from textseg.errors import Cancelled, DatasetError, FormatError, PhotoError, ProjectError, TextsegError
from textseg.files import zip_folder
from textseg.formats.exporting import PROVENANCE
from textseg.formats.filenames import portable
from textseg.formats.source import unzip
from textseg.project import Project
from textseg.project.intake import MERGES
from textseg.project.schema import STATES
from textseg.web.api.project import ProjectApi
from textseg.web.rpc.page import of_any_project, page

MAX_STAGED_BYTES = 16 * 2**30
"""What one upload may bring in all its pieces."""

HOUR = 3600.0

Progress = Callable[[int, int], None]


class Data:
    """The server side of the page. Its functions take one message (a dict from a stranger) and give one dict."""

    def __init__(self, api: ProjectApi) -> None:
        self._api = api
        self._work = Work()

    def component(self) -> gr.HTML:
        """The page as a Gradio component."""
        functions = [
            self.overview, self.statistics, self.stage, self.add, self.take, self.export, self.work,
        ]  # fmt: skip
        given = {
            "formats": sorted(map(_described, formats.names()), key=lambda one: one["title"].casefold()),
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
        if not isinstance(message, DataWithFiles) or len(message.files) != 1:
            raise DatasetError("The page sent no piece of a file; reload it.")
        fields, content = message.data, message.files[0][1]
        token = str(fields.get("upload") or "")
        if not token:
            token = secrets.token_hex(16)
            self._clear(older_than=HOUR)
        folder = self._staged(token)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _relative(str(fields.get("path", "")))
        offset = str(fields.get("offset", "0"))
        there = path.stat().st_size if path.is_file() else 0
        if not offset.isdecimal() or int(offset) != there:
            raise DatasetError(f"A piece of {path.name} is missing; send it again.")
        if there + len(content) > MAX_STAGED_BYTES:
            raise DatasetError(f"{path.name} is larger than {MAX_STAGED_BYTES / 2**30:.0f} GB; use the command line.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(content)
        return {"upload": token}

    def add(self, message: Any) -> dict[str, Any]:
        """`{"upload"}`: take the photos of an upload in, those in zips too, in the background."""
        folder, project = self._uploaded(_fields(message)), self._api.project

        def work(progress: Progress) -> dict[str, Any]:
            try:
                return _add(project, folder, progress, self._work.cancel.is_set)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        return self._work.start("Adding photos", work)

    def take(self, message: Any) -> dict[str, Any]:
        """`{"upload"} or {"folder"}`, with `format`, `merge`, `as`, `background`, `strict`, `dry_run`: import it."""
        fields, project = _fields(message), self._api.project
        name, merge, made_by = str(fields.get("format")), fields.get("merge"), fields.get("as")
        formats.get(name)
        if merge not in MERGES or made_by not in ("person", "model"):
            raise DatasetError("Say how labels are merged, and whose work they are.")
        folder = None if fields.get("folder") else self._uploaded(fields)
        path = self._api.place(str(fields["folder"])) if folder is None else _inner(folder)
        background = str(fields.get("background") or "").strip() or None
        dry_run = fields.get("dry_run") is True

        def work(progress: Progress) -> dict[str, Any]:
            report = formats.import_(
                path, name, project, merge=merge, dry_run=dry_run, strict=fields.get("strict") is True,
                source=made_by, background=background, progress=progress,
            )  # fmt: skip
            if folder is not None and not dry_run:
                shutil.rmtree(folder, ignore_errors=True)
            return {"import": report.to_dict() | {"source": path.name}}

        return self._work.start("Checking" if dry_run else "Importing", work)

    # Out

    def export(self, message: Any) -> dict[str, Any]:
        """`{"format", "options", "dry_run", "folder"?}`: write an export, to a zip for download or a local folder."""
        fields, project = _fields(message), self._api.project
        name, dry_run = str(fields.get("format")), fields.get("dry_run") is True
        options = export_options(fields.get("options"))
        formats.get(name)
        place = self._api.place(str(fields["folder"])) if fields.get("folder") else None
        cache = Path(get_upload_folder())

        def work(progress: Progress) -> dict[str, Any]:
            if place is not None or dry_run:
                out = place or Path(name)
                report = formats.export(project, name, out, dry_run=dry_run, progress=progress, **options)
                return {"export": report.to_dict() | {"out": str(place or "")}}
            path, report = export_zip(project, name, options, cache, progress)
            download = {"path": path.as_posix(), "name": path.name, "bytes": path.stat().st_size}
            return {"export": report.to_dict() | {"out": path.name}, "download": download}

        return self._work.start("Checking" if dry_run else "Exporting", work)

    def work(self, message: Any) -> dict[str, Any]:
        """`{"action": "look" | "cancel"}`: how far the work in the background is, and what came of it."""
        if _fields(message).get("action") == "cancel":
            self._work.cancel.set()
        return self._work.state()

    # Uploads

    def _staged(self, token: str) -> Path:
        if len(token) != 32 or not set(token) <= set("0123456789abcdef"):
            raise DatasetError("The page sent no upload; choose the files again.")
        return self._api.project.folder / "cache" / "uploads" / token

    def _uploaded(self, fields: Mapping[str, Any]) -> Path:
        folder = self._staged(str(fields.get("upload") or ""))
        if not folder.is_dir():
            raise DatasetError("The files are not here any more; choose them again.")
        return folder

    def _clear(self, older_than: float) -> None:
        """Remove uploads that nobody came back to."""
        for folder in (self._api.project.folder / "cache" / "uploads").glob("*"):
            if time.time() - folder.stat().st_mtime > older_than:
                shutil.rmtree(folder, ignore_errors=True)


class Work:
    """The one piece of work in the background of this page, and its report."""

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._facts: dict[str, Any] = {"what": "", "done": 0, "all": 0, "report": None, "problem": None}

    def start(self, what: str, work: Callable[[Progress], dict[str, Any]]) -> dict[str, Any]:
        """Begin, unless other work is on; answers like `state`."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise ProjectError(f"{self._facts['what']} is still going on; wait for it, or stop it.")
            self.cancel.clear()
            self._facts = {"what": what, "done": 0, "all": 0, "report": None, "problem": None}
            self._thread = threading.Thread(target=self._run, args=(work, self._facts), name=what, daemon=True)
            self._thread.start()
        return self.state()

    def state(self) -> dict[str, Any]:
        running = self._thread is not None and self._thread.is_alive()
        return {"running": running, **self._facts}

    def _run(self, work: Callable[[Progress], dict[str, Any]], facts: dict[str, Any]) -> None:
        def progress(done: int, number: int) -> None:
            if self.cancel.is_set():
                raise Cancelled("Stopped; nothing was changed.")
            facts["done"], facts["all"] = done, number

        try:
            facts["report"] = work(progress)
        except TextsegError as error:
            facts["problem"] = str(error)
        except OSError as error:
            facts["problem"] = f"{error.strerror or error}; nothing was changed."
        except Exception:
            facts["problem"] = "The work stopped; the server's log says why."
            raise


def export_zip(
    project: Project, format: str, options: Mapping[str, Any], cache: Path, progress: Progress | None = None
) -> tuple[Path, formats.ExportReport]:
    """An export as a zip in a folder of `cache` that nobody can guess."""
    with TemporaryDirectory(prefix="textseg-export-") as folder:
        out = Path(folder) / "export"
        report = formats.export(project, format, out, progress=progress, **options)
        place = cache / secrets.token_hex(16)
        place.mkdir(parents=True)
        path = place / f"{portable(project.name)}-{format}.zip"
        zip_folder(out, path)
    return path, report


def export_options(given: Any) -> dict[str, Any]:
    """What a stranger asks of an export, as arguments of `formats.export`; raises FormatError."""
    if isinstance(given, str) and given:
        try:
            given = json.loads(given)
        except ValueError:
            raise FormatError('The options are not JSON; send an object such as {"polygons": true}.') from None
    if given in (None, "", {}):
        return {}
    if not isinstance(given, dict):
        raise FormatError('The options must be an object such as {"polygons": true}.')
    of_formats = {option.name for name in formats.names() for option in formats.get(name).export_options}
    unknown = given.keys() - {"split", "seed", "states", "classes", "provenance"} - of_formats
    if unknown:
        raise FormatError(f"There is no option '{sorted(map(str, unknown))[0]}' of an export.")
    options = {name: value for name, value in given.items() if value is not None}
    for name in ("states", "classes", "provenance"):
        value = options.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise FormatError(f"The option '{name}' must be a list of names.")
    split = options.get("split")
    if isinstance(split, str):
        options["split"] = formats.parse_split(split)
    elif split is not None:
        shares = split.values() if isinstance(split, dict) else [None]
        if not all(isinstance(share, (int, float)) and 0 <= share <= 1 for share in shares):
            raise FormatError("The option 'split' gives train, val and test their shares.")
    seed = options.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, (int, float)) or int(seed) != seed:
        raise FormatError("The option 'seed' is a whole number.")
    if not isinstance(options.get("polygons", False), bool):
        raise FormatError("The option 'polygons' is true or false.")
    return options | ({"seed": int(seed)} if "seed" in options else {})


def add_export(api: ProjectApi) -> None:
    """Add the endpoint `/export(project, format, options?) -> (zip, report)` to the Blocks being built."""

    def export(project: str, format: str, options: Any) -> tuple[str, dict[str, Any]]:
        """The named project in a format, as a zip, and what was written, skipped and lost."""
        try:
            if project != api.project.name:
                raise ProjectError(f"The project '{project}' is not served here; this is '{api.project.name}'.")
            path, report = export_zip(api.project, format, export_options(options), Path(get_upload_folder()))
        except TextsegError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return str(path), report.to_dict() | {"out": path.name}

    with gr.Row(visible=False):
        inputs = [gr.Textbox(label="project"), gr.Textbox(label="format"), gr.JSON(label="options", value={})]
        file, report = gr.File(label="zip"), gr.JSON(label="report")
    gr.on(
        triggers=[inputs[1].submit],
        fn=export,
        inputs=inputs,
        outputs=[file, report],
        api_name="export",
        concurrency_limit=1,
        show_progress="hidden",
    )


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
    }


def _add(project: Project, folder: Path, progress: Progress, cancel: Callable[[], bool]) -> dict[str, Any]:
    """Take in every photo under `folder`; zips are unpacked first, other files are named."""
    failed: list[tuple[str, str]] = []
    for number, path in enumerate([p for p in sorted(folder.rglob("*")) if p.suffix.lower() == ".zip"]):
        inside = folder / f"zip {number}"
        inside.mkdir()
        try:
            unzip(path, inside)
        except DatasetError as error:
            failed.append((path.name, str(error)))
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__MACOSX" not in path.parts]
    photos = [path for path in files if path.suffix.lower() in images.SUFFIXES]
    others = [path for path in files if path.suffix.lower() not in {*images.SUFFIXES, ".zip"}]
    failed += [(path.name, "is no photo.") for path in others]
    if not photos and len(failed) == len(others):
        raise PhotoError(f"There are no photos in it; they end in {', '.join(sorted(images.SUFFIXES))}.")

    def tell(done: int, number: int) -> None:
        with suppress(Cancelled):  # `add` stops by itself, and says what is in the project by then
            progress(done, number)

    report = project.add(photos, tell, cancel)
    duplicates = [(Path(given).name, there) for given, there in report.duplicates]
    failed += [(Path(given).name, reason) for given, reason in report.failed]
    return {"add": {"added": report.added, "duplicates": duplicates, "failed": failed, "stopped": report.cancelled}}


def _relative(path: str) -> Path:
    """Where a file of an upload lies in it; raises DatasetError for a path that leads elsewhere."""
    parts = path.replace("\\", "/").split("/")
    for part in parts:
        if part in ("", ".", "..") or "\0" in part or ":" in part[1:2] or len(part.encode("utf-8", "replace")) > 255:
            raise DatasetError(f"'{path[:80]}' is no path of a file in a folder.")
    return Path(*parts)


def _inner(folder: Path) -> Path:
    """What was uploaded: the one file, or the one folder, or the folder of it all."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 else folder


def _fields(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise DatasetError("The page sent something that is not understood; reload it.")
    return message
