"""`textseg film`: add, status, carry."""

import pytest
from PIL import Image

from tests.films import needs_av, noise, sliding, write_numbered, write_video
from tests.label_maps import put
from tests.tiny import tiny_model
from textseg.cli import main
from textseg.project import Project


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["project", "new", "p", "--words", "cat, sofa"]) == 0
    return tmp_path


@needs_av
def test_a_video_comes_in_by_time_and_again_with_the_frames_between(folder, capsys):
    write_video(folder / "walk.mp4", noise(20))
    assert main(["film", "add", "p", "walk.mp4", "--every", "1s"]) == 0
    assert main(["film", "add", "p", "walk.mp4", "--fps", "2"]) == 0
    assert "walk: 2 frames added, 2 were there already." in capsys.readouterr().out
    assert main(["film", "status", "p", "walk"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:4] for line in lines] == [
        ["0.00", "s", "walk-000000.jpg"], ["0.50", "s", "walk-000005.jpg"],
        ["1.00", "s", "walk-000010.jpg"], ["1.50", "s", "walk-000015.jpg"],
    ]  # fmt: skip


def test_numbered_photos_are_a_film_and_what_is_none_is_told(folder, capsys):
    write_numbered(folder / "walk", noise(3))
    (folder / "bad.mp4").write_bytes(b"no film")
    assert main(["film", "add", "p", "walk", "bad.mp4"]) == 1
    out, err = capsys.readouterr()
    assert "walk: 3 frames added." in out and err.startswith("bad.mp4: is torn, or no video") and err.count("\n") == 1
    assert main(["film", "add", "p", "bad.mp4"]) == 2
    assert main(["film", "status", "p"]) == 0 and "3 frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["add", "p", "walk", "--fps", "0"], ["add", "p", "walk", "--every", "x"], ["status", "p", "gone"]]
)
def test_what_cannot_be_done_is_one_sentence_and_status_2(folder, capsys, arguments):
    capsys.readouterr()
    assert main(["film", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error


@pytest.mark.parametrize("named", ["o", "shots/o", "shots/o/", "./shots/o", "1"])
def test_a_film_is_found_by_its_name_its_number_and_the_path_that_it_came_from(folder, capsys, named):
    write_numbered(folder / "shots" / "o", noise(2), "o-{}.png")
    assert main(["film", "add", "p", "shots/o"]) == 0
    capsys.readouterr()
    assert main(["film", "status", "p", named]) == 0
    assert "o-1.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["gone"], "There is no film 'gone' in the project: walk."),
     (["walk"], "No frame of walk was labelled by a person yet"),
     (["walk", "--from", "frame-2.png"], "frame-2.png has no labels yet"),
     (["walk", "--from", "alone.png"], "The photo alone.png is no frame of walk.")],
)  # fmt: skip
def test_what_cannot_be_carried_is_said_before_a_model_is_loaded(folder, capsys, monkeypatch, arguments, why):
    write_numbered(folder / "walk", noise(3))
    Image.fromarray(noise(4)[3]).save("alone.png")
    assert main(["film", "add", "p", "walk"]) == main(["project", "add", "p", "alone.png"]) == 0
    monkeypatch.setattr("textseg.model.load_model", lambda *_, **__: pytest.fail("a model was loaded"))
    capsys.readouterr()
    assert main(["film", "carry", "p", *arguments]) == 2
    assert why in capsys.readouterr().err


def test_labels_are_carried_on_and_back_and_so_many_frames(folder, capsys, monkeypatch):
    pictures, maps = sliding(5)
    write_numbered(folder / "walk", pictures)
    assert main(["film", "add", "p", "walk"]) == 0
    project = Project("p")
    put(project, 3, maps[2])
    monkeypatch.setattr("textseg.model.load_model", lambda *_, **__: tiny_model())
    capsys.readouterr()
    assert main(["film", "carry", "p", "walk", "--until", "0", "--frames", "1"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["frame-4.png"]
    assert main(["film", "carry", "p", "walk", "--until", "0", "--back"]) == 0
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["frame-2.png", "frame-1.png"]
    assert project.status()["photos"]["pseudo-labelled"] == 3
    project.set_state(5, "done")
    project.set_state(4, "done")
    assert main(["film", "carry", "p", "walk"]) == 0
    assert capsys.readouterr().out == "Nothing to carry: every frame after it is done or skipped.\n"
    project.close()
