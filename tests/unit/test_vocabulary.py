import pytest
from hypothesis import given
from hypothesis import strategies as st

from textseg import vocabulary
from textseg.errors import UnknownNameError, VocabularyError
from textseg.vocabulary import Vocabulary


def test_commas_and_lines_separate_words_and_semicolons_aliases():
    words = Vocabulary.parse("cat; kitten, sofa\nwall")
    assert words.names == ["cat", "sofa", "wall"]
    assert words[0].aliases == ("kitten",)


def test_a_leading_minus_or_the_second_argument_makes_background_words():
    words = Vocabulary.parse("cat, -sky", background="floor")
    assert [(w.name, w.background) for w in words] == [("cat", False), ("sky", True), ("floor", True)]


def test_a_word_given_twice_counts_once_in_its_first_place():
    words = Vocabulary.parse("cat, dog, Cat; kitten, dog")
    assert words.names == ["cat", "dog"]
    assert words[0].aliases == ("kitten",)


@pytest.mark.parametrize("text", ["", "  ", ",;, ;\n", "-sky"])
def test_a_question_without_a_word_is_refused(text):
    with pytest.raises(VocabularyError, match="at least one word"):
        Vocabulary.parse(text)


def test_a_word_of_ten_thousand_characters_is_refused_in_a_short_sentence():
    with pytest.raises(VocabularyError) as refusal:
        Vocabulary.parse("cat, " + "x" * 10_000)
    assert "10000 characters" in str(refusal.value) and len(str(refusal.value)) < 120


def test_five_hundred_words_have_five_hundred_colours():
    words = Vocabulary.parse(",".join(f"word {i}" for i in range(500)))
    assert len(set(words.colours.values())) == 500


def test_words_of_any_script_are_taken_as_they_are():
    assert Vocabulary.parse("猫，🐕, <b>bold</b>").names == ["猫", "🐕", "<b>bold</b>"]


def test_a_word_keeps_its_colour_while_others_come_and_go():
    before = Vocabulary.parse("cat, dog, wall")
    after = Vocabulary.parse("wall, lamp, cat", colours=before.colours)
    assert after.colours["cat"] == before.colours["cat"] and after.colours["wall"] == before.colours["wall"]
    assert len(set(after.colours.values())) == 3


@given(st.text())
def test_any_text_gives_a_vocabulary_or_one_sentence(text):
    try:
        words = Vocabulary.parse(text)
    except VocabularyError as refusal:
        assert "\n" not in str(refusal)
    else:
        assert Vocabulary.parse(str(words)).names == words.names


def test_templates_are_named_and_have_one_place_for_the_word():
    for name in vocabulary.template_names():
        assert all(template.format("cat").count("cat") == 1 for template in vocabulary.templates(name))
    assert len(vocabulary.templates("imagenet")) == 80 and len(vocabulary.templates("simple")) == 7
    with pytest.raises(UnknownNameError, match="scene"):
        vocabulary.templates("unknown")


def test_an_accent_is_one_letter_however_it_is_written():
    assert Vocabulary.parse("caf\u00e9, cafe\u0301").names == ["caf\u00e9"]


def test_a_word_has_a_bounded_number_of_aliases():
    with pytest.raises(VocabularyError, match="at most 100"):
        Vocabulary.parse(";".join(f"a{k}" for k in range(50_000)))
