"""Data sets laid out as the big tools export them: recognised by themselves, and read to the pixel."""

import base64
import io
import json
import shutil
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.label_maps import make_project, named_map
from tests.tiny import noise_photo
from textseg import formats
from textseg.cli import main
from textseg.errors import DatasetError, FormatError
from textseg.formats.devkit import palette
from textseg.formats.labelstudio import unpacked

SIZE = (40, 20)
BOX = np.zeros(SIZE[::-1], np.uint8)
BOX[5:15, 10:30] = 1
"""200 pixels."""
CORNERS = [[10, 5], [30, 5], [30, 15], [10, 15]]


def photo(path, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise_photo(*SIZE, seed=seed).save(path)


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        Image.fromarray(content.astype(np.uint8)).save(path)
    elif isinstance(content, Image.Image):
        content.save(path)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def yolo_line(number=1):
    return f"{number} " + " ".join(f"{x / 40} {y / 20}" for x, y in CORNERS) + "\n"


def flat(corners=CORNERS):
    return [value for corner in corners for value in corner]


# Each builds a set in a folder: a photo `a` in which 200 pixels are "cat"


def roboflow_yolo(folder):
    for split in ("train", "valid"):
        photo(folder / split / "images" / f"{split}_jpg.rf.1a2b.jpg", ord(split[0]))
        save(folder / split / "labels" / f"{split}_jpg.rf.1a2b.txt", yolo_line())
    save(folder / "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\n"
         "names: ['dog', 'cat']\n\nroboflow:\n  workspace: me\n")  # fmt: skip
    save(folder / "README.roboflow.txt", "exported")
    return "yolo", ["train_jpg.rf.1a2b.jpg", "valid_jpg.rf.1a2b.jpg"]


def roboflow_coco(folder):
    for number, split in enumerate(("train", "valid")):
        photo(folder / split / f"{split}.jpg", number)
        save(folder / split / "_annotations.coco.json", coco(f"{split}.jpg"))
    return "coco", ["train.jpg", "valid.jpg"]


def coco(name, segmentation=None, **image):
    animals = {"id": 0, "name": "animals", "supercategory": "none"}
    annotation = {"id": 1, "image_id": 1, "category_id": 2, "bbox": [10, 5, 20, 10], "area": 200, "iscrowd": 0}
    return {
        "info": {}, "licenses": [], "images": [{"id": 1, "file_name": name, "width": 40, "height": 20, **image}],
        "annotations": [annotation | {"segmentation": segmentation or [flat()]}],
        "categories": [animals, {"id": 2, "name": "cat", "supercategory": "animals"}],
    }  # fmt: skip


def roboflow_masks(folder):
    for split in ("train", "valid"):
        photo(folder / split / f"{split}.jpg", ord(split[0]))
        save(folder / split / f"{split}_mask.png", BOX * 2)
        save(folder / split / "_classes.csv", "Pixel Value, Class\n0, background\n1, dog\n2, cat\n")
    return "png", ["train.jpg", "valid.jpg"]


def ultralytics_lists(folder):
    photo(folder / "images" / "train2017" / "a.jpg")
    save(folder / "labels" / "train2017" / "a.txt", yolo_line())
    save(folder / "train2017.txt", "./images/train2017/a.jpg\n")
    yaml = (
        "path: ../datasets/coco # dataset root\ntrain: train2017.txt\nval: [val2017.txt]\nnames:\n  0: dog\n  1: cat\n"
    )
    save(folder / "coco-seg.yaml", yaml)
    return "yolo", ["a.jpg"]


def label_studio_yolo(folder):
    photo(folder / "images" / "1a2b-a.jpg")
    save(folder / "labels" / "1a2b-a.txt", yolo_line())
    save(folder / "classes.txt", "dog\ncat\n")
    save(folder / "notes.json", {"categories": [{"id": 0, "name": "dog"}], "info": {}})
    return "yolo", ["1a2b-a.jpg"]


def label_studio_coco(folder):
    photo(folder / "images" / "a.jpg")
    save(folder / "result.json", coco("../../label-studio/data/media/upload/1/a.jpg"))
    return "coco", ["a.jpg"]


def brush(mask):
    """As Label Studio writes it: one run for each stretch of equal pixels, here of four values each."""
    flat = np.repeat(mask.ravel() * 255, 4)
    bits = f"{len(flat):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    edges = [0, *(np.flatnonzero(np.diff(flat.astype(int))) + 1), len(flat)]
    for begin, end in zip(edges, edges[1:], strict=False):
        bits += f"1{3:02b}{end - begin - 1:016b}{int(flat[begin]):08b}"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]


def label_studio_tasks(folder):
    photo(folder / "a.jpg")
    half = BOX.copy()
    half[:, 20:] = 0
    percent = [[100 * x / 40, 100 * y / 20] for x, y in [[20, 5], [30, 5], [30, 15], [20, 15]]]
    size = {"original_width": 40, "original_height": 20}
    result = [
        {"type": "brushlabels", **size, "value": {"format": "rle", "rle": brush(half), "brushlabels": ["cat"]}},
        {"type": "polygonlabels", **size, "value": {"points": percent, "polygonlabels": ["cat"]}},
        {"type": "choices", "value": {"choices": ["blurred"]}},
    ]
    task = {"id": 7, "data": {"image": "/data/upload/1/a.jpg", "note": "x"}, "annotations": [{"result": result}]}
    save(folder / "project-1.json", [task])
    return "labelstudio", ["a.jpg"]


def fiftyone_coco(folder):
    photo(folder / "data" / "a.jpg")
    save(folder / "labels.json", coco("a.jpg"))
    return "coco", ["a.jpg"]


def detectron_coco(folder):
    photo(folder / "train2017" / "a.jpg")
    save(folder / "annotations" / "instances_train2017.json", coco("a.jpg", coco_url="http://127.0.0.1:9/a.jpg"))
    return "coco", ["a.jpg"]


def cvat_without_sets(folder):
    photo(folder / "JPEGImages" / "sub" / "a.jpg")
    save(folder / "SegmentationClass" / "sub" / "a.png", BOX * 255)
    save(folder / "labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:255,255,255::\n")
    return "cvat", ["a.jpg"]


def voc_in_colours(folder):
    photo(folder / "VOCdevkit" / "VOC2012" / "JPEGImages" / "a.jpg")
    colours = np.array(palette(), np.uint8)[BOX * 8]  # 8: cat
    colours[0, 0] = (224, 224, 192)
    save(folder / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "a.png", colours)
    save(folder / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "train.txt", "a\nnot_there\n")
    return "voc", ["a.jpg"]


def labelme_to_voc(folder):
    photo(folder / "JPEGImages" / "a.jpg")
    save(folder / "SegmentationClassPNG" / "a.png", BOX * 2)
    save(folder / "class_names.txt", "_background_\ndog\ncat\n")
    return "voc", ["a.jpg"]


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


def cityscapes(folder):
    for city in ("bonn", "jena"):
        stem = f"{city}_000000_000019"
        photo(folder / "leftImg8bit" / "train" / city / f"{stem}_leftImg8bit.png", ord(city[0]))
        save(folder / "gtFine" / "train" / city / f"{stem}_gtFine_labelIds.png", np.where(BOX, 26, 3))
        save(folder / "gtFine" / "train" / city / f"{stem}_gtFine_color.png", BOX)
    return "cityscapes", ["bonn_000000_000019_leftImg8bit.png", "jena_000000_000019_leftImg8bit.png"]


def ade20k(folder):
    photo(folder / "images" / "training" / "ADE_train_00000001.jpg")
    save(folder / "annotations" / "training" / "ADE_train_00000001.png", BOX * 2)
    save(
        folder / "objectInfo150.txt",
        "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t1\t1\t1\twall\n2\t0.1\t1\t1\t0\tcat, kitten\n",
    )
    save(folder / "sceneCategories.txt", "ADE_train_00000001 bathroom\n")
    return "ade20k", ["ADE_train_00000001.jpg"]


def ade20k_whole(folder):
    place = folder / "images" / "ADE" / "training" / "home"
    photo(place / "ADE_train_00000001.jpg")
    seg = np.zeros((*SIZE[::-1], 3), np.uint8)
    seg[BOX > 0] = (10, 44, 7)
    save(place / "ADE_train_00000001_seg.png", seg)
    thing = {"id": 0, "name": "cat, kitten", "name_ndx": 300}
    save(place / "ADE_train_00000001.json", {"annotation": {"filename": "x", "object": [thing]}})
    return "ade20k", ["ADE_train_00000001.jpg"]


def mapillary(folder):
    photo(folder / "training" / "images" / "a.jpg")
    index = Image.fromarray(BOX)
    index.putpalette([0, 0, 0, 255, 0, 0])
    save(folder / "training" / "v2.0" / "labels" / "a.png", index)
    labels = [
        {"name": "void--unlabeled", "readable": "Unlabeled", "color": [0, 0, 0]},
        {"name": "animal--cat", "readable": "cat", "color": [9, 8, 7]},
    ]
    save(folder / "config_v2.0.json", {"labels": labels, "version": "2.0"})
    return "mapillary", ["a.jpg"]


def supervisely(folder):
    photo(folder / "ds0" / "img" / "a.jpg")
    buffer = io.BytesIO()
    Image.fromarray(np.ones((10, 10), bool)).save(buffer, "PNG")
    mask = base64.b64encode(zlib.compress(buffer.getvalue())).decode()
    right = [[20, 5], [30, 5], [30, 15], [20, 15]]
    objects = [
        {"classTitle": "cat", "geometryType": "bitmap", "bitmap": {"data": mask, "origin": [10, 5]}},
        {"classTitle": "cat", "geometryType": "polygon", "points": {"exterior": right, "interior": []}},
        {"classTitle": "dog", "geometryType": "point", "points": {"exterior": [[1, 1]], "interior": []}},
    ]
    save(folder / "ds0" / "ann" / "a.jpg.json", {"size": {"width": 40, "height": 20}, "objects": objects, "tags": []})
    classes = [{"title": name, "shape": "any", "color": "#1a2b3c"} for name in ("dog", "cat")]
    save(folder / "meta.json", {"classes": classes, "tags": []})
    return "supervisely", ["a.jpg"]


def via(folder):
    photo(folder / "a.jpg")
    drawn = {"name": "polygon", "all_points_x": [x for x, _ in CORNERS], "all_points_y": [y for _, y in CORNERS]}
    region = {"shape_attributes": drawn, "region_attributes": {"name": "cat", "type": "x"}}
    save(folder / "via_region_data.json", {"a.jpg123": {"filename": "a.jpg", "size": 123, "regions": [region]}})
    return "via", ["a.jpg"]


SETS = [
    roboflow_yolo, roboflow_coco, roboflow_masks, ultralytics_lists, label_studio_yolo, label_studio_coco,
    label_studio_tasks, fiftyone_coco, detectron_coco, cvat_without_sets, voc_in_colours, labelme_to_voc, cityscapes,
    ade20k, ade20k_whole, mapillary, supervisely, via,
]  # fmt: skip


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
    assert "Recognised as VGG Image Annotator by via_region_data.json." in said and "Took in 1 photos" in said


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
