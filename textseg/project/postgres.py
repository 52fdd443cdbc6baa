"""A project's tables in a PostgreSQL database, for several servers or people at once.

Readers see one moment (REPEATABLE READ, READ ONLY). Writers take an advisory lock of the database when they begin: what
changes one photo alone shares it with others of its kind and locks that photo's row, everything else holds it alone.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from textseg.errors import DatabaseAwayError, NoProjectError, ProjectError, spelt_out

LOCK = 0x74657874  # any number; advisory locks are a database's own
SETTINGS = "-c TimeZone=UTC -c lock_timeout=10s -c synchronous_commit=on -c idle_in_transaction_session_timeout=10min"
"""Of each connection. A lock is waited for as long as with SQLite; whoever hangs in a transaction is let go."""

CONNECTIONS = 10
MORE_CONNECTIONS = 20
"""Kept open by one process, and opened beside these when many people save at once."""

REFUSALS = {
    "25006": "The database is read-only; connect to the server that may be written to",
    "28": "The database does not let this user in; check name and password in the URL, PGPASSWORD or ~/.pgpass",
    "3D": "There is no such database; make it with: createdb NAME",
    "40": "Two writers were in each other's way and nothing was changed; try again",
    "42501": "The database lets this user not do that; grant it the rights on the project's tables",
    "53100": "The disk of the database is full; free some space, the last saved state is kept",
    "53200": "The database has no memory left; the last saved state is kept, try again in a moment",
    "53300": "The database has no connection left; raise its max_connections, or try again in a moment",
    "55P03": "Another program is writing to the project; try again in a moment",
}
"""Sentences by SQLSTATE, or its class (PostgreSQL's documentation, appendix A)."""

PASSING = ("40", "53200", "53300", "55P03")
"""What is over in a moment: whoever waits and does it again loses nothing."""

STATES_OF_MESSAGES = {
    "password authentication failed": "28",
    "no password supplied": "28",
    "no pg_hba.conf entry": "28",
    "does not exist": "3D",
    "too many clients": "53300",
    "remaining connection slots": "53300",
}
"""A connection that was refused has a message alone."""


class PostgresDatabase:
    """One database of a server; see `database.Backend`."""

    read_only = False
    """A server says so itself."""

    def __init__(self, url: URL) -> None:
        """Connects when it is first asked something. Raises ProjectError where the driver is missing."""
        if find_spec("psycopg") is None:
            raise ProjectError("A project in PostgreSQL needs its driver: pip install 'textseg[postgres]'")
        self.where = url.set(query={}).render_as_string(hide_password=True)
        engine = create_engine(
            url,
            pool_pre_ping=True,  # the server may have been started again since
            pool_size=CONNECTIONS, max_overflow=MORE_CONNECTIONS, pool_timeout=10,
            connect_args={"options": f"{url.query.get('options', '')} {SETTINGS}".strip(), "connect_timeout": 10},
        )  # fmt: skip
        self.engines: dict[str, Engine] = {
            "reading": engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
            "writing": engine.execution_options(isolation_level="READ COMMITTED"),
        }

    def lock(self, connection: Connection, one_photo: bool) -> None:
        kind = "_shared" if one_photo else ""
        connection.execute(text(f"SELECT pg_advisory_xact_lock{kind}({LOCK})"))

    def turn(self) -> AbstractContextManager[None]:
        """The server has them wait in the order in which they come."""
        return nullcontext()

    def problem(self, error: SQLAlchemyError, committing: bool) -> ProjectError:
        if not isinstance(error, DBAPIError):
            return DatabaseAwayError(f"The database did not answer in time ({self.where}); try again in a moment.")
        cause = str(error.orig or error).strip().splitlines()
        said = spelt_out(cause[-1] if cause else type(error).__name__).rstrip(".")
        state = getattr(error.orig, "sqlstate", None) or next(
            (state for message, state in STATES_OF_MESSAGES.items() if message in said), ""
        )
        if error.connection_invalidated or state[:2] in ("08", "57"):
            lost = "whether the last change is there shows when it is opened again" if committing else (
                "what was being saved is not there, do it again"
            )  # fmt: skip
            return DatabaseAwayError(f"The connection to the database was lost ({self.where}); {lost}.")
        for known in (state, state[:2]):
            if known in REFUSALS:
                kind = DatabaseAwayError if known in PASSING else ProjectError
                return kind(f"{REFUSALS[known]} ({self.where}).")
        if not state:
            return DatabaseAwayError(f"The database cannot be reached ({self.where}); see that it runs and try again.")
        return ProjectError(f"The project's database refused ({said}; {self.where}).")

    def missing(self) -> ProjectError:
        return NoProjectError(
            f"There is no project in {self.where}; make one with: textseg project new {self.where} --words ..."
        )

    def opened(self) -> None:
        """Nothing is left to be done."""
