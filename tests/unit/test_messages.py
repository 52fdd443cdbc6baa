"""Fields of a page's message: what is taken, and the one sentence for everything else."""

import pytest

from textseg.errors import RequestError
from textseg.web.rpc.messages import Message, number, numbers, whole

NAN = float("nan")
READERS = {
    "text": lambda m: m.text("x", most=100),
    "choice": lambda m: m.choice("x", ("on", "off")),
    "flag": lambda m: m.flag("x"),
    "whole": lambda m: m.whole("x", 1, 9),
    "number": lambda m: m.number("x", 0, 1),
    "items": lambda m: m.items("x", 2, whole),
    "points": lambda m: m.items("x", 2, numbers(2, -1e7, 1e7)),
    "mapping": lambda m: m.mapping("x", 2),
}
WRONG = [
    ("text", 3), ("text", ["a"]), ("text", "a" * 101), ("text", "\ud800"),
    ("choice", "maybe"), ("choice", ["on"]), ("choice", 1),
    ("flag", 1), ("flag", "true"),
    ("whole", 0), ("whole", 10), ("whole", 1.5), ("whole", True), ("whole", "3"), ("whole", NAN), ("whole", 10**5000),
    ("number", -0.1), ("number", 1.1), ("number", NAN), ("number", float("inf")), ("number", True), ("number", "0.5"),
    ("number", 10**400),
    ("items", 1), ("items", {"0": 1}), ("items", [1, 2, 3]), ("items", [None]),
    ("points", [[1, 2, 3]]), ("points", [1, 2]), ("points", [[NAN, 0]]), ("points", [[1, "2"]]),
    ("mapping", []), ("mapping", {"a": 1, "b": 2, "c": 3}), ("mapping", {1: 2}),
]  # fmt: skip


@pytest.mark.parametrize(("reader", "value"), WRONG, ids=[f"{reader}-{n}" for n, (reader, _) in enumerate(WRONG)])
def test_a_field_of_the_wrong_kind_is_refused_in_one_short_sentence(reader, value):
    with pytest.raises(RequestError) as refusal:
        READERS[reader](Message({"x": value}))
    sentence = str(refusal.value)
    assert "'x'" in sentence and sentence.endswith(".") and "\n" not in sentence and len(sentence) < 150


@pytest.mark.parametrize("reader", ["text", "choice", "whole", "number"])
def test_a_field_without_a_default_must_be_there(reader):
    for fields in ({}, {"x": None}):
        with pytest.raises(RequestError, match="sent no 'x'"):
            READERS[reader](Message(fields))


@pytest.mark.parametrize("raw", [None, 3, "x", [], b"x"])
def test_what_is_no_message_is_refused(raw):
    with pytest.raises(RequestError, match="not understood"):
        Message(raw)


def test_a_field_of_the_right_kind_is_taken_as_it_is():
    message = Message({"a": "cat", "b": True, "c": 3.0, "d": 0, "e": [[1, 2.5]], "f": {"k": None}})
    assert message.text("a") == message.choice("a", ("cat",)) == "cat"
    assert message.flag("b") and not message.flag("missing")
    assert message.whole("c") == 3 and isinstance(message.whole("c"), int)
    assert message.number("d", 0, 1) == 0.0 and message.number("missing", 0, 1, default=0.5) == 0.5
    assert message.items("e", 1, numbers(2, 0, 9)) == [[1.0, 2.5]] and message.items("missing", 1, whole) == []
    assert message.mapping("f") == {"k": None} and number(1, "n", 0, 1) == 1.0
