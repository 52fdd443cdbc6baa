"""Writing files and folders so that a reader, a crash or a full disk never meets half of one."""

import ctypes
import os
import secrets
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_at_work: set[str] = set()
"""Names of the partial files and folders of this process."""

_swapping = threading.Lock()


def write_atomically(path: Path, content: bytes | Callable[[BinaryIO], object], mode: int = 0o666) -> None:
    """Write beside `path`, flush to disk, rename. `content` is bytes, or a function that writes to an open file.

    Any number of threads and processes may write the same path at once: the last one to finish stays. `mode` are the
    permissions of the new file, less the umask.
    """
    with in_place_of(path) as partial:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        with open(handle, "wb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """A name beside `path` for a file to write and flush; on leaving it takes the place of `path` in one step."""
    with _partial(path) as partial:
        try:
            yield partial
            partial.replace(path)
            _sync(path.parent)
        finally:
            partial.unlink(missing_ok=True)


def link_or_copy(file: Path, path: Path) -> None:
    """Give `file` a second name at `path`, where nothing is yet; where that cannot be, copy it in pieces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with in_place_of(path) as partial:
        try:
            os.link(file.resolve(), partial)
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(file, partial)


@contextmanager
def folder_atomically(path: Path) -> Iterator[Path]:
    """A new folder beside `path` to fill; on leaving it is flushed to disk and takes the place of `path` in one step.

    Whoever is killed in between leaves the old folder, or none where there was none; after an error it is the same.
    Where the system cannot swap folders in one step, the old one is moved aside first, and is back at the next call.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.with_name(f".{path.name}.old")
    if old.is_dir() and not path.exists():
        old.rename(path)
    for left in path.parent.glob(f"{_literal(_beginning(path))}.*.partial"):  # of calls that were killed
        if left.is_dir() and _is_left(left):
            shutil.rmtree(left, ignore_errors=True)
    with _partial(path) as partial:
        partial.mkdir()
        try:
            yield partial
            _flush(partial)
            with _swapping:
                _take_place(partial, path, old)
            _sync(path.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """A name beside `path` that nobody else uses: it ends in the number of this process."""
    partial = path.with_name(f"{_beginning(path)}.{secrets.token_hex(4)}.{os.getpid()}.partial")
    _at_work.add(partial.name)
    try:
        yield partial
    finally:
        _at_work.discard(partial.name)


def _beginning(path: Path) -> str:
    """How partial names of `path` begin; a long name is cut, as systems allow 255 bytes."""
    return "." + os.fsencode(path.name)[:200].decode(errors="ignore")


def _is_left(partial: Path) -> bool:
    """Whether nobody works on a partial any more: its process has ended, or had the number that this one has."""
    process = partial.name.split(".")[-2]
    return partial.name not in _at_work if process == str(os.getpid()) else not _alive(process)


def _take_place(partial: Path, path: Path, old: Path) -> None:
    try:
        partial.rename(path)
    except OSError:
        if not path.exists():
            raise
        if not _exchange(partial, path):
            path.rename(old)
            partial.rename(path)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step (renameat2 on Linux, renamex_np on macOS); False where that cannot be."""
    swap, here = 2, -100  # RENAME_EXCHANGE and RENAME_SWAP; AT_FDCWD
    a, b = os.fsencode(one), os.fsencode(other)
    try:
        system = ctypes.CDLL(None)
    except (OSError, TypeError):
        return False
    if hasattr(system, "renameat2"):
        return system.renameat2(here, a, here, b, swap) == 0
    return hasattr(system, "renamex_np") and system.renamex_np(a, b, swap) == 0


def _flush(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    except OSError:
        if path.is_file():
            raise
    finally:
        os.close(handle)


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except OSError:
        return True
    return True


def _literal(name: str) -> str:
    """`name` as a glob pattern that matches it alone."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def zip_folder(folder: Path, target: Path) -> None:
    """Pack a folder into a zip at `target`; what is packed already (photos, PNGs, parquet) is stored as it is."""
    packed = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".parquet"}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=3, strict_timestamps=False) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                kind = zipfile.ZIP_STORED if path.suffix.lower() in packed else zipfile.ZIP_DEFLATED
                archive.write(path, path.relative_to(folder).as_posix(), kind)
