"""What one part of the program encoded, no other part, process or restart encodes again."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import forked
from tests.tiny import TinyBackbone
from tests.tiny_learning import SETTINGS, make_project, two_halves
from textseg.bulk.whole_project import pseudo_label_all
from textseg.model import load_model
from textseg.project import Project
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.rpc.photos import UploadedPhoto
from trainer import learning

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "p", photos=3)


def served(project: Project) -> tuple[ProjectApi, TinyBackbone]:
    """The project as a server that was just started has it in hand, and the backbone that it encodes with."""
    backbone = TinyBackbone()
    engine = Engine("tiny", "none")
    engine._model = load_model(backbone, "none")
    engine._settled.set()
    return ProjectApi(project, engine), backbone


def encoded_by_a_training(project: Project) -> int:
    """How often a training in a process of its own encodes a photo."""
    training = project.trainings.begin({"backbone": "tiny", "head": "none", "set": SETTINGS})
    output = forked.run("-m", "tests.tiny_learning", project.folder, training, cwd=ROOT).stdout
    assert project.trainings.all()[0]["state"] == "done"
    return int(output)


def test_a_training_encodes_nothing_that_label_showed(project):
    api, backbone = served(project)
    for photo in project.photos():
        api.scene(photo)
    assert backbone.encoded == 3
    assert encoded_by_a_training(project) == 0
    shutil.rmtree(project.folder / "cache")  # may be deleted at any time
    assert encoded_by_a_training(project) == 3


def test_neither_a_restart_nor_a_run_in_the_background_encodes_again(project):
    api, backbone = served(project)
    for photo in project.photos():
        api.scene(photo)
    again, fresh = served(project)
    shown = [again.scene(photo) for photo in project.photos()]
    assert len(pseudo_label_all(project, again.model(), [1, 2, 3]).labelled) == 3 and fresh.encoded == 0
    np.testing.assert_allclose(shown[0].embedding, api.scene(project.photos()[0]).embedding, atol=2e-3)


def test_a_run_in_the_background_leaves_its_features_to_the_pages(project):
    pseudo_label_all(project, load_model(TinyBackbone(), "none"), [1, 2, 3])
    api, backbone = served(project)
    api.scene(project.photos()[0])
    assert backbone.encoded == 0


def test_what_explore_encoded_label_keeps_for_the_training(project):
    api, backbone = served(project)
    for photo in project.photos():
        data = (project.folder / "photos" / f"{photo.sha256}{photo.suffix}").read_bytes()
        api._engine.scene(UploadedPhoto(photo.name, data))
        api.scene(photo)
    assert backbone.encoded == 3 and encoded_by_a_training(project) == 0


def test_a_photo_that_is_in_no_project_is_not_written_anywhere(project, tmp_path):
    api, _ = served(project)
    two_halves(50).save(tmp_path / "alone.png")
    api._engine.scene(UploadedPhoto("alone.png", (tmp_path / "alone.png").read_bytes()))
    assert not (project.folder / "cache" / "features").exists()


def test_a_head_of_the_same_name_in_another_project_does_not_answer(project, tmp_path):
    (tmp_path / "other").mkdir()
    other = make_project(tmp_path / "other" / "p", photos=3)
    for one, lr in ((project, "lr=0.02"), (other, "lr=0.0001")):
        learning.run(one.folder, one.trainings.begin({"backbone": "tiny", "head": "none", "set": [*SETTINGS, lr],
                                                      "activate": "always"}))  # fmt: skip
    api, backbone = served(project)
    twin = ProjectApi(other, api._engine)
    photo = project.photos()[0]
    assert photo.sha256 == other.photos()[0].sha256
    assert api.model().head_name == twin.model().head_name == "head 1"
    first, second = api.scene(photo), twin.scene(other.photos()[0])
    assert first.model is api.model() and second.model is twin.model() and first.model is not second.model
    assert not np.array_equal(first.embedding, second.embedding) and backbone.encoded == 0


def test_a_head_file_that_was_replaced_is_read_anew(project, tmp_path):
    options = {"backbone": "tiny", "head": "none", "set": SETTINGS, "activate": "always"}
    learning.run(project.folder, project.trainings.begin(options))
    learning.run(project.folder, project.trainings.begin(options | {"set": [*SETTINGS, "lr=0.0001"]}))
    api, _ = served(project)
    first, second = (project.heads.path(number) for number in (1, 2))
    before = api._engine.learnt(first, "head 1")
    first.write_bytes(second.read_bytes())
    assert api._engine.learnt(first, "head 1").fingerprint != before.fingerprint
