import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.nouns import Nouns, default_nouns

NOUNS = Nouns(
    ["dog", "light", "traffic light", "child", "man", "leaf", "knife", "bus", "glasses", "glass", "t-shirt", "berry"]
)


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("Two dogs and a DOG .", ("dog",)),
        ("the traffic lights, then a light", ("traffic light", "light")),
        ("children chasing firemen", ("child",)),
        ("men with knives, leaves and berries", ("man", "knife", "leaf", "berry")),
        ("buses seen through glasses, not one glass", ("bus", "glasses", "glass")),
        ("A T-shirt; t shirts", ("t-shirt",)),
        ("the dog's collar", ("dog",)),
        ("nothing of the list", ()),
        ("", ()),
    ],
)
def test_nouns_are_found_in_the_singular_and_the_longest_wins(caption, found):
    assert NOUNS.find(caption) == found


def test_the_shipped_list_knows_what_photos_show():
    assert default_nouns().find("Two children ride horses past traffic lights under the sky") == (
        "child",
        "horse",
        "traffic light",
        "sky",
    )


@given(st.text())
def test_any_text_gives_nouns_of_the_list_each_once(text):
    found = NOUNS.find(text)
    assert set(found) <= set(NOUNS.names)
    assert len(set(found)) == len(found)
