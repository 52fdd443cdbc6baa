"""A page as one Gradio component: markup, style and script from `assets/web`, and the server functions it may call."""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from textseg.errors import TextsegError
from textseg.shipped import asset
from textseg.web.rpc.photos import PhotoGoneError

log = logging.getLogger(__name__)

ServerFunction = Callable[[Any], dict[str, Any]]

# `element`, `server` and `props` are what Gradio hands to a component's script when it is mounted.
MOUNT = """
import(new URL(props.script, document.baseURI)).then((page) => page.mount(element, server, props.given));
"""


def page(name: str, functions: Sequence[ServerFunction], given: dict[str, Any]) -> gr.HTML:
    """The component of the page called `name`: `<name>.html`, and `<name>.js` with its `mount(element, server, given)`.

    The markup is a Gradio template: it must hold no backtick, `${` or `{{`.
    """
    return gr.HTML(
        html_template=asset(f"web/{name}/{name}.html").read_text("utf-8"),
        js_on_load=MOUNT,
        apply_default_css=False,
        server_functions=[answered(function) for function in functions],
        elem_id=f"{name}-page",
        elem_classes="page",
        script=url(f"{name}/{name}.js"),
        given=given,
    )


def url(file: str) -> str:
    """Address of a file of `assets/web`, relative to the page; `gr.set_static_paths` opens the folder."""
    return f"gradio_api/file={asset('web').resolve().as_posix()}/{file}"


def answered(function: ServerFunction) -> ServerFunction:
    """`function` as Gradio's server function: one message in, one JSON object out, whatever happens.

    An exception would reach the page as null, so it becomes `{"ok": false, "error": sentence}`; `gone` marks a photo
    that must be sent again.
    """

    @functools.wraps(function)
    def call(message: Any) -> dict[str, Any]:
        try:
            return {"ok": True, **function(message)}
        except PhotoGoneError as error:
            return {"ok": False, "error": str(error), "gone": True}
        except TextsegError as error:
            return {"ok": False, "error": str(error)}
        except Exception:
            log.exception("%s failed", function.__name__)
            return {"ok": False, "error": "The server could not do that; its log says why."}

    del call.__wrapped__  # type: ignore[attr-defined]  # Gradio would read the bound method's signature instead
    call.__annotations__ = {}
    return call
