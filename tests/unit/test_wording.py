"""How reports are worded."""

import pytest

from textseg.wording import at_least, counted, of_file


@pytest.mark.parametrize(
    ("path", "reason", "told"),
    [("fake.mp4", "fake.mp4 is torn.", "fake.mp4: is torn."),
     ("films/fake.mp4", "fake.mp4 is torn.", "films/fake.mp4: is torn."),
     ("films", "films holds no film.", "films: holds no film."),
     ("a.png", "a.png.jpg is torn.", "a.png: a.png.jpg is torn."),
     ("a\nb.png", "a\nb.png is\ntorn.", r"a\nb.png: is\ntorn.")],
)  # fmt: skip
def test_a_reason_does_not_say_the_name_of_its_file_again(path, reason, told):
    assert of_file(path, reason) == told


def test_a_share_says_no_more_than_it_reaches():
    assert [at_least(share) for share in (0.898, 0.29, 1.0, 0.0)] == ["89%", "29%", "100%", "0%"]


def test_a_number_has_its_noun():
    assert [counted(n, "photo") for n in (0, 1, 2400)] == ["0 photos", "1 photo", "2,400 photos"]
    assert counted(2, "class") == "2 classes"
