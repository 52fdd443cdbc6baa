"""The list of a project's photos, as the pages show it."""

import pytest

from tests.label_maps import make_project


@pytest.fixture
def project(places):
    sizes = {"a_1.png": (40, 30), "A-2.png": (20, 10), "b%1.png": (10, 10)}
    made = make_project(places("p"), ["cat"], sizes)
    yield made
    made.close()


def test_the_queue_tells_of_every_photo_what_a_list_shows(project):
    project.edit("A-2.png", 0, {"type": "brush", "class": 1, "radius": 2, "points": [[3, 3]]})
    assert project.queue() == [
        (1, "a_1.png", "new", 0),
        (2, "A-2.png", "in work", 1),
        (3, "b%1.png", "new", 0),
    ]


@pytest.mark.parametrize(
    ("state", "search", "names"),
    [
        (None, "_1", ["a_1.png"]),
        (None, "A", ["a_1.png", "A-2.png"]),
        (None, "%", ["b%1.png"]),
        ("done", "", ["a_1.png"]),
        ("done", "b%", []),
        (None, "nothing\ud800", []),
    ],
)
def test_a_state_and_a_part_of_the_name_choose_from_it(project, state, search, names):
    project.set_state("a_1.png", "done")
    assert [entry.name for entry in project.queue(state, search)] == names
    assert [row.name for row in project.photos(state, search)] == names
