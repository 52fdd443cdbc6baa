"""A project's tables: how they are brought to the newest schema, read, and written to.

What differs between one file (`sqlite`) and a server (`postgres`) stands there, behind `Backend`. With both, what was
acknowledged is on disk, also after a power cut; a reader sees one moment; and writers take their lock when they begin,
so that a read-then-write never fails half-way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from textseg.errors import ProjectError

Fill = Callable[[Session], None]
"""Puts the first rows into a new project."""


class Backend(Protocol):
    """Where the tables lie."""

    where: str
    """The project, as a sentence names it: without a password."""

    @property
    def engines(self) -> Mapping[str, Engine]:
        """How a transaction begins, "reading" and "writing"."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether it is known that nothing can be written."""
        ...

    def turn(self) -> AbstractContextManager[None]:
        """Wait for the writers of this process that came before."""
        ...

    def lock(self, connection: Connection, one_photo: bool) -> None:
        """Wait until nobody else writes; with `one_photo` those do no harm who change one photo each."""
        ...

    def problem(self, error: SQLAlchemyError, committing: bool) -> ProjectError:
        """What went wrong, in a sentence; `committing`: it is not known whether the transaction is on disk."""
        ...

    def missing(self) -> ProjectError:
        """What to say where the tables of a project are not."""
        ...

    def opened(self) -> None:
        """The schema is the newest one."""
        ...


class Database:
    """The tables of one project, at the newest schema. Raises ProjectError when they cannot be opened.

    Those that may not be written to are read as they are, if their schema is the newest.
    """

    def __init__(self, backend: Backend, fill: Fill | None = None) -> None:
        """With `fill` the database is empty and becomes a project, all of it or nothing."""
        self._backend = backend
        self.frozen = False
        self.engines = backend.engines
        try:
            self._migrate(fill)
        except SQLAlchemyError as error:
            self.close()
            raise backend.problem(error, committing=False) from error
        except ProjectError:
            self.close()
            raise
        backend.opened()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._session("reading") as session:
            yield session

    @contextmanager
    def writing(self, one_photo: bool = False) -> Iterator[Session]:
        """A transaction: on leaving it is on disk, or nothing of it is.

        With `one_photo` it changes one photo, which is found with its lock (`photos.find(..., lock=True)`): others may
        be changed meanwhile, where the database can do that. Raises ProjectError where the project is `frozen`: shown
        to people who may only look.
        """
        self.check_may_change()
        with self._backend.turn(), self._session("writing") as session:
            self._backend.lock(session.connection(), one_photo)
            yield session

    def check_may_change(self) -> None:
        """Raise ProjectError where the project is `frozen`, before work that would end with a refusal."""
        if self.frozen:
            raise ProjectError("This project is here to be looked at; nothing in it can be changed.")

    def close(self) -> None:
        for engine in self.engines.values():
            engine.dispose()

    @contextmanager
    def _session(self, kind: str) -> Iterator[Session]:
        committing = False
        try:
            with Session(self.engines[kind], expire_on_commit=False) as session:
                yield session
                session.flush()
                committing = kind == "writing"
                session.commit()
        except SQLAlchemyError as error:
            raise self._backend.problem(error, committing) from error

    def _migrate(self, fill: Fill | None) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
        scripts = ScriptDirectory.from_config(config)
        newest, known = scripts.get_current_head(), {script.revision for script in scripts.walk_revisions()}
        where = self._backend.where
        with self.engines["reading"].begin() as connection:
            current = _version(connection)
        if current == newest and fill is None:
            return
        if current is None and fill is None:
            raise self._backend.missing()
        if current is not None and current not in known:
            raise ProjectError(f"The project {where} was made by a newer textseg; update the program.")
        if self._backend.read_only:
            raise ProjectError(
                f"The project {where} was made by an older textseg and is read-only; "
                "open it once where it may be changed."
            )
        with self.engines["writing"].begin() as connection:
            self._backend.lock(connection, one_photo=False)
            current = _version(connection)
            if fill is not None and current is not None:  # here, or at the same time elsewhere
                raise ProjectError(f"There is a project in {where} already; open it, or choose another place.")
            if current != newest:  # nobody else was quicker
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            if fill is not None:
                with Session(connection, join_transaction_mode="create_savepoint") as session:
                    fill(session)
                    session.commit()


def _version(connection: Connection) -> str | None:
    """The schema version that the tables say they have."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
