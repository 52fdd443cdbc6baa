"""`textseg export` and `textseg import`; exports opened by the formats' own readers, and their files taken in."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import forked
from tests.label_maps import make_project, named_map, put
from tests.tiny import noise_photo
from textseg import formats
from textseg.cli import main
from textseg.labelmap import read_index_png
from textseg.project import Project

SIZE = (64, 48)
NAMES = ["cat", "wall brick", "background"]
PHOTOS = ["one.jpg", "zwei Wörter.png"]


def soft_map(seed):
    """Smooth regions of three classes and none, with a hole and a part of one pixel."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    ids = np.argmax([gaussian_filter(rng.standard_normal(SIZE[::-1]), 5) for _ in range(4)], 0)
    ids[10:22, 10:22], ids[14:18, 14:18], ids[40, 50] = 1, 0, 2
    return ids.astype(np.uint16)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder `p` with a project of two photos, labelled all over."""
    folder = tmp_path_factory.mktemp("source")
    project = make_project(folder / "p", NAMES, dict.fromkeys(PHOTOS, SIZE))
    for seed, photo in enumerate(PHOTOS):
        put(project, photo, soft_map(seed))
    project.close()
    return folder


@pytest.fixture
def here(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(source / "p")


def export(project, *arguments):
    assert main(["export", str(project.folder), *map(str, arguments)]) == 0


def fresh(*names):
    return make_project(Path("fresh"), [*names] or ["dog"], {})


def same_share(project, other):
    """The least share of pixels with equal class names over all photos of `other`."""
    rows = {Path(row.name).stem: row.id for row in project.photos()}
    shares = [
        (named_map(project, rows[Path(row.name).stem]) == named_map(other, row.id)).mean() for row in other.photos()
    ]
    assert len(shares) == len(rows)
    return min(shares)


# The commands


def test_every_format_goes_out_and_comes_in(here, capsys):
    for name in formats.names():
        export(here, "--format", name, "--out", name)
        assert main(["project", "new", f"{name}-project", "--words", "dog"]) == 0
        capsys.readouterr()
        assert main(["import", name, "--format", name, "--into", f"{name}-project", "--dry-run", "--json"]) == 0
        dry = json.loads(capsys.readouterr().out)
        assert main(["import", name, "--format", name, "--into", f"{name}-project", "--json"]) == 0
        real = json.loads(capsys.readouterr().out)
        assert dry["dry_run"] and dry | {"dry_run": False} == real and sorted(real["classes_added"]) == sorted(NAMES)
        assert same_share(here, Project(f"{name}-project")) == 1.0


def test_coco_lies_where_the_contract_says_and_png_is_what_evaluate_reads(here, capsys):
    export(here, "--format", "coco", "--out", "c", "--split", "train=0.5,val=0.5", "--seed", "3")
    assert "Wrote 2 photos (1 train, 1 val) and 3 classes as coco to c." in capsys.readouterr().out
    export(here, "--format", "coco", "--out", "c")
    assert json.loads(Path("c/annotations/instances.json").read_text())["categories"][1]["name"] == "wall brick"
    export(here, "--format", "png", "--out", "e")
    assert Path("e/classes.txt").read_text() == "1\tcat\n2\twall brick\n3\tbackground\n"
    ids = read_index_png("e/labels/zwei Wörter.png")
    assert np.array_equal(ids, here.label_map("zwei Wörter.png")[0])


def test_a_photo_that_cannot_be_read_is_named_and_the_rest_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    project = make_project(tmp_path / "p", ["cat"], {"a.png": (9, 9), "b.png": (9, 9)})
    row = project.photo("a.png")
    (project.folder / "photos" / f"{row.sha256}.png").unlink()
    assert main(["export", "p", "--format", "voc", "--out", "out"]) == 1
    assert capsys.readouterr().err.startswith("a.png: its file cannot be read")
    assert (
        main(["export", "p", "--format", "voc", "--out", "out", "--classes", "cat", "--states", "new", "--json"]) == 1
    )
    report = json.loads(capsys.readouterr().out)
    assert report["photos"] == 1 and report["skipped"][0][0] == "a.png"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("export p --format nope --out out", "There is no format called 'nope'; choose one of coco, cvat"),
        ("export gone --format coco --out out", "There is no project in gone"),
        ("export p --format coco --out out --split train=2", "'train=2' is no part of a split"),
        ("export p --format coco --out out --push-to-hub me/set", "Only the format hf"),
        ("export p --format coco --out out --states open", "There is no state 'open'"),
        ("import gone --format coco --into p", "gone does not exist"),
        ("import p --format voc --into p", "SegmentationClass does not exist"),
        ("import p --format voc --into gone", "There is no project in gone"),
        ("import p --format voc --into p --merge both", "invalid choice: 'both'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_status_2(tmp_path, monkeypatch, capsys, command, says):
    monkeypatch.chdir(tmp_path)
    make_project(tmp_path / "p", ["cat"], {"a.png": (9, 9)})
    try:
        status = main(command.split())
    except SystemExit as exit:
        status = exit.code
    error = capsys.readouterr().err
    assert status == 2 and says in error and error.count("\n") == 1 and not Path("out").exists()


def test_import_as_model_leaves_what_a_person_did(here, capsys):
    export(here, "--format", "png", "--out", "e")
    other = make_project(Path("other"), NAMES, {})
    assert main(["import", "e", "--format", "png", "--into", "other", "--as", "model"]) == 0
    other.edit("one.jpg", 1, {"type": "brush", "class": 1, "radius": 9, "points": [[20, 20]]})
    drawn = named_map(other, "one.jpg")
    assert main(["import", "e", "--format", "png", "--into", "other", "--as", "model", "--merge", "theirs"]) == 0
    assert np.array_equal(named_map(other, "one.jpg"), drawn)
    assert "0 changed" in capsys.readouterr().out.splitlines()[-2] + "0 changed"


def test_standard_output_is_the_report_alone(here):
    done = forked.run("-m", "textseg.cli", "export", here.folder, "--format", "coco", "--out", "c", "--json")
    assert json.loads(done.stdout)["photos"] == 2 and done.stderr == ""


@pytest.fixture(scope="module")
def client(source):
    """A client of the endpoint `/export`, served in this process on a free port."""
    import gradio as gr
    from gradio_client import Client

    from textseg.web.api.export import add_export
    from textseg.web.api.project import ProjectApi

    with gr.Blocks(analytics_enabled=False) as blocks:
        add_export(ProjectApi(Project(source / "p"), None))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    blocks.launch(server_port=port, prevent_thread_lock=True, quiet=True, run_history=False)
    yield Client(f"http://127.0.0.1:{port}/", verbose=False, analytics_enabled=False)
    blocks.close()


def test_an_export_over_http_is_a_zip_and_a_report(here, client):
    archive, report = client.predict("p", "panoptic", api_name="/export")
    assert report["photos"] == 2 and report["out"] == "p-panoptic.zip" and archive.endswith(".zip")
    other = fresh()
    formats.import_(archive, "panoptic", other)
    assert same_share(here, other) == 1.0
    options = {"classes": ["cat"], "split": {"train": 0.5, "val": 0.5}}
    _, report = client.predict("p", "coco", options, api_name="/export")
    assert report["classes"] == ["cat"] and report["splits"] == {"train": 1, "val": 1}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("q", "coco"), "not served here"),
        (("p", "zip"), "There is no format called 'zip'"),
        (("p", "coco", {"out": "/etc"}), "There is no option 'out'"),
        (("p", "coco", {"split": {"train": "all"}}), "gives train, val and test their shares"),
        (("p", "coco", {"states": "done"}), "must be a list of names"),
        (("p", "coco", {"seed": 0.5}), "whole number"),
        (("p", "coco", [1]), "must be an object"),
    ],
)
def test_a_mistake_over_http_is_one_sentence(client, arguments, says):
    with pytest.raises(Exception, match=says):
        client.predict(*arguments, api_name="/export")


# Opened by the formats' own readers


def truth(project, name, class_name):
    return named_map(project, name) == class_name


@pytest.mark.parametrize("options", [[], ["--polygons"]])
def test_pycocotools_reads_our_coco(here, capsys, options):
    from pycocotools.coco import COCO

    export(here, "--format", "coco", "--out", "c", *options)
    coco = COCO("c/annotations/instances.json")
    for image in coco.loadImgs(coco.getImgIds()):
        for category in coco.loadCats(coco.getCatIds()):
            mask = np.zeros(SIZE[::-1], bool)
            for annotation in coco.loadAnns(coco.getAnnIds(image["id"], category["id"])):
                part = coco.annToMask(annotation).astype(bool)
                assert annotation["area"] == part.sum()
                mask |= part
            assert np.array_equal(mask, truth(here, image["file_name"], category["name"]))


def test_torchvision_reads_our_voc(here):
    from torchvision.datasets import VOCSegmentation

    export(here, "--format", "voc", "--out", "root/VOCdevkit/VOC2012")
    names = Path("root/VOCdevkit/VOC2012/classes.txt").read_text().splitlines()
    assert names == ["background", "cat", "wall brick"]
    read = VOCSegmentation("root", year="2012", image_set="train")
    assert len(read) == 2
    for (photo, labels), path in zip(read, read.images, strict=True):
        ids = np.asarray(labels)
        assert labels.mode == "P" and photo.size == SIZE and labels.getpalette()[3:6] == [128, 0, 0]
        row = next(row for row in here.photos() if Path(row.name).stem == Path(path).stem)
        for index, name in enumerate(names):
            assert np.array_equal(ids == index, truth(here, row.id, name))
        assert np.array_equal(ids == 255, named_map(here, row.id) == "")


def test_torchvision_reads_our_coco_with_our_photos(here):
    from torchvision.datasets import CocoDetection

    export(here, "--format", "coco", "--out", "c")
    read = CocoDetection("c/images", "c/annotations/instances.json")
    assert [photo.size for photo, _ in read] == [SIZE, SIZE] and all(annotations for _, annotations in read)


def test_datasets_reads_our_export_from_disk_and_from_parquet(here):
    datasets = pytest.importorskip("datasets", reason="comes with the extra textseg[formats]")
    export(here, "--format", "hf", "--out", "h")
    from_disk = datasets.load_from_disk("h")["train"]
    from_parquet = datasets.load_dataset("h", cache_dir="cache")["train"]
    for read in (from_disk, from_parquet):
        names = read.features["classes"].feature.names
        assert names == ["unlabelled", *NAMES]
        for row in read:
            ids = np.asarray(row["label"])
            assert np.array_equal(np.array(names)[ids] == "cat", truth(here, row["file_name"], "cat"))
            assert row["image"].size == SIZE and set(row["classes"]) == set(np.unique(ids)) - {0}


def supervision_masks(read):
    """{photo: {class name: mask}} of a supervision data set."""
    masks = {}
    for path, _, found in read:
        classes = masks.setdefault(Path(path).name, {})
        for mask, class_id in zip(np.asarray(found.mask), found.class_id, strict=True):
            name = read.classes[class_id]
            classes[name] = classes.get(name, False) | mask.astype(bool)
    return masks


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [("coco", [], 1.0), ("coco", ["--polygons"], 0.7), ("yolo", [], 0.7), ("labelme", ["--polygons"], 0.7)],
)
def test_supervision_reads_our_exports(here, name, options, least):
    """Codes are read to the pixel. Outlines are drawn by OpenCV with their border, a pixel more to the right and below:
    the bound is for regions of some 20 pixels across (640 x 480: 0.96, docs/formats.md)."""
    sv = pytest.importorskip("supervision", reason="comes with the extra textseg[dev]")
    export(here, "--format", name, "--out", "out", *options)
    sets = sv.DetectionDataset
    if name == "coco":
        read = sets.from_coco("out/images", "out/annotations/instances.json", force_masks=True)
    elif name == "yolo":
        read = sets.from_yolo("out/images/train", "out/labels/train", "out/data.yaml", force_masks=True)
    else:
        read = sets.from_labelme("out", "out", force_masks=True)
    masks = supervision_masks(read)
    assert set(masks) == set(PHOTOS)
    for photo, classes in masks.items():
        for class_name, mask in classes.items():
            wanted = truth(here, photo, class_name)
            assert (mask & wanted).sum() >= least * (mask | wanted).sum()
            assert not (wanted & ~mask).any() or least < 1


LABELME = "labelme brings Qt and onnxruntime (700 MB); install it to run this: pip install labelme"


def test_labelme_reads_our_export(here):
    pytest.importorskip("labelme", reason=LABELME)
    from labelme import utils
    from labelme._label_file import read_label_file

    export(here, "--format", "labelme", "--out", "l")
    numbers = {"_background_": 0, **{name: k for k, name in enumerate(NAMES, start=1)}}
    for path in Path("l").glob("*.json"):
        file = read_label_file(str(path))
        ids, _ = utils.shapes_to_label(SIZE[::-1], file.shapes, numbers)
        assert np.array_equal(ids, here.label_map(file.image_path)[0])


DATUMARO = "datumaro wants older packages than this program's (OpenCV 4, pandas 2); it needs an environment of its own"


@pytest.mark.parametrize(
    ("name", "place", "called"),
    [
        ("coco", "annotations/instances.json", "coco_instances"),
        ("panoptic", "annotations/panoptic.json", "coco_panoptic"),
        ("voc", "", "voc_segmentation"),
        ("cvat", "", "voc_segmentation"),
    ],
)
def test_datumaro_reads_our_exports(here, name, place, called):
    dm = pytest.importorskip("datumaro", reason=DATUMARO)
    export(here, "--format", name, "--out", "out")
    read = dm.Dataset.import_from(str(Path("out", place)), called)
    labels = [label.name for label in read.categories()[dm.AnnotationType.label]]
    rows = {Path(row.name).stem: row.id for row in here.photos()}
    seen = set()
    for item in read:
        seen.add(item.id)
        names = np.full(SIZE[::-1], "", object)
        for annotation in item.annotations:
            if annotation.type == dm.AnnotationType.mask:
                names[annotation.image.astype(bool)] = labels[annotation.label]
        names[(names == "void") | (names == "unlabelled")] = ""
        wanted = named_map(here, rows[item.id])
        if name in ("voc", "cvat"):  # what these call background is what no class has
            names[names == "background"] = ""
            wanted[wanted == "background"] = ""
        assert np.array_equal(names, wanted), item.id
    assert seen == set(rows)


# Files that other tools wrote


def detections(sv, project, photo):
    ids, _ = project.label_map(photo)
    present = [k for k in np.unique(ids).tolist() if k]
    masks = np.stack([ids == k for k in present])
    return sv.Detections(sv.mask_to_xyxy(masks), mask=masks, class_id=np.array(present) - 1)


@pytest.mark.parametrize(("name", "least"), [("coco", 1.0), ("yolo", 0.6), ("labelme", 0.6)])
def test_what_supervision_writes_is_taken_in(here, source, name, least, tmp_path):
    """Its outlines run through pixel centres and lose holes, so only its codes come back to the pixel."""
    sv = pytest.importorskip("supervision", reason="comes with the extra textseg[dev]")
    for row in here.photos():
        here.picture(row.id).save(tmp_path / Path(row.name).with_suffix(".png").name)
    paths = {str(tmp_path / Path(row.name).with_suffix(".png").name): row.name for row in here.photos()}
    found = {path: detections(sv, here, photo) for path, photo in paths.items()}
    if name == "coco":  # codes instead of outlines
        for detection in found.values():
            detection.data["iscrowd"] = np.ones(len(detection), int)
    written = sv.DetectionDataset(classes=NAMES, images=list(paths), annotations=found)
    if name == "coco":
        written.as_coco(images_directory_path="out/images", annotations_path="out/annotations/anything.json")
    elif name == "yolo":
        written.as_yolo("out/images", "out/labels", "out/data.yaml")
    else:
        written.as_labelme("out", "out")
    other = fresh()
    report = formats.import_("out", name, other)
    assert sorted(report.classes_added) == sorted(NAMES)
    assert same_share(here, other) >= least


def test_what_pycocotools_and_json_write_is_taken_in(here):
    from pycocotools import mask as coco

    Path("out").mkdir()
    noise_photo(*SIZE, seed=77).save("out/a.jpg")
    mask = soft_map(5) == 1
    code = coco.encode(np.asfortranarray(mask, np.uint8))
    code["counts"] = code["counts"].decode()
    annotation = {"id": 1, "image_id": 3, "category_id": 18, "segmentation": code, "iscrowd": 0, "bbox": [0, 0, 9, 9]}
    content = {
        "images": [{"id": 3, "file_name": "a.jpg", "width": SIZE[0], "height": SIZE[1]}],
        "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}],
        "annotations": [annotation],
    }
    Path("out/instances_val.json").write_text(json.dumps(content))
    other = fresh("Dog")
    formats.import_("out/instances_val.json", "coco", other)
    assert np.array_equal(named_map(other, "a.jpg") == "Dog", mask)


@pytest.mark.parametrize("columns", ["label", "annotation"])
def test_what_datasets_writes_is_taken_in(here, columns, tmp_path):
    datasets = pytest.importorskip("datasets", reason="comes with the extra textseg[formats]")
    ids = soft_map(6).astype(np.uint8)
    features = datasets.Features({"image": datasets.Image(), columns: datasets.Image()})
    made = datasets.Dataset.from_dict(
        {"image": [noise_photo(*SIZE, seed=78)], columns: [Image.fromarray(ids)]}, features=features
    )
    if columns == "label":
        made.save_to_disk("out")
    else:
        Path("out").mkdir()
        made.to_parquet("out/train.parquet")
    Path("out/id2label.json").write_text(json.dumps({"0": "sky", "1": "cat", "2": "wall", "3": "road"}))
    other = fresh("road")
    report = formats.import_("out", "hf", other)
    assert report.classes_added == ["sky", "cat", "wall"] and report.classes_matched == {"road": "road"}
    assert np.array_equal(named_map(other, 1) == "cat", ids == 1)


def test_what_labelme_writes_is_taken_in(here):
    pytest.importorskip("labelme", reason=LABELME)
    from labelme._label_file import write_label_file
    from labelme.utils import img_arr_to_b64

    Path("out").mkdir()
    noise_photo(*SIZE, seed=79).save("out/a.jpg")
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:7] = True
    packed = img_arr_to_b64(mask.astype(np.uint8))
    base = {"group_id": None, "flags": {}, "description": "", "mask": None}
    square = [[30, 30], [40, 30], [40, 40], [30, 40]]
    shapes = [
        {**base, "label": "cat", "points": [[5, 6], [16, 15]], "shape_type": "mask", "mask": packed},
        {**base, "label": "dog", "points": square, "shape_type": "polygon"},
    ]
    write_label_file(
        filename="out/a.json", shapes=shapes, image_path="a.jpg", image_height=SIZE[1], image_width=SIZE[0],
        image_data=None, other_data={}, flags={},
    )  # fmt: skip
    other = fresh()
    formats.import_("out", "labelme", other)
    names = named_map(other, "a.jpg")
    assert np.array_equal(names[6:16, 5:17] == "cat", mask) and (names == "dog").sum() == 100


@pytest.mark.parametrize(
    ("name", "called"), [("coco", "coco_instances"), ("panoptic", "coco_panoptic"), ("voc", "voc_segmentation")]
)
def test_what_datumaro_writes_is_taken_in(here, name, called):
    dm = pytest.importorskip("datumaro", reason=DATUMARO)
    items = []
    for number, row in enumerate(here.photos()):
        ids, _ = here.label_map(row.id)
        masks = [
            dm.Mask(image=ids == k, label=k - 1, id=9 * number + k, group=9 * number + k, attributes={"is_crowd": True})
            for k in (1, 2)
            if (ids == k).any()
        ]
        picture = np.asarray(here.picture(row.id))[..., ::-1]
        items.append(
            dm.DatasetItem(
                id=Path(row.name).stem, subset="train", media=dm.Image.from_numpy(picture), annotations=masks
            )
        )
    made = dm.Dataset.from_iterable(items, categories=["cat", "wall brick"])
    made.export("out", called, save_media=True)
    other = fresh()
    formats.import_("out", name, other, background="unlabelled")
    rows = {Path(row.name).stem: row.id for row in here.photos()}
    assert len(other.photos()) == 2
    for row in other.photos():
        wanted = named_map(here, rows[Path(row.name).stem])
        wanted[wanted == "background"] = ""
        assert np.array_equal(named_map(other, row.id), wanted)
