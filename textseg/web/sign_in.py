"""The door of a server with people: whoever has not signed in sees the sign-in page and nothing else."""

from __future__ import annotations

import json
from typing import Any

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from textseg.shipped import asset
from textseg.web.access import COOKIE, LIFETIME, Access, ForbiddenError, NotSignedInError, handling
from textseg.web.rpc.page import ASSETS

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
OPEN = (
    f"/{ASSETS}/shared/", f"/{ASSETS}/sign-in/", f"/{ASSETS}/shell/theme.js", f"/{ASSETS}/icon.png",
    "/gradio_api/startup-events",
)  # fmt: skip
"""Addresses that the sign-in page needs, which hold the program's own styles and scripts, and the one by which Gradio
sees that it has started."""

MOST_BYTES = 4096


class SignIn:
    """ASGI middleware behind the gate. What is let through carries whose request it is."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path, headers = scope["path"], Headers(scope=scope)
        if path == SIGN_IN:
            return await (await self._sign_in(Request(scope, receive)))(scope, receive, send)
        if path == SIGN_OUT and scope["method"] == "POST":
            self._access.sign_out(headers)
            answer = JSONResponse({"ok": True})
            answer.delete_cookie(COOKIE)
            return await answer(scope, receive, send)
        if path.startswith(OPEN):
            return await self._app(scope, receive, send)
        user = await anyio.to_thread.run_sync(self._access.who, headers, _address(scope))
        if user is None:
            return await self._elsewhere(scope, headers)(scope, receive, send)
        with handling(user):
            await self._app(scope, receive, send)

    async def _sign_in(self, request: Request) -> Response:
        if request.method != "POST":
            page = asset("web/sign-in/sign-in.html").read_text("utf-8")
            return HTMLResponse(page, headers={"Cache-Control": "no-store"})
        name, password = _read(await request.body())
        try:
            session = await anyio.to_thread.run_sync(self._access.sign_in, name, password, _address(request.scope))
        except ForbiddenError as error:
            return JSONResponse({"ok": False, "error": str(error)}, 429 if "Too many" in str(error) else 403)
        answer = JSONResponse({"ok": True})
        answer.set_cookie(
            COOKIE, session, max_age=LIFETIME, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return answer

    def _elsewhere(self, scope: Scope, headers: Headers) -> Response:
        if scope["path"].rstrip("/").endswith("/component_server"):  # a page whose session has ended
            return JSONResponse({"ok": False, "signed_out": True, "error": str(NotSignedInError())})
        if scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", ""):
            return RedirectResponse(scope.get("root_path", "") + SIGN_IN, 303)
        return PlainTextResponse(
            "Sign in first: send the cookie of /sign-in, or name and password (Authorization: Basic).\n", 401
        )


def _read(body: bytes) -> tuple[str, str]:
    """Name and password of a message; empty for what is none."""
    try:
        told: Any = json.loads(body) if len(body) <= MOST_BYTES else {}
        name, password = told.get("name"), told.get("password")
        f"{name}{password}".encode()  # half a character is no part of either
    except (ValueError, AttributeError, RecursionError):
        return "", ""
    return (name, password) if isinstance(name, str) and isinstance(password, str) else ("", "")


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""
