"""Data sets laid out as the big tools export them: recognised by themselves, and read to the pixel."""

import base64
import io
import json
import shutil
import zipfile
import zlib

import numpy as np
import pytest

from tests.label_maps import make_project, named_map
from tests.layouts import (
    BOX,
    CORNERS,
    SETS,
    SIZE,
    ade20k,
    ade20k_whole,
    brush,
    cityscapes,
    cvat_xml,
    label_studio_coco,
    label_studio_tasks,
    mapillary,
    photo,
    roboflow_yolo,
    save,
    supervisely,
    via,
    voc_in_colours,
)  # fmt: skip
from tests.tiny import noise_photo
from textseg import formats
from textseg.cli import main
from textseg.errors import DatasetError, FormatError
from textseg.formats.labelstudio import unpacked


@pytest.mark.parametrize("version", ["4.5.6", "5.4.1", "6.3.1"])
def test_labelme_of_every_version(project, folder, version):
    photo(folder / "a.jpg")
    shape = {"label": "cat", "points": CORNERS, "group_id": None, "shape_type": "polygon", "flags": {}}
    if version[0] == "4":
        shape |= {"line_color": None, "fill_color": None}
    if version[0] == "6":
        shape |= {"description": "", "mask": None}
    data = {"version": version, "flags": {}, "shapes": [shape], "imagePath": "a.jpg", "imageHeight": 20}
    buffer = io.BytesIO()
    noise_photo(*SIZE, seed=1).save(buffer, "PNG")
    data |= {"imageWidth": 40, "imageData": base64.b64encode(buffer.getvalue()).decode()}
    if version[0] == "4":
        (folder / "a.jpg").unlink()  # the photo is in the JSON
        data |= {"lineColor": [0, 255, 0, 128], "fillColor": [255, 0, 0, 128]}
    save(folder / "a.json", data)
    report = formats.import_(folder, None, project)
    assert report.format == "labelme" and (named_map(project, report.added[0]) == "cat").sum() == 200


@pytest.fixture
def project(tmp_path):
    made = make_project(tmp_path / "project", ["dog"], {})
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


@pytest.mark.parametrize("build", SETS)
def test_a_set_of_a_big_tool_is_recognised_and_read(project, folder, build):
    name, photos = build(folder)
    report = formats.import_(folder, None, project, background="unlabelled")
    assert report.format == name and report.notes[0].startswith(f"Recognised as {formats.get(name).title} by ")
    assert report.added == photos
    for one in photos:
        labels = named_map(project, one)
        assert ((labels == "cat") | (labels == "car")).tolist() == (BOX > 0).tolist()
        assert set(labels[BOX == 0]) == {""}


@pytest.mark.parametrize("build", [roboflow_yolo, label_studio_coco, cityscapes, voc_in_colours, via])
def test_a_zip_of_one_folder_with_what_systems_leave_is_the_folder(project, folder, tmp_path, build):
    name, photos = build(folder / "my set" / "export")
    (folder / "__MACOSX" / "my set").mkdir(parents=True)
    (folder / "__MACOSX" / "my set" / "._a.jpg").write_bytes(b"\0\5\x16\7")
    (folder / ".DS_Store").write_bytes(b"\0")
    place = (folder / "my set" / "export").joinpath(photos[0]).parent
    (place / "._a.json").write_bytes(b"\0\5\x16\7")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    for source in (tmp_path / "set.zip", folder):
        report = formats.import_(source, None, project, dry_run=True)
        assert report.format == name and report.added == photos


def test_a_set_in_a_subfolder_beside_other_files_is_found(project, folder):
    label_studio_coco(folder / "export")
    save(folder / "README.txt", "read me")
    report = formats.import_(folder, None, project)
    assert report.format == "coco" and report.added == ["a.jpg"]


def test_the_command_says_what_it_recognised(project, folder, capsys):
    via(folder)
    assert main(["import", str(folder), "--into", str(project.folder)]) == 0
    said = capsys.readouterr().out
    assert "Recognised as VGG Image Annotator by via_region_data.json." in said and "Took in 1 photo" in said


def test_what_is_of_no_format_or_of_two_is_one_sentence(project, folder):
    save(folder / "notes.txt", "nothing")
    with pytest.raises(DatasetError, match="is of no format that is known; name one with --format"):
        formats.import_(folder, None, project)
    via(folder)
    roboflow_yolo(folder)
    with pytest.raises(DatasetError, match="fits via .* and yolo .*; choose one with --format"):
        formats.import_(folder, None, project)


def test_our_own_exports_are_recognised_as_what_they_are(project, folder, tmp_path):
    via(folder)
    formats.import_(folder, "via", project)
    for name in formats.names():
        formats.export(project, name, tmp_path / name)
        assert formats.recognise(tmp_path / name) == (name, ".textseg/export.json")
        shutil.rmtree(tmp_path / name / ".textseg")
        if name != "voc":  # with `labelmap.txt` it is CVAT's as well
            assert formats.recognise(tmp_path / name)[0] == name


def test_formats_that_are_only_read_cannot_be_written(project, tmp_path):
    with pytest.raises(FormatError, match="can be read and not written; choose one of coco"):
        formats.export(project, "via", tmp_path / "out")


def test_holes_are_left_open(project, folder):
    supervisely(folder)
    content = json.loads((folder / "ds0" / "ann" / "a.jpg.json").read_text())
    hole = [[14, 7], [18, 7], [18, 11], [14, 11]]
    points = {"exterior": CORNERS, "interior": [hole]}
    content["objects"] = [{"classTitle": "cat", "geometryType": "polygon", "points": points}]
    save(folder / "ds0" / "ann" / "a.jpg.json", content)
    formats.import_(folder, "supervisely", project)
    assert (named_map(project, "a.jpg") == "cat").sum() == 200 - 16


def test_the_codes_of_label_studio_are_checked_to_the_last_bit():
    code = np.array(brush(BOX), np.uint8)
    assert np.array_equal(unpacked(code, 3200, "x").reshape(20, 40, 4)[..., 3] > 0, BOX > 0)
    literal = f"{6:032b}{7:05b}" + "0010" * 4 + "0" + "00" + f"{5:03b}" + "".join(f"{v:08b}" for v in range(250, 256))
    packed = int(literal.ljust(-(-len(literal) // 8) * 8, "0"), 2).to_bytes(-(-len(literal) // 8), "big")
    assert unpacked(np.frombuffer(packed, np.uint8), 6, "x").tolist() == list(range(250, 256))
    for bad, says in ((code[:-3], "ends before"), (code[:2], "ends before"), (np.r_[code[:3], 0, code[4:]], "holds")):
        with pytest.raises(DatasetError, match=says):
            unpacked(bad.astype(np.uint8), 3200, "x")
    longer = np.array(brush(BOX), np.uint8)
    longer[7 + 2 :] = 255
    with pytest.raises(DatasetError, match="overruns"):
        unpacked(longer, 3200, "x")


@pytest.mark.parametrize(
    ("build", "file", "old", "new", "says"),
    [
        (label_studio_tasks, "project-1.json", '"original_width": 40', '"original_width": 41', "original_width is 41"),
        (label_studio_tasks, "project-1.json", '"format": "rle"', '"format": "x"', "format is 'x'"),
        (label_studio_tasks, "project-1.json", '"points": [[', '"points": [[NaN, 1], [', "x is nan"),
        (supervisely, "ds0/ann/a.jpg.json", '"width": 40', '"width": 41', "says 41 x 20 but the photo is 40 x 20"),
        (supervisely, "ds0/ann/a.jpg.json", '"data": "', '"data": "!', "must be a packed PNG"),
        (via, "via_region_data.json", '"filename": "a.jpg"', '"filename": "../../../etc/passwd"', "leads out"),
        (via, "via_region_data.json", '"all_points_x": [10', '"all_points_x": [NaN', "x is nan"),
        (ade20k, "objectInfo150.txt", "2\t0.1", "1\t0.1", "line 3 begins with no number"),
        (mapillary, "config_v2.0.json", '"readable": "cat"', '"readable": 3', "readable is 3"),
        (cvat_xml, "annotations.xml", 'width="40"', 'width="41"', "says 41 x 20 but the photo is 40 x 20"),
        (cvat_xml, "annotations.xml", 'rle="0, 50', 'rle="0, 51', "stands for 201 pixels and its box has 200"),
        (cvat_xml, "annotations.xml", "10.00,5.00", "nan,5.00", "points is nan"),
        (cvat_xml, "annotations.xml", "<annotations>", "<!DOCTYPE x []><annotations>", "has a document type"),
        (cvat_xml, "annotations.xml", "</image>", "", "is not XML"),
        (ade20k_whole, "images/ADE/training/home/ADE_train_00000001.json", "300", "301", "holds 300"),
    ],
)
def test_what_contradicts_itself_is_refused_by_field_and_value(project, folder, build, file, old, new, says):
    name, _ = build(folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(DatasetError, match=says) as refused:
        formats.import_(folder, name, project)
    assert "\n" not in str(refused.value) and not project.photos()


def test_a_packed_mask_that_stands_for_gigabytes_is_refused(project, folder, monkeypatch):
    supervisely(folder)
    monkeypatch.setattr("textseg.formats.supervisely.MAX_MASK_BYTES", 1000)
    content = json.loads((folder / "ds0" / "ann" / "a.jpg.json").read_text())
    bomb = base64.b64encode(zlib.compress(bytes(10**6))).decode()
    content["objects"][0]["bitmap"]["data"] = bomb
    save(folder / "ds0" / "ann" / "a.jpg.json", content)
    with pytest.raises(DatasetError, match="unpacks to more than 1,000 bytes"):
        formats.import_(folder, "supervisely", project)
