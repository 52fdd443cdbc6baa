"""A project's tables in one SQLite file, `project.sqlite`.

WAL with synchronous=FULL: what was acknowledged is on disk, also after a power cut. One transaction writes at a time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from textseg.errors import DatabaseAwayError, ProjectError

BUSY = "Another program is writing to the project; try again in a moment"
PATIENCE = 30.0
"""Seconds for which a writer waits for those before it."""

BEGIN = {"reading": "BEGIN", "writing": "BEGIN IMMEDIATE"}


class SqliteFile:
    """One file; see `database.Backend`. A read-only one is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.where = str(path.parent)
        self._turn = threading.Lock()
        self.engines = {kind: _engine(path, begin) for kind, begin in BEGIN.items()}

    @property
    def read_only(self) -> bool:
        return not writable(self._path)

    def lock(self, connection: Connection, one_photo: bool) -> None:
        """It was taken by BEGIN IMMEDIATE."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Writers of this process come one after the other: SQLite lets them poll, and some of many for very long."""
        if not self._turn.acquire(timeout=PATIENCE):
            raise DatabaseAwayError(f"{BUSY} ({self.where}).")
        try:
            yield
        finally:
            self._turn.release()

    def problem(self, error: SQLAlchemyError, committing: bool) -> ProjectError:
        sentence = _sentence(error, self._path)
        return DatabaseAwayError(sentence) if sentence.startswith(BUSY) else ProjectError(sentence)

    def missing(self) -> ProjectError:
        return ProjectError(f"{self._path} is not the database of a project; restore it from a backup.")

    def opened(self) -> None:
        """Readers and a writer do not wait for each other from now on; the file remembers."""
        if self.read_only:
            return
        connection = self.engines["reading"].raw_connection()  # it cannot be said inside a transaction
        try:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            raise ProjectError(_sentence(error, self._path)) from error
        finally:
            connection.close()


def writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _engine(path: Path, begin: str) -> Engine:
    path = path.absolute()
    may_write = writable(path)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(_address(path, may_write), uri=True, isolation_level=None, check_same_thread=False)
        # The driver must not begin transactions of its own: isolation_level is None.
        for pragma in ("busy_timeout=10000", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    # What is open without locks must not be kept: somebody else may write to it at any time.
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool if may_write else NullPool)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _address(path: Path, may_write: bool) -> str:
    """The SQLite URI of a file, whatever is in its name.

    A read-only file in WAL mode is read without locks, as SQLite could make none, unless somebody is writing to it.
    """
    mode = "rw" if may_write else "ro" if path.with_name(f"{path.name}-wal").exists() else "ro&immutable=1"
    return f"file:{quote(os.fsencode(path))}?mode={mode}"


def _sentence(error: Exception, path: Path) -> str:
    cause = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
    what = {
        "database or disk is full": "The disk is full; free some space, the last saved state is kept",
        "attempt to write a readonly database": "The project is read-only; check the folder's permissions",
        "unable to open database file": "The project folder cannot be written to; check its permissions",
        "database is locked": BUSY,
        "file is not a database": "project.sqlite is damaged and cannot be opened; restore it from a backup",
        "database disk image is malformed": "project.sqlite is damaged and cannot be read; restore it from a backup",
    }.get(cause, f"The project's database refused ({cause})" if isinstance(error, DatabaseError) else cause)
    return f"{what} ({path.parent})."
