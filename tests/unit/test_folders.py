"""Photos of folders: subfolders are taken, names tell them apart, and what is not taken is said."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.label_maps import awkward_map, make_project, named_map, put
from tests.tiny import noise_photo
from textseg import formats, images
from textseg.cli import main
from textseg.film.intake import take
from textseg.folders import Found, gather, not_taken
from textseg.formats.filenames import same, unique_stems


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for seed, name in enumerate(("001.jpg", "a/001.jpg", "b/001.jpg", "a/001.png", ".trash/x.jpg", "__MACOSX/._1.jpg")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        noise_photo(30, 20, seed=seed).save(folder / name)
    (folder / "b" / "notes.txt").write_text("not a photo")
    (folder / "b" / "x.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 100)
    return folder


def test_photos_of_subfolders_are_called_by_their_path(photos):
    found = gather([photos, photos / "a" / "001.png"])
    names = ["001.jpg", "a/001.jpg", "a/001.png", "b/001.jpg", "b/x.heic", "001.png"]
    assert [one.name for one in found.photos] == names and dict(found.others) == {".txt": 1}
    assert [one.name for one in gather([photos], flat=True).photos] == ["001.jpg"]


def test_projects_and_the_folder_of_results_are_not_looked_into(photos):
    make_project(photos / "project", ["cat"], {"z.png": (9, 9)}).close()
    (photos / "out").mkdir()
    noise_photo(9, 9, seed=9).save(photos / "out" / "001.png")
    assert not [one for one in gather([photos], without=photos / "out").photos if one.name[:3] in ("out", "pro")]


def test_what_is_not_taken_is_one_sentence(photos):
    assert not_taken(gather([photos]).others, ["b/x.heic"]) == "Not taken: 1 .txt, 1 unreadable .heic."
    assert not_taken(gather([]).others) == ""


def test_project_add_takes_subfolders_and_says_what_it_left(photos, tmp_path, capsys):
    project = make_project(tmp_path / "p", ["cat"], {})
    assert main(["project", "add", str(project.folder), str(photos)]) == 1
    said = capsys.readouterr()
    assert [one.name for one in project.photos()] == ["001.jpg", "a/001.jpg", "a/001.png", "b/001.jpg"]
    assert "4 photos added" in said.out and "Not taken: 1 .txt, 1 unreadable .heic." in said.out
    assert "x.heic" in said.err and project.photo("a/001.jpg").id == 2
    (tmp_path / "empty").mkdir()
    assert main(["project", "add", str(project.folder), str(tmp_path / "empty")]) == 2


def test_project_add_takes_the_pages_of_a_tiff_and_tells_of_animations(tmp_path, capsys):
    project = make_project(tmp_path / "p", ["cat"], {})
    pages = [Image.fromarray(np.full((20, 30), value, np.uint16)) for value in (100, 900, 40_000)]
    pages[0].save(tmp_path / "scan.tiff", save_all=True, append_images=pages[1:])
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    for _ in range(2):  # a second time nothing is new
        assert main(["project", "add", str(project.folder), str(tmp_path / "scan.tiff"), str(tmp_path / "a.gif")]) == 0
    said = capsys.readouterr().out
    assert "scan.tiff: 3 of 3 pages taken, each as a photo." in said and "first of its 2 pictures" in said
    names = ["scan-page-1.tiff", "scan-page-2.tiff", "scan-page-3.tiff", "a.gif"]
    assert [one.name for one in project.photos()] == names
    with Image.open(io.BytesIO(project.original(project.photo("scan-page-3.tiff")).read_bytes())) as third:
        assert third.mode == "I;16" and third.getpixel((0, 0)) == 40_000


@pytest.mark.parametrize("folders", ["flatten", "keep"])
def test_names_of_subfolders_go_out_apart_and_come_back(photos, tmp_path, folders):
    project = make_project(tmp_path / "p", ["cat"], {})
    project.add([photos])
    names = [one.name for one in project.photos()]
    for seed, name in enumerate(names):
        put(project, name, np.maximum(awkward_map(30, 20, 1, seed + 2), 1))
    for name in formats.names():
        report = formats.export(project, name, tmp_path / folders / name, folders=folders, polygons=False)
        assert report.photos == 4
        again = make_project(tmp_path / f"{folders} {name}", ["dog"], {})
        assert formats.import_(tmp_path / folders / name, None, again).added == names
        for one in names:
            assert np.array_equal(named_map(again, one), named_map(project, one)), (name, one)
        again.close()
    written = sorted(path.relative_to(tmp_path / folders / "png/labels").as_posix()
                     for path in (tmp_path / folders / "png/labels").rglob("*.png"))  # fmt: skip
    flat = ["001.png", "a_001.png", "a_001_2.png", "b_001.png"]
    assert written == (flat if folders == "flatten" else ["001.png", "a/001.png", "a/001_2.png", "b/001.png"])


@pytest.mark.parametrize("take_in", [lambda project, folder: project.add([folder]), take], ids=["photos", "film"])
def test_a_file_that_is_replaced_while_it_is_taken_in_has_the_size_of_what_is_kept(tmp_path, monkeypatch, take_in):
    project, really = make_project(tmp_path / "p", ["cat"], {}), images.open
    folder = tmp_path / "walk"
    folder.mkdir()

    def draw(width, height):
        for number in (1, 2):
            noise_photo(width, height, seed=number).save(folder / f"frame-{number}.png")

    def and_then_replace(*how):
        photo = really(*how)
        draw(80, 60)
        return photo

    draw(40, 30)
    with monkeypatch.context() as patched:
        patched.setattr(images, "open", and_then_replace)
        take_in(project, folder)
    assert [(row.width, row.height) for row in project.photos()] == [(40, 30), (80, 60)]
    assert [project.picture(row.id).size for row in project.photos()] == [(40, 30), (80, 60)]


def test_a_photo_of_numbers_that_pillow_lacks_is_read_too(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.eye(30, 40))
    assert Found(tmp_path / "a.tif", "a.tif").read() == ((tmp_path / "a.tif").read_bytes(), (40, 30))


def test_stems_never_collide_whatever_the_folders():
    names = ["a/1.jpg", "a_1.png", "A/1.jpg", "../a/1.jpg", "1.jpg", "a/../1.png"]
    for folders in (False, True):
        assert len({same(stem) for stem in unique_stems(names, folders)}) == len(names)
