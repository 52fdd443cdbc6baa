"""Export: filters, split, names, what is written whole or not at all, and what the report says."""

import json
import signal
import sys

import numpy as np
import pytest
from PIL import Image

from tests import forked
from tests.label_maps import awkward_map, make_project, put
from tests.tiny import noise_photo
from textseg import formats
from textseg.errors import FormatError
from textseg.formats.lookalikes import Look, groups
from textseg.formats.options import Option, read, settled
from textseg.formats.splits import assign, parse_split
from textseg.labelmap import read_index_png

SIZE = (20, 12)


@pytest.fixture
def project(tmp_path):
    """Three photos: the first done and drawn by a person, the second by a model, the third new."""
    made = make_project(tmp_path / "project", ["cat", "sofa"], dict.fromkeys(["1.png", "2.png", "3.png"], SIZE))
    ids = np.zeros(SIZE[::-1], np.uint16)
    ids[:6], ids[6:] = 1, 2
    put(made, "1.png", ids)
    made.set_state("1.png", "done")
    put(made, "2.png", ids, kind="model")
    yield made
    made.close()


def labels(folder, stem):
    return read_index_png(folder / "labels" / f"{stem}.png")


def test_photos_are_chosen_by_state(project, tmp_path):
    report = formats.export(project, "png", tmp_path / "out", states=["done"])
    assert report.photos == 1 and [p.name for p in (tmp_path / "out/images").iterdir()] == ["1.png"]


def test_pixels_are_chosen_by_class_and_by_who_made_them(project, tmp_path):
    formats.export(project, "png", tmp_path / "out", classes=["Sofa"], provenance=["person"])
    assert set(np.unique(labels(tmp_path / "out", "1"))) == {0, 2}
    assert set(np.unique(labels(tmp_path / "out", "2"))) == {0}
    assert (tmp_path / "out/classes.txt").read_text() == "2\tsofa\n"


def test_the_original_bytes_of_a_photo_leave(project, tmp_path):
    formats.export(project, "coco", tmp_path / "out")
    stored = {path.read_bytes() for path in (project.folder / "photos").iterdir()}
    assert {path.read_bytes() for path in (tmp_path / "out/images").iterdir()} == stored


def test_a_photo_on_its_side_leaves_upright(tmp_path):
    project = make_project(tmp_path / "p", ["cat"], {})
    exif = Image.Exif()
    exif[0x0112] = 6
    noise_photo(30, 20).save(tmp_path / "side.jpg", exif=exif)
    project.add([tmp_path / "side.jpg"])
    report = formats.export(project, "png", tmp_path / "out")
    with Image.open(tmp_path / "out/images/side.jpg") as photo:
        assert photo.size == (20, 30) and photo.getexif().get(0x0112, 1) == 1
    assert labels(tmp_path / "out", "side").shape == (30, 20) and "upright" in report.notes[0]
    again = formats.import_(tmp_path / "out", "png", project)
    assert again.added == [] and again.recognised == ["side.jpg"]


def test_a_photo_whose_file_is_gone_or_changed_is_left_out_and_named(project, tmp_path):
    row = project.photo("1.png")
    (project.folder / "photos" / f"{row.sha256}.png").write_bytes(b"other bytes")
    row = project.photo("3.png")
    (project.folder / "photos" / f"{row.sha256}.png").unlink()
    report = formats.export(project, "coco", tmp_path / "out")
    assert [name for name, _ in report.skipped] == ["1.png", "3.png"] and report.photos == 1
    content = json.loads((tmp_path / "out/annotations/instances.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["2.png"]
    with pytest.raises(FormatError, match="No photo could be written; 1.png: its file was damaged"):
        formats.export(project, "coco", tmp_path / "out", states=["done"])


def test_a_dry_run_writes_nothing_and_reports_the_same(project, tmp_path):
    for name in formats.names():
        dry = formats.export(project, name, tmp_path / "out", dry_run=True).to_dict()
        assert not (tmp_path / "out").exists(), name
        real = formats.export(project, name, tmp_path / f"{name}").to_dict()
        for report in (dry, real):
            del report["out"], report["dry_run"]
        assert dry == real


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"states": ["finished"]}, "There is no state 'finished'"),
        ({"classes": ["dog"]}, "There is no class 'dog' in the project; its classes are cat, sofa"),
        ({"provenance": ["robot"]}, "There is no provenance 'robot'"),
        ({"states": ["skipped"]}, "No photo of the project matches"),
        ({"split": {"train": 0.5}}, "must add up to 1, not 0.5"),
    ],
)
def test_what_cannot_be_chosen_is_one_sentence(project, tmp_path, options, says):
    with pytest.raises(FormatError, match=says):
        formats.export(project, "png", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_files_is_never_replaced(project, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(FormatError, match="holds other files"):
        formats.export(project, "png", tmp_path / "mine")
    with pytest.raises(FormatError, match="is a file"):
        formats.export(project, "png", tmp_path / "mine" / "thesis.txt")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_an_older_export_is_replaced_whole(project, tmp_path):
    formats.export(project, "png", tmp_path / "out")
    (tmp_path / "out" / "left.txt").write_text("from before")
    formats.export(project, "coco", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".textseg", "annotations", "images"]


def test_a_failed_export_leaves_the_old_one(project, tmp_path, monkeypatch):
    from textseg.formats import png

    formats.export(project, "png", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    monkeypatch.setattr(png, "index_png", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        formats.export(project, "png", tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


KILLED = """
import sys
from textseg import formats
from textseg.project import Project
project, out = Project(sys.argv[1]), Path(sys.argv[2])
def progress(done, number):
    print(done, flush=True)
while True:
    formats.export(project, "png", out, progress=progress)
    print("whole", flush=True)
"""


def test_a_killed_export_leaves_the_old_folder_or_the_new(project, tmp_path):
    out = tmp_path / "out"
    formats.export(project, "png", out)
    files = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    for line in ("1", "whole", "2"):
        process = forked.start("-c", KILLED, project.folder, out)
        for printed in process.stdout:
            if printed.strip() == line:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert {path.relative_to(out) for path in out.rglob("*") if path.is_file()} == files
        assert (out / "labels.json").stat().st_size > 0
    formats.export(project, "png", out)
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == [], "what was left is cleared away"


# Split


@pytest.mark.parametrize(
    "text", ["", "train", "train=1.2", "train=0.5,train=0.5", "dev=1", "train=0.5,val=0.4", "train=nan"]
)
def test_what_is_no_split_is_refused(text):
    with pytest.raises(FormatError):
        parse_split(text)
    assert parse_split("val=0.25, train = 0.75") == {"train": 0.75, "val": 0.25}


def test_a_split_meets_its_shares_and_depends_on_the_seed_alone():
    keys = [f"{k:064x}" for k in range(50)]
    alone = [[k] for k in range(50)]
    shares = {"train": 0.8, "val": 0.1, "test": 0.1}
    dealt = assign(keys, alone, shares, seed=3)
    assert {name: dealt.count(name) for name in shares} == {"train": 40, "val": 5, "test": 5}
    few = assign(keys[:3], alone[:3], shares, seed=3)
    assert sorted(few) == ["test", "train", "val"], "no split stays empty where there are photos enough"
    backwards = assign(keys[::-1], alone, shares, seed=3)
    assert backwards[::-1] == dealt and assign(keys, alone, shares, seed=4) != dealt


def test_duplicates_are_never_split(tmp_path):
    project = make_project(tmp_path / "p", ["cat"], {})
    for seed in range(6):
        photo = noise_photo(90, 60, seed=seed)
        photo.save(tmp_path / f"{seed}.png")
        photo.save(tmp_path / f"{seed} again.jpg", quality=85)
        photo.resize((180, 120)).save(tmp_path / f"{seed} large.webp")
    project.add([tmp_path])
    report = formats.export(project, "png", tmp_path / "out", split={"train": 0.5, "val": 0.5}, seed=1)
    assert report.splits == {"train": 9, "val": 9} and "18 photos look like another one" in report.notes[0]
    for seed in range(6):
        assert len(list((tmp_path / "out").glob(f"*/images/{seed}*"))) == 3
        assert len({p.parent.parent for p in (tmp_path / "out").glob(f"*/images/{seed}*")}) == 1


def test_photos_that_merely_resemble_each_other_are_not_duplicates():
    flat = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "#202020", "#404040")]
    marked = [flat[0].copy(), flat[0].copy()]
    marked[0].paste("white", (3, 3, 12, 12))
    marked[1].paste("white", (20, 15, 30, 25))
    looks = [Look(photo) for photo in [*flat, *marked]]
    assert len(groups([*looks, None, None])) == 8


# What a file says


def test_the_plain_layout_is_what_evaluate_reads(project, tmp_path):
    from trainer import datasets

    formats.export(project, "png", tmp_path / "out")
    read = datasets.open(tmp_path / "out")
    assert [entry.ids for entry in read.classes] == [(1,), (2,)] and len(read.pairs) == 3


def test_coco_areas_and_boxes_are_those_of_the_masks(project, tmp_path):
    from pycocotools import mask as coco

    put(project, "3.png", awkward_map(*SIZE, 2, 0))
    for polygons in (False, True):
        formats.export(project, "coco", tmp_path / "out", polygons=polygons)
        content = json.loads((tmp_path / "out/annotations/instances.json").read_text())
        assert {c["id"]: c["name"] for c in content["categories"]} == {1: "cat", 2: "sofa"}
        assert content["categories"][0]["color"] == [0xE6, 0x9F, 0x00]
        for annotation in content["annotations"]:
            code = annotation["segmentation"]
            if isinstance(code, list):
                code = coco.merge(coco.frPyObjects(code, SIZE[1], SIZE[0]))
            assert annotation["area"] == coco.area(code)
            assert annotation["bbox"] == coco.toBbox(code).tolist()


def test_reports_name_holes_and_unlabelled_photos(project, tmp_path):
    ids = np.ones(SIZE[::-1], np.uint16)
    ids[4:8, 5:9] = 0
    put(project, "3.png", ids)
    put(project, "1.png", ids * 0)
    coco = formats.export(project, "coco", tmp_path / "coco", polygons=True)
    assert coco.notes[0].startswith("1 regions have holes") and coco.notes[-1].startswith("1 of the 3 photos have no")
    yolo = formats.export(project, "yolo", tmp_path / "yolo")
    assert yolo.notes[0].startswith("1 regions with holes were cut into pieces")
    assert "1 photos have no labels; YOLO takes them" in yolo.notes[1] and "holes" in yolo.describe()


def test_cvat_tells_classes_of_one_colour_apart(tmp_path):
    project = make_project(tmp_path / "p", ["cat", "sofa: old", "sofa  old"], {"a.png": SIZE})
    for class_id in (1, 2, 3):
        project.change_class(class_id, colour="#000000")
    report = formats.export(project, "cvat", tmp_path / "out")
    lines = (tmp_path / "out/labelmap.txt").read_text().splitlines()
    assert lines[1] == "background:0,0,0::" and len({line.split(":")[1] for line in lines[1:]}) == 4
    assert any("another colour" in note for note in report.notes)


def test_a_models_confidence_is_no_part_of_any_format(project):
    assert all("confidence" in formats.get(name).loses for name in formats.names())


def test_an_export_of_many_photos_says_how_far_it_is(project, tmp_path):
    seen = []
    formats.export(project, "coco", tmp_path / "out", progress=lambda done, number: seen.append((done, number)))
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_the_hub_gets_the_card_and_the_parquet_files(project, tmp_path, monkeypatch):
    import huggingface_hub

    from textseg.formats import hf

    formats.export(project, "hf", tmp_path / "out")
    calls = []
    monkeypatch.setattr(
        huggingface_hub.HfApi, "create_repo", lambda self, name, **options: calls.append((name, options))
    )
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", lambda self, **given: calls.append(given))
    assert hf.push(tmp_path / "out", "me/set") == "Uploaded to the dataset me/set (private)."
    assert calls[0] == ("me/set", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert calls[1]["allow_patterns"] == ["README.md", "data/*.parquet"]

    def refused(self, **options):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", refused)
    with pytest.raises(FormatError, match="me/set was not uploaded \\(no network\\)"):
        hf.push(tmp_path / "out", "me/set")


def test_polygons_without_the_extra_are_one_sentence(project, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio.features", None)
    monkeypatch.setitem(sys.modules, "datasets", None)
    for name in ("png", "coco", "panoptic", "voc", "cvat", "labelme"):
        formats.export(project, name, tmp_path / name)
        formats.import_(tmp_path / name, name, project, merge="theirs")
    for name in ("yolo", "hf"):
        with pytest.raises(FormatError, match=r"pip install 'textseg\[formats\]'"):
            formats.export(project, name, tmp_path / name)


def test_a_choice_that_a_format_does_not_offer_is_refused(project, tmp_path):
    with pytest.raises(FormatError, match="The format voc has no option 'polygons'; it has none"):
        formats.export(project, "voc", tmp_path / "out", polygons=True)
    with pytest.raises(FormatError, match="The format coco has no option 'quality'; it has polygons"):
        formats.export(project, "coco", tmp_path / "out", quality="high")
    with pytest.raises(FormatError, match="The option 'polygons' is true or false, not '1'"):
        formats.export(project, "coco", tmp_path / "out", polygons="1")
    assert not (tmp_path / "out").exists()


def test_options_are_read_as_people_write_them():
    offered = (Option("polygons", "Polygons"), Option("depth", "Depth", default="8", choices=("8", "16")))
    assert read(offered, ["polygons", "depth = 16"]) == {"polygons": True, "depth": "16"}
    assert read(offered, ["polygons=no"]) == {"polygons": False}
    assert settled("some", offered, {}) == {"polygons": False, "depth": "8"}
    with pytest.raises(FormatError, match="'polygons' is yes or no, not 'maybe'"):
        read(offered, ["polygons=maybe"])
    with pytest.raises(FormatError, match="'depth' is one of 8, 16, not '12'"):
        settled("some", offered, read(offered, ["depth=12"]))


def test_photos_that_few_programs_read_leave_as_jpeg_and_come_back_under_their_names(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    tifffile = pytest.importorskip("tifffile")
    pillow_heif.from_pillow(noise_photo(32, 24, seed=1)).save(tmp_path / "phone.heic", quality=90)
    tifffile.imwrite(tmp_path / "depth.tif", np.linspace(0, 9, 600).reshape(20, 30))
    project = make_project(tmp_path / "p", ["cat"], {})
    project.add([tmp_path / "phone.heic", tmp_path / "depth.tif"])
    for name in formats.names():
        report = formats.export(project, name, tmp_path / name)
        assert not report.skipped and report.photos == 2
    assert sorted(path.name for path in (tmp_path / "png" / "images").iterdir()) == ["depth.tif", "phone.jpg"]
    assert formats.import_(tmp_path / "coco", "coco", project).recognised == ["phone.heic", "depth.tif"]


def test_the_numbers_of_the_classes_are_told(tmp_path):
    project = make_project(tmp_path / "p", ["cat", "background", "sofa"], {"a.png": (9, 9)})
    told = {name: formats.export(project, name, tmp_path / name) for name in formats.names()}
    assert told["yolo"].numbers == {"cat": 0, "background": 1, "sofa": 2}
    assert told["voc"].numbers == {"background": 0, "cat": 1, "sofa": 2}
    assert told["coco"].numbers == told["png"].numbers == told["hf"].numbers == {"cat": 1, "background": 2, "sofa": 3}
    assert "class numbers: 0 background, 1 cat, 2 sofa" in told["voc"].describe()
    assert "Wrote 1 photo and 3 classes" in told["voc"].describe()
