"""Files and folders that appear whole or not at all, and zips of them."""

import os
import threading
import zipfile

import pytest

from textseg import files
from textseg.files import folder_atomically, write_atomically, zip_folder


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


def test_what_a_killed_process_left_is_cleared_away_although_this_one_has_its_number(out):
    fill(out.with_name(f".out.{os.getpid()}.partial"), half="x")
    with folder_atomically(out) as folder:
        fill(folder, new="2")
    assert [path.name for path in out.parent.iterdir()] == ["out"]


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


def together(count, work):
    """Call `work(number)` from so many threads that all begin at once; -> what they raised."""
    begin, raised = threading.Barrier(count), []

    def run(number):
        begin.wait()
        try:
            work(number)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_threads_that_write_one_file_at_once_leave_one_whole_file(tmp_path):
    path, meet = tmp_path / "thumb.jpg", threading.Barrier(4)

    def slowly(number):
        def content(file):
            file.write(b"%d" % number * 1000)
            meet.wait()  # all four are in the middle of it
            file.write(b"%d" % number * 1000)

        write_atomically(path, content)

    assert together(4, slowly) == []
    assert path.read_bytes() in [b"%d" % number * 2000 for number in range(4)]
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_fill_one_folder_at_once_leave_one_whole_folder(tmp_path):
    meet = threading.Barrier(4)

    def export(number):
        with folder_atomically(tmp_path / "out") as folder:
            fill(folder, one=str(number))
            meet.wait()
            fill(folder, two=str(number))

    assert together(4, export) == []
    found = contents(tmp_path / "out")
    assert found["one"] == found["two"] and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_written_file_and_its_folder_are_flushed(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync

    def noted(handle):
        flushed.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr("os.fsync", noted)
    write_atomically(tmp_path / "a", b"x")
    assert len(flushed) == 2 and flushed[1] == str(tmp_path)


def test_a_name_as_long_as_the_system_allows_is_written(tmp_path):
    write_atomically(tmp_path / ("é" * 127), b"x")
    assert (tmp_path / ("é" * 127)).read_bytes() == b"x"
