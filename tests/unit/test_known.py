"""Words that the text side of a model does not know."""

from types import SimpleNamespace

import pytest

from tests.tiny import tiny_model
from textseg.commands.arguments import note_words
from textseg.model import Model
from textseg.model.known import sentence, unknown
from textseg.model.others import shipped_nouns
from textseg.vocabulary import MAX_WORDS, Vocabulary


def strange(model: Model, words: str) -> list[str]:
    return unknown(model, Vocabulary.parse(words))


def test_no_shipped_noun_is_unknown(lite: Model) -> None:
    nouns = shipped_nouns()
    for start in range(0, len(nouns), MAX_WORDS):
        assert unknown(lite, Vocabulary.from_names(nouns[start : start + MAX_WORDS])) == []


@pytest.mark.parametrize(
    "known", ["coffee cup, traffic light, ipod", "dogs, Mice, teddy bears", "man's hat, t-shirt, wall-concrete, bus 2"]
)
def test_compounds_plurals_and_brands_are_known(lite: Model, known: str) -> None:
    assert strange(lite, known) == []


def test_nonsense_other_languages_and_other_scripts_are_not_known(lite: Model) -> None:
    words = "blorft, Katze, perro, собака, 猫, 🐱"
    assert strange(lite, f"dog, {words}, wall") == words.split(", ")


def test_a_slip_of_the_keyboard_that_the_model_understands_is_known(lite: Model) -> None:
    assert strange(lite, "labtop, buterfly, snowbord") == []


def test_an_alias_is_looked_at_too_and_nothing_is_named_twice(lite: Model) -> None:
    assert strange(lite, "cat; gato, dog; blorft, cow; gato") == ["gato", "blorft"]


def test_of_a_backbone_that_does_not_say_what_it_was_taught_nothing_is_said() -> None:
    assert strange(tiny_model(), "blorft, perro") == []


def test_of_the_words_of_a_proposer_that_knows_words_nothing_is_said(lite: Model, capsys) -> None:
    words = Vocabulary.parse("blorft")
    note_words(lite, words, "default", SimpleNamespace(knows_words=True))
    assert capsys.readouterr().err == ""
    note_words(lite, words, "default", SimpleNamespace())
    assert "does not know 'blorft'" in capsys.readouterr().err


def test_many_unknown_words_are_counted_not_listed() -> None:
    assert sentence(["a"]) == "The model does not know 'a'; it was taught English."
    assert "know 'a' and 'b';" in sentence("ab")
    assert "know 'a', 'b', 'c', 'd' and 6 other words;" in sentence("abcdefghij")
