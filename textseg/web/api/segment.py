"""`/segment`: the same answer for programs, as a named Gradio endpoint."""

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from textseg.errors import PhotoError
from textseg.labelmap import LabelMap
from textseg.web.api.endpoint import add_endpoint
from textseg.web.api.question import OptionError, Question
from textseg.web.engine import Engine
from textseg.web.rpc.photos import UploadedPhoto

OPTIONS = frozenset({"background", "templates", "by", "refine", "readout", "others", "threshold", "granularity"})


def add_segment(engine: Engine) -> None:
    """Add the endpoint `/segment(photo, words, options) -> (label PNG, facts)` to the Blocks being built."""

    def segment(photo: str | None, words: str | None, options: Any) -> tuple[str, dict[str, Any]]:
        """Label one photo.

        `options` may hold background, templates, by, refine, readout, others, threshold, granularity. A mistake is
        answered in one sentence.
        """
        if not photo:
            raise PhotoError("Send a photo.")
        path = Path(photo)
        if path.stat().st_size == 0:
            raise PhotoError(f"{path.name} is empty (0 bytes).")
        question = Question.read(words or "", _options(options), OPTIONS)
        scene = engine.scene(UploadedPhoto(path.name, path.read_bytes()), question.readout)
        labels = question.ask(scene, engine)
        # Into Gradio's cache, so that it leaves with everything else that is older than a day.
        png = save_bytes_to_cache(labels.to_png(), f"{path.stem}.png", outputs[0].GRADIO_CACHE)
        return png, facts(path.name, scene.model, labels, question.others)

    with gr.Row(visible=False):
        inputs = [gr.File(label="photo"), gr.Textbox(label="words"), gr.JSON(label="options", value={})]
        outputs = [gr.File(label="label PNG"), gr.JSON(label="facts")]
    add_endpoint("segment", segment, inputs, outputs, at_once=2)


def facts(name: str, model: Any, labels: LabelMap, others: str) -> dict[str, Any]:
    """What is said about one labelled photo, as `textseg segment` writes it beside the label PNG."""
    return {
        "photo": name,
        "size": list(labels.size),
        "backbone": model.name,
        "head": model.head_name,
        "others": others,
        "classes": labels.classes(),
    }


def _options(options: Any) -> dict[str, Any]:
    if options in (None, ""):
        return {}
    if isinstance(options, str):
        try:
            options = json.loads(options)
        except (ValueError, RecursionError):
            raise OptionError('The options are not JSON; send an object such as {"by": "unit"}.') from None
    if not isinstance(options, dict):
        raise OptionError('The options must be an object such as {"by": "unit"}.')
    return options
