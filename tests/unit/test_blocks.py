"""What an endpoint answers when it is sent something forged, or ends unexpectedly."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from textseg.errors import PhotoError
from textseg.web.blocks import Pages

FILE = {"meta": {"_type": "gradio.FileData"}}


@pytest.fixture
def told():
    """`told(inputs, function)`: the sentence with which an endpoint that takes a file and a text refuses."""

    def told(inputs, function=lambda file, text: None):
        with Pages() as blocks:
            file, text = gr.File(label="photo"), gr.Textbox(label="words")
            gr.on([text.submit], function, [file, text], [text])
        # In a thread: another test's browser may keep a loop running in this one.
        with ThreadPoolExecutor() as thread, pytest.raises(gr.Error) as refusal:
            thread.submit(asyncio.run, blocks.process_api(0, inputs)).result()
        assert not refusal.value.print_exception
        return refusal.value.message

    return told


@pytest.mark.parametrize(
    "file",
    [FILE | {"path": "/tmp"}, FILE | {"path": "\0"}, FILE | {"path": "a" * 5000}, FILE | {"path": "/\ud800"},
     "/etc/passwd", 5, {"path": 5}, FILE | {"path": "http://127.0.0.1/"}, [["a"]]],
)  # fmt: skip
def test_a_forged_file_is_refused_in_a_sentence_that_tells_nothing_of_the_server(told, file):
    assert told([file, "cat"]) == "Send files as gradio_client does, or name those that /gradio_api/upload took in."


def test_too_few_values_are_refused_by_name(told):
    assert told([None]) == "This takes 2 values (photo, words), not 1."


def test_a_mistake_is_told_as_the_library_says_it(told):
    def function(file, text):
        raise PhotoError("Send a photo.")

    assert told([None, "cat"], function) == "Send a photo."


def test_a_full_disk_is_told_without_the_servers_folders(told):
    def function(file, text):
        raise OSError(28, "No space left on device", "/home/someone/secret")

    assert told([None, "cat"], function) == "No space left on device; free some space and try again."


def test_what_nobody_expected_is_a_sentence_and_the_log_holds_nobodys_words(told, caplog):
    def function(file, text):
        raise ValueError(text)

    with caplog.at_level(logging.ERROR):
        assert told([None, "what somebody wrote"], function) == "The server could not do that; its log says why."
    assert "ValueError" in caplog.text and "somebody wrote" not in caplog.text
