"""The people of a server: a file with names, roles and argon2 hashes of passwords, which `textseg users` writes.

The file is read again whenever it has changed: who was removed, or has another password or role, is that at once.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textseg.errors import UsageError
from textseg.files import write_atomically

if TYPE_CHECKING:
    from argon2 import PasswordHasher
    from filelock import BaseFileLock

ROLES = {
    "view": "sees photos and labels",
    "label": "labels and says what is done",
    "review": "reviews, returns, assigns and decides between two; changes classes; exports",
    "own": "all of it: photos in, imports, training, the model",
}
"""What each may do, and all that those before it may."""

NAME = re.compile(r"[\w.@+-]{1,64}")
LEAST_PASSWORD = 8
MOST_PASSWORD = 1000


@dataclass(frozen=True)
class User:
    """One person, as the file has them."""

    name: str
    role: str
    hash: str

    def may(self, role: str) -> bool:
        """Whether this person may do what asks for `role`."""
        order = list(ROLES)
        return order.index(self.role) >= order.index(role)


class Users:
    """The people in one file. Safe to use from several threads and processes."""

    def __init__(self, path: str | Path) -> None:
        """Raises UsageError when the file cannot be read; see `make` for a new one."""
        self.path = Path(path)
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._people: dict[str, User] = {}
        self._secret = b""
        self._read()

    @classmethod
    def make(cls, path: str | Path) -> Users:
        """The people in a file, which is made without any if it is not there."""
        with _alone_with(Path(path)):
            if not Path(path).exists():
                _write(Path(path), secrets.token_hex(32), [])
        return cls(path)

    @property
    def secret(self) -> bytes:
        """What sessions are signed with; it lies in the file."""
        self._read()
        return self._secret

    def all(self) -> list[User]:
        """Everybody, by name."""
        self._read()
        return sorted(self._people.values(), key=lambda user: user.name)

    def get(self, name: str) -> User | None:
        self._read()
        return self._people.get(name)

    def add(self, name: str, role: str, password: str) -> None:
        """Add a person, or give one another role and password. Raises UsageError."""
        if not NAME.fullmatch(name):
            raise UsageError("A name has at most 64 letters, digits and . _ @ + - without spaces.")
        if role not in ROLES:
            raise UsageError(f"A role is {', '.join(ROLES)}; '{role}' is none of these.")
        if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
            raise UsageError(f"A password has at least {LEAST_PASSWORD} characters.")
        user = User(name, role, self._hasher.hash(password))
        with _alone_with(self.path):
            self._read()  # typing the password took a while: who was removed meanwhile stays so
            self._change({**self._people, name: user})

    def remove(self, name: str) -> None:
        """Remove a person; raises UsageError when there is none of this name."""
        with _alone_with(self.path):
            self._read()
            if name not in self._people:
                raise UsageError(f"There is nobody called '{name}' in {self.path}.")
            self._change({key: user for key, user in self._people.items() if key != name})

    def check(self, name: str, password: str) -> User | None:
        """The person with this name and password. It takes as long where there is none."""
        from argon2.exceptions import Argon2Error, InvalidHashError

        user = self.get(name)
        try:
            self._hasher.verify(user.hash if user else self._nobody, password[:MOST_PASSWORD])
        except (Argon2Error, InvalidHashError):
            return None
        return user

    @cached_property
    def _hasher(self) -> PasswordHasher:
        from argon2 import PasswordHasher

        return PasswordHasher()

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash(secrets.token_hex(16))

    def _change(self, people: dict[str, User]) -> None:
        _write(self.path, self._secret.hex(), list(people.values()))
        self._seen = None
        self._read()

    def _read(self) -> None:
        with self._lock:
            try:
                there = os.stat(self.path)
                seen = there.st_mtime_ns, there.st_size, there.st_ino
                if seen == self._seen:
                    return
                self._secret, self._people = _parsed(json.loads(self.path.read_text("utf-8")))
                self._seen = seen
            except OSError as error:
                raise UsageError(f"The users' file {self.path} cannot be read ({error.strerror}).") from None
            except (ValueError, TypeError, KeyError, RecursionError):
                raise UsageError(f"{self.path} is no users' file; make one with: textseg users add NAME.") from None


def _alone_with(path: Path) -> BaseFileLock:
    """A context in which no other thread or process changes the file; the lock lies beside it, which is replaced."""
    from filelock import FileLock

    return FileLock(path.with_name(f".{path.name}.lock"), mode=0o600)


def _parsed(told: Any) -> tuple[bytes, dict[str, User]]:
    secret = bytes.fromhex(told["secret"])
    users = [User(str(one["name"]), one["role"], str(one["hash"])) for one in told["users"]]
    if len(secret) < 16 or not all(user.role in ROLES and NAME.fullmatch(user.name) for user in users):
        raise ValueError
    return secret, {user.name: user for user in users}


def _write(path: Path, secret: str, users: list[User]) -> None:
    rows = [{"name": user.name, "role": user.role, "hash": user.hash} for user in users]
    told = {"secret": secret, "users": sorted(rows, key=lambda row: row["name"])}
    write_atomically(path, (json.dumps(told, indent=1) + "\n").encode(), mode=0o600)
