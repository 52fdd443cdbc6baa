"""The counts that are kept always are those of the label maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from tests.label_maps import make_project
from textseg.errors import EditError, ProjectError
from textseg.project import Region
from textseg.project import raster as tiles
from textseg.project.counts import tally
from textseg.project.schema import PixelCount
from textseg.vocabulary import Word

SIZE = (50, 40)
PHOTOS = ("one.png", "two.png")

photos, classes = st.sampled_from(PHOTOS), st.integers(0, 4)
points = st.lists(st.tuples(st.integers(-5, 55), st.integers(-5, 45)), min_size=3, max_size=4)

gestures = st.one_of(
    st.builds(
        lambda c, r, p: {"type": "brush", "class": c, "radius": r, "points": p}, classes, st.floats(1, 9), points
    ),
    st.builds(lambda c, p: {"type": "polygon", "class": c, "points": p}, classes, points),
    st.builds(lambda c: {"type": "fill", "class": c, "point": [5, 5]}, classes),
    st.builds(lambda a, b: {"type": "relabel", "from": a, "to": b}, classes, classes),
    st.builds(lambda c: {"type": "accept", "class": c}, st.integers(1, 4)),
    st.sampled_from([{"type": "accept", "above": 0.5}, {"type": "undo"}, {"type": "undo"}, {"type": "redo"}]),
)
steps = st.one_of(
    st.tuples(st.just("edit"), photos, gestures),
    st.tuples(st.just("model"), photos, st.integers(0, 99), st.sampled_from([None, 10_000])),
    st.tuples(st.just("import"), photos, st.integers(0, 99), st.sampled_from(["mine", "theirs", "unlabelled"]),
              st.sampled_from(["person", "model"])),
    st.tuples(st.just("delete"), st.integers(1, 4), st.one_of(st.none(), st.integers(1, 4))),
    st.tuples(st.just("restore"), st.integers(1, 4)),
)  # fmt: skip


def do(project, step):
    kind, *what = step
    if kind == "edit":
        project.edit(what[0], project.photo(what[0]).revision, what[1])
    elif kind == "model":
        photo, seed, over = what
        index = np.random.default_rng(seed).integers(0, 4, (4, 5)).repeat(10, 0).repeat(10, 1)
        project.put_model_labels(photo, index, [Region(1, 0.9), Region(3, 0.4), Region(1, 0.2)], "head", over)
    elif kind == "import":
        photo, seed, merge, author = what
        ids = np.random.default_rng(seed).integers(0, 5, (8, 10)).repeat(5, 0).repeat(5, 1).astype(np.uint16)
        with project.taking_in() as intake:
            intake.put_labels(project.photo(photo).id, ids, merge, author, {"type": "import"})
    elif kind == "delete":
        project.delete_class(*what)
    else:
        project.restore_class(*what)


def check(project):
    maps = {photo: project.label_map(photo)[0] for photo in PHOTOS}
    status = project.status()
    everything = np.concatenate([ids.ravel() for ids in maps.values()])
    assert status["unlabelled_pixels"] == (everything == 0).sum()
    assert {c["id"]: c["pixels"] for c in status["classes"]} == {
        row.id: (everything == row.id).sum() for row in project.classes()
    }
    said, by_photo = {}, project.correction_counts()
    for photo in project.photos():
        sources, rows = project.provenance(photo.id)
        counted = dict(zip(*np.unique(sources, return_counts=True), strict=True))
        counted.pop(0, None)
        assert {row.id: pixels for row, pixels in project.shares(photo.id)} == counted
        persons = [row.id for row in rows.values() if row.kind != "model"]
        assert project.person_pixels(photo.id) == np.isin(sources, persons).sum()
        corrections = project.corrections(photo.id)
        ids, pixels = np.unique(corrections[corrections != 0], return_counts=True)
        if len(ids):
            said[photo.id] = dict(zip(ids.tolist(), pixels.tolist(), strict=True))
    assert by_photo == said and set(said) <= {photo.id for photo in project.corrected()}
    with project.database.reading() as session:
        assert all(row.pixels > 0 for row in session.scalars(select(PixelCount)))


@settings(deadline=None, max_examples=30)
@given(todo=st.lists(steps, min_size=1, max_size=14))
def test_counts_are_those_of_the_label_maps_whatever_is_done(all_places, todo):
    project = make_project(all_places("p"), ["cat", "sofa", "wall", "lamp"], dict.fromkeys(PHOTOS, SIZE))
    side, tiles.SIDE = tiles.SIDE, 16
    try:
        for step in todo:
            try:
                do(project, step)
            except (EditError, ProjectError):
                continue  # a class that is deleted already, say
            check(project)
    finally:
        tiles.SIDE = side
        project.close()


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (7, 9)])
def test_a_tally_counts_every_pair(shape):
    rng = np.random.default_rng(0)
    ids, sources = rng.integers(0, 3, shape).astype(np.uint16), rng.integers(0, 2**32, shape).astype(np.uint32)
    sources[ids > 1] = 2**32 - 1
    expected = {}
    for pair in zip(ids.ravel().tolist(), sources.ravel().tolist(), strict=True):
        expected[pair] = expected.get(pair, 0) + 1
    assert tally(ids, sources) == expected


def test_no_question_about_how_much_there_is_reads_a_label_map(places):
    project = make_project(places("p"), ["cat"], dict.fromkeys(PHOTOS, SIZE))
    project.edit(1, 0, {"type": "brush", "class": 1, "radius": 5, "points": [[9, 9]]})
    asked = []
    for engine in project.database.engines.values():
        event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))
    project.status(), project.shares(1), project.person_pixels(1), project.correction_counts(), project.corrected()
    project.photos(), project.classes()
    assert asked and not [sql for sql in asked if "tile" in sql]
    project.close()


def test_a_class_that_a_gesture_never_touched_has_no_pixels(places):
    project = make_project(places("p"), ["cat"], {"one.png": SIZE})
    project.add_class(Word("dog"))
    assert [c["pixels"] for c in project.status()["classes"]] == [0, 0]
    assert project.status()["unlabelled_pixels"] == SIZE[0] * SIZE[1] and project.correction_counts() == {}
    project.close()
