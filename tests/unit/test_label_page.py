"""The server side of the Label page, called by a stranger: whatever comes in, one sentence goes out."""

import json
from dataclasses import replace

import numpy as np
import pytest
from gradio.data_classes import DataWithFiles

from tests.tiny import noise_photo, tiny_model
from textseg.project import Project
from textseg.project.schema import STATES
from textseg.vocabulary import Vocabulary
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.pages.label import Label
from textseg.web.rpc.page import answered
from textseg.web.rpc.photos import UploadedPhoto

FUNCTIONS = [
    "overview", "thumbs", "open", "label_map", "edit", "hierarchy", "prompt", "prepare", "pseudolabel", "run",
    "model_view", "sources", "set_state", "set_note", "add_class", "change_class", "delete_class", "add_photos",
    "statistics", "make_project", "open_project", "add_folder", "restore_class", "film", "carry", "carry_on",
]  # fmt: skip

JUNK = [
    None, "x", 7, [], {}, {"photo": None}, {"photo": "1; DROP TABLE photo"}, {"photo": 10**30}, {"photo": -1},
    {"photo": True}, {"photo": 1, "x": "a", "y": None}, {"photo": 1, "x": float("nan"), "y": 3},
    {"photo": 1, "points": [[1]], "box": "x"}, {"photo": 1, "points": "x" * 1000}, {"photo": 1, "box": [5, 5, 5, 5]},
    {"photo": 1, "points": [[float("inf"), 1, 1]]}, {"photo": 1, "points": [[1, 1, float("nan")]]},
    {"photo": 1, "base_revision": "0", "operation": {}}, {"photo": 1, "base_revision": 0, "operation": "undo"},
    {"photo": 1, "base_revision": 0, "operation": {"type": ["brush"]}},
    {"photo": 1, "base_revision": float("nan"), "operation": {"type": "undo"}},
    {"photos": "all"}, {"photos": [{}]}, {"photos": [10**30]}, {"id": [1], "name": {}}, {"id": 10**30, "into": 3},
    {"id": 1, "colour": "red"}, {"id": 1, "into": 1}, {"name": ";"}, {"name": "\x00" * 9}, {"name": "a, b"},
    {"photo": 1, "state": "finished"}, {"photo": 1, "note": {"a": 1}}, {"action": "explode"},
    {"folder": "\x00"}, {"folder": "~nobody-here/x", "words": "cat"}, {"folder": {"a": 1}, "words": 3, "photos": 4},
    DataWithFiles(data=None, files=[]), DataWithFiles(data=None, files=[("../../etc/x.png", b"no picture")]),
]  # fmt: skip


@pytest.fixture
def label(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    noise_photo(60, 40).save(tmp_path / "one.png")
    project = Project.create(tmp_path / "p", Vocabulary.parse("cat, sofa"))
    project.add([tmp_path / "one.png"])
    engine = Engine()
    engine._model = tiny_model()
    engine._settled.set()
    return Label(ProjectApi(project, engine), engine)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_junk_is_answered_in_one_sentence_and_breaks_nothing(label, name):
    before = label.api.project.label_map(1)
    call = answered(getattr(label, name), label.api.meant)
    for message in [*JUNK, *({"project": label.api.key, **junk} for junk in JUNK if isinstance(junk, dict))]:
        reply = call(message)
        json.dumps(reply)
        assert reply["ok"] or ("\n" not in reply["error"] and "its log says why" not in reply["error"]), message
    if name != "pseudolabel":
        after = label.api.project.label_map(1)
        assert after[1] == before[1] and np.array_equal(after[0], before[0])
    label.jobs.close()


def test_folders_of_the_machine_are_not_a_strangers_to_choose(label, tmp_path):
    for name, message in [
        ("make_project", {"folder": str(tmp_path / "new"), "words": "cat"}),
        ("open_project", {"folder": str(tmp_path / "p")}),
        ("add_folder", {"folder": str(tmp_path)}),
    ]:
        reply = answered(getattr(label, name))(message)
        assert not reply["ok"] and "where the server runs" in reply["error"]
    assert "folder" not in label.overview({}) and not (tmp_path / "new").exists()


def test_the_overview_tells_of_a_photo_in_a_row_as_short_as_can_be(label):
    name = label.api.project.photo(1).name
    label.set_state({"photo": 1, "state": "done"})
    assert label.overview({})["photos"][0] == (1, name, STATES.index("done"), label.api.project.photo(1).revision)


def test_only_this_machine_is_told_where_things_lie(label, tmp_path):
    for api in (label.api, ProjectApi(None, label._engine)):
        assert str(tmp_path) not in json.dumps(Label(api, label._engine).overview({}))
    assert "textseg" in Label(ProjectApi(None, label._engine, local=True), label._engine).overview({})["place"]


def test_a_message_meant_for_another_project_is_refused(label):
    call = answered(label.set_note, label.api.meant)
    assert call({"project": label.overview({})["key"], "photo": 1, "note": "mine"})["ok"]
    reply = call({"project": "0" * 16, "photo": 1, "note": "theirs"})
    assert not reply["ok"] and "Another project" in reply["error"] and label.api.project.photo(1).note == "mine"
    assert reply["other_project"]


def test_no_mask_is_a_normal_answer(label, monkeypatch):
    from textseg.proposals.regions import RegionProposals

    monkeypatch.setattr(RegionProposals, "prompt", lambda *_, **__: [])
    monkeypatch.setattr(RegionProposals, "hierarchy", lambda *_: [])
    assert label.prompt({"photo": 1, "points": [[5, 5, 1]]}) == {"masks": []}
    assert label.hierarchy({"photo": 1, "x": 5, "y": 5}) == {"masks": []}


def test_a_photo_is_encoded_once_however_often_it_is_visited(label):
    backbone = label._engine.model().backbone
    for _ in range(3):
        label.prepare({"photos": [1]})
        label.prompt({"photo": 1, "points": [[5, 5, 1]]})
        label.model_view({"photo": 1})
    assert backbone.encoded == 1


def test_the_memory_for_encoded_photos_is_bounded_by_bytes(label, tmp_path):
    for seed in range(1, 13):
        noise_photo(120, 90, seed).save(tmp_path / f"{seed}.png")
    label.api.project.add([tmp_path / f"{seed}.png" for seed in range(1, 13)])
    scenes = label._engine.scenes
    label.prepare({"photos": [2]})
    scenes.max_bytes = 3 * scenes.nbytes
    for photo in range(3, 14):
        label.prepare({"photos": [photo]})
        assert scenes.nbytes <= scenes.max_bytes * 4 / 3  # the newest one may grow once it is in
    assert 1 <= len(scenes) < 12


def test_the_models_view_becomes_labels_with_the_thresholds_that_the_page_shows(label):
    from textseg.segmentation import segment
    from textseg.web.rpc.pictures import threshold_of

    project = label.api.project
    scene = label._engine.scene(UploadedPhoto("one.png", (project.folder.parent / "one.png").read_bytes()))
    vocabulary, _ = project.vocabulary()
    level = int(np.median(segment(scene, vocabulary).score))
    project.edit(1, 0, {"type": "brush", "class": 0, "radius": 4, "points": [[30, 20]]})  # a person's: erased
    drawn = {"type": "brush", "class": 2, "radius": 4, "points": [[10, 10]]}
    project.edit(1, project.photo(1).revision, drawn)
    label.pseudolabel({"photo": 1, "levels": {"1": level}})
    words = (replace(vocabulary[0], threshold=threshold_of(level)), vocabulary[1])
    expected = segment(scene, Vocabulary(words)).ids
    ids, made = project.label_map(1)[0], project.person_pixels(1)
    assert made and (ids == expected).sum() >= ids.size - made and ids[10, 10] == 2
    for levels in ("x", {"1": 999}, {"x": 3}, {"1": True}):
        assert not answered(label.pseudolabel)({"photo": 1, "levels": levels})["ok"]


def test_a_masks_box_is_its_corners_as_in_prompts_and_patches(label):
    (mask, *_) = label.prompt({"photo": 1, "box": [10, 5, 30, 25]})["masks"]
    from textseg.rle import decode

    rows, columns = decode(mask["rle"]).nonzero()
    assert mask["box"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_a_folder_is_not_dropped_while_another_is_added(label, tmp_path):
    import threading

    label.api.local, go_on = True, threading.Event()
    label.jobs.start(label.api.key, "Labelling photos", lambda progress: go_on.wait(60) and {})
    reply = answered(label.add_folder)({"folder": str(tmp_path)})
    go_on.set()
    assert reply == {"ok": False, "error": "Labelling photos is still going on; wait for it, or stop it."}


def test_a_folder_is_added_with_its_subfolders_and_what_was_left_is_said(label, tmp_path):
    label.api.local = True
    (tmp_path / "new" / "day 1").mkdir(parents=True)
    noise_photo(60, 40, seed=31).save(tmp_path / "new" / "day 1" / "a.png")
    (tmp_path / "new" / "notes.txt").write_text("no photo")
    assert answered(label.add_folder)({"folder": str(tmp_path / "new")})["ok"]
    while (job := answered(label.run)({"action": "look"}))["running"]:
        pass
    assert job["notes"] == ["Not taken: 1 .txt."]
    assert label.api.project.photo("day 1/a.png").id


def test_a_photo_keeps_the_quotes_in_its_name(label, tmp_path):
    noise_photo(60, 40, seed=9).save(tmp_path / "nine.png")
    content = (tmp_path / "nine.png").read_bytes()
    form = DataWithFiles(data={"name": 'a "b".png'}, files=[("a %22b%22.png", content)])
    assert label.add_photos(form)["added"] == ['a "b".png']
