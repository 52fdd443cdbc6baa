"""`textseg film`: add, status."""

import pytest

from tests.films import needs_av, noise, write_numbered, write_video
from textseg.cli import main


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
    assert "2 frames added, 2 were there already" in capsys.readouterr().out
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
    assert "walk: 3 frames added" in out and err.startswith("bad.mp4: ") and err.count("\n") == 1
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
