"""Project -> format -> another project: the label maps are the same, pixel for pixel."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.label_maps import SIZES, awkward_map, make_project, named_map, put
from textseg import formats
from textseg.errors import FormatError

NAMES = ["cat", "猫 🐈", "wall: brick", "background", "naïve, 'quoted' \"name\""]
PHOTOS = {f"photo {k}.png": size for k, size in enumerate(SIZES)}

WAYS = [(name, False) for name in formats.names()] + [("coco", True), ("labelme", True)]
"""Every format, and again as polygons where there is a choice. All bounds are 1: corners lie on pixel corners."""


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """Two projects: the second knows the classes in another order, and one that the first lacks."""
    folder = tmp_path_factory.mktemp("round trip")
    one = make_project(folder / "one", NAMES, PHOTOS)
    other = make_project(folder / "other", ["dog", *reversed(NAMES)], PHOTOS)
    yield one, other, folder
    one.close()
    other.close()


@pytest.mark.parametrize(("name", "polygons"), WAYS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(seeds=st.lists(st.integers(0, 10**6), min_size=len(SIZES), max_size=len(SIZES)))
def test_label_maps_come_back_to_the_pixel(projects, name, polygons, seeds):
    one, other, folder = projects
    for photo, size, seed in zip(PHOTOS, SIZES, seeds, strict=True):
        put(one, photo, awkward_map(*size, len(NAMES), seed))
    formats.export(one, name, folder / name, polygons=polygons)
    report = formats.import_(folder / name, name, other, merge="theirs")
    assert (report.added, report.classes_added, len(report.recognised)) == ([], [], len(PHOTOS))
    for photo in PHOTOS:
        assert np.array_equal(named_map(one, photo), named_map(other, photo)), photo


@pytest.mark.parametrize("name", formats.names())
def test_three_hundred_classes_come_back_or_are_refused(tmp_path, name):
    names = [f"class {k:03}" for k in range(300)]
    one = make_project(tmp_path / "one", names, {"a.png": (60, 40)})
    put(one, "a.png", np.arange(2400).reshape(40, 60).astype(np.uint16) % 301)
    if name == "voc":
        with pytest.raises(FormatError, match="at most 254 classes and there are 300"):
            formats.export(one, name, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        return
    formats.export(one, name, tmp_path / "out")
    other = make_project(tmp_path / "other", ["dog"], {})
    report = formats.import_(tmp_path / "out", name, other)
    assert report.classes_added == names
    assert np.array_equal(named_map(one, 1), named_map(other, 1))


@pytest.mark.parametrize("name", formats.names())
def test_names_of_photos_survive(tmp_path, name):
    given_names = [
        "zwei Wörter.png",
        "猫 🐈‍⬛.png",
        "CON.png",
        "a.png",
        "A.png",
        "a.jpg",
        "what?.png",
        "dots...png",
        "-x.png",
    ]
    one = make_project(tmp_path / "one", ["cat"], dict.fromkeys(given_names, (12, 8)))
    for k, photo in enumerate(one.photos()):
        put(one, photo.id, awkward_map(12, 8, 1, k))
    report = formats.export(one, name, tmp_path / "out")
    written = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not any(c in "".join(written) for c in '<>:"\\|?*') and "CON.png" not in written
    assert {"CON.png", "what?.png"} <= {photo for photo, _ in report.renamed}
    other = make_project(tmp_path / "other", ["cat"], {})
    formats.import_(tmp_path / "out", name, other)
    assert sorted(photo.name for photo in other.photos()) == sorted(given_names)
    maps = {photo.name: named_map(one, photo.id) for photo in one.photos()}
    for photo in other.photos():
        assert np.array_equal(maps[photo.name], named_map(other, photo.id)), photo.name


@pytest.mark.parametrize("name", formats.names())
def test_a_split_comes_back_whole(tmp_path, name):
    photos = {f"{k}.png": (10, 10) for k in range(5)}
    one = make_project(tmp_path / "one", ["cat", "sofa"], photos)
    for k, photo in enumerate(photos):
        put(one, photo, awkward_map(10, 10, 2, k))
    report = formats.export(one, name, tmp_path / "out", split={"train": 0.6, "val": 0.2, "test": 0.2})
    assert report.splits == {"train": 3, "val": 1, "test": 1}
    other = make_project(tmp_path / "other", ["cat", "sofa"], {})
    formats.import_(tmp_path / "out", name, other)
    for photo in other.photos():
        assert np.array_equal(named_map(one, photo.name), named_map(other, photo.id)), photo.name
    assert len(other.photos()) == 5


def test_every_format_says_what_it_cannot_hold():
    for name in formats.names():
        described = formats.get(name)
        assert described.title and described.layout and "provenance" in described.loses


def test_aliases_and_background_words_travel_in_our_own_exports(tmp_path):
    from textseg.project import Project
    from textseg.vocabulary import Vocabulary

    one = Project.create(tmp_path / "one", Vocabulary.parse("cat; kitten, -sky; heaven"))
    source = make_project(tmp_path / "source", ["x"], {"a.png": (9, 9)})
    one.add([Path(source.folder, "photos")])
    formats.export(one, "coco", tmp_path / "out")
    other = make_project(tmp_path / "other", ["dog"], {})
    formats.import_(tmp_path / "out", "coco", other)
    rows = {row.name: row for row in other.classes()}
    assert rows["cat"].aliases == ["kitten"] and rows["sky"].background and not rows["cat"].background
