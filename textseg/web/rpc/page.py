"""A page as one Gradio component: markup, style and script from `assets/web`, and the server functions it may call."""

import functools
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import gradio as gr

from textseg.errors import DatabaseAwayError, RequestError, StaleRevisionError, TextsegError, explain, traced
from textseg.shipped import asset
from textseg.web import access
from textseg.web.access import NotSignedInError
from textseg.web.rpc.messages import Message
from textseg.web.rpc.photos import PhotoGoneError

log = logging.getLogger(__name__)

ServerFunction = Callable[[Any], dict[str, Any]]
Meant = Callable[[str], AbstractContextManager[Any]]
"""`with meant(key)`: what is done inside is done to the project with this key; raises OtherProjectError."""


class OtherProjectError(RequestError):
    """The message is about a project that is not the one open here."""


class ExpiredError(RequestError):
    """The message lacks this start's token: the server was started again since, or no page of its own sent it."""

    def __init__(self) -> None:
        super().__init__("The server was started again; reload the page.")


ASSETS = "web"
"""Where the server shows the files of `assets/web`."""

TOKEN = secrets.token_urlsafe(24)
"""Made anew at each start. A page finds it in its own head, where no other site can read it, and sends it with every
message."""

VISITOR: ContextVar[str] = ContextVar("visitor", default="")
"""What the page whose message is answered says of its visitor, on a server where each has a project of their own."""

MAX_KEY = 200

MARKS: dict[type[TextsegError], str] = {
    PhotoGoneError: "gone", StaleRevisionError: "stale", OtherProjectError: "other_project",
    ExpiredError: "expired", NotSignedInError: "signed_out", DatabaseAwayError: "away",
}  # fmt: skip
"""Errors that a page can do something about, and how an answer marks them; see `assets/web/shared/server.js`."""

# `element`, `server` and `props` are what Gradio hands to a component's script when it is mounted.
MOUNT = """
import(new URL(props.script, document.baseURI)).then((page) => page.mount(element, server, props.given));
"""


def of_any_project(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a server function that needs no project's key: it tells which is open, or opens another."""
    function.of_any_project = True  # type: ignore[attr-defined]
    return function


def page(name: str, functions: Sequence[ServerFunction], given: dict[str, Any], meant: Meant | None = None) -> gr.HTML:
    """The component of the page called `name`: `<name>.html`, and `<name>.js` with its `mount(element, server, given)`.

    `meant` guards a page that works on a project: each message must name it, unless its function is `of_any_project`.
    The markup is a Gradio template: it must hold no backtick, `${` or `{{`.
    """
    return gr.HTML(
        html_template=asset(f"web/{name}/{name}.html").read_text("utf-8"),
        js_on_load=MOUNT,
        apply_default_css=False,
        server_functions=[answered(one, meant, TOKEN, access.role_of(name, one.__name__)) for one in functions],
        elem_id=f"{name}-page",
        elem_classes="page",
        script=url(f"{name}/{name}.js"),
        given=given,
    )


def url(file: str) -> str:
    """Address of a file of `assets/web`, relative to the page."""
    return f"{ASSETS}/{file}"


def answered(
    function: ServerFunction, meant: Meant | None = None, token: str | None = None, role: str = access.HIGHEST
) -> ServerFunction:
    """`function` as Gradio's server function: one message in, one JSON object out, whatever happens.

    On a server with people it takes `role`.

    An exception would reach the page as null, so it becomes `{"ok": false, "error": sentence}`, marked as in MARKS.
    """

    guard = access.guard()

    @functools.wraps(function)
    def call(message: Any) -> dict[str, Any]:
        try:
            if token is not None and not secrets.compare_digest(
                Message(message).text("token", "").encode(), token.encode()
            ):
                raise ExpiredError
            working = guard.working(access.current(), role) if guard else nullcontext()
            with working, _visiting(message), _project_of(message, function, meant):
                return {"ok": True, **function(message)}
        except TextsegError as error:
            marks = {mark: True for kind, mark in MARKS.items() if isinstance(error, kind)}
            return {"ok": False, "error": str(error), **marks}
        except OSError as error:
            return {
                "ok": False,
                "error": explain(OSError(error.errno, error.strerror)),
            }  # not where: it is the server's
        except Exception as error:
            log.error("%s failed: %s", function.__name__, traced(error))
            return {"ok": False, "error": "The server could not do that; its log says why."}

    del call.__wrapped__  # type: ignore[attr-defined]  # Gradio would read the bound method's signature instead
    call.__annotations__ = {}
    return call


@contextmanager
def _visiting(message: Any) -> Iterator[None]:
    fields = Message(message)
    before = VISITOR.set(fields.text("visitor", "", MAX_KEY))
    try:
        yield
    finally:
        VISITOR.reset(before)


def _project_of(message: Any, function: ServerFunction, meant: Meant | None) -> AbstractContextManager[Any]:
    if meant is None or getattr(function, "of_any_project", False):
        return nullcontext()
    fields = Message(message)
    if not fields.has("project"):
        raise OtherProjectError("The page did not say which project it means; reload it.")
    return meant(fields.text("project"))
