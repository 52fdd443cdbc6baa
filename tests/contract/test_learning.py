"""Trainings of a project: processes that die, disks that fill, photos and classes that change meanwhile."""

import errno
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests import forked
from tests.tiny_learning import SETTINGS, make_project
from textseg.cli import main
from textseg.errors import HeadError, ProjectError, TrainingError
from textseg.model import heads
from textseg.project import Project
from textseg.vocabulary import Word
from trainer import corrections, learning
from trainer.corrections import corpus

ROOT = Path(__file__).parents[2]
OPTIONS = {"backbone": "tiny", "head": "none", "set": SETTINGS}


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "p")


def train(project: Project, **options) -> dict:
    """One training in this process; -> its row."""
    training = project.trainings.begin(OPTIONS | options)
    learning.run(project.folder, training)
    return project.trainings.all()[0]


def in_a_process(project: Project, **environment: str) -> forked.Process:
    training = project.trainings.begin(OPTIONS)
    command = ["-m", "tests.tiny_learning", project.folder, training]
    return forked.start(*command, cwd=ROOT, env=os.environ | environment)


def test_a_training_leaves_a_head_with_scores_that_is_active(project):
    row = train(project)
    assert row["state"] == "done" and row["done"] == 1 and row["curve"][0][0] == 1 and row["log"]
    (head,) = project.heads.all()
    assert head["active"] and head["there"] and head["scores"]["after"]["miou"] >= head["scores"]["before"]["miou"]
    active = project.heads.active()
    assert active is not None and heads.read_facts(active.path)["objective"] == "corrections"


def test_a_killed_training_is_told_from_one_that_runs_and_the_head_stays(project):
    train(project)
    before = project.heads.active()
    process = in_a_process(project, DIE_AT="3")
    assert process.wait(timeout=120) == -signal.SIGKILL
    newest = project.trainings.all()[0]
    assert newest["state"] == "killed" and "The head that was active stays active" in newest["problem"]
    assert project.heads.active() == before
    assert train(project)["state"] == "done"


def test_only_one_training_runs_at_a_time(project):
    project.trainings.begin(OPTIONS)
    with pytest.raises(ProjectError, match="A training is running already"):
        learning.start(project, OPTIONS)


def test_a_cancelled_training_says_so(project, monkeypatch):
    monkeypatch.setattr(learning, "BEAT", 0.0)
    training = project.trainings.begin(OPTIONS)
    project.trainings.cancel(training)
    learning.run(project.folder, training)
    assert project.trainings.all()[0]["state"] == "cancelled" and project.heads.all() == []


def test_a_full_disk_is_a_sentence_and_the_head_before_stays(project, monkeypatch):
    train(project)
    before = project.heads.active()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("textseg.model.heads.write_atomically", full)
    row = train(project)
    assert row["state"] == "failed" and "No space left on device" in row["problem"]
    assert project.heads.active() == before and len(project.heads.all()) == 1


def test_a_photo_that_is_deleted_is_left_out(project):
    lost = next(one for one in project.photos() if not corpus.is_held_back(one, 0.3))
    (project.folder / "photos" / f"{lost.sha256}{lost.suffix}").unlink()
    row = train(project)
    assert row["state"] == "done" and any(line.startswith(f"{lost.name} is left out") for line in row["log"])


def test_without_any_photo_left_the_training_fails_with_the_reason(project):
    for path in (project.folder / "photos").iterdir():
        path.unlink()
    row = train(project)
    assert row["state"] == "failed" and "8 photos cannot be read" in row["problem"]


def test_a_class_added_and_a_gesture_made_during_the_training_are_kept_for_the_next(project, monkeypatch):
    fit = corrections.fit.fit

    def meanwhile(*arguments):
        new = project.add_class(Word("green thing"))
        project.edit(1, 2, {"type": "brush", "class": new, "radius": 9, "points": [[40, 30]]})
        monkeypatch.setattr(corrections.fit, "fit", fit)
        return fit(*arguments)

    monkeypatch.setattr(corrections.fit, "fit", meanwhile)
    assert train(project)["state"] == "done"
    assert project.heads.all()[0]["classes"] == [["red thing"], ["blue thing"]]
    assert (project.label_map(1)[0] == 3).sum() > 200
    train(project, set=[*SETTINGS, "objective.hold_back=0"])
    assert project.heads.all()[0]["classes"] == [["red thing"], ["blue thing"], ["green thing"]]


def test_a_head_that_scores_worse_is_kept_but_not_activated(project, monkeypatch):
    train(project)
    before = project.heads.active()
    scores = iter([{"miou": 90.0}, {"miou": 40.0}])
    monkeypatch.setattr(corrections.score, "score", lambda *_: {**next(scores), "photos": 2, "per_class": {}})
    row = train(project)
    assert row["state"] == "done" and row["log"][-1].startswith("It scores worse than the head before")
    assert project.heads.active() == before and len(project.heads.all()) == 2


def test_heads_are_rolled_back_activated_and_exported(project, tmp_path):
    train(project)
    project.heads.activate(None)
    assert project.heads.active() is None
    project.heads.activate(1)
    assert project.heads.active() is not None
    copy = project.heads.export(1, tmp_path / "mine.safetensors")
    assert copy.read_bytes() == project.heads.path(1).read_bytes()
    project.heads.path(1).unlink()
    with pytest.raises(ProjectError, match="of head 1 is gone; train again"):
        project.heads.activate(1)
    with pytest.raises(ProjectError, match="no head 7"):
        project.heads.export(7, tmp_path)


def test_an_active_head_whose_file_is_torn_does_not_stop_the_next_training(project):
    train(project)
    path = project.heads.path(1)
    path.write_bytes(path.read_bytes()[:100])
    row = train(project)
    assert row["state"] == "done" and row["log"][0].startswith("Head 1 cannot be read")
    assert project.heads.active().id == 2


def test_options_that_make_no_sense_begin_no_training(project):
    for options, said in (
        ({"epochs": 3}, "no option epochs"),
        ({"activate": "maybe"}, "unless it scores worse"),
        ({"set": ["lr"]}, "write KEY=VALUE"),
        ({"set": "lr=1"}, "a list of settings"),
    ):
        with pytest.raises(TrainingError, match=said):
            learning.start(project, options)
    assert project.trainings.all() == []


def test_the_command_learns_from_a_project_and_the_head_fits_its_backbone_alone(project, tmp_path, capsys):
    out = tmp_path / "head.safetensors"
    arguments = ["train", "--objective", "corrections", "--data", str(project.folder), "--out", str(out)]
    arguments += ["--backbone", "tiny", "--head", "none", "--set", *SETTINGS]
    assert main(arguments) == 0
    assert "mIoU on" in capsys.readouterr().err
    facts = heads.read_facts(out)
    assert facts["type"] == "corrected" and facts["data"]["pixels"].keys() == {"red thing", "blue thing"}

    class Other:
        name = "other"

    with pytest.raises(HeadError, match="trained on 'tiny'"):
        heads.load(out, Other())  # type: ignore[arg-type]


def test_the_command_says_what_is_missing(tmp_path, capsys):
    empty = make_project(tmp_path / "q", photos=1, corrected=0)
    arguments = [
        "train",
        "--objective",
        "corrections",
        "--data",
        str(empty.folder),
        "--out",
        str(tmp_path / "h.safetensors"),
    ]
    assert main([*arguments, "--backbone", "tiny", "--head", "none"]) == 2
    assert "There is nothing to learn from in q" in capsys.readouterr().err
    arguments[4] = str(tmp_path)
    assert main([*arguments, "--backbone", "tiny", "--head", "none"]) == 2


def test_a_project_learns_over_http_while_it_is_labelled(project):
    from textseg.web.api.project import ProjectApi

    class Engine:
        backbone, head, readout = "tiny", "none", "naclip"

    began = []

    def started(project: Project, options: dict) -> int:
        began.append(options)
        return project.trainings.begin(options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "start", started)
        api = ProjectApi(project, Engine())  # type: ignore[arg-type]
        row = api.train("p", {"activate": "never"})
        assert row["state"] == "running" and began == [
            {"backbone": "tiny", "head": "none", "readout": "naclip", "activate": "never"}
        ]
        revision = project.photo(1).revision
        assert api.edit("p", "1", revision, {"type": "undo"})["revision"] == revision + 1
        assert api.train("p", {"training": row["id"], "cancel": True})["cancel"]
        with pytest.raises(ProjectError, match="no training 9"):
            api.train("p", {"training": 9})
        for owners in ({"backbone": "clip:hf-hub:someone/something"}, {"head": "/etc/passwd"}, {"set": ["lr=1"]}):
            with pytest.raises(TrainingError, match="has no option"):
                api.train("p", owners)
        assert len(began) == 1
    assert not np.array_equal(project.corrections(1), project.corrections(2))


def test_a_project_that_keeps_learning_trains_when_a_photo_is_done(project, monkeypatch):
    from textseg.web.api.project import ProjectApi
    from textseg.web.engine import Engine
    from textseg.web.pages.label import Label

    begun = []
    api = ProjectApi(project, Engine("tiny", "none"))
    monkeypatch.setattr(ProjectApi, "train", lambda self, name, options: begun.append(name))
    photo = project.photos()[0].id
    label = Label(api, api._engine)

    label.set_state({"photo": photo, "state": "done"})
    assert not begun
    project.trainings.keep_learning(True)
    label.set_state({"photo": photo, "state": "in work"})
    assert not begun
    label.set_state({"photo": photo, "state": "done"})
    assert begun == [project.name]


def test_whether_photos_that_are_done_show_everything_goes_from_the_page_to_the_head(project, monkeypatch):
    from textseg.web.api.project import ProjectApi
    from textseg.web.engine import Engine
    from textseg.web.pages.learn import Learn

    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: SimpleNamespace(wait=lambda: 0))
    api = ProjectApi(project, Engine("tiny", "none"))
    page = Learn(api, api._engine)
    assert page.state({})["complete"]
    page.complete({"on": False})
    assert not page.state({})["complete"] and not Project(project.folder).trainings.complete
    learning.run(project.folder, api.train("p", {})["id"])
    (head,) = project.heads.all()
    assert heads.read_facts(project.heads.path(head["id"]))["data"]["complete"] is False
    row = api.train("p", {"complete": True})
    assert project.trainings.claim(row["id"])["complete"] is True
    project.trainings.finish(row["id"], "cancelled")
    with pytest.raises(TrainingError, match="'complete' is true"):
        api.train("p", {"complete": "yes"})


@pytest.mark.parametrize(("options", "complete"), [(["--complete"], True), (["--incomplete"], False), ([], False)])
def test_the_command_or_else_the_project_says_whether_done_photos_show_everything(project, tmp_path, options, complete):
    project.trainings.take_as_complete(False)
    out = tmp_path / "head.safetensors"
    arguments = ["train", "--objective", "corrections", "--data", str(project.folder), "--out", str(out), *options]
    assert main([*arguments, "--backbone", "tiny", "--head", "none", "--set", *SETTINGS]) == 0
    facts = heads.read_facts(out)
    assert facts["data"]["complete"] is complete
    assert facts["recipe"]["objective"].get("complete") is (complete if options else None)


def test_only_corrections_know_photos_that_are_done(tmp_path, capsys):
    arguments = ["train", "--objective", "pacl", "--data", str(tmp_path), "--out", str(tmp_path / "head.safetensors")]
    assert main([*arguments, "--incomplete"]) == 2
    assert "no setting 'complete'" in capsys.readouterr().err


def test_a_photo_is_done_even_where_a_training_runs_already(project):
    from textseg.web.api.project import ProjectApi
    from textseg.web.engine import Engine

    project.trainings.keep_learning(True)
    project.trainings.begin(OPTIONS)
    ProjectApi(project, Engine("tiny", "none")).photo_done()
    assert len(project.trainings.all()) == 1


def test_the_command_lists_activates_and_exports_heads(project, tmp_path, capsys):
    train(project)
    folder = str(project.folder)
    assert main(["project", "heads", folder, "--activate", "none", "--export", "1", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "The head that the program is started with is in use." in said and "mIoU" in said
    assert (tmp_path / "0001.safetensors").is_file()
    assert main(["project", "heads", folder, "--activate", "1"]) == 0
    assert "in use" in capsys.readouterr().out
    assert main(["project", "heads", folder, "--activate", "first"]) == 2
    assert "'none', not 'first'" in capsys.readouterr().err


def test_a_head_goes_to_the_hub_with_its_card(project, monkeypatch):
    import huggingface_hub

    train(project)
    sent = {}
    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", lambda self, name, **options: sent.update(options))
    monkeypatch.setattr(
        huggingface_hub.HfApi,
        "upload_file",
        lambda self, path_or_fileobj, path_in_repo, **_: sent.update({path_in_repo: path_or_fileobj}),
    )
    assert project.heads.push(1, "me/pets") == "Head 1 is uploaded to me/pets (private)."
    assert sent["private"] and sent["head.safetensors"] == project.heads.path(1)
    assert b"# pets" in sent["README.md"] and b"hf download me/pets" in sent["README.md"]

    def refused(self, **options):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "upload_file", refused)
    with pytest.raises(ProjectError, match="not uploaded to me/pets \\(no network\\)"):
        project.heads.push(1, "me/pets")
