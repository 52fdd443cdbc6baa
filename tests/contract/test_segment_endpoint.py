"""`/segment`, called as a program would, through gradio_client."""

import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from textseg.labelmap import read_index_png
from textseg.model import Model
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    from textseg import web
    from textseg.web.nouns import Nouns

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Nouns, "embed", lambda self, model: None)
        blocks = web.serve(port=port, head="none", block=False)
        yield Client(f"http://127.0.0.1:{port}", analytics_enabled=False, verbose=False)
        blocks.close()


def ask(client: Client, photo: Path, words: str, options: dict | None = None) -> tuple[str, dict]:
    return client.predict(handle_file(str(photo)), words, options, api_name="/segment")


def test_only_the_endpoints_of_the_contract_are_there(client):
    api = client.view_api(return_format="dict", print_info=False)
    of_projects = {"/edit", "/label_map", "/history", "/status", "/pseudolabel", "/train", "/export"}
    assert set(api["named_endpoints"]) == {"/segment", *of_projects} and not api["unnamed_endpoints"]


def test_it_gives_the_label_png_and_the_facts_of_the_library(client: Client, lite: Model, cat_photo: Path):
    png, facts = ask(client, cat_photo, "cat; kitten, sofa, wall")
    expected = segment(lite.encode(Image.open(cat_photo)), Vocabulary.parse("cat; kitten, sofa, wall"))
    assert Path(png).read_bytes() == expected.to_png()
    assert facts["size"] == [451, 300] and facts["backbone"] == "lite" and facts["head"] == "none"
    assert facts["classes"] == expected.classes()


def test_options_are_those_of_the_command(client: Client, lite: Model, cat_photo: Path):
    options = {"by": "unit", "refine": "none", "background": "wall", "templates": "photo", "threshold": 0.3}
    png, _ = ask(client, cat_photo, "cat", options)
    expected = segment(
        lite.encode(Image.open(cat_photo)), Vocabulary.parse("cat", "wall"), "unit", "none", 0.3, "photo"
    )
    assert (read_index_png(Path(png).read_bytes()) == expected.ids).all()


@pytest.mark.parametrize(
    "options",
    [{"colour": "red"}, {"by": "magic"}, {"refine": "magic"}, {"templates": "magic"}, {"readout": "magic"},
     {"readout": "proxyclip:clip:hf-hub:someone/something"}, {"readout": "proxyclip"},
     {"threshold": "high"}, {"threshold": 7}, {"by": 3}, [1]],
)  # fmt: skip
def test_an_option_that_cannot_be_used_is_refused_in_one_sentence(client, cat_photo, options):
    with pytest.raises(AppError) as refusal:
        ask(client, cat_photo, "cat", options)
    sentence = str(refusal.value)
    assert sentence.endswith(".") and sentence.count(". ") == 0 and "Traceback" not in sentence


@pytest.mark.parametrize("path", ["/etc/passwd", "/nothing/there", "file:///etc/passwd", os.path.abspath(__file__)])
def test_a_file_of_the_server_is_neither_read_nor_told_to_exist(client, path):
    def ask(address, body=None):
        request = urllib.request.Request(client.src + address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    forged = {"path": path, "meta": {"_type": "gradio.FileData"}}
    event = json.loads(ask("gradio_api/call/segment", json.dumps({"data": [forged, "cat", {}]}).encode()))["event_id"]
    answer = ask(f"gradio_api/call/segment/{event}")
    assert "event: error" in answer and "Send files as gradio_client does" in answer and path not in answer


@pytest.mark.parametrize(("name", "content"), [("text.png", b"hello"), ("empty.png", b""), ("torn.jpg", None)])
def test_a_bad_photo_is_refused_and_the_server_goes_on(client, cat_photo, tmp_path, name, content):
    photo = tmp_path / name
    photo.write_bytes(cat_photo.read_bytes()[:3000] if content is None else content)
    with pytest.raises(AppError, match=r"\.$"):
        ask(client, photo, "cat")
    assert ask(client, cat_photo, "cat", {"others": "none"})[1]["classes"][0]["area"] == 1.0


def test_no_words_are_refused(client, cat_photo):
    with pytest.raises(AppError, match="at least one word"):
        ask(client, cat_photo, " , ")
