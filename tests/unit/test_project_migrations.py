"""Projects of older versions open with everything in place."""

import json
import sqlite3

import pytest

from tests.label_maps import make_project
from textseg.project import Project


@pytest.fixture
def project(tmp_path):
    made = make_project(tmp_path / "p", ["cat", "sofa"], {"one.png": (40, 30)})
    yield made
    made.close()


def older(project, *statements, version):
    """The project as a program of that schema version would have left it."""
    project.close()
    with sqlite3.connect(project.folder / "project.sqlite") as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
    connection.close()


def test_heads_learn_by_number_what_they_began_with(project):
    for file, start in (("0001", "default"), ("0002", "head 1"), ("0003", "head 9")):
        facts = {"start": start, "data": {"photos": 3}}
        training = project.trainings.begin({})
        project.trainings.succeed(training, f"{file}.safetensors", "x", facts, activated=False)
    older(project, "ALTER TABLE head DROP COLUMN started_from", version="0002")
    heads = Project(project.folder).heads.all()
    assert [head["started_from"] for head in heads] == [None, 1, None]
    assert json.dumps(heads[1]["start"]) == '"head 1"'
