"""Import: photos and classes are recognised, the merge rule holds, and a failed import leaves nothing."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.label_maps import awkward_map, make_project, named_map, put
from tests.tiny import noise_photo
from textseg import formats, rle
from textseg.errors import DatasetError
from textseg.labelmap import index_png
from textseg.project import Project

SIZE = (24, 16)


@pytest.fixture
def project(tmp_path):
    """Classes cat and sofa; one photo, half of it labelled cat."""
    made = make_project(tmp_path / "project", ["cat", "sofa"], {"one.png": SIZE})
    ids = np.zeros(SIZE[::-1], np.uint16)
    ids[:, :12] = 1
    put(made, "one.png", ids)
    yield made
    made.close()


@pytest.fixture
def plain(tmp_path, project):
    """A data set in the plain layout: the project's photo, all sofa, and another photo, all cat."""
    folder = tmp_path / "plain"
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    stored = next((project.folder / "photos").iterdir())
    shutil.copy(stored, folder / "images" / "one.png")
    noise_photo(*SIZE, seed=9).save(folder / "images" / "two.jpg")
    (folder / "classes.txt").write_text("1\tcat\n2\tsofa\n")
    write_labels(folder, one=np.full(SIZE[::-1], 2), two=np.full(SIZE[::-1], 1))
    return folder


def write_labels(folder, **maps):
    for stem, ids in maps.items():
        (folder / "labels" / f"{stem}.png").write_bytes(index_png(np.asarray(ids), ["#ff0000", "#00ff00", "#0000ff"]))


def state(project):
    """Everything that must be as it was after a failed import."""
    facts = project.status()
    files = sorted(path.name for path in (project.folder / "photos").iterdir())
    return (
        facts,
        files,
        [project.label_map(p.id)[0].tolist() for p in project.photos()],
        [c.name for c in project.classes()],
    )


@pytest.mark.parametrize(
    ("merge", "left", "right"), [("unlabelled", "cat", "sofa"), ("mine", "cat", ""), ("theirs", "sofa", "sofa")]
)
def test_the_merge_rule_says_whose_labels_stay(project, plain, merge, left, right):
    report = formats.import_(plain, "png", project, merge=merge)
    labels = named_map(project, "one.png")
    assert set(labels[:, :12].ravel()) == {left} and set(labels[:, 12:].ravel()) == {right}
    assert set(named_map(project, "two.jpg").ravel()) == {"cat"}
    assert report.added == ["two.jpg"] and report.duplicates == [("one.png", "one.png")]
    assert report.kept == (["one.png"] if merge == "mine" else [])


def test_an_import_is_one_step_of_undo_and_a_persons_work(project, plain):
    before = project.label_map("one.png")
    formats.import_(plain, "png", project, merge="theirs")
    assert project.history("one.png")[-1]["type"] == "import"
    assert {row.kind for row in project.provenance("one.png")[1].values()} == {"person"}
    assert project.photo("two.jpg").state == "in work"
    project.edit("one.png", before[1] + 1, {"type": "undo"})
    assert np.array_equal(project.label_map("one.png")[0], before[0])


def test_what_theirs_leaves_unlabelled_is_nobodys(project, plain):
    write_labels(plain, one=np.zeros(SIZE[::-1], int))
    report = formats.import_(plain, "png", project, merge="theirs")
    sources, _ = project.provenance("one.png")
    assert report.changed_pixels == 24 * 16 + 12 * 16
    assert not sources.any() and not project.label_map("one.png")[0].any()


def test_a_models_labels_never_go_over_a_persons(project, plain):
    formats.import_(plain, "png", project, merge="theirs", source="model")
    labels = named_map(project, "one.png")
    assert set(labels[:, :12].ravel()) == {"cat"} and set(labels[:, 12:].ravel()) == {"sofa"}
    assert project.photo("two.jpg").state == "pseudo-labelled"
    assert {row.kind for row in project.provenance("two.jpg")[1].values()} == {"model"}


def test_a_dry_run_reports_the_same_and_leaves_nothing(project, plain):
    (plain / "classes.txt").write_text("1\tcat\n2\tsofa\n3\tdog\n")
    before = state(project)
    dry = formats.import_(plain, "png", project, dry_run=True).to_dict()
    assert state(project) == before
    real = formats.import_(plain, "png", project).to_dict()
    assert dry.pop("dry_run") and not real.pop("dry_run") and dry == real
    assert real["classes_added"] == ["dog"] and real["labelled"] == ["one.png", "two.jpg"]


def test_classes_match_by_prompt_then_name_then_alias(project, plain):
    project.change_class(1, aliases=["kitten"])
    (plain / "classes.txt").write_text("1\tfelis\tKitten\n2\tcouch\tSofa\n3\twall-brick\tbrick wall\n")
    report = formats.import_(plain, "png", project)
    assert report.classes_matched == {"felis": "cat", "couch": "sofa"}
    assert report.classes_added == ["brick wall"] and project.classes()[2].aliases == ["wall-brick"]


def test_strict_refuses_classes_that_the_project_lacks(project, plain):
    (plain / "classes.txt").write_text("1\tcat\n2\tsofa\n3\tdog\n")
    before = state(project)
    with pytest.raises(DatasetError, match="classes that the project lacks: dog"):
        formats.import_(plain, "png", project, strict=True)
    assert state(project) == before


def test_ignored_ids_are_unlabelled_and_make_no_class(project, plain):
    (plain / "classes.txt").write_text("1\tcat\n2\tsofa\n3\tdog\n")
    (plain / "ignore.txt").write_text("3\n0\n")
    write_labels(plain, two=np.full(SIZE[::-1], 3))
    report = formats.import_(plain, "png", project)
    assert report.classes_added == [] and set(named_map(project, "two.jpg").ravel()) == {""}


def test_a_photo_saved_again_is_recognised(project, plain):
    buffer = io.BytesIO()
    project.picture("one.png").save(buffer, "JPEG", quality=100, subsampling=0)
    (plain / "images" / "one.png").unlink()
    (plain / "images" / "one.jpg").write_bytes(buffer.getvalue())
    report = formats.import_(plain, "png", project, merge="theirs")
    assert report.recognised == ["one.png"] and set(named_map(project, "one.png").ravel()) == {"sofa"}


def test_label_maps_alone_go_to_the_photos_of_the_project(project, plain):
    shutil.rmtree(plain / "images")
    (plain / "images").mkdir()
    with pytest.raises(DatasetError, match="labels/two.png: there is no photo 'two'"):
        formats.import_(plain, "png", project, strict=True)
    report = formats.import_(plain, "png", project, merge="theirs")
    assert report.labelled == ["one.png"] and report.failed == [
        ("two", "photos that are named and not there, left out")
    ]


def test_the_same_photo_twice_counts_once(project, plain):
    shutil.copy(plain / "images" / "two.jpg", plain / "images" / "three.jpg")
    write_labels(plain, three=np.full(SIZE[::-1], 2))
    report = formats.import_(plain, "png", project)
    assert report.added == ["three.jpg"] and ("two.jpg", "three.jpg") in report.duplicates


def test_photos_and_label_maps_may_share_a_folder(project, plain, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(plain / "images" / "two.jpg", bare / "two.jpg")
    shutil.copy(plain / "labels" / "two.png", bare / "two.png")
    (bare / "classes.txt").write_text("background\ncat\nsofa\n")
    assert formats.import_(bare, "png", project).added == ["two.jpg"]
    assert set(named_map(project, "two.jpg").ravel()) == {"cat"}


def spoil_size(folder):
    write_labels(folder, two=np.ones((16, 25), int))


def spoil_id(folder):
    write_labels(folder, two=np.full(SIZE[::-1], 7))


def spoil_photo(folder):
    (folder / "images" / "two.jpg").write_bytes(b"\xff\xd8 torn")


def spoil_list(folder):
    (folder / "classes.txt").write_text("1\tcat\n1\tsofa\n")


def spoil_number(folder):
    (folder / "classes.txt").write_text("1\tcat\n-2\tsofa\n")


def spoil_colours(folder):
    Image.new("RGB", SIZE).save(folder / "labels" / "two.png")


def spoil_ignore(folder):
    (folder / "ignore.txt").write_text("0\nnan\n")


def spoil_classes(folder):
    (folder / "classes.txt").unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (spoil_size, "labels/two.png is 25 x 16 pixels but its photo is 24 x 16"),
        (spoil_id, "labels/two.png holds the id 7"),
        (spoil_photo, "labels/two.png: two.jpg is "),
        (spoil_list, "classes.txt line 2 names the id 1 a second time"),
        (spoil_number, "classes.txt line 2 begins with '-2'"),
        (spoil_colours, "labels/two.png: .* has RGB colours"),
        (spoil_ignore, "ignore.txt line 2 is 'nan'"),
        (spoil_classes, "classes.txt does not exist"),
    ],
)
def test_a_bad_plain_set_is_named_and_nothing_stays(project, plain, spoil, says):
    before = state(project)
    spoil(plain)
    with pytest.raises(DatasetError, match=says):
        formats.import_(plain, "png", project, strict=spoil is spoil_photo)
    assert state(project) == before


def test_a_failure_while_taking_in_leaves_nothing(project, plain, monkeypatch):
    from textseg.project.intake import Intake

    before = state(project)
    put_labels, calls = Intake.put_labels, []

    def second_fails(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("disk full")
        return put_labels(self, *arguments)

    monkeypatch.setattr(Intake, "put_labels", second_fails)
    with pytest.raises(OSError, match="disk full"):
        formats.import_(plain, "png", project)
    assert len(calls) == 2 and state(project) == before


# COCO


@pytest.fixture
def coco(tmp_path):
    """One photo, two categories, one annotation each as code and as polygon."""
    folder = tmp_path / "coco"
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    noise_photo(*SIZE, seed=5).save(folder / "images" / "a.jpg")
    mask = np.zeros(SIZE[::-1], bool)
    mask[2:6, 3:9] = True
    content = {
        "images": [{"id": 4, "file_name": "a.jpg", "width": SIZE[0], "height": SIZE[1]}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 4, "category_id": 7, "segmentation": rle.encode(mask), "iscrowd": 0},
            {"id": 2, "image_id": 4, "category_id": 9, "segmentation": [[10, 8, 20, 8, 20, 14, 10, 14]]},
        ],
    }
    return folder, content


def save(folder, content):
    (folder / "annotations" / "instances.json").write_text(json.dumps(content))


def test_coco_codes_and_polygons_are_painted(project, coco):
    folder, content = coco
    save(folder, content)
    formats.import_(folder, "coco", project)
    labels = named_map(project, "a.jpg")
    assert set(labels[2:6, 3:9].ravel()) == {"cat"} and set(labels[8:14, 10:20].ravel()) == {"dog"}
    assert (labels != "").sum() == 24 + 60


def test_where_coco_annotations_overlap_the_smaller_is_seen(project, coco):
    folder, content = coco
    content["annotations"] = [
        {"id": 1, "image_id": 4, "category_id": 7, "segmentation": [[5, 5, 7, 5, 7, 7, 5, 7]]},
        {"id": 2, "image_id": 4, "category_id": 9, "segmentation": [[0, 0, 20, 0, 20, 14, 0, 14]]},
    ]
    save(folder, content)
    report = formats.import_(folder, "coco", project)
    assert set(named_map(project, "a.jpg")[5:7, 5:7].ravel()) == {"cat"}
    assert any("overlap" in note for note in report.notes)


def change(path, value):
    """A function that sets one value of a COCO file, named as `annotations.0.image_id`."""

    def spoil(content):
        at = content
        *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in keys:
            at = at[key]
        at[last] = value

    return spoil


NAN = float("nan")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (change("images.0.file_name", "/etc/passwd"), r"images\[0\].file_name: '/etc/passwd' is an absolute path"),
        (
            change("images.0.file_name", "../../../etc/passwd"),
            r"images\[0\].file_name: '../../../etc/passwd' leads out",
        ),
        (change("images.0.file_name", "../../x.jpg"), r"images\[0\]: there is no photo 'x.jpg'"),
        (change("annotations.1.category_id", 2**31), r"annotations\[1\].category_id is 2147483648 and must be"),
        (change("images.0.file_name", "b.jpg"), r"images\[0\]: there is no photo 'b.jpg'"),
        (change("images.0.width", 25), r"images\[0\] says 25 x 16 pixels but the photo is 24 x 16"),
        (change("images.0.width", 10**9), r"images\[0\].width is 1000000000"),
        (change("images.0.id", "four"), r"images\[0\].id is 'four'"),
        (change("images.0.id", 5), r"annotations\[0\].image_id is 4, which no image has"),
        (change("categories.1.id", 7), r"categories\[1\].id is 7, which another category has"),
        (change("categories.1.name", ""), r"categories\[1\].name is ''"),
        (change("categories", None), "categories is None and must be a list"),
        (change("annotations.1.id", 1), r"annotations\[1\].id is 1, which another annotation has"),
        (change("annotations.0.segmentation.counts", [1, 2]), r"annotations\[0\].segmentation.counts falls short"),
        (change("annotations.0.segmentation.counts", [0, 999]), r"annotations\[0\].segmentation.counts overruns"),
        (change("annotations.0.segmentation.size", [24, 16]), r"annotations\[0\].segmentation.size is \[24, 16\]"),
        (change("annotations.1.segmentation.0.3", NAN), r"annotations\[1\].segmentation\[0\]\[1\].y is nan"),
        (change("annotations.1.segmentation", "x"), r"annotations\[1\].segmentation is 'x'"),
        (change("annotations.1", 3), r"annotations\[1\] is 3 and must be an object"),
        (lambda content: content["images"].append({**content["images"][0], "id": 5}), r"file_name is 'a.jpg', which"),
        (lambda content: content.pop("images"), "holds no JSON with lists 'images'"),
    ],
)
def test_a_bad_coco_file_is_refused_by_field_and_value(project, coco, spoil, says):
    folder, content = coco
    before = state(project)
    spoil(content)
    save(folder, content)
    with pytest.raises(DatasetError, match=says) as refused:
        formats.import_(folder, "coco", project)
    assert "\n" not in str(refused.value) and state(project) == before


# The others


def made(project, tmp_path, name, **options):
    put(project, "one.png", np.maximum(awkward_map(*SIZE, 2, 3), 1))
    formats.export(project, name, tmp_path / name, **options)
    return tmp_path / name


def spoil_text(path, old, new):
    def spoil(folder):
        file = next(folder.glob(path))
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), "utf-8")

    return spoil


def first_number(text, place):
    """Replace the first coordinate of the first line of a YOLO file."""

    def spoil(folder):
        file = next(folder.glob(place))
        words = file.read_text().split(" ")
        file.write_text(" ".join([words[0], text, *words[2:]]))

    return spoil


def other_size(place, mode):
    def spoil(folder):
        Image.new(mode, (25, 16)).save(next(folder.glob(place)))

    return spoil


def other_colour(place):
    def spoil(folder):
        Image.new("RGB", SIZE, (1, 2, 3)).save(next(folder.glob(place)))

    return spoil


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("panoptic", other_size("annotations/panoptic/one.png", "RGB"), "one.png is 25 x 16 pixels"),
        ("panoptic", other_colour("annotations/panoptic/one.png"), "one.png holds 197121, which is not described"),
        ("panoptic", spoil_text("annotations/panoptic.json", '"one.png", "segm', '"../../o.png", "segm'), "leads out"),
        ("voc", other_size("SegmentationClass/*.png", "P"), "SegmentationClass/one.png is 25 x 16 pixels"),
        ("voc", spoil_text("ImageSets/Segmentation/train.txt", "one", "../../one"), "train.txt line 1: .* leads out"),
        ("voc", spoil_text("classes.txt", "sofa\n", ""), "SegmentationClass/one.png holds the id 2"),
        ("cvat", other_colour("SegmentationClass/*.png"), "one.png holds the colour #010203"),
        ("cvat", spoil_text("labelmap.txt", "cat:", "cat:nan,"), "labelmap.txt line 3 has the colour 'nan,"),
        ("cvat", spoil_text("labelmap.txt", "sofa:", "cat:"), "labelmap.txt line 4 has the name or colour of class 2"),
        ("yolo", first_number("nan", "labels/train/one.txt"), "labels/train/one.txt line 1 has the coordinate 'nan'"),
        ("yolo", spoil_text("data.yaml", "names:", "names: !!python/object:os.system"), "data.yaml is not YAML"),
        ("labelme", spoil_text("one.json", '"imageWidth": 24', '"imageWidth": 25'), "imageWidth is 25"),
        ("labelme", spoil_text("one.json", '"mask": "', '"mask": "!'), r"one.json: shapes\[0\].mask is "),
        ("labelme", spoil_text("one.json", '"points": [[0.0', '"points": [[NaN'), r"shapes\[0\].points\[0\].x is nan"),
        (
            "labelme",
            spoil_text("one.json", '"points": [[0.0', '"points": [[1.0'),
            r"shapes\[0\].mask is 24 x 16 pixels",
        ),
        ("hf", lambda folder: (folder / "dataset_dict.json").write_text("{"), "cannot be read as a Hugging Face"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_and_nothing_stays(project, tmp_path, name, spoil, says):
    folder = made(project, tmp_path, name)
    before = state(project)
    spoil(folder)
    with pytest.raises(DatasetError, match=says) as refused:
        formats.import_(folder, name, project)
    assert "\n" not in str(refused.value) and state(project) == before


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        (
            "panoptic",
            spoil_text("annotations/panoptic.json", '"category_id": 1', '"category_id": 5'),
            "category_id is 5",
        ),
        ("voc", spoil_text("ImageSets/Segmentation/train.txt", "one", "two"), "names 'two', but"),
        ("yolo", first_number("1.5", "labels/train/one.txt"), "line 1 has the coordinate '1.5'"),
        ("yolo", first_number("0.5 0.5", "labels/train/one.txt"), "line 1 has .* coordinates"),
        ("yolo", spoil_text("data.yaml", "1: sofa", "5: sofa"), "begins with '1', which is no class"),
        ("labelme", spoil_text("one.json", '"one.png"', '"../../one.png"'), "one.json: imagePath: .* leads out"),
        ("labelme", spoil_text("one.json", '"shape_type": "mask"', '"shape_type": "blob"'), "shape_type is 'blob'"),
    ],
)
def test_strict_refuses_what_is_bad_about_one_annotation(project, tmp_path, name, spoil, says):
    folder = made(project, tmp_path, name)
    before = state(project)
    spoil(folder)
    with pytest.raises(DatasetError, match=says) as refused:
        formats.import_(folder, name, project, strict=True)
    assert "\n" not in str(refused.value) and state(project) == before


@pytest.mark.parametrize(("background", "expected"), [(None, "background"), ("unlabelled", ""), ("sky", "sky")])
def test_id_0_of_voc_is_what_the_user_says(project, tmp_path, background, expected):
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "SegmentationClass").mkdir()
    noise_photo(*SIZE, seed=5).save(folder / "JPEGImages" / "a.jpg")
    ids = np.zeros(SIZE[::-1], np.uint8)
    ids[3:6], ids[9] = 8, 255
    (folder / "SegmentationClass" / "a.png").write_bytes(index_png(ids, ["#123456"] * 21))
    report = formats.import_(tmp_path, "voc", project, background=background)
    labels = named_map(project, "a.jpg")
    assert set(labels[3:6].ravel()) == {"cat"} and set(labels[9].ravel()) == {""}
    assert set(labels[0].ravel()) == {expected}
    assert report.classes_added == ([expected] if expected else [])


def test_a_zip_is_read_as_its_folder(project, plain, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path, "plain")
    assert formats.import_(archive, "png", project).added == ["two.jpg"]


def test_labelme_shapes_of_every_kind(project, tmp_path):
    folder = tmp_path / "labelme"
    folder.mkdir()
    noise_photo(*SIZE, seed=5).save(folder / "a.jpg")
    shapes = [
        {"label": "cat", "shape_type": "rectangle", "points": [[8, 6], [2, 2]]},
        {"label": "sofa", "shape_type": "circle", "points": [[16, 8], [16, 11]]},
        {"label": "dog", "points": [[0, 10], [4, 10], [4, 14], [0, 14]]},
        {"label": "dog", "shape_type": "point", "points": [[1, 1]]},
    ]
    (folder / "a.json").write_text(json.dumps({"imagePath": "a.jpg", "imageData": None, "shapes": shapes}))
    report = formats.import_(folder, "labelme", project)
    labels = named_map(project, "a.jpg")
    assert set(labels[2:6, 2:8].ravel()) == {"cat"} and (labels == "cat").sum() == 24
    assert abs((labels == "sofa").sum() - np.pi * 9) < 4 and (labels == "dog").sum() == 16
    assert report.notes == ["Lines and points have no area; they were left out."]


def test_an_empty_folder_says_what_is_missing(project, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in formats.names():
        with pytest.raises(DatasetError):
            formats.import_(tmp_path / "empty", name, project)
    with pytest.raises(DatasetError, match="nowhere does not exist"):
        formats.import_(tmp_path / "nowhere", "coco", project)


def test_a_project_is_untouched_by_its_own_export(project, tmp_path):
    before = state(project)
    for name in formats.names():
        formats.export(project, name, tmp_path / name)
    assert state(project) == before
    for name in formats.names():
        formats.import_(tmp_path / name, name, project, merge="theirs")
    assert state(project) == before and isinstance(project, Project)
