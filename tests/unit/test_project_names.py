"""Names of photos and classes, however they are encoded and whatever is in them."""

import shutil

import pytest

from tests.label_maps import make_project
from tests.tiny import noise_photo
from textseg.errors import EditError, ProjectError
from textseg.project.labeller import add_words
from textseg.vocabulary import Vocabulary, Word

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.fixture
def project(places):
    made = make_project(places("p"), [COMPOSED], {f"{DECOMPOSED}.png": (40, 30)})
    yield made
    made.close()


def test_an_accent_in_two_forms_is_one_class(project):
    assert Vocabulary.parse(f"{COMPOSED}, {DECOMPOSED}").names == [COMPOSED]
    assert add_words(project, Vocabulary.parse(DECOMPOSED)) == []
    project.change_class(1, name=DECOMPOSED, aliases=[DECOMPOSED])
    assert (project.classes()[0].name, project.classes()[0].aliases) == (COMPOSED, [COMPOSED])


@pytest.mark.parametrize("name", [COMPOSED, DECOMPOSED])
def test_a_photo_is_found_by_its_name_in_either_form(project, name):
    assert project.photo(f"{name}.png").id == 1
    assert [entry.id for entry in project.queue(search=name)] == [1]


def test_halves_of_characters_and_control_characters_do_not_reach_the_store(project, tmp_path):
    noise_photo(40, 30, seed=7).save(tmp_path / "x.png")
    shutil.move(tmp_path / "x.png", (tmp_path / "li\nne\x1b\udcff.png"))
    assert project.add([tmp_path / "li\nne\x1b\udcff.png"]).added == ["li\ufffdne\ufffd\ufffd.png"]
    assert project.photo("li\nne\x1b\udcff.png").name == "li\ufffdne\ufffd\ufffd.png"
    project.set_note(1, "half \ud800\nline")
    assert project.photo(1).note == "half ?\nline"
    project.add_class(Word("a\ud800b", ("c\x1b",)))
    assert (project.classes()[1].name, project.classes()[1].aliases) == ("a\ufffdb", ["c\ufffd"])


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30])
def test_a_number_that_no_table_can_hold_is_one_sentence(project, number):
    for ask in (project.photo, project.heads.path, project.heads.activate, project.trainings.cancel):
        with pytest.raises(ProjectError, match=str(number)):
            ask(number)
    for ask in (project.delete_class, project.restore_class, project.change_class):
        with pytest.raises(EditError, match=str(number)):
            ask(number)
    stroke = {"type": "brush", "radius": 3, "points": [[9, 9]], "class": number}
    with pytest.raises(EditError, match=str(number)):
        project.edit(1, 0, stroke)
