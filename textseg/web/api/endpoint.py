"""A function as a named endpoint, for programs: arguments in, values out, a mistake as one sentence."""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from textseg.errors import TextsegError, explain

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Calls of one endpoint that are answered at a time, unless each of them is long."""


def add_endpoint(
    name: str,
    function: Callable[..., Any],
    inputs: Sequence[gr.components.Component],
    outputs: Any,
    at_once: int = AT_ONCE,
    queued: bool = True,
) -> None:
    """Add the endpoint `/<name>` to the Blocks being built; one of the inputs, at least, is a Textbox.

    The arguments have the names of the function's.
    """
    box = next(one for one in inputs if isinstance(one, gr.Textbox))  # nobody sees it; Gradio wants an event
    gr.on(
        triggers=[box.submit],
        fn=as_gradio_error(function),
        inputs=list(inputs),
        outputs=outputs,
        api_name=name,
        concurrency_limit=at_once,
        queue=queued,
        show_progress="hidden",
    )


def as_gradio_error(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its errors as gr.Error: one sentence that a person can act on."""

    @functools.wraps(function)
    def told(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except TextsegError as error:
            sentence = str(error)
        except OSError as error:
            sentence = explain(error)
        except Exception:
            log.exception("%s failed", function.__name__)
            sentence = "The server could not do that; its log says why."
        raise gr.Error(sentence, print_exception=False)

    return told
