"""The SQLite file of a project: how it is opened, migrated and written to.

WAL with synchronous=FULL: what was acknowledged is on disk, also after a power cut. Writers take their lock when they
begin, so that a read-then-write never fails half-way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.orm import Session

from textseg.errors import ProjectError


class Database:
    """One project file, at the newest schema. Raises ProjectError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engines = {begin: _engine(path, begin) for begin in ("BEGIN", "BEGIN IMMEDIATE")}
        self._migrate()

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

    def _migrate(self) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        scripts = ScriptDirectory.from_config(config)
        try:
            with self.engines["BEGIN IMMEDIATE"].begin() as connection:
                tables = connection.execute(text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")).all()
                current = (
                    connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if tables else None
                )
                if current == scripts.get_current_head():
                    return
                if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
                    raise ProjectError(
                        f"The project {self.path.parent} was made by a newer textseg; update the program."
                    )
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except SQLAlchemyError as error:
            raise ProjectError(_sentence(error, self.path)) from error


def _engine(path: Path, begin: str) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def start(connection) -> None:  # type: ignore[no-untyped-def]
        connection.exec_driver_sql(begin)

    return engine


def _sentence(error: SQLAlchemyError, path: Path) -> str:
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
