"""Each layout in a tiny folder: a photo's red channel says which class each pixel truly is, in the published order."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from textseg.errors import DatasetError, UnknownNameError
from trainer import datasets
from trainer.datasets import published
from trainer.evaluate import evaluate

COCO_GAPS = {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90}
COCO_IDS = [number for number in range(182) if number not in COCO_GAPS]
CITY_IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
VOC = ("VOC2012/JPEGImages/{}.jpg", "VOC2012/SegmentationClass/{}.png")
CONTEXT = ("VOC2010/JPEGImages/{}.jpg", "VOC2010/SegmentationClassContext/{}.png")
COCO = ("coco_stuff164k/images/val2017/{}.jpg", "coco_stuff164k/annotations/val2017/{}.png")
ADE = ("ADEChallengeData2016/images/validation/{}.jpg", "ADEChallengeData2016/annotations/validation/{}.png")
CITY = ("cityscapes/leftImg8bit/val/ulm/{}_leftImg8bit.png", "cityscapes/gtFine/val/ulm/{}_gtFine_labelIds.png")

# What the labels on disk hold: for each published class in order its id, then the ids that are not scored.
LAYOUTS: dict[str, tuple[str, tuple[str, str], list[int], list[int]]] = {
    "voc21": ("voc21", VOC, list(range(21)), [255]),
    "voc20": ("voc20", VOC, list(range(1, 21)), [0, 255]),
    "context60": ("context60", CONTEXT, list(range(60)), [255]),
    "context59": ("context59", CONTEXT, list(range(1, 60)), [0, 255]),
    "ade150": ("ade150", ADE, list(range(1, 151)), [0, 255]),
    "coco_stuff171 raw": ("coco_stuff171", COCO, COCO_IDS, [255]),
    "coco_stuff171 converted": (
        "coco_stuff171",
        (COCO[0], COCO[1].replace("{}", "{}_labelTrainIds")),
        list(range(171)),
        [255],
    ),
    "coco_object converted": (
        "coco_object",
        (COCO[0], COCO[1].replace("{}", "{}_instanceTrainIds")),
        list(range(81)),
        [],
    ),
    "cityscapes19 raw": ("cityscapes19", CITY, CITY_IDS, [0, 1, 4, 18, 30]),
    "cityscapes19 converted": (
        "cityscapes19",
        (CITY[0], CITY[1].replace("labelIds", "labelTrainIds")),
        list(range(19)),
        [255],
    ),
}


def write(root: Path, places: tuple[str, str], stem: str, classes: np.ndarray, ids: np.ndarray) -> None:
    photo, label = (root / place.format(stem) for place in places)
    for file in (photo, label):
        file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.stack([classes] * 3, -1).astype(np.uint8)).save(photo, "PNG")  # whatever the ending says
    Image.fromarray(ids.astype(np.uint8)).save(label)


def make(root: Path, case: str, shift: int = 0) -> datasets.Dataset:
    """Two photos that show every class; the columns behind them are not scored, and the photo is wrong there."""
    layout, places, ids, ignored = LAYOUTS[case]
    order = np.arange(len(ids))
    for stem, height in (("first", 3), ("second", 4)):
        label = np.tile([*ids, *ignored], (height, 1)) + shift
        write(root, places, stem, np.tile([*order, *[0] * len(ignored)], (height, 1)), label)
    for name, folder in (("VOC2012", "Segmentation"), ("VOC2010", "SegmentationContext")):
        if (root / name).is_dir():
            list_file = root / name / "ImageSets" / folder / "val.txt"
            list_file.parent.mkdir(parents=True)
            list_file.write_text("first\nsecond\n")
    return datasets.open(root, layout)


def red(photo: Image.Image, _: object) -> np.ndarray:
    return np.asarray(photo)[..., 0].astype(np.int32)


@pytest.mark.parametrize("case", LAYOUTS)
def test_ground_truth_as_prediction_gives_100(case: str, tmp_path: Path) -> None:
    dataset = make(tmp_path, case)
    result = evaluate(dataset, red)
    assert result.photos == 2
    assert result.confusion.counted().all()
    assert result.confusion.miou() == 100.0
    assert result.confusion.pixel_accuracy() == 100.0


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_prediction_that_is_off_by_one_scores_nothing(case: str, tmp_path: Path) -> None:
    dataset = make(tmp_path, case)
    count = len(dataset.classes)
    assert evaluate(dataset, lambda photo, _: (red(photo, _) + 1) % count).confusion.miou() == 0.0


@pytest.mark.parametrize("case", ["voc20", "context59", "ade150"])
def test_labels_that_are_off_by_one_on_disk_do_not_give_100(case: str, tmp_path: Path) -> None:
    layout, places, ids, _ = LAYOUTS[case]
    dataset = make(tmp_path, case)
    for stem in ("first", "second"):
        order = np.arange(len(ids))[None]
        write(tmp_path, places, stem, order, np.array([ids]) - 1)
    assert evaluate(dataset, red).confusion.miou() == 0.0


def test_raw_coco_labels_become_objects_on_background(tmp_path: Path) -> None:
    # person (0), toothbrush (89), a stuff class (100) and unlabelled (255): all four are scored.
    write(tmp_path, COCO, "one", np.array([[1, 80, 0, 0]]), np.array([[0, 89, 100, 255]]))
    dataset = datasets.open(tmp_path, "coco_object")
    assert [dataset.classes[k].name for k in (0, 1, 80)] == ["background", "person", "toothbrush"]
    assert evaluate(dataset, red).confusion.miou() == 100.0
    assert dataset.background == 0


@pytest.mark.parametrize(
    ("layout", "count"),
    [("voc21", 21), ("context59", 59), ("ade150", 150), ("coco_stuff171", 171), ("cityscapes19", 19)],
)
def test_class_lists_have_their_published_length_and_no_double(layout: str, count: int, tmp_path: Path) -> None:
    case = next(case for case, entry in LAYOUTS.items() if entry[0] == layout)
    classes = make(tmp_path, case).classes
    assert len(classes) == count == len({entry.name for entry in classes}) == len({entry.word for entry in classes})


def test_the_published_folder_itself_may_be_given(tmp_path: Path) -> None:
    make(tmp_path, "voc20")
    assert len(datasets.open(tmp_path / "VOC2012", "voc20").pairs) == 2


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("tvmonitor", "tv monitor"),
        ("playingfield", "playing field"),
        ("wall-brick", "brick wall"),
        ("sky-other", "sky"),
        ("door-stuff", "door"),
        ("window-blind", "window blind"),
        ("cat", "cat"),
    ],
)
def test_names_run_together_are_asked_in_plain_english(name: str, word: str) -> None:
    assert published.plain(name) == word


# The plain layout

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Writes a set in the plain layout: classes.txt, labels as {stem: ids}, perhaps ignore.txt."""

    def make_folder(classes: str, labels: dict[str, np.ndarray], ignore: str | None = None) -> Path:
        for name in ("images", "labels"):
            (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / "classes.txt").write_bytes(classes.encode())
        if ignore is not None:
            (tmp_path / "ignore.txt").write_text(ignore)
        for stem, ids in labels.items():
            Image.new("RGB", ids.shape[::-1]).save(tmp_path / "images" / f"{stem}.jpg")
            Image.fromarray(ids).save(tmp_path / "labels" / f"{stem}.png")
        return tmp_path

    return make_folder


ONE = {"a": np.array([[0, 1], [7, 255]], np.uint8)}


def test_0_and_255_are_left_out_unless_0_is_named(folder: Folder) -> None:
    dataset = datasets.open(folder("1\tcat\n7\tsofa\n", ONE))
    assert [entry.name for entry in dataset.classes] == ["cat", "sofa"]
    assert dataset.truth(dataset.pairs[0][1], (2, 2)).tolist() == [[-1, 0], [1, -1]]


def test_a_named_0_is_scored_when_nothing_ignores_it(folder: Folder) -> None:
    dataset = datasets.open(folder("0\tbackground\n1\tcat\n7\tsofa\n255\tvoid\t-\n", ONE))
    assert [entry.name for entry in dataset.classes] == ["background", "cat", "sofa"]
    assert dataset.truth(dataset.pairs[0][1], (2, 2)).tolist() == [[0, 1], [2, -1]]
    assert dataset.background == 0


def test_ignored_ids_are_neither_scored_nor_asked(folder: Folder) -> None:
    dataset = datasets.open(folder("0\tbackground\n1\tcat\n7\tsofa\n255\tvoid\n", ONE, ignore="0\n7\n255\n"))
    assert [entry.name for entry in dataset.classes] == ["cat"]
    assert dataset.truth(dataset.pairs[0][1], (2, 2)).tolist() == [[-1, 0], [-1, -1]]
    assert dataset.background is None


def test_class_0_is_background_only_when_it_says_so(folder: Folder) -> None:
    assert datasets.open(folder("0\troad\n1\tcat\n7\tsofa\n", ONE)).background is None


def test_the_third_column_is_asked_else_the_second(folder: Folder) -> None:
    dataset = datasets.open(folder("\ufeff1\ttv, monitor; screen\r\n\r\n7\twall-other\twall\r\n", ONE))
    assert [(entry.name, entry.word) for entry in dataset.classes] == [
        ("tv, monitor; screen", "tv, monitor; screen"),
        ("wall-other", "wall"),
    ]


def test_ids_go_up_to_65535(folder: Folder) -> None:
    ids = np.array([[300, 65535]], np.uint16)
    dataset = datasets.open(folder("300\tcat\n65535\tsofa\n", {"a": ids}))
    assert dataset.truth(dataset.pairs[0][1], (2, 1)).tolist() == [[0, 1]]


def test_two_ids_of_one_name_stay_apart_in_results(folder: Folder) -> None:
    dataset = datasets.open(folder("1\twall\n7\twall\n", ONE))
    assert [entry.name for entry in dataset.classes] == ["wall", "wall (7)"]
    assert [entry.word for entry in dataset.classes] == ["wall", "wall"]


def test_an_unknown_id_is_named_with_its_file(folder: Folder) -> None:
    dataset = datasets.open(folder("1\tcat\n", ONE))
    with pytest.raises(DatasetError, match=r"a\.png holds the id 7"):
        dataset.truth(dataset.pairs[0][1], (2, 2))


def test_a_label_is_never_resized_to_its_photo(folder: Folder) -> None:
    dataset = datasets.open(folder("1\tcat\n7\tsofa\n", ONE))
    with pytest.raises(DatasetError, match=r"a\.png is 2 x 2 pixels but its photo is 4 x 2"):
        dataset.truth(dataset.pairs[0][1], (4, 2))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("", "names no class"),
        ("1 cat\n", "line 1"),
        ("one\tcat\n", "line 1 begins with 'one'"),
        ("1\tcat\n-2\tdog\n", "line 2 begins with '-2'"),
        ("65536\tcat\n", "65536"),
        ("1\tcat\n1\tdog\n", "line 2 names the id 1 a second time"),
        ("1\t\n", "line 1 has no name"),
    ],
)
def test_a_wrong_class_list_is_refused_with_its_line(folder: Folder, classes: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        datasets.open(folder(classes, ONE))


def test_what_is_missing_is_said(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        datasets.open(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="images does not exist"):
        datasets.open(tmp_path)
    with pytest.raises(DatasetError, match="has no photos"):
        datasets.open(folder("1\tcat\n", {}))
    with pytest.raises(UnknownNameError, match="voc20"):
        datasets.open(tmp_path, "voc")


def test_all_classes_of_pascal_context_are_read_as_published(tmp_path: Path) -> None:
    root = tmp_path / "VOC2010"
    for name in ("JPEGImages", "trainval", "ImageSets/SegmentationContext"):
        (root / name).mkdir(parents=True)
    (root / "ImageSets/SegmentationContext/val.txt").write_text("first\n")
    (root / "trainval/labels.txt").write_text("1: accordion\n2: aeroplane\n459: wood-piece\n")
    ids = np.array([[1, 2, 459, 0]] * 3, np.uint16)
    Image.fromarray(np.tile([[0, 1, 2, 0]], (3, 1)).astype(np.uint8)).save(root / "JPEGImages/first.jpg", "PNG")
    savemat(root / "trainval/first.mat", {"LabelMap": ids})
    dataset = datasets.open(tmp_path, "context459")
    assert [entry.name for entry in dataset.classes] == ["accordion", "aeroplane", "wood-piece"]
    assert evaluate(dataset, red).confusion.miou() == 100
    (root / "trainval/first.mat").write_bytes(b"no matrix")
    with pytest.raises(DatasetError, match="no MATLAB file with a 'LabelMap'"):
        evaluate(dataset, red)


def test_the_full_ade20k_has_the_classes_that_its_list_names(tmp_path: Path) -> None:
    root = tmp_path / "ADE20K_2021_17_01"
    for kind in ("images", "annotations"):
        (root / f"{kind}_detectron2/validation").mkdir(parents=True)
    Image.fromarray(np.tile([[0, 1, 0]], (3, 1)).astype(np.uint8)).save(
        root / "images_detectron2/validation/a.jpg", "PNG"
    )
    ids = np.array([[0, 846, 65535]] * 3, np.uint16)
    Image.fromarray(ids).save(root / "annotations_detectron2/validation/a.tif")
    with pytest.raises(DatasetError, match=r"classes\.txt does not exist"):
        datasets.open(tmp_path, "ade847")
    (root / "classes.txt").write_text("0\twall\n846\tbed, beds\n")
    dataset = datasets.open(tmp_path, "ade847")
    assert [(entry.name, entry.word) for entry in dataset.classes] == [("wall", "wall"), ("bed, beds", "bed")]
    assert evaluate(dataset, red).confusion.miou() == 100
