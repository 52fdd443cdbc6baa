"""Where a project lies: in a folder that holds all of it, or in a database with a folder for its files beside it."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from textseg.errors import NoProjectError, ProjectError, UsageError
from textseg.files import in_place_of
from textseg.project.database import Database, Fill
from textseg.project.postgres import PostgresDatabase
from textseg.project.sqlite import SqliteFile

FILES = "TEXTSEG_FILES"
"""Names the folder of files where no option does."""

INSIDE = ("photos", "cache", "heads")


@dataclass(frozen=True)
class Place:
    """The folder of a project's files, and the URL of its database, if that is not `project.sqlite` in the folder."""

    folder: Path
    url: URL | None = None

    @classmethod
    def of(cls, where: str | Path | Place, files: str | Path | None = None) -> Place:
        """A folder, or `postgresql+psycopg://USER@HOST/NAME` with `files` (or TEXTSEG_FILES) for its photos and heads.

        Raises UsageError for another kind of database, or one without a folder of files.
        """
        if isinstance(where, Place):
            return where
        if not isinstance(where, str) or not re.match(r"[a-z][a-z0-9+]*://", where):
            if files is not None:
                raise UsageError("A project in a folder has its files there; leave --files out.")
            return cls(Path(where))
        try:
            url = make_url(where)
        except (ArgumentError, ValueError):  # a port that is no number
            raise UsageError("The database of a project is postgresql+psycopg://USER@HOST/NAME.") from None
        if url.drivername not in ("postgresql", "postgres", "postgresql+psycopg") or not url.database:
            raise UsageError(
                f"A project lies in a folder, or in postgresql+psycopg://USER@HOST/NAME, not in {url.drivername}://."
            )
        files = files or os.environ.get(FILES)
        if not files:
            raise UsageError(f"Say where the photos of a project in a database lie: --files DIR, or {FILES}=DIR.")
        return cls(Path(files), url.set(drivername="postgresql+psycopg"))

    @property
    def name(self) -> str:
        """What the project is called: the folder, or the database."""
        return self.folder.resolve().name if self.url is None else str(self.url.database)

    @property
    def key(self) -> str:
        """Tells it from others, and nothing of where it lies."""
        where = str(self.folder.resolve()) if self.url is None else self.url.set(password=None).render_as_string()
        return hashlib.sha256(where.encode()).hexdigest()[:16]

    @property
    def there(self) -> bool:
        """Whether a project is there, or something that says it is one."""
        if self.url is None:
            return (self.folder / "project.sqlite").exists()
        try:
            self.open().close()
        except NoProjectError:
            return False
        return True

    def __str__(self) -> str:
        """As a program of this machine takes it: with the password, if the URL has one."""
        return str(self.folder.resolve()) if self.url is None else self.url.render_as_string(hide_password=False)

    def open(self) -> Database:
        """The project's database; raises ProjectError when there is none or it cannot be opened."""
        if self.url is not None:
            if not (self.folder / "photos").is_dir():
                raise ProjectError(
                    f"{self.folder} does not hold the photos of {self.name}; name their folder with --files DIR."
                )
            return Database(PostgresDatabase(self.url))
        file = self.folder / "project.sqlite"
        if not file.is_file():
            raise NoProjectError(
                f"There is no project in {self.folder}; make one with: textseg project new {self.folder} --words ..."
            )
        if file.stat().st_size == 0:
            raise ProjectError(f"project.sqlite is empty (0 bytes); restore it from a backup ({self.folder}).")
        return Database(SqliteFile(file))

    def make(self, fill: Fill) -> None:
        """Make a project, its first rows put in by `fill`: all of it or nothing. Refuses a place that holds one."""
        file = self.folder / "project.sqlite"
        if file.exists() and file.stat().st_size:
            raise ProjectError(f"There is a project in {self.folder} already; open it, or choose another folder.")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for inside in INSIDE:
                (self.folder / inside).mkdir(mode=0o700, exist_ok=True)
            if self.url is not None:
                if any(any((self.folder / inside).iterdir()) for inside in INSIDE):
                    raise ProjectError(f"The folder {self.folder} holds another project's files; choose an empty one.")
                Database(PostgresDatabase(self.url), fill).close()
                return
            with in_place_of(file) as new:
                os.close(os.open(new, os.O_CREAT | os.O_EXCL, 0o600))
                Database(SqliteFile(new), fill).close()
        except OSError as error:
            raise ProjectError(f"The project {self.folder} cannot be made ({error.strerror}).") from None
