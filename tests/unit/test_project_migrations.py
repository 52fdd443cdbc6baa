"""Projects of older versions open with everything in place."""

import json

import numpy as np
import pytest
from sqlalchemy import select, text

from tests.label_maps import make_project
from textseg.errors import ProjectError
from textseg.project import Project, Region
from textseg.project.films import Origin
from textseg.project.schema import Tile


@pytest.fixture
def project(places):
    made = make_project(places("p"), ["cat", "sofa"], {"one.png": (40, 30)})
    yield made
    made.close()


FRAMES_OF_0006 = """CREATE TABLE frame (
    photo_id INTEGER NOT NULL, film_id INTEGER NOT NULL, at FLOAT NOT NULL, sure FLOAT,
    CONSTRAINT pk_frame PRIMARY KEY (photo_id),
    CONSTRAINT fk_frame_photo_id_photo FOREIGN KEY(photo_id) REFERENCES photo (id),
    CONSTRAINT fk_frame_film_id_film FOREIGN KEY(film_id) REFERENCES film (id))"""

NEWS = {
    "0007": ["DROP TABLE frame", FRAMES_OF_0006, "INSERT INTO frame SELECT 1, id, 0, 0.5 FROM film"],
    "0006": ["DROP TABLE frame", "DROP TABLE film"],
    "0003": ["ALTER TABLE head DROP COLUMN started_from"],
    "0005": [
        "DROP TABLE presence",
        "DROP TABLE review",
        "DROP TABLE opinion",
        "ALTER TABLE edit DROP COLUMN author",
        "ALTER TABLE photo DROP COLUMN assignee",
        "ALTER TABLE photo DROP COLUMN review",
    ],
    "0004": [
        "DROP TABLE pixel_count",
        "DROP INDEX ix_source_head",
        "ALTER TABLE source DROP COLUMN pixels",
    ],
}
"""How to take back what each version brought."""


def older(project, version):
    """Leave the project as a program of that schema version would have."""
    with project.database.writing() as session:
        for news in sorted(NEWS, reverse=True):
            for statement in NEWS[news] if news > version else []:
                session.execute(text(statement))
        session.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    project.close()


def test_heads_learn_by_number_what_they_began_with(project):
    for file, start in (("0001", "default"), ("0002", "head 1"), ("0003", "head 9")):
        facts = {"start": start, "data": {"photos": 3}}
        training = project.trainings.begin({})
        project.trainings.succeed(training, f"{file}.safetensors", "x", facts, activated=False)
    older(project, "0002")
    heads = Project(project.place).heads.all()
    assert [head["started_from"] for head in heads] == [None, 1, None]
    assert json.dumps(heads[1]["start"]) == '"head 1"'


def test_a_frame_of_one_film_may_be_one_of_another(project):
    origin = Origin("walk", "walk", timed=True)
    content = project.original(project.photo(1)).read_bytes()
    project.films.add(origin, "one.png", ".png", content, (40, 30), 0.0)
    older(project, "0006")
    again = Project(project.place)
    assert [still.photo for still in again.films.stills(again.films.find("walk"))] == [1]
    assert again.films.add(Origin("run", "run", timed=True), "one.png", ".png", content, (40, 30), 1.0) == "shared"
    assert [film.frames for film in again.films.all()] == [1, 1]
    again.close()


def labelled(project):
    project.put_model_labels(1, np.arange(1200).reshape(30, 40) % 3, [Region(1, 0.9), Region(2, 0.4)], head="first")
    project.edit(1, 1, {"type": "accept", "class": 1})
    project.edit(1, 2, {"type": "brush", "class": 2, "radius": 6, "points": [[9, 9], [30, 20]]})
    project.edit(1, 3, {"type": "brush", "class": 0, "radius": 3, "points": [[20, 9]]})
    project.delete_class(1)


def told(project):
    shares = {row.id: pixels for row, pixels in project.shares(1)}
    return project.status(), project.correction_counts(), shares, project.person_pixels(1)


def test_label_maps_of_before_are_counted_once(project):
    labelled(project)
    before = told(project)
    older(project, "0003")
    assert told(Project(project.place)) == before


def test_a_damaged_piece_of_a_label_map_keeps_no_project_from_opening(project):
    labelled(project)
    with project.database.writing() as session:
        for tile in session.scalars(select(Tile)):
            tile.ids = b"torn"
    older(project, "0003")
    again = Project(project.place)
    assert again.status()["unlabelled_pixels"] == 1200
    with pytest.raises(ProjectError, match="one.png is damaged"):
        again.label_map(1)
