"""`/export`: a project in a format of other programs, for programs, and for the Data page's download."""

import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from textseg import formats
from textseg.errors import FormatError
from textseg.files import zip_folder
from textseg.formats.filenames import portable
from textseg.project import Project
from textseg.web.api.endpoint import add_endpoint
from textseg.web.api.project import ProjectApi, of_callers


def export_zip(
    project: Project,
    format: str,
    options: Mapping[str, Any],
    cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Path, formats.ExportReport]:
    """An export as a zip in a folder of `cache` that nobody can guess."""
    with TemporaryDirectory(prefix="textseg-export-") as folder:
        out = Path(folder) / "export"
        report = formats.export(project, format, out, progress=progress, **options)
        path = unguessable(cache) / f"{portable(project.name)}-{format}.zip"
        zip_folder(out, path)
    return path, report


def unguessable(cache: Path) -> Path:
    """A new folder in `cache` that nobody can guess."""
    place = cache / secrets.token_hex(16)
    place.mkdir(parents=True)
    return place


def export_options(given: Any) -> dict[str, Any]:
    """What a stranger asks of an export, as arguments of `formats.export`; raises FormatError."""
    if isinstance(given, str) and given:
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise FormatError('The options are not JSON; send an object such as {"polygons": true}.') from None
    if given in (None, "", {}):
        return {}
    if not isinstance(given, dict):
        raise FormatError('The options must be an object such as {"polygons": true}.')
    of_formats = {option.name for name in formats.names() for option in formats.get(name).export_options}
    unknown = given.keys() - {"split", "seed", "states", "classes", "provenance", "folders"} - of_formats
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
        api.check(project)
        path, report = export_zip(api.project, format, export_options(options), Path(get_upload_folder()))
        return str(path), report.to_dict() | {"out": path.name}

    with gr.Row(visible=False):
        inputs = [gr.Textbox(label="project"), gr.Textbox(label="format"), gr.JSON(label="options", value={})]
        file, report = gr.File(label="zip"), gr.JSON(label="report")
    add_endpoint("export", of_callers(api, export), inputs, [file, report], at_once=1)
