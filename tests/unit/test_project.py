import itertools
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from tests.tiny import noise_photo
from textseg import rle
from textseg.errors import EditError, PhotoError, ProjectError, StaleRevisionError
from textseg.project import Project, Region, schema
from textseg.project import raster as tiles
from textseg.vocabulary import Vocabulary, Word

SIZE = (90, 60)


in_a_file = pytest.mark.parametrize("places", ["sqlite"], indirect=True)


@pytest.fixture
def project(places, tmp_path, monkeypatch):
    """One photo of 90 x 60 pixels, three classes, tiles small enough that gestures cross them."""
    monkeypatch.setattr(tiles, "SIDE", 32)
    noise_photo(*SIZE).save(tmp_path / "one.png")
    made = Project.create(places("project"), Vocabulary.parse("cat; kitten, sofa, wall"))
    made.add([tmp_path / "one.png"])
    yield made
    made.close()


def do(project, **operation):
    return project.edit("one.png", project.photo("one.png").revision, operation)


def brush(project, class_id, x=20, y=20, radius=6):
    return do(project, type="brush", radius=radius, points=[[x, y], [x + 30, y + 10]], **{"class": class_id})


def test_a_photo_is_taken_in_once_and_its_original_kept(project, tmp_path):
    shutil.copy(tmp_path / "one.png", tmp_path / "copy.png")
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8torn")
    report = project.add([tmp_path / "copy.png", tmp_path / "torn.jpg"])
    assert report.duplicates == [(str(tmp_path / "copy.png"), "one.png")]
    assert len(report.failed) == 1 and report.added == []
    (stored,) = (project.folder / "photos").iterdir()
    assert stored.read_bytes() == (tmp_path / "one.png").read_bytes()


def test_a_project_opens_from_another_path(project, tmp_path):
    brush(project, 1)
    expected = project.label_map("one.png")
    project.close()
    shutil.move(tmp_path / "project", tmp_path / "elsewhere")
    moved = Project(replace(project.place, folder=tmp_path / "elsewhere"))
    ids, revision = moved.label_map(1)
    assert revision == expected[1] and np.array_equal(ids, expected[0])
    assert moved.picture("one.png").size == SIZE


def test_an_answer_tells_what_lies_inside_its_box(project):
    result = brush(project, 2)
    ids, revision = project.label_map("one.png")
    x0, y0, x1, y1 = result.box
    assert (result.revision, result.changed) == (revision, (ids == 2).sum()) == (1, (ids == 2).sum())
    assert np.array_equal(result.ids, ids[y0:y1, x0:x1]) and not np.delete(ids, np.s_[y0:y1], 0).any()


gesture = st.one_of(
    st.builds(
        lambda c, r, p: {"type": "brush", "class": c, "radius": r, "points": p},
        st.integers(0, 3),
        st.floats(1, 12),
        st.lists(st.tuples(st.integers(-5, 95), st.integers(-5, 65)), min_size=1, max_size=3),
    ),
    st.builds(
        lambda c, p: {"type": "polygon", "class": c, "points": p},
        st.integers(0, 3),
        st.lists(st.tuples(st.integers(0, 90), st.integers(0, 60)), min_size=3, max_size=5),
    ),
    st.builds(lambda c, p: {"type": "fill", "class": c, "point": p}, st.integers(0, 3), st.just([5, 5])),
    st.builds(lambda a, b: {"type": "relabel", "from": a, "to": b}, st.integers(0, 3), st.integers(0, 3)),
    st.sampled_from([{"type": "undo"}, {"type": "redo"}]),
)


photo_numbers = itertools.count()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gestures=st.lists(gesture, min_size=1, max_size=12))
def test_undo_and_redo_follow_a_plain_model_of_two_stacks(project, tmp_path, gestures):
    photo = f"{next(photo_numbers)}.png"
    noise_photo(*SIZE, seed=1 + next(photo_numbers)).save(tmp_path / photo)
    project.add([tmp_path / photo])
    undo, redo = [], []
    for operation in gestures:
        before, revision = project.label_map(photo)
        result = project.edit(photo, revision, operation)
        after, now = project.label_map(photo)
        assert result.revision == now and result.changed == (before != after).sum()
        if operation["type"] == "undo" and undo:
            assert np.array_equal(after, undo.pop())
            redo.append(before)
        elif operation["type"] == "redo" and redo:
            assert np.array_equal(after, redo.pop())
            undo.append(before)
        elif operation["type"] in ("undo", "redo"):
            assert now == revision
        elif now != revision:
            undo.append(before)
            redo.clear()


def test_undo_survives_a_restart(project):
    brush(project, 1)
    before = project.label_map("one.png")[0]
    brush(project, 2)
    project.close()
    again = Project(project.place)
    again.edit("one.png", 2, {"type": "undo"})
    assert np.array_equal(again.label_map("one.png")[0], before)


def test_undo_with_nothing_left_answers_the_current_revision(project):
    result = do(project, type="undo")
    assert (result.revision, result.changed) == (0, 0)


def test_a_gesture_on_an_old_label_map_is_refused_and_names_the_current_revision(project):
    brush(project, 1)
    with pytest.raises(StaleRevisionError, match=r"^stale revision 0.* revision 1"):
        project.edit("one.png", 0, {"type": "undo"})
    assert project.label_map("one.png")[1] == 1


def test_classes_keep_their_ids_when_renamed_merged_or_deleted(project):
    brush(project, 1)
    brush(project, 2, y=40)
    project.change_class(1, name="tomcat", colour="#123456")
    assert project.classes()[0].name == "tomcat" and (project.label_map("one.png")[0] == 1).any()
    cats = (project.label_map("one.png")[0] == 1).sum()
    project.delete_class(1, merge_into=3)
    assert (project.label_map("one.png")[0] == 3).sum() == cats
    project.delete_class(2)
    assert set(np.unique(project.label_map("one.png")[0])) == {0, 3}
    assert project.add_class(Word("lamp")) == 4


def test_locked_classes_and_only_unlabelled_protect_what_is_there(project):
    brush(project, 1)
    before = project.label_map("one.png")[0]
    do(project, type="polygon", points=[[0, 0], [90, 0], [90, 60], [0, 60]], locked=[1], **{"class": 2})
    after = project.label_map("one.png")[0]
    assert np.array_equal(after == 1, before == 1) and (after == 2).sum() == (before != 1).sum()
    assert do(project, type="brush", radius=9, points=[[40, 30]], only_unlabelled=True, **{"class": 3}).changed == 0


def test_a_model_never_changes_what_a_person_made_or_accepted(project):
    everywhere = np.ones((60, 90), int)
    halves = np.where(np.arange(90) < 45, 1, 2) * everywhere
    project.put_model_labels("one.png", halves, [Region(1, 0.9), Region(2, 0.4)], head="first")
    do(project, type="accept", above=0.5)
    brush(project, 0, x=60, y=30, radius=4)
    before = project.label_map("one.png")[0]
    project.put_model_labels("one.png", everywhere, [Region(3, 1.0)], head="second")
    after = project.label_map("one.png")[0]
    assert (after[:, :45] == 1).all()
    erased = (before == 0)[:, 45:]
    assert erased.any() and (after[:, 45:][erased] == 0).all() and (after[:, 45:][~erased] == 3).all()


def test_every_pixel_knows_where_it_comes_from(project):
    left = np.zeros((60, 90), int)
    left[:, :45] = 1
    project.put_model_labels("one.png", left, [Region(1, 0.75)], head="default")
    brush(project, 2, x=50, y=30)
    sources, rows = project.provenance("one.png")
    kinds = {rows[s].kind: rows[s] for s in np.unique(sources) if s}
    assert set(kinds) == {"model", "person"}
    assert (kinds["model"].head, kinds["model"].confidence, kinds["model"].class_id) == ("default", 0.75, 1)
    assert (sources == kinds["person"].id).sum() == (project.label_map("one.png")[0] == 2).sum()


def test_accepting_takes_only_regions_of_the_class_above_the_confidence(project):
    thirds = np.broadcast_to(1 + np.arange(90) // 30, (60, 90))
    project.put_model_labels("one.png", thirds, [Region(1, 0.9), Region(1, 0.3), Region(2, 0.9)], head="default")
    assert do(project, type="accept", above=0.5, **{"class": 1}).changed == 0
    sources, rows = project.provenance("one.png")
    assert [rows[sources[0, x]].kind for x in (5, 35, 65)] == ["accepted", "model", "model"]


@pytest.mark.parametrize(
    "operation",
    [
        {"type": "brush", "class": 9, "radius": 3, "points": [[1, 1]]},
        {"type": "brush", "class": "1", "radius": 3, "points": [[1, 1]]},
        {"type": "brush", "class": 1, "radius": 3, "points": [[float("nan"), 1]]},
        {"type": "fill", "class": 1, "point": [400, 1]},
        {"type": "relabel", "from": "x", "to": 1},
        {"type": "region", "class": 1, "rle": {"size": [60, 90], "counts": [1, 2, 3]}},
        {"type": "accept", "above": "high"},
        {"type": "accept", "above": float("nan")},
        {"type": "accept", "class": 9},
        {"type": "brush", "class": 1, "radius": 3, "points": [[1, 1]], "locked": "1"},
        {"type": "brush", "class": 1, "radius": 3, "points": [[1, 1]], "locked": [{}]},
        {"type": "brush", "class": 1, "radius": float("inf"), "points": [[1, 1]]},
        {"type": "explode"},
        {"type": 7},
        "brush",
        {},
    ],
)
def test_a_forged_gesture_is_refused_and_changes_nothing(project, operation):
    brush(project, 1)
    before = project.label_map("one.png")
    with pytest.raises(EditError) as refusal:
        project.edit("one.png", 1, operation)
    assert "\n" not in str(refusal.value)
    after = project.label_map("one.png")
    assert after[1] == before[1] and np.array_equal(after[0], before[0])


def test_the_log_forgets_the_oldest_steps_when_it_outgrows_its_bytes(project, monkeypatch):
    monkeypatch.setattr("textseg.project.log.MAX_LOG_BYTES", 300)
    for i in range(8):
        brush(project, 1 + i % 3, x=5 + 7 * i)
    undone = 0
    while do(project, type="undo").changed:
        undone += 1
    assert 1 <= undone < 8
    assert len(project.history("one.png")) == 8 + undone


def test_a_region_is_painted_whole(project):
    mask = np.zeros((60, 90), bool)
    mask[::2, ::3] = True
    assert do(project, type="region", rle=rle.encode(mask), **{"class": 1}).changed == mask.sum()
    assert np.array_equal(project.label_map("one.png")[0] == 1, mask)


def test_status_counts_photos_classes_and_pixels(project):
    changed = brush(project, 2).changed
    status = project.status()
    assert status["photos"]["total"] == status["photos"]["in work"] == 1
    assert {c["name"]: c["pixels"] for c in status["classes"]} == {"cat": 0, "sofa": changed, "wall": 0}
    assert status["revisions"] == {"one.png": 1}


def test_a_project_of_a_newer_version_is_left_alone(project):
    with project.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ProjectError, match="newer textseg"):
        Project(project.place)


@in_a_file
def test_a_damaged_database_is_named(project):
    project.close()
    for leftover in project.folder.glob("project.sqlite-*"):
        leftover.unlink()
    (project.folder / "project.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(ProjectError, match="damaged"):
        Project(project.folder)


def test_a_folder_without_a_project_says_how_to_make_one(tmp_path):
    with pytest.raises(ProjectError, match="textseg project new"):
        Project(tmp_path)


def test_the_first_schema_is_what_the_tables_say(project):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from textseg.project.schema import Base

    with project.database.reading() as session:
        assert compare_metadata(MigrationContext.configure(session.connection()), Base.metadata) == []


def test_accepting_a_class_takes_what_was_merged_into_it_and_nothing_deleted(project):
    thirds = np.broadcast_to(1 + np.arange(90) // 30, (60, 90))
    project.put_model_labels("one.png", thirds, [Region(1, 0.9), Region(2, 0.8), Region(3, 0.9)], head="default")
    project.delete_class(1, merge_into=2)
    project.delete_class(3)
    do(project, type="accept", **{"class": 2})
    do(project, type="accept")
    sources, rows = project.provenance("one.png")
    assert [rows[sources[0, x]].kind for x in (5, 35, 65)] == ["accepted", "accepted", "model"]


def test_a_batch_run_over_a_persons_work_must_be_told_so(project):
    everywhere = np.ones((60, 90), int)
    made = brush(project, 1).changed
    assert project.person_pixels("one.png") == made
    project.put_model_labels("one.png", everywhere, [Region(3, 1.0)], head="default")
    assert project.person_pixels("one.png") == made == (project.label_map("one.png")[0] == 1).sum()
    with pytest.raises(EditError, match=f"{made} pixels that a person made"):
        project.put_model_labels("one.png", everywhere, [Region(3, 1.0)], head="default", over_person=made - 1)
    project.put_model_labels("one.png", 0 * everywhere, [], head="default", over_person=made)
    assert project.person_pixels("one.png") == made, "where the model has nothing to say, a person's work stays"
    project.put_model_labels("one.png", everywhere, [Region(3, 1.0)], head="default", over_person=made)
    assert project.person_pixels("one.png") == 0 and (project.label_map("one.png")[0] == 3).all()
    do(project, type="undo")
    assert project.person_pixels("one.png") == made


def limited(project, monkeypatch, *pragmas):
    """Every connection of the project gets these pragmas: what a full or read-only disk does to SQLite."""
    from sqlalchemy import event

    for engine in project.database.engines.values():
        engine.dispose()
        event.listen(engine, "connect", lambda connection, _: [connection.execute(f"PRAGMA {p}") for p in pragmas])


@in_a_file
@pytest.mark.parametrize(("pragma", "says"), [("max_page_count=1", "disk is full"), ("query_only=ON", "read-only")])
def test_a_full_or_read_only_disk_is_named_and_the_last_good_state_stays(project, monkeypatch, pragma, says):
    brush(project, 1)
    before = project.label_map("one.png")
    limited(project, monkeypatch, pragma)
    with pytest.raises(ProjectError, match=says) as refusal:
        for radius in range(5, 40):  # until no page is free
            noise = [[x, (x * 37) % 60] for x in range(0, 90, 3)]
            revision = project.photo("one.png").revision
            project.edit("one.png", revision, {"type": "brush", "class": 2, "radius": radius % 7 + 1, "points": noise})
            before = project.label_map("one.png")
    assert "\n" not in str(refusal.value) and str(project.folder) in str(refusal.value)
    ids, revision = project.label_map("one.png")
    assert revision == before[1] and np.array_equal(ids, before[0])
    project.close()
    again = Project(project.folder)
    assert np.array_equal(again.label_map("one.png")[0], before[0])
    assert again.edit("one.png", revision, {"type": "undo"}).changed


def test_a_disk_that_is_full_while_photos_come_in_keeps_those_that_are_in(project, tmp_path, monkeypatch):
    noise_photo(30, 20, seed=5).save(tmp_path / "two.png")

    def full(path, content, mode):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("textseg.project.originals.write_atomically", full)
    with pytest.raises(ProjectError, match="No space left on device"):
        project.add([tmp_path / "two.png"])
    assert [photo.name for photo in project.photos()] == ["one.png"]
    assert len(list((project.folder / "photos").iterdir())) == 1


def test_a_photo_that_vanished_keeps_its_label_map(project):
    brush(project, 1)
    for stored in (project.folder / "photos").iterdir():
        stored.unlink()
    with pytest.raises(PhotoError, match="does not exist"):
        project.picture("one.png")
    assert brush(project, 2, y=40).changed and (project.label_map("one.png")[0] == 1).any()


def test_a_damaged_piece_of_a_label_map_is_named_and_harms_no_other_photo(project, tmp_path):
    noise_photo(*SIZE, seed=3).save(tmp_path / "two.png")
    project.add([tmp_path / "two.png"])
    for name in ("one.png", "two.png"):
        project.edit(name, 0, {"type": "brush", "class": 1, "radius": 5, "points": [[40, 40]]})
    with project.database.writing() as session:
        for tile in session.scalars(select(schema.Tile).where(schema.Tile.photo_id == 1)):
            tile.ids = b"torn"
    with pytest.raises(ProjectError, match=r"label map of one.png is damaged around \(32, 32\)"):
        project.label_map("one.png")
    with pytest.raises(ProjectError, match="one.png is damaged"):
        do(project, type="brush", points=[[40, 40]], radius=3, **{"class": 2})
    assert (project.label_map("two.png")[0] == 1).any()
    assert project.edit("two.png", 1, {"type": "undo"}).changed


def test_a_damaged_step_is_not_taken_back_and_the_label_map_stays(project):
    brush(project, 1)
    with project.database.writing() as session:
        session.scalars(select(schema.Edit)).one().before = b"torn"
    before = project.label_map("one.png")
    with pytest.raises(ProjectError, match="cannot be taken back"):
        do(project, type="undo")
    after = project.label_map("one.png")
    assert after[1] == before[1] and np.array_equal(after[0], before[0])


def test_a_stroke_outside_the_photo_changes_nothing(project):
    assert do(project, type="brush", radius=5, points=[[-500, -500], [900, -20]], **{"class": 1}).changed == 0
    assert project.label_map("one.png")[1] == 0


def test_what_else_comes_with_a_gesture_is_not_kept(project):
    do(project, type="brush", radius=5, points=[[20, 20]], junk="x" * 10_000, **{"class": 1})
    with project.database.reading() as session:
        assert "junk" not in session.scalars(select(schema.Edit)).one().operation


def test_a_stroke_in_a_class_that_somebody_deleted_is_kept_and_flagged(project):
    project.delete_class(2)
    kept = brush(project, 2)
    assert "sofa" in kept.warning and "deleted" in kept.warning and kept.revision == 1
    assert not project.label_map("one.png")[0].any()
    project.restore_class(2)
    assert (project.label_map("one.png")[0] == 2).sum() == project.person_pixels("one.png") > 0
    with pytest.raises(EditError, match="no deleted class 2"):
        project.restore_class(2)


def test_a_stroke_in_a_class_that_somebody_merged_is_drawn_as_that_one(project):
    project.delete_class(2, merge_into=3)
    kept = brush(project, 2)
    assert "merged" in kept.warning and kept.changed == (project.label_map("one.png")[0] == 3).sum() > 0


def test_who_made_how_many_pixels_is_counted_piece_by_piece(project):
    thirds = np.broadcast_to(1 + np.arange(90) // 30, (60, 90))
    project.put_model_labels("one.png", thirds, [Region(1, 0.9), Region(1, 0.3), Region(2, 0.9)], head="default")
    brush(project, 3)
    sources, _ = project.provenance("one.png")
    assert {row.id: pixels for row, pixels in project.shares("one.png")} == {
        int(k): int((sources == k).sum()) for k in np.unique(sources) if k
    }
