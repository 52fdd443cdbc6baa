"""Files of the Hugging Face Hub, brought block by block: stopped at any time, gone on with, and checked at the end."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from textseg.errors import Cancelled, WeightsError
from textseg.model import weights

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are here."""

Stopped = Callable[[], bool]
"""Asked between blocks of bytes; True stops the download, and what has come stays."""

WAIT, PAUSE, PATIENCE = 2.0, 0.5, 30.0
"""Seconds to wait for bytes before the hub is asked anew, between two such tries, and without any before giving up."""


@dataclass(frozen=True)
class File:
    """One file of the hub, as its answer to HEAD describes it."""

    repository: str
    name: str
    etag: str
    size: int
    url: str


def download(files: Sequence[File], wanted: str, progress: Progress, stopped: Stopped) -> None:
    """Bring files into the hub's cache; a part that an earlier try left is gone on with."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.file_download import repo_folder_name

    total, before = sum(file.size for file in files), 0
    for file in files:
        if not re.fullmatch(r"[\w.-]{1,128}", file.etag):
            raise WeightsError(f"{constants.ENDPOINT} does not say which version of {file.name} it has; try again.")
        folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=file.repository, repo_type="model") / "blobs"
        blob = folder / file.etag
        with weights.told(file.repository, wanted):
            if not blob.is_file():
                folder.mkdir(parents=True, exist_ok=True)
                part = folder / f"{file.etag}.part"
                _bring(file, part, partial(_within, progress, before, total), stopped)
                part.replace(blob)
            hf_hub_download(file.repository, file.name)  # finds the bytes, and notes where they belong
        before += file.size
        progress(before, total)


def _within(progress: Progress, before: int, total: int, done: int) -> None:
    """How far one file of several is."""
    progress(before + done, total)


def _bring(file: File, part: Path, progress: Callable[[int], None], stopped: Stopped) -> None:
    """Append to `part` what it lacks; huggingface_hub itself would throw away what has come when it is stopped."""
    from huggingface_hub.errors import HfHubHTTPError

    with part.open("ab") as out:
        if out.tell() > file.size:
            out.truncate(0)
        _room(part, file.size - out.tell())
        progress(out.tell())
        heard = time.monotonic()
        while out.tell() < file.size:
            try:
                for _ in _bytes(file, out):
                    heard = time.monotonic()
                    progress(out.tell())
                    _go_on(file, stopped)
            except (HfHubHTTPError, Cancelled):
                raise
            except Exception:  # the network's errors are of a library that huggingface_hub chooses
                _go_on(file, stopped)
                if time.monotonic() - heard > PATIENCE:
                    raise
                time.sleep(PAUSE)
    # Large files are named by the sha256 of what they hold.
    if re.fullmatch(r"[0-9a-f]{64}", file.etag) and _sha256(part) != file.etag:
        part.unlink()
        raise WeightsError(f"What came of {file.name} of {file.repository} is damaged and was removed; try again.")


def _bytes(file: File, out: BinaryIO) -> Iterator[int]:
    """Ask for what `out` lacks and append it, block by block as it comes; -> their lengths."""
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={out.tell()}-"}
    with get_session().stream("GET", file.url, headers=headers, timeout=(10, WAIT, 10, 10)) as response:
        hf_raise_for_status(response)
        if response.status_code == 200:  # a server that knows no ranges sends all of it
            out.truncate(0)
        for block in response.iter_raw():
            yield out.write(block)
    if out.tell() != file.size:
        raise ConnectionError(f"{file.name} ended after {out.tell()} of {file.size} bytes")


def _go_on(file: File, stopped: Stopped) -> None:
    if stopped():
        raise Cancelled(f"Stopped; what has come of {file.repository} stays, and the next try goes on from there.")


def _room(part: Path, size: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if size > free:
        raise WeightsError(
            f"The download takes {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free at {part.parents[2]}; free some "
            "space, or name another folder by HF_HUB_CACHE."
        )


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
