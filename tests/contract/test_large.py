"""Commands on a huge photo, made small by the bound: labelled by tiles into files and projects, exported by windows."""

import errno
import json

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

import textseg.model
from tests.tiny import noise_photo, tiny_model
from textseg import images
from textseg.bulk.whole_project import pseudo_label_all
from textseg.cli import main
from textseg.project import Project
from textseg.pyramids import plan
from textseg.pyramids.writing import write_tiff

SIZE = (330, 250)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the huge photo field.tif and the ordinary one.jpg, and a model that answers quickly."""
    monkeypatch.setattr(images, "MAX_PIXELS", 60_000)
    monkeypatch.setattr(plan, "TILE", 64)
    monkeypatch.setattr(plan, "STEP", 48)
    monkeypatch.setattr(textseg.model, "load_model", lambda *_, **__: tiny_model())
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    noise_photo(60, 40).save(photos / "one.jpg")
    with rasterio.open(
        photos / "field.tif", "w", driver="GTiff", width=SIZE[0], height=SIZE[1], count=3, dtype="uint8", tiled=True,
        blockxsize=64, blockysize=64, photometric="rgb", crs="EPSG:32632", transform=from_origin(5e5, 5e6, 2, 2),
    ) as file:  # fmt: skip
        file.write(np.moveaxis(np.asarray(noise_photo(*SIZE)), 2, 0))
    return tmp_path


def read(path):
    with rasterio.open(path) as file:
        return file.read(1)


def test_segment_writes_png_geotiff_and_facts_of_the_photos_size(folder):
    assert main(["segment", "photos/field.tif", "--words", "cat, sofa", "--out", "out", "--downscale", "2"]) == 0
    ids = read("out/field.png")
    assert ids.shape == SIZE[::-1] and ids.max() <= 2
    with rasterio.open("out/field.labels.tif") as file:
        assert (file.read(1) == ids).all()
        assert file.crs.to_epsg() == 32632 and file.transform.a == 2 and file.block_shapes == [(512, 512)]
    facts = json.loads((folder / "out/field.json").read_text())
    assert facts["size"] == list(SIZE) and facts["scale"] == 2 and facts["backbone"] == "tiny"
    assert [c["area"] for c in facts["classes"]] == pytest.approx([(ids == k).mean() for k in (1, 2)], abs=0.01)
    assert (ids[::2, ::2].repeat(2, 0).repeat(2, 1) == ids).all(), "as coarse as it was looked at"


def test_what_a_huge_photo_has_not_is_refused_in_one_sentence(folder, capsys):
    assert main(["segment", "photos/field.tif", "--words", "cat", "--out", "out", "--overlay"]) == 2
    assert "too large for --overlay" in capsys.readouterr().err
    assert main(["label", "photos", "--words", "cat", "--out", "out", "--proposals", "halves"]) == 2
    assert "labelled by tiles, which take no masks" in capsys.readouterr().err


def test_label_takes_ordinary_and_huge_photos_of_a_folder_and_resumes(folder, capsys):
    command = ["label", "photos", "--words", "cat, sofa", "--out", "out", "--confidence", "0", "--margin", "0"]
    assert main(command) == 0
    assert "2 photos labelled" in capsys.readouterr().out
    assert read("out/field.png").shape == SIZE[::-1]
    assert main([*command, "--resume"]) == 0
    assert "0 photos labelled, 2 left as they were" in capsys.readouterr().out


def test_resuming_with_another_downscale_is_refused_and_keeps_what_is_there(folder, capsys):
    command = ["label", "photos", "--words", "cat, sofa", "--out", "out"]
    assert main([*command, "--downscale", "2"]) == 0
    before = read("out/field.png")
    assert main([*command, "--resume", "--downscale", "2"]) == 0
    assert "0 photos labelled, 2 left as they were" in capsys.readouterr().out
    for other in (["--downscale", "4"], []):
        assert main([*command, "--resume", *other]) == 2
        assert "use --downscale 2, leave out --resume, or use another --out" in capsys.readouterr().err
    assert (read("out/field.png") == before).all()


def test_a_project_takes_a_huge_photo_labels_it_is_corrected_and_exports_it(folder, capsys):
    main(["project", "new", "p", "--words", "cat, sofa"])
    assert main(["project", "add", "p", "photos"]) == 0
    options = ["--others", "none", "--confidence", "0", "--margin", "0", "--downscale", "2"]
    assert main(["label", "photos", "--project", "p", *options]) == 0
    project = Project("p")
    key = project.photo("field.tif").id
    assert project.is_large(key) and project.photo(key).state == "pseudo-labelled"
    stroke = {"type": "brush", "class": 1, "radius": 12, "points": [[20, 20], [300, 230]]}
    project.edit(key, project.photo(key).revision, stroke)
    ids, _ = project.label_map(key)
    assert set(np.unique(ids)) == {1, 2}
    for form, ending in (("geotiff", "tif"), ("png", "png")):
        assert main(["export", "p", "--format", form, "--out", form]) == 0
        assert (read(f"{form}/labels/field.{ending}") == ids).all()
        assert (folder / form / "images/field.tif").samefile(folder / "photos/field.tif")
        told = {one["photo"]: one for one in json.loads((folder / form / "labels.json").read_text())["photos"]}
        assert told["field.tif"]["areas"]["1"] == pytest.approx((ids == 1).mean(), abs=1e-4)
    with rasterio.open("geotiff/labels/field.tif") as file:
        assert file.crs.to_epsg() == 32632 and file.overviews(1) == []
    capsys.readouterr()
    assert main(["export", "p", "--format", "coco", "--out", "coco"]) == 1
    told = capsys.readouterr()
    assert "field.tif: it is too large for this format" in told.out + told.err
    project.close()


def test_overviews_that_are_put_into_a_linked_file_are_told_and_taken_with_the_labels(folder, capsys):
    main(["label", "photos", "--project", "p", "--words", "cat, sofa", "--others", "none", "--confidence", "0"])
    with rasterio.open("photos/field.tif", "r+") as file:
        file.build_overviews([2])
    assert main(["project", "check", "p"]) == 1
    assert "field.tif: was changed since it was added" in capsys.readouterr().err
    assert main(["project", "add", "p", "photos/field.tif"]) == 2
    assert main(["export", "p", "--format", "geotiff", "--out", "before"]) == 1, "it is left out"
    assert main(["project", "check", "p", "--take"]) == 0
    assert main(["export", "p", "--format", "geotiff", "--out", "after"]) == 0
    assert read("after/labels/field.tif").any()


def test_an_export_holds_the_pixels_of_the_authors_that_were_asked_for(folder):
    main(["label", "photos", "--project", "p", "--words", "cat, sofa", "--others", "none", "--confidence", "0"])
    project = Project("p")
    key = project.photo("field.tif").id
    stroke = {"type": "brush", "class": 2, "radius": 12, "points": [[20, 20], [300, 230]]}
    project.edit(key, project.photo(key).revision, stroke)
    assert main(["export", "p", "--format", "geotiff", "--out", "out", "--provenance", "person"]) == 0
    drawn = read("out/labels/field.tif")
    assert set(np.unique(drawn)) == {0, 2} and (drawn == 2).sum() == project.person_pixels(key)
    project.close()


def test_the_same_photo_labelled_again_and_undone_is_as_it_was(folder):
    label = ["label", "photos", "--project", "p", "--words", "cat, sofa", "--others", "none", "--margin", "0"]
    main([*label, "--downscale", "4", "--confidence", "0"])
    project = Project("p")
    key = project.photo("field.tif").id
    before = project.label_map(key)[0]
    main([*label, "--downscale", "1", "--confidence", "0.6"])
    assert (project.label_map(key)[0] != before).any()
    project.edit(key, project.photo(key).revision, {"type": "undo"})
    assert (project.label_map(key)[0] == before).all()
    project.close()


def test_a_photo_labelled_anew_is_looked_at_as_coarsely_as_before(folder):
    label = ["label", "photos", "--project", "p", "--words", "cat, sofa", "--others", "none", "--margin", "0"]
    main([*label, "--downscale", "4", "--confidence", "0"])
    project = Project("p")
    key = project.photo("field.tif").id
    assert project.looked_at(key) == 4
    assert not pseudo_label_all(project, tiny_model(), [key]).failed
    assert project.looked_at(key) == 4 and project.photo(key).revision == 2
    project.close()


def test_a_jpeg_2000_is_labelled_as_any_photo_that_is_named(folder):
    noise_photo(60, 40).save(folder / "one.jp2")
    assert main(["label", "one.jp2", "--words", "cat", "--out", "out"]) == 0
    assert read("out/one.png").shape == (40, 60)


def test_a_photo_that_is_called_as_a_label_map_is_not_written_over(folder, capsys):
    mine = folder / "photos/field.labels.tif"
    noise_photo(30, 20).save(mine)
    content = mine.read_bytes()
    assert main(["label", "photos", "--words", "cat", "--out", "photos"]) == 1
    assert "field.labels.tif is a photo and would be overwritten" in capsys.readouterr().err
    assert mine.read_bytes() == content


def test_a_full_disk_at_a_huge_photo_leaves_what_was_labelled_before_it_done(folder, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("textseg.bulk.files.write_tiff", full)
    assert main(["label", "photos", "--words", "cat", "--out", "out"]) == 1
    told = capsys.readouterr()
    assert "1 photo labelled" in told.out and "--resume goes on from there" in told.err


@pytest.mark.parametrize("form", ["geotiff", "png"])
def test_labels_that_change_while_they_are_exported_are_left_out_of_the_export(folder, capsys, monkeypatch, form):
    main(["label", "photos", "--project", "p", "--words", "cat, sofa", "--others", "none", "--confidence", "0"])
    project = Project("p")
    key = project.photo("field.tif").id

    def edited_meanwhile(*given):
        write_tiff(*given)
        stroke = {"type": "brush", "class": 2, "radius": 12, "points": [[20, 20], [300, 230]]}
        project.edit(key, project.photo(key).revision, stroke)

    monkeypatch.setattr(f"textseg.formats.{form}.write_tiff", edited_meanwhile)
    assert main(["export", "p", "--format", form, "--out", "out"]) == 1
    told = capsys.readouterr()
    assert "its labels were changed while they were written" in told.out + told.err
    assert not list((folder / "out").rglob("field.*"))
    project.close()
