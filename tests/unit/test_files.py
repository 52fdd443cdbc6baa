"""Folders that appear whole or not at all, and zips of them."""

import os
import zipfile

import pytest

from textseg import files
from textseg.files import folder_atomically, zip_folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def fill(folder, **names):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in names.items():
        (folder / name).write_text(text)


@pytest.fixture(params=["one step", "two steps"])
def out(request, tmp_path, monkeypatch):
    """A folder that is there already; on a system that swaps folders in one step, and on one that cannot."""
    if request.param == "two steps":
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    fill(tmp_path / "a [b]" / "out", old="1")
    return tmp_path / "a [b]" / "out"


def test_a_new_folder_takes_the_place_of_the_old(out):
    with folder_atomically(out) as folder:
        fill(folder / "sub", new="2")
        assert contents(out) == {"old": "1"}
    assert contents(out) == {"sub/new": "2"} and [path.name for path in out.parent.iterdir()] == ["out"]


def test_after_an_error_the_old_folder_is_as_it_was(out):
    with pytest.raises(OSError), folder_atomically(out) as folder:
        fill(folder, new="2")
        raise OSError
    assert contents(out) == {"old": "1"} and [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_folder_that_was_moved_aside_when_killed_is_back(out):
    out.rename(out.with_name(".out.old"))
    with pytest.raises(OSError), folder_atomically(out):
        raise OSError
    assert contents(out) == {"old": "1"} and not out.with_name(".out.old").exists()


def test_what_killed_calls_left_is_cleared_away_and_others_work_is_not(out):
    fill(out.with_name(".out.999999999.partial"), half="x")
    fill(out.with_name(f".out.{os.getppid()}.partial"), at_work="x")
    with folder_atomically(out) as folder:
        fill(folder, new="2")
    assert sorted(path.name for path in out.parent.iterdir()) == [f".out.{os.getppid()}.partial", "out"]


def test_a_folder_that_was_not_there_appears_with_its_parents(tmp_path):
    with folder_atomically(tmp_path / "x" / "y") as folder:
        fill(folder, new="2")
        assert not (tmp_path / "x" / "y").exists()
    assert contents(tmp_path / "x" / "y") == {"new": "2"}


def test_a_zip_holds_the_folder_and_stores_what_is_packed(tmp_path):
    fill(tmp_path / "f" / "é 猫", **{"a.jpg": "x" * 999, "b.txt": "x" * 999})
    zip_folder(tmp_path / "f", tmp_path / "f.zip")
    with zipfile.ZipFile(tmp_path / "f.zip") as archive:
        sizes = {member.filename: member.compress_size for member in archive.infolist()}
    assert sizes["é 猫/a.jpg"] == 999 and sizes["é 猫/b.txt"] < 99
