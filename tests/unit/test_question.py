"""What strangers ask is checked before anything is computed."""

import pytest

from textseg.web.api.question import OptionError, Question

ALLOWED = frozenset({"by", "threshold", "colours", "thresholds", "granularity"})


@pytest.mark.parametrize(
    "options",
    [
        {"colour": "red"},
        {"by": 7},
        {"by": "x" * 200_000},
        {"threshold": "0.5"},
        {"threshold": True},
        {"threshold": float("nan")},
        {"granularity": -0.1},
        {"colours": {"cat": "red"}},
        {"colours": ["#ffffff"]},
        {"colours": {"cat": "#fff;background:url(x)"}},
        {"thresholds": {"cat": 2}},
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_in_one_sentence(options):
    with pytest.raises(OptionError) as refusal:
        Question.read("cat", options, ALLOWED)
    assert str(refusal.value).endswith(".") and len(str(refusal.value)) < 300


@pytest.mark.parametrize("words", [None, 3, ["cat"]])
def test_words_that_are_not_text_are_refused(words):
    with pytest.raises(OptionError):
        Question.read(words, {}, ALLOWED)


def test_colours_and_thresholds_reach_the_vocabulary():
    question = Question.read("cat, dog", {"colours": {"dog": "#010203"}, "thresholds": {"cat": 0.5}}, ALLOWED)
    cat, dog = question.vocabulary
    assert dog.colour == "#010203" and cat.threshold == 0.5 and dog.threshold is None


def test_an_option_that_is_null_counts_as_not_given():
    assert Question.read("cat", {"by": None}, ALLOWED).by == "pixel"
