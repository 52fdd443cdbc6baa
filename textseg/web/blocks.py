"""Gradio's Blocks, whose named endpoints answer a mistake in one sentence whatever a stranger sent."""

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import anyio.to_thread
import gradio as gr

from textseg.errors import TextsegError, explain, traced
from textseg.web.access import ENDPOINTS, HIGHEST, Access

log = logging.getLogger(__name__)


class Pages(gr.Blocks):
    """Every call of an endpoint passes here: a forged file or field, and what an endpoint raises, becomes a sentence.

    Gradio itself would answer null, and print the error with the words and file names that it quotes.
    """

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        wanted = [field.label for field in block_fn.inputs]
        if len(inputs) < len(wanted):
            raise gr.Error(f"This takes {len(wanted)} values ({', '.join(wanted)}), not {len(inputs)}.")

    async def preprocess_data(self, *arguments: Any, **named: Any) -> list[Any]:
        try:
            return await super().preprocess_data(*arguments, **named)
        except gr.Error:
            raise
        except Exception:
            raise gr.Error("Send files as gradio_client does, or name those that /gradio_api/upload took in.") from None

    access: Access | None = None
    """Who may do what, on a server with people."""

    async def process_api(self, block_fn: Any, *arguments: Any, **named: Any) -> dict[str, Any]:
        """As Gradio's; raises gradio.Error alone, which is told and not printed."""
        try:
            with await self._working(block_fn, named.get("request")):
                return await super().process_api(block_fn, *arguments, **named)
        except gr.Error as error:
            sentence = error.message
        except TextsegError as error:
            sentence = str(error)
        except OSError as error:
            sentence = explain(OSError(error.errno, error.strerror))  # not where: the folders are the server's
        except Exception as error:
            log.error("a call ended unexpectedly: %s", traced(error))
            sentence = "The server could not do that; its log says why."
        raise gr.Error(sentence, print_exception=False) from None

    async def _working(self, block_fn: Any, request: Any) -> AbstractContextManager[None]:
        """In the name of whoever called: the queue has lost what the sign-in knew of the request."""
        if self.access is None:
            return nullcontext()
        name = (self.fns[block_fn] if isinstance(block_fn, int) else block_fn).api_name
        user = None
        if getattr(request, "headers", None) is not None:  # Gradio's, or Starlette's of a tool that is called at once
            address = request.client.host if request.client else ""
            user = await anyio.to_thread.run_sync(self.access.who, request.headers, address)
        return self.access.working(user, ENDPOINTS.get(name, HIGHEST))
