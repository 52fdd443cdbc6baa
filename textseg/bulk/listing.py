"""The photos of a run: those of a folder, or of a text file that lists them."""

from __future__ import annotations

from pathlib import Path

from textseg.errors import PhotoError
from textseg.folders import SUFFIXES, Gathered, gather


def read_list(path: Path, flat: bool = False, without: Path | None = None) -> Gathered:
    """The photos of a folder and its subfolders, or of a text file that names one a line, relative to its own folder.

    Blank lines and lines that begin with # are left out; `flat` and `without` as for `gather`. Raises PhotoError.
    """
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
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
