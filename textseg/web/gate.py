"""The gate before every request: whom it was sent to, which page sent it, what it carries, and how much.

A web page that a person visits can send requests to a server on their own machine. Three things stop it, each by
itself: the `Host` must be a name that this server is meant to be reached by, as a name that an attacker makes resolve
to this machine is not (DNS rebinding); a request must come from a page of this server, which browsers tell by `Origin`
and `Sec-Fetch-Site`, or open one; and a body is JSON or a form with files, never the plain text or form that a browser
sends elsewhere without asking. Programs send neither header and pass. See docs/security.md.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HUB = "https://huggingface.co"
READING = ("GET", "HEAD", "OPTIONS")
BODIES = ("application/json", "multipart/form-data")

MAX_JSON_BYTES = 16 * 2**20
MAX_FORM_BYTES = 72 * 2**20
"""One photo of the largest size, with room for the form around it."""

_TOO_LARGE = "At most {} MB are taken at a time.\n"

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {ancestors}"
)
"""What a page may load, and from where: nothing of another host. Gradio's own page needs inline scripts and `eval`."""


class Gate:
    """ASGI middleware; `allowed` are the host names beside this machine's own by which the server may be reached."""

    def __init__(self, app: ASGIApp, allowed: Iterable[str] = (), in_space: bool = False) -> None:
        self._app = app
        self._named = frozenset(_name(name) or name.casefold() for name in allowed)
        self._own = frozenset({*LOOPBACK, socket.gethostname().casefold(), f"{socket.gethostname().casefold()}.local"})
        self._in_space = in_space
        self._policy = POLICY.format(ancestors=f"'self' {HUB}" if in_space else "'none'")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        if scope["type"] != "http":  # the pages use no other
            return await send({"type": "websocket.close", "code": 1008})
        refusal = self._refusal(scope["method"], headers)
        if refusal is not None:
            status, sentence = refusal
            return await PlainTextResponse(sentence, status)(scope, receive, self._guarded(send))
        most = MAX_JSON_BYTES if _kind(headers) != "multipart/form-data" else MAX_FORM_BYTES
        try:
            await self._app(scope, _bounded(receive, most), self._guarded(send))
        except TooLargeError:
            await PlainTextResponse(_TOO_LARGE.format(most // 2**20), 413)(scope, receive, self._guarded(send))

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """(status, why) of a request that must not pass."""
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
    """The request's body, up to `most` bytes."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
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
