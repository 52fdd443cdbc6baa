"""One project that the owner of a server for strangers opens to all: to look at, or to work on when signed in."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from textseg.errors import UsageError
from textseg.project import Project

SHARED = "shared"
"""What a page sends for its visitor's key while it shows the shared project; no key looks like that."""

SIGNED_IN: ContextVar[str | None] = ContextVar("signed-in", default=None)
"""Name on the hub of whoever sent the request that is answered, as the hub told; None for everybody else."""


class SharedProject:
    """A project for all visitors: `looking`, nobody changes it; `signed-in`, people with an account of the hub do."""

    def __init__(self, place: str | Path, open_for: str) -> None:
        """Raises ProjectError, UsageError."""
        if open_for not in ("looking", "signed-in"):
            raise UsageError(f"A shared project is open for 'looking' or for 'signed-in', not for {open_for!r}.")
        self._project, self.open_for = Project(place), open_for
        self._project.database.frozen = open_for == "looking"

    @property
    def name(self) -> str:
        return self._project.name

    @property
    def may_see(self) -> bool:
        """Whether whoever asks now may see it."""
        return self.open_for == "looking" or SIGNED_IN.get() is not None

    def open(self) -> Project:
        return self._project


class WhoIsSignedIn:
    """ASGI middleware inside the session that Gradio keeps of people who signed in with the hub."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        before = SIGNED_IN.set(_name(scope.get("session", {}).get("oauth_info")))
        try:
            await self._app(scope, receive, send)
        finally:
            SIGNED_IN.reset(before)


def _name(told: Any) -> str | None:
    """The name in what the hub told at the sign-in, while that holds."""
    if not isinstance(told, dict) or told.get("expires_at", 0) < time.time():
        return None
    about = told.get("userinfo")
    name = about.get("preferred_username") if isinstance(about, dict) else None
    return name if isinstance(name, str) else None


def shared_project(environment: Mapping[str, str]) -> SharedProject | None:
    """The project that the owner of a Space shares, by its variables TEXTSEG_SHARED_PROJECT and TEXTSEG_SHARED_FOR.

    Raises ProjectError, UsageError.
    """
    place = environment.get("TEXTSEG_SHARED_PROJECT")
    return SharedProject(place, environment.get("TEXTSEG_SHARED_FOR", "looking")) if place else None
