"""`textseg project`: new, add, status, check, history."""

import json

import pytest

from tests.tiny import noise_photo
from textseg.cli import main
from textseg.project import Project


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noise_photo(60, 40).save("one.png")
    assert main(["project", "new", "p", "--words", "cat; kitten, sofa"]) == 0
    return tmp_path


def test_photos_are_added_and_counted(folder, capsys):
    assert main(["project", "add", "p", "one.png"]) == 0
    assert main(["project", "add", "p", "one.png"]) == 0, "a photo that is there already is no failure"
    capsys.readouterr()
    assert main(["project", "status", "p", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["photos"]["total"] == status["photos"]["new"] == 1
    assert [(c["id"], c["name"], c["pixels"]) for c in status["classes"]] == [(1, "cat", 0), (2, "sofa", 0)]
    assert status["classes"][0]["colour"].startswith("#") and status["revisions"] == {"one.png": 0}


def test_a_bad_photo_is_named_and_the_rest_added(folder, capsys):
    (folder / "torn.jpg").write_bytes(b"\xff\xd8")
    assert main(["project", "add", "p", "torn.jpg", "one.png"]) == 1
    assert capsys.readouterr().err.startswith("torn.jpg: ")
    assert main(["project", "add", "p", "torn.jpg"]) == 2


def test_history_tells_every_step(folder, capsys):
    main(["project", "add", "p", "one.png"])
    project = Project("p")
    project.edit("one.png", 0, {"type": "brush", "class": 1, "radius": 3, "points": [[9, 9]]})
    project.edit("one.png", 1, {"type": "undo"})
    capsys.readouterr()
    assert main(["project", "history", "p", "one.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "brush class 1" in lines[0] and "undo" in lines[1]


def test_a_photo_whose_file_is_damaged_is_named_and_skipped_on_demand(folder, capsys):
    noise_photo(60, 40, 2).save("two.png")
    main(["project", "add", "p", "one.png", "two.png"])
    capsys.readouterr()
    assert main(["project", "check", "p"]) == 0
    assert "2 of 2 photos can be read." in capsys.readouterr().out
    project = Project("p")
    project.original(project.photo("two.png")).write_bytes(b"torn")
    project.original(project.photo("one.png")).unlink()
    assert main(["project", "check", "p"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("one.png: does not exist in the project any more: copy its file to photos/")
    assert told[1] == "two.png: was damaged or changed since it was added; its labels are kept."
    assert project.photos_by_state()["skipped"] == 0
    project.set_state("one.png", "done")
    assert main(["project", "check", "p", "--skip"]) == 1
    assert "1 photo skipped now; what is done stays done." in capsys.readouterr().out
    assert project.photo("two.png").state == "skipped" and project.photo("one.png").state == "done"


@pytest.mark.parametrize(
    "arguments",
    [["new", "p", "--words", "x"], ["status", "nowhere"], ["history", "p", "gone.png"], ["new", "q", "--words", ""]],
)
def test_what_cannot_be_done_is_one_sentence_and_status_2(folder, capsys, arguments):
    capsys.readouterr()
    assert main(["project", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error


def test_every_command_that_takes_a_project_takes_its_place(places, tmp_path, monkeypatch, capsys):
    place = places("p")
    monkeypatch.setenv("TEXTSEG_FILES", str(place.folder))
    where = str(place)
    noise_photo(60, 40).save(tmp_path / "one.png")
    noise_photo(60, 40, seed=1).save(tmp_path / "two.png")
    assert main(["project", "new", where, "--words", "cat, sofa"]) == 0
    assert main(["project", "new", where, "--words", "cat"]) == 2, "there is one"
    assert main(["project", "add", where, str(tmp_path / "one.png")]) == 0
    project = Project(place)
    project.edit(1, 0, {"type": "brush", "class": 2, "radius": 5, "points": [[9, 9]]})
    assert main(["project", "history", where, "one.png"]) == 0
    assert main(["label", str(tmp_path), "--project", where, "--dry-run"]) == 0
    assert main(["export", where, "--format", "png", "--out", str(tmp_path / "out")]) == 0
    assert main(["import", str(tmp_path / "out"), "--into", where, "--dry-run"]) == 0
    capsys.readouterr()
    assert main(["project", "status", where, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["project"], status["photos"]["total"], status["revisions"]) == ("p", 1, {"one.png": 1})
    project.close()
