"""The SQLite file of a project: how it is opened, migrated and written to.

WAL with synchronous=FULL: what was acknowledged is on disk, also after a power cut. Writers take their lock when they
begin, so that a read-then-write never fails half-way.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.orm import Session

from textseg.errors import ProjectError


class Database:
    """One project file, at the newest schema. Raises ProjectError when it cannot be opened.

    One that may not be written to is read as it is, if its schema is the newest.
    """

    def __init__(self, path: Path, new: bool = False) -> None:
        """`new`: the file is empty, and becomes a project."""
        self.path = path
        if not new and path.stat().st_size == 0:
            raise ProjectError(f"project.sqlite is empty (0 bytes); restore it from a backup ({path.parent}).")
        self.engines = {begin: _engine(path, begin) for begin in ("BEGIN", "BEGIN IMMEDIATE")}
        self._migrate(new)
        if _writable(path):
            self._journal()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._session("BEGIN") as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction: on leaving it is on disk, or nothing of it is."""
        with self._session("BEGIN IMMEDIATE") as session:
            yield session

    def close(self) -> None:
        for engine in self.engines.values():
            engine.dispose()

    @contextmanager
    def _session(self, begin: str) -> Iterator[Session]:
        try:
            with Session(self.engines[begin], expire_on_commit=False) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise ProjectError(_sentence(error, self.path)) from error

    def _migrate(self, new: bool) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
        newest, known = scripts.get_current_head(), {script.revision for script in scripts.walk_revisions()}
        try:
            with self.engines["BEGIN"].begin() as connection:
                current = _version(connection)
            if current == newest:
                return
            if current is None and not new:
                raise ProjectError(f"{self.path} is not the database of a project; restore it from a backup.")
            if current is not None and current not in known:
                raise ProjectError(f"The project {self.path.parent} was made by a newer textseg; update the program.")
            if not _writable(self.path):
                raise ProjectError(
                    f"The project {self.path.parent} was made by an older textseg and is read-only; "
                    "open it once where it may be changed."
                )
            with self.engines["BEGIN IMMEDIATE"].begin() as connection:
                if _version(connection) != newest:  # nobody else was quicker
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
        except SQLAlchemyError as error:
            raise ProjectError(_sentence(error, self.path)) from error

    def _journal(self) -> None:
        """Readers and a writer do not wait for each other from now on; the file remembers."""
        connection = self.engines["BEGIN"].raw_connection()  # it cannot be said inside a transaction
        try:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            raise ProjectError(_sentence(error, self.path)) from error
        finally:
            connection.close()


def _version(connection: Connection) -> str | None:
    """The schema version that the file says it has."""
    there = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")).all()
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if there else None


def _writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _engine(path: Path, begin: str) -> Engine:
    path = path.absolute()
    writable = _writable(path)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(_address(path, writable), uri=True, isolation_level=None, check_same_thread=False)
        # The driver must not begin transactions of its own: isolation_level is None.
        for pragma in ("busy_timeout=10000", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    # What is open without locks must not be kept: somebody else may write to it at any time.
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool if writable else NullPool)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _address(path: Path, writable: bool) -> str:
    """The SQLite URI of a file, whatever is in its name.

    A read-only file in WAL mode is read without locks, as SQLite could make none, unless somebody is writing to it.
    """
    mode = "rw" if writable else "ro" if path.with_name(f"{path.name}-wal").exists() else "ro&immutable=1"
    return f"file:{quote(os.fsencode(path))}?mode={mode}"


def _sentence(error: Exception, path: Path) -> str:
    cause = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
    what = {
        "database or disk is full": "The disk is full; free some space, the last saved state is kept",
        "attempt to write a readonly database": "The project is read-only; check the folder's permissions",
        "unable to open database file": "The project folder cannot be written to; check its permissions",
        "database is locked": "Another program is writing to the project; try again in a moment",
        "file is not a database": "project.sqlite is damaged and cannot be opened; restore it from a backup",
        "database disk image is malformed": "project.sqlite is damaged and cannot be read; restore it from a backup",
    }.get(cause, f"The project's database refused ({cause})" if isinstance(error, DatabaseError) else cause)
    return f"{what} ({path.parent})."
