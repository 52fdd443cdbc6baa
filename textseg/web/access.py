"""Who may do what on a server with people: sessions, throttled sign-in, and a role for every function.

Without `--users` there is no `Access`, nobody is asked for a name, and everything may be done. With it a request
belongs to whoever signed in, by a cookie or as a program by `Authorization: Basic`; `SignIn` refuses all others before
anything else sees them, and `Access.working` checks the role of each page function and named endpoint. What no table
below names asks for the highest role.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookies import CookieError, SimpleCookie

from itsdangerous import BadSignature, URLSafeTimedSerializer

from textseg.errors import TextsegError
from textseg.project.author import author
from textseg.users import ROLES, User, Users

COOKIE = "textseg-session"
LIFETIME = 12 * 3600
"""Seconds after which a person signs in again."""

PAGES: dict[str, dict[str, str]] = {
    "shell": {"status": "view", "models": "view", "switch": "own", "stop": "own"},
    "explore": dict.fromkeys(
        ("open", "heads", "answer", "partition", "masks", "suggest", "near", "download"), "view"
    ),
    "label": {
        **dict.fromkeys(
            ("overview", "thumbs", "open", "window", "label_map", "model_view", "sources", "unknown", "statistics",
             "team", "look", "trail", "agreement", "film"), "view",
        ),
        **dict.fromkeys(("make_project", "open_project", "add_folder", "add_photos", "run"), "own"),
        **dict.fromkeys(
            ("edit", "hierarchy", "prompt", "prepare", "pseudolabel", "set_state", "set_note", "carry",
             "carry_on"), "label"
        ),
        **dict.fromkeys(
            ("add_class", "change_class", "delete_class", "restore_class", "assign", "review", "second", "adjudicate"),
            "review",
        ),
    },
    "learn": {
        **dict.fromkeys(("overview", "state", "look", "compare", "suggest"), "view"),
        **dict.fromkeys(("relabel", "train", "keep", "complete", "cancel", "activate", "download"), "own"),
    },
    "data": {
        **dict.fromkeys(("overview", "statistics"), "view"),
        **dict.fromkeys(("export", "work"), "review"),
        **dict.fromkeys(("stage", "add", "check", "take"), "own"),
    },
}  # fmt: skip
"""The least role for each server function, by page."""

ENDPOINTS = {
    "segment": "view", "status": "view", "history": "view", "label_map": "view",
    "edit": "label", "pseudolabel": "label", "export": "review", "train": "own",
    "tool_segment": "view", "tool_words_in_photo": "view", "tool_project_state": "view",
}  # fmt: skip
"""The least role for each named endpoint."""

HIGHEST = list(ROLES)[-1]

_user: ContextVar[User | None] = ContextVar("user", default=None)
_guard: ContextVar[Access | None] = ContextVar("guard", default=None)


class NotSignedInError(TextsegError):
    """Nobody is signed in."""

    def __init__(self) -> None:
        super().__init__("You are not signed in any more; reload the page and sign in.")


class ForbiddenError(TextsegError):
    """The person may not do that."""


class Throttle:
    """Counts what goes wrong, by whom; after `free` times each one more doubles the wait, up to `longest` seconds."""

    def __init__(self, free: int = 5, longest: float = 900.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._free, self._longest, self._clock = free, longest, clock
        self._wrong: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def wait(self, key: str) -> int:
        """Seconds until `key` may try again, 0 for now."""
        with self._lock:
            count, last = self._wrong.get(key, (0, 0.0))
            if count < self._free:
                return 0
            pause = min(2.0 ** min(count - self._free + 1, 30), self._longest)
            return max(0, math.ceil(last + pause - self._clock()))

    def wrong(self, key: str) -> None:
        with self._lock:
            now = self._clock()
            if len(self._wrong) > 10_000:  # forget those that had been quiet for longest
                quiet = sorted(self._wrong, key=lambda one: self._wrong[one][1])[:5_000]
                for one in quiet:
                    del self._wrong[one]
            count, last = self._wrong.get(key, (0, now))
            self._wrong[key] = (count if now - last < self._longest else 0) + 1, now

    def right(self, key: str) -> None:
        with self._lock:
            self._wrong.pop(key, None)


class Access:
    """Who is who on one server."""

    def __init__(self, users: Users, clock: Callable[[], float] = time.monotonic) -> None:
        self.users = users
        self._clock = clock
        self._by_pair, self._by_address = Throttle(5, 900.0, clock), Throttle(30, 900.0, clock)
        self._checking = threading.Semaphore(2)  # a hash takes all of a core and 64 MB
        self._ended: dict[str, float] = {}
        self._known: dict[bytes, tuple[str, str, float]] = {}
        self._salt = secrets.token_bytes(16)

    def sign_in(self, name: str, password: str, address: str) -> str:
        """The cookie's value of a new session; raises ForbiddenError, also while somebody tries too often."""
        pair = f"{address} {name}"
        self._check_pause(pair, address)
        with self._checking:
            self._check_pause(pair, address)  # many that come at once wait here, and count one after the other
            user = self.users.check(name, password)
            if user is None:
                self._by_pair.wrong(pair)
                self._by_address.wrong(address)
                raise ForbiddenError("Name or password is wrong.")
        self._by_pair.right(pair)
        return self._signer().dumps([user.name, _fingerprint(user), secrets.token_hex(8)])

    def sign_out(self, headers: Mapping[str, str]) -> None:
        """End the session of a request; its cookie is worth nothing afterwards."""
        found = self._session(headers)
        if found is not None:
            now = self._clock()
            self._ended = {one: end for one, end in self._ended.items() if end > now} | {found[2]: now + LIFETIME}

    def who(self, headers: Mapping[str, str], address: str) -> User | None:
        """Whose request it is; headers are asked by their names in lower case."""
        session = self._session(headers)
        if session is not None:
            user = self.users.get(session[0])
            return user if user is not None and _fingerprint(user) == session[1] else None
        kind, _, coded = headers.get("authorization", "").partition(" ")
        return self._program(coded, address) if kind.casefold() == "basic" else None

    @contextmanager
    def working(self, user: User | None, role: str) -> Iterator[None]:
        """What is done inside is done by `user`; raises NotSignedInError, ForbiddenError."""
        if user is None:
            raise NotSignedInError
        _check_role(user, role)
        with handling(user), author(user.name):
            yield

    def _check_pause(self, pair: str, address: str) -> None:
        pause = max(self._by_pair.wait(pair), self._by_address.wait(address))
        if pause:
            raise ForbiddenError(f"Too many wrong passwords; try again in {pause} seconds.")

    def _session(self, headers: Mapping[str, str]) -> tuple[str, str, str] | None:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
            if cookie is None:
                return None
            name, fingerprint, number = map(str, self._signer().loads(cookie.value, max_age=LIFETIME))
        except (CookieError, BadSignature, ValueError, TypeError):
            return None
        return None if number in self._ended else (name, fingerprint, number)

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.users.secret, salt=COOKIE)

    def _program(self, coded: str, address: str) -> User | None:
        """Whose name and password a program sends with each call; they are checked once an hour."""
        try:
            name, _, password = b64decode(coded, validate=True).decode().partition(":")
        except ValueError:
            return None
        key, now = hmac.digest(self._salt, coded.encode(), hashlib.sha256), self._clock()
        known, user = self._known.get(key), self.users.get(name)
        if known is not None and user is not None and known[1] == _fingerprint(user) and known[2] > now:
            return user
        try:
            self.sign_in(name, password, address)
        except ForbiddenError:
            return None
        user = self.users.get(name)
        if user is not None:
            if len(self._known) > 1000:
                self._known.clear()
            self._known[key] = name, _fingerprint(user), now + 3600
        return user


@contextmanager
def handling(user: User) -> Iterator[None]:
    """What is done inside answers a request of `user`."""
    before = _user.set(user)
    try:
        yield
    finally:
        _user.reset(before)


@contextmanager
def guarding(access: Access | None) -> Iterator[None]:
    """Pages that are made inside let only those do something who may; None: everybody."""
    before = _guard.set(access)
    try:
        yield
    finally:
        _guard.reset(before)


def guard() -> Access | None:
    """Who guards the pages that are being made."""
    return _guard.get()


def role_of(page: str, function: str) -> str:
    """The least role for a server function of a page; what the table does not name takes the highest."""
    return PAGES.get(page, {}).get(function, HIGHEST)


def current() -> User | None:
    """Who is signed in, while a request of theirs is answered; None on a server without people."""
    return _user.get()


def require(role: str) -> None:
    """Raise ForbiddenError where whoever is signed in has not this role; without people everybody has."""
    user = current()
    if user is not None:
        _check_role(user, role)


def _check_role(user: User, role: str) -> None:
    if not user.may(role):
        raise ForbiddenError(f"That takes the role '{role}', and yours is '{user.role}'.")


def _fingerprint(user: User) -> str:
    """Changes with the password, which ends all sessions."""
    return hashlib.sha256(user.hash.encode()).hexdigest()[:16]
