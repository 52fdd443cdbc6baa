"""Label files as people bring them: what is plain is read, what is bad is left out and told, the rest comes in."""

import base64
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.label_maps import make_project, named_map
from tests.tiny import noise_photo
from textseg import formats
from textseg.errors import DatasetError
from textseg.formats import clipping
from textseg.formats.lookup import Ambiguous, Lookup, written

SIZE = (100, 40)
POLYGON = " 0.1 0.1 0.9 0.1 0.9 0.5 0.1 0.5"
"""80 x 16 pixels."""
CAT = [[10, 10], [30, 10], [30, 30], [10, 30]]


@pytest.fixture
def project(tmp_path):
    made = make_project(tmp_path / "project", ["dog"], {})
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


def photo(path, seed=1, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise_photo(*size, seed=seed).save(path)


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def pixels(project, name, class_name):
    return int((named_map(project, name) == class_name).sum())


def left_out(report):
    return {one["reason"]: one["count"] for one in report.left_out}


# YOLO


def yolo(folder, lines, yaml="train: images/train\nnames: [object, other]\n"):
    photo(folder / "images" / "train" / "a.png")
    save(folder / "labels" / "train" / "a.txt", lines if isinstance(lines, bytes) else lines.encode())
    save(folder / "data.yaml", yaml.encode())


@pytest.mark.parametrize(
    "lines",
    [
        "1" + POLYGON,
        "other" + POLYGON,
        "1.0" + POLYGON + "\n",
        "1" + POLYGON + " 0.87\n",
        "\ufeff1" + POLYGON + "  \t\r\n\r\n",
        "# made by hand\n\n1" + POLYGON.replace(" ", "\t") + "   # the other\n",
        ("1" + POLYGON).replace(" ", ",") + "\n",
        ("1" + POLYGON).encode("utf-16"),
    ],
)
def test_yolo_numbers_as_people_write_them(project, folder, lines):
    yolo(folder, lines)
    report = formats.import_(folder, "yolo", project)
    assert pixels(project, "a.png", "other") == 1280 and report.left_out == []


def test_decimal_commas_are_read_and_told(project, folder):
    yolo(folder, ("1" + POLYGON).replace(".", ","))
    report = formats.import_(folder, "yolo", project)
    assert pixels(project, "a.png", "other") == 1280 and any("comma" in note for note in report.notes)


def test_a_line_of_yolo_that_cannot_be_used_is_left_out_and_the_others_stay(project, folder):
    bad = [first + POLYGON for first in ("7", "-1", "1.5")]
    bad += ["1 0.1 0.1 0.2 0.2 ", "1 0.1 0.1", "1 10 10 90 10 90 20", "1 0.5 0.5 0.2 0.2 0.9"]
    yolo(folder, "\n".join([*bad, "1" + POLYGON]))
    report = formats.import_(folder, "yolo", project)
    assert pixels(project, "a.png", "other") == 1280
    assert sorted(left_out(report).values()) == [1, 1, 3] and any("Boxes" in note for note in report.notes)
    with pytest.raises(DatasetError, match="line 1 begins with '7'"):
        formats.import_(folder, "yolo", project, strict=True)


def test_an_outline_of_yolo_over_the_edge_is_clipped_and_told(project, folder):
    yolo(folder, "1 -0.1 0.1 0.9 0.1 0.9 1.2 -0.1 1.2")
    report = formats.import_(folder, "yolo", project)
    assert pixels(project, "a.png", "other") == 90 * 36
    assert left_out(report) == {"annotations that reach beyond the photo, clipped at its edge": 1}


@pytest.mark.parametrize(
    "line", ["1 nan 0.1 0.9 0.1 0.9 0.5", "99999999999 0.1 0.1 0.9 0.1 0.9 0.5", "1 inf 0 0 0 1 1"]
)
def test_numbers_that_are_none_refuse_the_whole_of_yolo(project, folder, line):
    yolo(folder, line + "\n1" + POLYGON)
    with pytest.raises(DatasetError, match="line 1"):
        formats.import_(folder, "yolo", project)
    assert not project.photos()


@pytest.mark.parametrize(
    "yaml",
    [
        "train: images/train\nval: images/valid\ntest: ../test/images\nnc: 2\nnames: [a b, other]\n",
        "path: /content/drive/coco8\ntrain: images/train\nval: images/valid\nnames: {0: a, 1: other}\n",
        "path: .\ntrain: C:\\data\\coco8\\images\\train\ntest: x.txt\nnames:\n- a\n- other\n",
        "train: [images/train, images/more]\nnames: [a, other]\n",
        "train: ../images/train\nval: valid/images\nnames: [a, other]\n",
        "path: ../datasets/coco8\ntrain: train.txt\nval: val.txt\nnames: [a, other]\n",
    ],
)
def test_splits_that_are_not_there_are_told_and_the_others_come_in(project, folder, yaml):
    yolo(folder, "1" + POLYGON, yaml)
    (folder / "train.txt").write_text("./images/train/a.png\n/content/coco8/images/train/gone.png\n")
    report = formats.import_(folder, "yolo", project)
    assert pixels(project, "a.png", "other") == 1280
    told = [first for one in report.left_out for first in one["first"]]
    assert told and all("/" in name or ".txt" in name for name in told)


# COCO


def square(x, y, right, bottom):
    return [[x, y, right, y, right, bottom, x, bottom]]


def coco(folder, segmentations, file_name="a.png", **changes):
    photo(folder / "images" / "a.png")
    annotations = [
        {"id": n, "image_id": 0, "category_id": 1, "segmentation": one, "bbox": [0, 0, 1, 1], "iscrowd": 0}
        for n, one in enumerate(segmentations, 1)
    ]
    image = {"id": 0, "file_name": file_name, "width": SIZE[0], "height": SIZE[1]} | changes
    content = {"images": [image], "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    save(folder / "annotations" / "instances.json", content)
    return content


def test_degenerate_annotations_of_coco_are_counted_and_the_real_one_comes_in(project, folder):
    bad = [[[26, 31, 50, 31]], [], [[12.0, 12.0]], [[1, 2, 3]], [[200, 5, 220, 5, 220, 9]]]
    coco(folder, [*bad, square(60, 10, 70, 20)])
    report = formats.import_(folder, "coco", project)
    assert pixels(project, "a.png", "thing") == 100
    assert left_out(report)["annotations without an area, left out"] == 3 and len(report.left_out) == 3
    assert "annotations[2]" in report.describe()
    with pytest.raises(DatasetError, match="has 2 points; at least 3"):
        formats.import_(folder, "coco", project, strict=True)


def test_one_bad_outline_of_an_annotation_does_not_take_the_others_along(project, folder):
    coco(folder, [[square(10, 10, 20, 20)[0], [3, 3, 4, 4]], square(30, 10, 40, 20)[0]])
    report = formats.import_(folder, "coco", project)
    assert pixels(project, "a.png", "thing") == 200 and left_out(report) == {"annotations without an area, left out": 1}


def test_an_outline_over_the_edge_keeps_every_pixel_inside(project, folder):
    coco(folder, [[[-100, -40, 100, 40, -100, 40]]])
    report = formats.import_(folder, "coco", project)
    x, y = np.meshgrid(np.arange(100) + 0.5, np.arange(40) + 0.5)
    inside = y > x * 0.4
    assert ((named_map(project, "a.png") == "thing") != inside).sum() <= 40, "no more than the edge's own pixels"
    assert left_out(report) == {"annotations that reach beyond the photo, clipped at its edge": 1}


def test_an_outline_outside_is_clipped_to_nothing():
    assert len(clipping.clipped(np.array([[200.0, 5], [220, 5], [220, 9]]), SIZE)) == 0
    whole = np.array([[0.0, 0], [100, 0], [100, 40]])
    assert np.array_equal(clipping.clipped(whole, SIZE), whole)


def test_an_unknown_category_and_a_missing_photo_are_left_out(project, folder):
    content = coco(folder, [square(60, 10, 70, 20), square(0, 0, 5, 5)])
    content["annotations"][1]["category_id"] = 9
    content["images"].append({"id": 5, "file_name": "gone.png", "width": 9, "height": 9})
    save(folder / "annotations" / "instances.json", content)
    report = formats.import_(folder, "coco", project)
    assert pixels(project, "a.png", "thing") == 100 and [name for name, _ in report.failed] == ["gone.png"]
    assert left_out(report) == {
        "annotations of a class that is not listed, left out": 1,
        "photos that are named and not there, left out": 1,
    }


def test_a_torn_photo_is_left_out_and_a_bomb_refuses_everything(project, folder, monkeypatch):
    content = coco(folder, [square(60, 10, 70, 20)])
    content["images"].append({"id": 5, "file_name": "torn.jpg", "width": 9, "height": 9})
    save(folder / "annotations" / "instances.json", content)
    save(folder / "images" / "torn.jpg", b"\xff\xd8\xff torn")
    assert [name for name, _ in formats.import_(folder, "coco", project, dry_run=True).failed] == ["torn.jpg"]
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    save(folder / "images" / "torn.jpg", buffer.getvalue())
    with pytest.raises(DatasetError, match="torn.jpg is too large"):
        formats.import_(folder, "coco", project)


def test_ids_and_sizes_of_coco_as_programs_write_them(project, folder):
    content = coco(folder, [square(60, 10, 70, 20)], width=None, height=None)
    content["images"][0]["id"], content["annotations"][0]["image_id"] = 900100447248, "900100447248"
    content["annotations"][0]["category_id"] = 1.0
    save(folder / "annotations" / "instances.json", content)
    formats.import_(folder, "coco", project)
    assert pixels(project, "a.png", "thing") == 100


def test_an_outline_that_stands_for_hours_or_gigabytes_is_refused_at_once(project, folder, monkeypatch):
    zigzag = [value for k in range(60_000) for value in (0 if k % 2 else 100, k % 40)]
    coco(folder, [[zigzag]])
    with pytest.raises(DatasetError, match="pixels long: too much"):
        formats.import_(folder, "coco", project)
    monkeypatch.setattr("textseg.formats.values.MAX_POINTS", 1000)
    with pytest.raises(DatasetError, match="has more than 1,000 points"):
        formats.import_(folder, "coco", project)


@pytest.mark.parametrize(
    "text",
    [
        "__ignore__\n_background_\ncat\n",
        "0: none\n1: cat\n",
        "0 none\r\n1 cat  \r\n",
        "\ufeff# ids\n0\tnone\n1.0\tcat\n",
    ],
)
def test_class_lists_with_numbers_as_people_write_them(project, folder, text):
    photo(folder / "images" / "a.png")
    labels = np.zeros(SIZE[::-1], np.uint8)
    labels[:10] = 1
    (folder / "labels").mkdir()
    Image.fromarray(labels).save(folder / "labels" / "a.png")
    save(folder / "classes.txt", text.encode())
    formats.import_(folder, None, project, background="unlabelled")
    assert pixels(project, "a.png", "cat") == 1000


# Paths


@pytest.mark.parametrize(
    "path",
    [
        "images\\a.png", "C:\\data\\images\\a.png", "../images/a.png", "/home/me/images/a.png", "./images/a.png",
        "A.PNG", "images/a.jpg", "file:///data/my%20set/a.png", "/data/local-files/?d=set%5Cimages/a.png",
        "http://127.0.0.1:9/data/upload/1/a.png?token=1", "s3://bucket/images/a.png", "a%2Epng",
        "../../label-studio/data/media/upload/1/a.png",
    ],
)  # fmt: skip
def test_a_photo_is_found_by_its_path_of_another_machine(project, folder, path):
    coco(folder, [square(60, 10, 70, 20)], path)
    report = formats.import_(folder, "coco", project)
    assert pixels(project, "a.png", "thing") == 100 and report.added == ["a.png"]


@pytest.mark.parametrize("path", ["..\\imgs\\a.png", "C:\\Users\\me\\imgs\\a.png", "../imgs/a.png"])
def test_a_photo_beside_its_labelme_file_is_found_by_its_name(project, folder, path):
    photo(folder / "a.png")
    shape = {"label": "cat", "points": CAT, "shape_type": "polygon"}
    save(folder / "a.json", {"shapes": [shape], "imagePath": path, "imageHeight": 40, "imageWidth": 100})
    formats.import_(folder, "labelme", project)
    assert pixels(project, "a.png", "cat") == 400


def test_a_file_outside_is_never_opened(project, folder, monkeypatch):
    photo(folder.parent / "secret.png")
    for path in ("../secret.png", "../../secret.png", str(folder.parent / "secret.png")):
        coco(folder, [square(60, 10, 70, 20)], path)
        with pytest.raises(DatasetError, match="there is no photo 'secret.png'|no photo '.*secret.png'"):
            formats.import_(folder, "coco", project)
    os.symlink(folder.parent / "secret.png", folder / "images" / "secret.png")
    coco(folder, [square(60, 10, 70, 20)], "secret.png")
    with pytest.raises(DatasetError, match="is a link that leads out of the folder"):
        formats.import_(folder, "coco", project)
    assert not project.photos()


def test_the_longest_tail_decides_and_what_fits_twice_is_told(folder):
    for place in ("train/a.png", "val/a.png", "val/b.png"):
        photo(folder / place)
    lookup = Lookup(folder)
    find = lambda text: lookup.file(tuple(Path(text).parts), [folder], set())  # noqa: E731
    assert find("elsewhere/val/a.png") == folder / "val/a.png" and find("x/y/B.jpeg") == folder / "val/b.png"
    assert find("gone.png") is None
    with pytest.raises(Ambiguous):
        find("test/a.png")


def test_photos_that_fit_twice_are_left_out_and_told(project, folder):
    content = coco(folder, [square(60, 10, 70, 20)], "images/a.png")
    for seed, place in enumerate(("x", "y"), 5):
        photo(folder / place / "b.png", seed)
    content["images"].append({"id": 5, "file_name": "c/b.png", "width": 100, "height": 40})
    save(folder / "annotations" / "instances.json", content)
    report = formats.import_(folder, "coco", project)
    assert report.added == ["a.png"] and "photos whose name fits several files, left out" in left_out(report)


def test_a_name_that_another_entry_names_exactly_is_not_taken_for_it(project, folder):
    content = coco(folder, [square(60, 10, 70, 20)], "gone/a.png")
    content["images"].append({"id": 5, "file_name": "images/a.png", "width": 100, "height": 40})
    save(folder / "annotations" / "instances.json", content)
    report = formats.import_(folder, "coco", project)
    assert [name for name, _ in report.failed] == ["gone/a.png"] and pixels(project, "a.png", "thing") == 0


@pytest.mark.parametrize("path", ["", " ", "a\0b", "x" * 5000, "http://[::1", "/data/local-files/?d=%00"])
def test_what_is_no_path_is_one_sentence(path):
    with pytest.raises(DatasetError, match="field: .* is no file name|longer than a file name"):
        written(path, "field")


@pytest.mark.parametrize("line", ["a", "a  1", "a -1", "a.jpg", "/JPEGImages/a.jpg /SegmentationClass/a.png"])
def test_lists_of_voc_name_photos_in_many_ways(project, folder, line):
    photo(folder / "JPEGImages" / "a.jpg")
    (folder / "SegmentationClass").mkdir()
    grey(8).save(folder / "SegmentationClass" / "a.png")
    save(folder / "ImageSets" / "Segmentation" / "train.txt", f"{line}\r\n".encode())
    formats.import_(folder, "voc", project, background="unlabelled")
    assert pixels(project, "a.jpg", "cat") == 200


# CVAT, labelme


def cvat(folder, mask, label_map):
    photo(folder / "JPEGImages" / "a.jpg")
    (folder / "SegmentationClass").mkdir()
    mask.save(folder / "SegmentationClass" / "a.png")
    save(folder / "labelmap.txt", label_map.encode())


def grey(value):
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[10:20, 10:30] = value
    return Image.fromarray(mask)


def palette(mask):
    mask.putpalette([0, 0, 0, 10, 20, 30])
    return mask


@pytest.mark.parametrize(
    ("mask", "label_map"),
    [
        (grey(255), "background:0,0,0::\nleaf:255,255,255::\n"),
        (grey(1), "background:0,0,0::\nleaf:255,255,255::\n"),
        (grey(7), "# label:color_rgb:parts:actions\nbackground:0,0,0::\nx:1,2,3::\nleaf:7,7,7::\n"),
        (palette(grey(1)), "background:0,0,0::\nx:1,2,3::\nleaf:10,20,30::\n"),
        (grey(255).convert("RGB"), "background:0,0,0::\nleaf:255,255,255:stem,tip:\n"),
        (grey(255).convert("RGBA"), "leaf:255,255,255::\n"),
    ],
)
def test_a_mask_of_cvat_whose_values_are_colours(project, folder, mask, label_map):
    cvat(folder, mask, label_map)
    formats.import_(folder, "cvat", project)
    assert pixels(project, "a.jpg", "leaf") == 200


def test_names_of_cvat_may_have_colons(project, folder):
    cvat(folder, grey(255), "background:0,0,0::\nleaf: oak:255,255,255::\nperson:adult:::\n")
    report = formats.import_(folder, "cvat", project)
    assert report.classes_added == ["leaf: oak", "person:adult"] and pixels(project, "a.jpg", "leaf: oak") == 200


def test_a_shape_of_labelme_that_cannot_be_used_is_left_out_or_clipped(project, folder):
    photo(folder / "a.png")
    buffer = io.BytesIO()
    Image.fromarray(np.ones((10, 20), bool)).save(buffer, "PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    shapes = [
        {"label": "cat", "points": CAT},
        {"label": "cat", "points": CAT[:2]},
        {"label": "cat", "points": CAT, "shape_type": "blob"},
        {"label": "", "points": CAT},
        {"points": CAT},
        {"label": "cat", "points": [[90, 30], [109, 39]], "shape_type": "mask", "mask": mask},
        {"label": "cat", "points": [[-15, -5], [4, 4]], "shape_type": "mask", "mask": mask},
        {"label": "cat", "points": [[200, 0], [219, 9]], "shape_type": "mask", "mask": mask},
        {"label": "cat", "points": [[50, -20], [60, 10]], "shape_type": "rectangle"},
    ]
    save(folder / "a.json", {"shapes": shapes, "imagePath": "a.png"})
    report = formats.import_(folder, "labelme", project)
    assert pixels(project, "a.png", "cat") == 400 + 100 + 25 + 100
    assert sorted(left_out(report).values()) == [1, 1, 1, 2, 3]


def test_photos_of_one_name_in_several_folders_keep_their_folders(project, folder):
    for seed, sub in enumerate(("x", "y"), 1):
        photo(folder / sub / "1.png", seed)
        shape = {"label": sub, "points": CAT}
        save(folder / sub / "1.json", {"shapes": [shape], "imagePath": "1.png"})
    report = formats.import_(folder, "labelme", project)
    assert report.added == ["x/1.png", "y/1.png"] and pixels(project, "y/1.png", "y") == 400
