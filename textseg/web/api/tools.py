"""What an assistant may do over MCP (`--mcp`, and in a Space): segment, words in this photo, project state.

MCP is the Model Context Protocol. Each tool is an endpoint that is called at once, in the name of whoever sends the
request, and answers JSON as text. A photo comes as a data URL, or is one of the project by its name: no address is
fetched and no file of the server read.
"""

import base64
import binascii
import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import gradio as gr

from textseg.errors import PhotoError, RequestError, UsageError
from textseg.model import Scene
from textseg.web.api.endpoint import add_endpoint
from textseg.web.api.project import ProjectApi
from textseg.web.api.question import Question
from textseg.web.api.segment import facts
from textseg.web.engine import Engine
from textseg.web.nouns import Nouns
from textseg.web.rpc.photos import MAX_FILE_MB, UploadedPhoto

TOOLS = ("segment", "words_in_photo", "project_state")
PREFIX = "tool_"
"""Of the endpoints' names, so that they are told from those of the HTTP API."""

MOST_WORDS = 100


def check_installed() -> None:
    """Raise UsageError where the protocol's package is missing."""
    if find_spec("mcp") is None:
        raise UsageError("--mcp needs the package mcp; install it with: pip install 'textseg[mcp]'")


def add_tools(engine: Engine, api: ProjectApi, nouns: Nouns) -> None:
    """Add the tools' endpoints to the Blocks being built."""

    def segment(photo: str, words: str) -> str:
        """Find where each word is in a photo.

        Args:
            photo: a data URL (data:image/jpeg;base64,...), or the name of a photo of the open project
            words: classes separated by commas, other names of one after semicolons: cat; kitten, sofa, wall

        Returns:
            JSON: of each class its share of the photo, confidence and presence (0 to 1); label_png is a data URL of
            the label map, pixel k for the k-th word and 0 for none
        """
        question = Question.read(words, {}, frozenset())
        name, scene = _scene(photo, engine, api)
        labels = question.ask(scene, engine)
        png = base64.b64encode(labels.to_png()).decode("ascii")
        return _told(facts(name, scene.model, labels, question.others) | {"label_png": f"data:image/png;base64,{png}"})

    def words_in_photo(photo: str, count: int = 20) -> str:
        """Say which everyday words fit a photo best, out of some two thousand.

        Args:
            photo: a data URL (data:image/jpeg;base64,...), or the name of a photo of the open project
            count: how many words, at most 100

        Returns:
            JSON: a list of words, best first
        """
        if isinstance(count, bool) or not isinstance(count, (int, float)) or not 1 <= count <= MOST_WORDS:
            raise RequestError(f"'count' is a number from 1 to {MOST_WORDS}.")
        if not nouns.ready:
            raise RequestError(f"The words are being read ({nouns.done} of {len(nouns.words)}); try again in a minute.")
        return _told(nouns.suggest(_scene(photo, engine, api)[1], None, int(count)))

    def project_state(project: str = "") -> str:
        """Say how far the open project is.

        Args:
            project: its name; empty for whichever is open

        Returns:
            JSON: photos by state, classes with their pixels, revisions, heads
        """
        with api.called(project or api.project.name) as name:
            return _told(api.status(name))

    with gr.Row(visible=False):
        photo, words, project = gr.Textbox(label="photo"), gr.Textbox(label="words"), gr.Textbox("", label="project")
        count, answer = gr.Number(label="count", value=20, precision=0), gr.Textbox(label="answer")
    inputs: dict[Callable[..., str], list[Any]] = {
        segment: [photo, words], words_in_photo: [photo, count], project_state: [project],
    }  # fmt: skip
    for function, fields in inputs.items():
        add_endpoint(f"{PREFIX}{function.__name__}", function, fields, answer, queued=False)


def offer_only_tools(blocks: gr.Blocks) -> None:
    """Keep every other endpoint from being a tool: an assistant trains and exports nothing."""
    server: Any = blocks.mcp_server_obj
    server.tool_to_endpoint = {name: f"/{PREFIX}{name}" for name in TOOLS}


def _scene(photo: str, engine: Engine, api: ProjectApi) -> tuple[str, Scene]:
    """(what it is called, the scene) of a photo that was sent or is the project's; raises PhotoError, ProjectError."""
    if not photo.startswith("data:"):
        row = api.project.photo(photo)
        return row.name, api.scene(row)
    head, _, coded = photo.partition(",")
    try:
        data = base64.b64decode(coded, validate=True) if head.endswith(";base64") else b""
    except binascii.Error:
        data = b""
    if not data:
        raise PhotoError("Send the photo as data:image/jpeg;base64,... or name one of the project.")
    if len(data) > MAX_FILE_MB * 2**20:
        raise PhotoError(f"The photo is larger than {MAX_FILE_MB} MB.")
    return "photo", engine.scene(UploadedPhoto("photo", data))


def _told(what: Any) -> str:
    return json.dumps(what, ensure_ascii=False)
