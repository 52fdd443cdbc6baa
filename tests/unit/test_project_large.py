"""Huge photos in a project, made small: the bounds that make them huge are lowered."""

import hashlib
import os

import numpy as np
import pytest
import tifffile

from tests.tiny import noise_photo
from textseg import images, rle
from textseg.errors import EditError, PhotoError
from textseg.project import Project, Region, linked, log, raster
from textseg.project.windows import Window
from textseg.vocabulary import Vocabulary

WIDTH, HEIGHT = 900, 700


@pytest.fixture
def photo(tmp_path):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, np.stack([x % 256, y % 256, x // 4], 2).astype(np.uint8), tile=(128, 128), photometric="rgb")
    return path


@pytest.fixture
def huge(monkeypatch):
    """Photos of this size are huge, and are worked on block by block."""
    monkeypatch.setattr(images, "MAX_PIXELS", 300_000)
    monkeypatch.setattr(raster, "AT_ONCE", 1)


@pytest.fixture
def project(tmp_path, photo):
    project = Project.create(tmp_path / "project", Vocabulary.parse("cat, dog, sky"))
    yield project
    project.close()


def test_a_huge_photo_is_taken_in_without_a_second_copy_of_its_file(project, photo, huge):
    report = project.add([photo])
    assert report.added == ["large.tif"] and not report.failed
    row = project.photo("large.tif")
    assert (row.width, row.height) == (WIDTH, HEIGHT)
    assert row.sha256 == hashlib.sha256(photo.read_bytes()).hexdigest()
    assert os.path.samefile(project.original(row), photo)
    assert project.add([photo]).duplicates


def test_a_huge_photo_of_another_disk_is_copied(project, photo, huge, monkeypatch):
    def refuse(*_):
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    project.add([photo])
    kept = project.original(project.photo("large.tif"))
    assert kept.read_bytes() == photo.read_bytes() and not os.path.samefile(kept, photo)


def test_it_is_seen_by_windows_and_not_whole(project, photo, huge):
    project.add([photo])
    assert project.is_large("large.tif")
    with project.pyramid("large.tif") as pyramid:
        assert pyramid.read((10, 20, 12, 21)).tolist() == [[[10, 20, 2], [11, 20, 2]]]
    with pytest.raises(PhotoError, match="too large to be decoded whole: 900 x 700 pixels"):
        project.picture("large.tif")


def test_a_torn_one_is_told_by_its_name_when_it_is_added(project, photo, huge):
    photo.write_bytes(photo.read_bytes()[:-1000])
    report = project.add([photo])
    assert not report.added and not project.photos() and not list((project.folder / "photos").iterdir())
    assert "large.tif is cut short" in report.failed[0][1]


def edit_in_place(path, byte):
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(bytes([byte]))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))


def test_a_file_that_was_changed_since_is_told_and_its_labels_stay(project, photo, huge):
    project.add([photo])
    project.edit(1, 0, GESTURES[0])
    last = photo.read_bytes()[-1]
    edit_in_place(photo, last ^ 1)
    with pytest.raises(PhotoError, match="large.tif was changed since it was added.*Its labels are kept"):
        project.pyramid(1)
    assert project.label_windows(1, [Window((0, 0, WIDTH, HEIGHT), 4)])[0][0].any()
    edit_in_place(photo, last)
    project.pyramid(1).close()


def test_a_changed_file_is_taken_as_it_is_now_and_keeps_its_labels(project, photo, huge):
    project.add([photo])
    project.edit(1, 0, GESTURES[0])
    before, old = project.label_windows(1, [Window((0, 0, WIDTH, HEIGHT), 4)])[0][0], project.original(project.photo(1))
    edit_in_place(photo, photo.read_bytes()[-1] ^ 1)
    assert "project check --take" in project.add([photo]).failed[0][1] and len(project.photos()) == 1
    assert project.take_changed(project.unreadable()) == [] and project.unreadable() == []
    row = project.photo(1)
    assert row.sha256 == hashlib.sha256(photo.read_bytes()).hexdigest() and not old.exists()
    assert os.path.samefile(project.original(row), photo) and project.add([photo]).duplicates
    assert (project.label_windows(1, [Window((0, 0, WIDTH, HEIGHT), 4)])[0][0] == before).all()


def test_a_changed_file_is_not_added_under_another_name_either(project, photo, huge, tmp_path):
    project.add([photo])
    edit_in_place(photo, photo.read_bytes()[-1] ^ 1)
    (tmp_path / "all" / "scans").mkdir(parents=True)
    photo.rename(tmp_path / "all" / "scans" / "other.tif")
    report = project.add([tmp_path / "all"])
    assert report.failed[0][1].startswith("large.tif was changed since it was added") and not report.added
    assert project.take_changed(project.unreadable()) == [] and len(project.photos()) == 1


def test_a_file_that_is_changed_right_after_it_was_linked_counts_as_changed(project, photo, huge, monkeypatch):
    looks, really = [], linked.stamp_of

    def and_then_edit(path):
        stamp = really(path)
        looks.append(path)
        if len(looks) == 2:  # before its hash was taken, and once it was linked
            edit_in_place(photo, photo.read_bytes()[-1] ^ 1)
        return stamp

    monkeypatch.setattr(linked, "stamp_of", and_then_edit)
    assert project.add([photo]).added == ["large.tif"]
    with pytest.raises(PhotoError, match="was changed since it was added"):
        project.pyramid(1)


def test_a_changed_file_of_another_size_or_a_torn_one_is_not_taken(project, photo, huge):
    project.add([photo])
    tifffile.imwrite(photo.with_name("b.tif"), np.zeros((800, 700, 3), np.uint8), tile=(128, 128), photometric="rgb")
    content, other = photo.read_bytes(), photo.with_name("b.tif").read_bytes()
    for changed, reason in ((other, "has 700 x 800 pixels now and its labels 900 x 700"), (content[:-99], "cut short")):
        photo.write_bytes(changed)
        ((row, why),) = project.take_changed(project.unreadable())
        assert reason in why and row.sha256 == project.photo(1).sha256
    photo.write_bytes(content)
    assert project.unreadable() == []


def test_a_file_that_was_only_touched_is_hashed_once_more_and_no_further_time(project, photo, huge, monkeypatch):
    project.add([photo])
    os.utime(photo)
    project.pyramid(1).close()
    monkeypatch.setattr(linked, "sha256_of", lambda path: pytest.fail("it is known already"))
    project.pyramid(1).close()


def test_a_changed_file_is_hashed_once_however_often_it_is_asked_for(project, photo, huge, monkeypatch):
    project.add([photo])
    edit_in_place(photo, photo.read_bytes()[-1] ^ 1)
    hashed, really = [], linked.sha256_of
    monkeypatch.setattr(linked, "sha256_of", lambda path: hashed.append(path) or really(path))
    for _ in range(3):
        with pytest.raises(PhotoError, match="was changed since it was added"):
            project.pyramid(1)
    assert len(hashed) == 1


def test_a_file_that_was_wrongly_noted_as_changed_is_taken_as_what_it_is(project, photo, huge):
    project.add([photo])
    linked.remember(project.folder, project.photo(1), linked.stamp_of(photo), right=False)
    assert len(project.unreadable()) == 1
    assert project.take_changed(project.unreadable()) == [] and project.unreadable() == []


def test_a_file_that_is_gone_is_told_with_the_place_it_belongs_to(project, photo, huge):
    project.add([photo])
    kept = project.original(project.photo(1))
    content = kept.read_bytes()
    kept.unlink()
    with pytest.raises(PhotoError, match=f"large.tif does not exist in the project any more: .*photos/{kept.name}"):
        project.pyramid(1)
    kept.write_bytes(content)
    project.pyramid(1).close()


def test_a_slide_of_several_files_is_refused(project, tmp_path):
    (tmp_path / "slide.mrxs").write_bytes(b"x")
    assert "several files" in project.add([tmp_path / "slide.mrxs"]).failed[0][1]


GESTURES = [
    {"type": "brush", "class": 1, "radius": 40, "points": [[100, 100], [800, 600]]},
    {"type": "polygon", "class": 2, "points": [[200, 50], [850, 300], [300, 680]]},
    {"type": "relabel", "from": 1, "to": 3},
    {"type": "fill", "class": 1, "point": [2, 2], "only_unlabelled": True},
    {"type": "fill", "class": 2, "point": [899, 699], "locked": [3]},
    {"type": "undo"},
    {"type": "brush", "class": 0, "radius": 3, "points": [[255, 0], [257, 699]]},
    {"type": "region", "class": 3, "rle": rle.encode(np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 977 < 400)},
    {"type": "undo"},
    {"type": "redo"},
    {"type": "accept", "above": 0.5},
]


def done(project, gestures=GESTURES):
    """The label map after each gesture, and how many pixels each changed."""
    index = np.add.outer(np.arange(HEIGHT) // 300, np.arange(WIDTH) // 300).astype(np.uint16) % 3
    project.put_model_labels(1, index, [Region(1, 0.9), Region(2, 0.4)], "lite/none")
    maps = [project.label_map(1)[0]]
    changed = []
    for gesture in gestures:
        result = project.edit(1, project.photo(1).revision, gesture)
        x0, y0, x1, y1 = result.box
        maps.append(project.label_map(1)[0])
        changed.append((result.changed, result.box))
        assert (result.ids == maps[-1][y0:y1, x0:x1]).all()
    return maps, changed, project.shares(1)


def test_gestures_block_by_block_paint_what_they_paint_at_once(project, photo, tmp_path, monkeypatch):
    project.add([photo])
    maps, changed, shares = done(project)
    monkeypatch.setattr(raster, "AT_ONCE", 1)
    monkeypatch.setattr(raster, "BLOCK", 256)
    other = Project.create(tmp_path / "other", Vocabulary.parse("cat, dog, sky"))
    other.add([photo])
    maps_of_blocks, changed_of_blocks, shares_of_blocks = done(other)
    assert all((one == two).all() for one, two in zip(maps, maps_of_blocks, strict=True))
    assert changed == changed_of_blocks
    assert [(row.kind, pixels) for row, pixels in shares] == [(row.kind, pixels) for row, pixels in shares_of_blocks]
    other.close()


def test_undo_takes_a_step_of_many_blocks_back_to_nothing(project, photo, monkeypatch):
    monkeypatch.setattr(raster, "AT_ONCE", 1)
    monkeypatch.setattr(raster, "BLOCK", 256)
    project.add([photo])
    before = done(project, GESTURES[:1])[0][0]
    project.edit(1, 2, {"type": "undo"})
    assert (project.label_map(1)[0] == before).all()
    project.edit(1, 3, {"type": "undo"})
    assert not project.label_map(1)[0].any()


def test_a_models_labels_may_be_coarser_than_the_photo(project, photo, monkeypatch):
    monkeypatch.setattr(raster, "AT_ONCE", 1)
    project.add([photo])
    index = (np.arange(88 * 113).reshape(88, 113) // 7 % 3).astype(np.uint16)
    whole = Window((0, 0, WIDTH, HEIGHT), 8)
    project.put_model_labels(1, index, [Region(1, 0.9), Region(3, 0.4)], "lite/none", window=whole)
    expected = np.array([0, 1, 3])[index].repeat(8, 0).repeat(8, 1)[:HEIGHT, :WIDTH]
    assert (project.label_map(1)[0] == expected).all()
    with pytest.raises(EditError, match=r"is \(88, 113\) and the photo \(100, 129\)"):
        project.put_model_labels(1, index, [Region(1, 0.9)], "lite/none", window=Window(whole.box, 7))


def test_an_answer_holds_no_more_of_a_huge_photo_than_its_bound(project, photo, monkeypatch):
    monkeypatch.setattr(raster, "AT_ONCE", 1)
    monkeypatch.setattr(raster, "BLOCK", 256)
    monkeypatch.setattr(log, "MAX_ANSWER", 100_000)
    project.add([photo])
    assert project.edit(1, 0, GESTURES[0]).ids.size > 100_000, "of an ordinary one it holds all that changed"
    monkeypatch.setattr(images, "MAX_PIXELS", 300_000)
    assert project.edit(1, 1, {"type": "undo"}).ids.size == 0
    assert project.edit(1, 2, {"type": "brush", "class": 1, "radius": 9, "points": [[9, 9]]}).ids.size


def test_a_fill_beside_its_window_names_the_photos_coordinates(project, photo, huge):
    project.add([photo])
    window = {"box": [300, 200, 500, 360], "step": 1}
    with pytest.raises(EditError, match=r"\(20, 30\) lies outside of what is filled, \(300, 200\) to \(500, 360\)"):
        project.edit(1, 0, {"type": "fill", "class": 1, "point": [20, 30], "window": window})


def test_a_step_that_is_too_large_to_be_undone_says_so_and_is_kept(project, photo, monkeypatch):
    monkeypatch.setattr(log, "MAX_STEP_BYTES", 10)
    project.add([photo])
    result = project.edit(1, 0, GESTURES[0])
    assert "too large to be undone" in result.warning and result.changed
    assert project.edit(1, 1, {"type": "undo"}).changed == 0


def test_a_name_that_says_another_kind_than_the_content_does_not_make_a_photo_unreadable(project, tmp_path):
    noise_photo(30, 20, seed=1).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jp2")
    assert "whatever its name says; rename it" in project.add([tmp_path / "a.jp2"]).failed[0][1]
    noise_photo(64, 48, seed=2).save(tmp_path / "b.jp2")
    (tmp_path / "b.jp2").rename(tmp_path / "b.png")
    assert project.add([tmp_path / "b.png"]).added == ["b.png"]
    with project.pyramid("b.png") as pyramid:
        assert project.is_large("b.png") and pyramid.size == (64, 48)
