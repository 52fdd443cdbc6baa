"""Gradio's Blocks, whose named endpoints answer a mistake in one sentence whatever a stranger sent."""

import logging
from typing import Any

import gradio as gr

from textseg.errors import TextsegError, explain, traced

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

    async def process_api(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        """As Gradio's; raises gradio.Error alone, which is told and not printed."""
        try:
            return await super().process_api(*arguments, **named)
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
