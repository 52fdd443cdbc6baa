"""Odd folders, damaged files, no permissions, killed processes, wrong clocks: nothing is lost, and it is said."""

import os
import sqlite3
import stat
import threading
from datetime import timedelta

import pytest

from tests.label_maps import make_project
from tests.tiny import noise_photo
from textseg.errors import DatabaseAwayError, ProjectError
from textseg.project import Project
from textseg.project.originals import Arrivals
from textseg.project.schema import StoredPhoto, Training, now
from textseg.vocabulary import Vocabulary

STROKE = {"type": "brush", "class": 1, "radius": 3, "points": [[9, 9]]}


in_a_file = pytest.mark.parametrize("places", ["sqlite"], indirect=True)


@pytest.fixture
def project(places):
    made = make_project(places("p"), ["cat"], {"one.png": (40, 30)})
    yield made
    made.close()


def photos(folder, count):
    folder.mkdir()
    for number in range(count):
        noise_photo(20, 10, seed=number).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("name", ["what?mode=ro", "50%20off", "a#b", "é 猫", "file:x?immutable=1", "\udcff"])
def test_a_project_lies_in_its_folder_whatever_that_is_called(tmp_path, name):
    made = make_project(tmp_path / name, ["cat"], {"one.png": (40, 30)})
    made.edit(1, 0, STROKE)
    made.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["cache", "heads", "photos", "project.sqlite"]
    assert Project(tmp_path / name).label_map(1)[1] == 1


@in_a_file
def test_an_empty_database_is_refused_and_left_as_it_is(project):
    project.close()
    path = project.folder / "project.sqlite"
    path.write_bytes(b"")
    with pytest.raises(ProjectError, match=r"project.sqlite is empty \(0 bytes\)"):
        Project(project.folder)
    assert path.read_bytes() == b""


@in_a_file
def test_the_database_of_another_program_is_refused_and_left_as_it_is(project):
    path = project.folder / "project.sqlite"
    project.close()
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE song (name)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ProjectError, match="not the database of a project"):
        Project(project.folder)
    assert path.read_bytes() == before


def test_a_project_that_could_not_be_made_leaves_nothing_of_a_database(places, tmp_path, monkeypatch):
    place = places("p")

    def full(self, word):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("textseg.project.classes.Classes.add", full)
    with pytest.raises(ProjectError, match="No space left on device"):
        Project.create(place, Vocabulary.parse("cat"))
    monkeypatch.undo()
    assert not [path for path in (tmp_path / "p").iterdir() if path.is_file()]
    assert not place.there
    Project.create(place, Vocabulary.parse("cat")).close()


@pytest.fixture
def read_only(monkeypatch):
    """Call it: from then on no file may be written to."""
    return lambda: monkeypatch.setattr("textseg.project.sqlite.writable", lambda path: False)


@in_a_file
def test_a_read_only_project_is_read_and_says_so_when_it_is_written_to(project, read_only):
    project.edit(1, 0, STROKE)
    project.close()
    read_only()
    again = Project(project.folder)
    assert again.label_map(1)[1] == 1 and again.status()["photos"]["total"] == 1
    with pytest.raises(ProjectError, match="The project is read-only"):
        again.edit(1, 1, {"type": "undo"})
    assert [path.name for path in project.folder.glob("project.sqlite*")] == ["project.sqlite"]


@in_a_file
def test_who_may_only_read_sees_what_somebody_writes_meanwhile(project, read_only):
    project.edit(1, 0, STROKE)
    read_only()
    reader = Project(project.folder)
    assert reader.label_map(1)[1] == 1
    project.edit(1, 1, {"type": "undo"})
    assert reader.label_map(1)[1] == 2


@in_a_file
def test_a_read_only_project_of_an_older_program_says_what_to_do(project, read_only):
    project.close()
    with sqlite3.connect(project.folder / "project.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    read_only()
    with pytest.raises(ProjectError, match="older textseg and is read-only"):
        Project(project.folder)


def test_opening_waits_for_nobody_who_writes(project):
    with project.database.writing():
        Project(project.place).close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_new_project_is_its_makers_alone(places, tmp_path):
    before = os.umask(0o022)
    try:
        made = Project.create(places("p"), Vocabulary.parse("cat"))
        made.add([photos(tmp_path / "photos", 1)])
        made.edit(1, 0, STROKE)
    finally:
        os.umask(before)
    for path in [made.folder, *made.folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    made.close()


@pytest.mark.parametrize("has_row", [False, True])
def test_what_a_killed_process_left_of_a_photo_is_gone_after_the_next(project, tmp_path, has_row):
    before = {path.name for path in (project.folder / "photos").iterdir()}
    row = StoredPhoto(sha256="ab" * 32, name="x.png", suffix=".png", width=4, height=4)
    Arrivals(project.folder).put(row, b"whole")  # and then it was killed, before or after the row was on disk
    (project.folder / "photos" / f".{row.sha256}.png.12345678.1.partial").write_bytes(b"half")
    if has_row:
        with project.database.writing() as session:
            session.add(row)
    added = project.add([photos(tmp_path / "photos", 1)])
    kept = {f"{row.sha256}.png"} if has_row else set()
    new = project.original(project.photo(added.ids[0])).name
    assert {path.name for path in (project.folder / "photos").iterdir()} == before | kept | {new}
    assert not list(project.folder.glob(".*.arriving"))


def test_whoever_stops_is_told_what_was_added_until_then(project, tmp_path):
    told = []
    folder = photos(tmp_path / "photos", 5)
    report = project.add([folder], progress=lambda *how_far: told.append(how_far), cancel=lambda: len(told) == 2)
    assert (report.cancelled, report.added) == (True, ["0.png", "1.png"]) and told == [(0, 5), (1, 5)]
    assert [entry.name for entry in project.queue()] == ["one.png", "0.png", "1.png"]
    rest = project.add([folder])
    assert not rest.cancelled and rest.added == ["2.png", "3.png", "4.png"] and len(rest.duplicates) == 2


def test_a_clock_that_was_put_back_blocks_no_training(project):
    first = project.trainings.begin({})
    with project.database.writing() as session:
        row = session.get_one(Training, first)
        row.beat = row.began = now() + timedelta(days=1)
    second = project.trainings.begin({})
    states = {row["id"]: row["state"] for row in project.trainings.all()}
    assert states == {first: "killed", second: "running"}
    assert all(row["seconds"] >= 0 for row in project.trainings.all())


@in_a_file
def test_many_writers_of_one_process_wait_for_their_turn_and_are_told_when_it_does_not_come(project, monkeypatch):
    monkeypatch.setattr("textseg.project.sqlite.PATIENCE", 0.01)
    told = []

    def write():
        try:
            project.edit(1, 0, STROKE)
        except DatabaseAwayError as error:
            told.append(str(error))

    with project.database.writing():
        other = threading.Thread(target=write)
        other.start()
        other.join()
    assert told == [f"Another program is writing to the project; try again in a moment ({project.folder})."]
    assert project.edit(1, 0, STROKE).revision == 1
