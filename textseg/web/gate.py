"""The gate before every request: whom it was sent to, which page sent it, what it carries, and how much.

A web page that a person visits can send requests to a server on their own machine. Three things stop it, each by
itself: the `Host` must be a name that this server is meant to be reached by, as a name that an attacker makes resolve
to this machine is not (DNS rebinding); a request must come from a page of this server, which browsers tell by `Origin`
and `Sec-Fetch-Site`, or open one; and a body is JSON or a form with files, never the plain text or form that a browser
sends elsewhere without asking. Programs send neither header and pass. See docs/security.md.
"""

import asyncio
import ipaddress
import logging
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from textseg.errors import traced

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HUB = "https://huggingface.co"
READING = ("GET", "HEAD", "OPTIONS")
BODIES = ("application/json", "multipart/form-data")

MAX_JSON_BYTES = 16 * 2**20
MAX_FORM_BYTES = 72 * 2**20
"""One photo of the largest size, with room for the form around it."""

MAX_AT_ONCE = 500
"""Requests that are answered at the same time; each page that is open keeps one or two."""
MAX_PAUSE = 60.0
"""Seconds in which the next piece of a body must come."""
SPARE_DISK = 512 * 2**20
"""Bytes that files of strangers leave free."""

UNUSED = re.compile("/gradio_api/(process_recording|proxy=|stream/|vibe-|undo-vibe|run-history|dev/)")
"""What Gradio offers and no page here asks for: some of it starts programs or calls other servers."""
SIGN_IN = re.compile("/log(in|out)")
"""Gradio's, and nowhere asked for but where people sign in with the hub."""

_TOO_LARGE = "At most {} MB are taken at a time.\n"

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {ancestors}"
)
"""What a page may load, and from where: nothing of another host. Gradio's own page needs inline scripts and `eval`."""


class Gate:
    """ASGI middleware; `allowed` are the host names beside this machine's own by which the server may be reached."""

    def __init__(
        self, app: ASGIApp, allowed: Iterable[str] = (), in_space: bool = False, signs_in: bool = False
    ) -> None:
        """`signs_in`: people sign in with the hub, which sends them back from there."""
        self._app = app
        self._named = frozenset(_name(name) or name.casefold() for name in allowed)
        self._own = frozenset({*LOOPBACK, socket.gethostname().casefold(), f"{socket.gethostname().casefold()}.local"})
        self._in_space, self._signs_in = in_space, signs_in
        self._at_once = 0
        self._policy = POLICY.format(ancestors=f"'self' {HUB}" if in_space else "'none'")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        if scope["type"] != "http":  # the pages use no other
            return await send({"type": "websocket.close", "code": 1008})
        refusal = self._refusal(scope["method"], headers) or self._no_room(scope["path"], headers)
        answer = self._guarded(send)
        if refusal is None:
            self._at_once += 1
            try:
                refusal = await self._answered(scope, receive, answer, headers)
            finally:
                self._at_once -= 1
        if refusal is not None:
            status, sentence = refusal
            await PlainTextResponse(sentence, status)(scope, receive, answer)

    async def _answered(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> tuple[int, str] | None:
        """Let the request through; (status, why) where nothing was answered."""
        most = MAX_FORM_BYTES if _kind(headers) == "multipart/form-data" else MAX_JSON_BYTES
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, _bounded(receive, most), sending)
        except TooLargeError:
            return 413, _TOO_LARGE.format(most // 2**20)
        except TimeoutError:
            return 408, f"Nothing more came for {MAX_PAUSE:.0f} seconds; send it again.\n"
        except Exception as error:  # Gradio's own, at a forged body
            log.error("a request ended unexpectedly: %s", traced(error))
            if not begun:
                return 500, "The server could not do that; its log says why.\n"
        return None

    def _no_room(self, path: str, headers: Headers) -> tuple[int, str] | None:
        """(status, why) of a request that the server has no answer, no time or no space for."""
        if UNUSED.match(path) or (SIGN_IN.match(path) and not self._signs_in):
            return 404, "There is nothing here.\n"
        if self._at_once >= MAX_AT_ONCE:
            return 503, "Many requests are being answered; try again in a minute.\n"
        if _kind(headers) == "multipart/form-data" and shutil.disk_usage(tempfile.gettempdir()).free < SPARE_DISK:
            return 507, "The server's disk is nearly full; nothing can be sent until there is space.\n"
        return None

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """(status, why) of a request that must not pass."""
        if any(len(headers.getlist(name)) > 1 for name in ("host", "origin", "sec-fetch-site", "content-type")):
            return 400, "Say each thing once.\n"
        host = headers.get("host", "")
        if not self._reaches(_name(host)):
            return 421, f"This server is not known as '{host[:80]}'; whoever runs it can add that with --allow-host.\n"
        # Reading too: Gradio lets other origins read its answers where the host is not one of its names for loopback.
        opens = method in READING and _opens_a_page(headers)
        if not opens and not self._from_here(headers.get("origin"), host, headers.get("sec-fetch-site")):
            return 403, "Only pages of this server may ask for that.\n"
        if method in READING:
            return None
        length = headers.get("content-length", "0")
        has_body = length != "0" or "transfer-encoding" in headers
        if has_body and _kind(headers) not in BODIES:
            return 415, "Send JSON, or a form with files (multipart/form-data).\n"
        most = MAX_JSON_BYTES if _kind(headers) == "application/json" else MAX_FORM_BYTES
        if not length.isdecimal() or len(length) > 15 or int(length) > most:
            return 413, _TOO_LARGE.format(most // 2**20)
        return None

    def _reaches(self, name: str | None) -> bool:
        """Whether a name means this server. Another address is no danger: only names can be made to point elsewhere."""
        if name is None:
            return False
        if name in self._own or name in self._named or (self._in_space and name.endswith(".hf.space")):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _from_here(self, origin: str | None, host: str, site: str | None) -> bool:
        """Whether a page of this server sent the request, or no page at all."""
        if site not in (None, "same-origin", "none"):
            return False
        if origin is None:
            return True
        found = re.fullmatch("https?://(.+)", origin.casefold())
        sent_from = found[1] if found else ""
        # A proxy may call the server by another name than the browser calls the proxy: then that name was allowed.
        return bool(sent_from) and (sent_from == host.casefold() or _name(sent_from) in self._named)

    def _guarded(self, send: Send) -> Send:
        """Answers, with what browsers must know about them."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Content-Security-Policy"] = self._policy
                if not self._in_space:
                    headers["X-Frame-Options"] = "DENY"
            await send(message)

        return guarded


class TooLargeError(Exception):
    """A body turned out to be longer than is taken."""


def _bounded(receive: Receive, most: int) -> Receive:
    """The request's body, up to `most` bytes, none of which takes long. What follows it, the client's going, may."""
    seen, more = 0, True

    async def bounded() -> Message:
        nonlocal seen, more
        message = await (asyncio.wait_for(receive(), MAX_PAUSE) if more else receive())
        more = message.get("more_body", False)
        seen += len(message.get("body", b""))
        if seen > most:
            raise TooLargeError
        return message

    return bounded


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().casefold()


def _opens_a_page(headers: Headers) -> bool:
    """Whether a browser follows a link or shows a frame, whose content the page around it cannot read."""
    return "origin" not in headers and headers.get("sec-fetch-mode") == "navigate"


def _name(host: str) -> str | None:
    """The name in `name:port` or `[address]:port`, None for what is neither."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::[0-9]{1,5})?", host.casefold(), re.ASCII)
    return None if found is None else found[1] or found[2]


def known_as(allowed: Iterable[str] = ()) -> list[str]:
    """The names that a person allowed, and those that a Space or a proxy's root path bring with them."""
    root = urlsplit(os.environ.get("GRADIO_ROOT_PATH", "")).hostname
    return [*allowed, *([root] if root else []), *filter(None, [os.environ.get("SPACE_HOST")])]
