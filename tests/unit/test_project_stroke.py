"""What a stroke costs the store: one transaction, from the page's message to its answer."""

import pytest
from sqlalchemy import event

from tests.label_maps import make_project
from textseg.web.api.project import ProjectApi
from textseg.web.pages.label import Label


@pytest.fixture
def project(places):
    made = make_project(places("p"), ["cat", "sofa"], {"one.png": (40, 30)})
    yield made
    made.close()


@pytest.fixture
def begun(project):
    """The transactions begun from now on, as "reading" or "writing"."""
    found = []
    for kind, engine in project.database.engines.items():
        event.listen(engine, "begin", lambda connection, kind=kind: found.append(kind))
    return found


STROKE = {"type": "brush", "class": 2, "radius": 3, "points": [[9, 9]]}


def test_a_stroke_of_the_page_opens_one_transaction(project, begun):
    page = Label(ProjectApi(project, None), None)
    answer = page.edit({"photo": 1, "base_revision": 0, "operation": STROKE})
    assert begun == ["writing"]
    assert (answer["revision"], answer["state"]) == (1, "in work") and answer["patch"]["png"]
    page.edit({"photo": 1, "base_revision": 1, "operation": {"type": "undo"}})
    assert begun == ["writing"] * 2


def test_a_stroke_of_a_program_opens_one_transaction(project, begun):
    ProjectApi(project, None).edit(project.name, "one.png", 0, STROKE)
    assert begun == ["writing"]


def test_an_answer_tells_the_state_and_the_colours_of_all_classes_ever(project):
    project.delete_class(1)
    result = project.edit(1, 0, STROKE)
    assert result.state == "in work" and result.colours == [row.colour for row in project.classes(deleted=True)]
    assert project.edit(1, 1, STROKE).state == "in work", "a stroke that changes nothing tells it too"
