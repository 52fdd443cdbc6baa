"""Named endpoints: whatever goes wrong, a program reads one sentence."""

import gradio as gr
import pytest

from textseg.errors import ProjectError
from textseg.web.api.endpoint import add_endpoint, as_gradio_error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ProjectError("The project has no training 7."), "The project has no training 7."),
        (InterruptedError(4, "Interrupted system call", "one.png"), "Interrupted system call (one.png)."),
        (ZeroDivisionError("float division by zero"), "The server could not do that; its log says why."),
    ],
)
def test_an_error_is_one_sentence(error, sentence):
    def failing():
        raise error

    with pytest.raises(gr.Error) as raised:
        as_gradio_error(failing)()
    assert raised.value.message == sentence and not raised.value.print_exception


def test_an_endpoint_takes_its_arguments_by_name():
    def add(left, right="0"):
        """The sum."""
        return f"{int(left) + int(right)}"

    with gr.Blocks() as blocks:
        add_endpoint("add", add, [gr.Textbox(label="one"), gr.Textbox(label="another")], gr.Textbox(label="sum"))
    described = blocks.get_api_info()["named_endpoints"]["/add"]
    assert [one["parameter_name"] for one in described["parameters"]] == ["left", "right"]
    assert described["description"] == "The sum."
