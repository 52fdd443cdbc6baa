"""The server's side of the model panel: what is offered, the switch as a job, and what a project remembers."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import TinyBackbone, noise_photo
from textseg.errors import RequestError
from textseg.model import heads
from textseg.project import Project
from textseg.project import chosen as remembered
from textseg.project.chosen import Chosen
from textseg.vocabulary import Vocabulary
from textseg.web import costs, engine
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.models import ModelFunctions, of_project
from textseg.web.rpc.photos import UploadedPhoto


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ModelFunctions]]:
    made: list[Project] = []

    def start(project: bool = False, local: bool = True, offered: tuple[str, ...] = ()) -> ModelFunctions:
        served = Engine("tiny")
        served.start(then=lambda model: None)
        served.model()
        if project:
            made.append(Project.create(tmp_path / "p", Vocabulary.parse("cat, sofa")))
        return ModelFunctions(served, ProjectApi(made[0] if project else None, served, local), offered)

    yield start
    for one in made:
        one.close()


def switch(panel: ModelFunctions, **wanted: Any) -> dict[str, Any]:
    """How a switch ended."""
    panel.switch({"backbone": "tinier", "head": "default", "proposals": "regions", **wanted})
    panel._jobs._jobs[None]._thread.join(30)
    return panel.told()["switch"]


def head_file(backbone: TinyBackbone, path: Path) -> Path:
    torch.manual_seed(0)
    heads.save(heads.get("pacl").build(backbone), path, backbone)
    return path


def test_a_switch_takes_the_new_model_and_keeps_the_scenes_of_the_old_one(serve, tmp_path):
    panel = serve()
    photo = UploadedPhoto("a.png", _png(tmp_path))
    old = panel._engine.scene(photo)
    assert switch(panel)["state"] == "done"
    new = panel._engine.scene(photo)
    assert (old.model.name, new.model.name) == ("tiny", "tinier")
    assert switch(panel, backbone="tiny")["state"] == "done"
    assert panel._engine.scene(photo) is old and panel._engine.model() is old.model


def test_the_old_model_answers_while_the_new_one_loads_and_after_it_failed(serve, monkeypatch):
    panel, loading, go_on = serve(), threading.Event(), threading.Event()
    real = engine.load_model

    def slowly(*args: Any, **options: Any) -> Any:
        loading.set()
        go_on.wait(30)
        return real(*args, **options)

    monkeypatch.setattr(engine, "load_model", slowly)
    panel.switch({"backbone": "clip:ViT-B-16//nowhere.pt", "proposals": "regions"})
    assert loading.wait(30) and panel._engine.model().name == "tiny" and panel.told()["switch"]["running"]
    go_on.set()
    panel._jobs._jobs[None]._thread.join(30)
    ended = panel.told()["switch"]
    assert ended["state"] == "failed" and "The weights of 'clip:ViT-B-16//nowhere.pt' are not at" in ended["problem"]
    assert panel._engine.model().name == "tiny" and panel._engine.status()["state"] == "ready"


def test_a_switch_that_is_stopped_while_it_loads_changes_nothing(serve, monkeypatch):
    panel, real = serve(), engine.load_model

    def stopped(*args: Any, **options: Any) -> Any:
        panel.stop({})
        return real(*args, **options)

    monkeypatch.setattr(engine, "load_model", stopped)
    ended = switch(panel)
    assert (ended["state"], ended["problem"]) == ("cancelled", "Stopped; tiny goes on.")
    assert panel._engine.model().name == "tiny"


def test_what_a_model_costs_is_measured_once_it_was_loaded_and_remembered(serve, tmp_path):
    panel = serve()
    rows = {row["name"]: row for row in panel.models({})["backbones"]}
    assert rows["tiny"]["cost"]["load"] >= 0 and rows["lite"]["cost"] is None
    panel._engine.scene(UploadedPhoto("a.png", _png(tmp_path)))
    assert {"load", "memory", "photo"} <= costs.known()["tiny"].keys()
    assert rows["lite"]["here"] and rows["lite"]["bytes"] == 0 and not rows["clip:ViT-B-16/openai"]["here"]
    assert rows["clip:ViT-B-16/openai"]["licence"] == "MIT" and "sc_clip" in rows["clip:ViT-B-16/openai"]["readouts"]


def test_others_switch_to_nothing_but_what_is_offered(serve):
    with pytest.raises(RequestError, match="chosen where the server runs"):
        serve(local=False).switch({"backbone": "tinier", "proposals": "regions"})
    panel = serve(local=False, offered=("tinier",))
    for refused in ({"backbone": "hf:someone/something"}, {"backbone": "/etc"}, {"proposals": "sam:vit_b//x.pth"}):
        with pytest.raises(RequestError, match="does not offer"):
            switch(panel, **refused)
    told = panel.models({})
    assert {row["name"] for row in told["backbones"]} == {"tiny", "tinier"} and not told["anything"]
    assert switch(panel)["state"] == "done"


def test_a_project_remembers_its_model_and_says_when_its_head_belongs_to_another(serve):
    panel = serve(project=True)
    project = panel._api.project
    training = project.trainings.begin({})
    head_file(TinyBackbone(), project.heads.folder / "1.safetensors")
    project.trainings.succeed(training, "1.safetensors", "x", {}, activated=True)
    assert panel.told()["differs"] is None
    assert switch(panel)["state"] == "done"
    assert remembered.read(project.folder) == of_project(project.folder) == Chosen("tinier")
    assert panel.told()["differs"].startswith("Head 1 of this project was trained with tiny and rests meanwhile")
    assert panel._api.model().name == "tinier"
    refused = switch(panel, head="1")
    assert refused["state"] == "failed" and "goes with no other model" in refused["problem"]
    assert switch(panel, backbone="tiny", head="1")["state"] == "done"
    assert panel.told()["differs"] is None and panel._api.model().head_name == "head 1"
    assert switch(panel, backbone="tiny", head="none")["state"] == "done"
    assert project.heads.active() is None


def test_what_a_project_remembers_is_taken_only_where_nothing_has_to_be_fetched(tmp_path):
    remembered.remember(tmp_path, Chosen("clip:ViT-B-16/openai"))
    assert of_project(tmp_path) is None
    for damaged in ("{", "[]", '{"backbone": 7}', '{"nonsense": "x"}'):
        (tmp_path / remembered.FILE).write_text(damaged)
        assert remembered.read(tmp_path) is None


def _png(folder: Path) -> bytes:
    noise_photo().save(folder / "photo.png")
    return (folder / "photo.png").read_bytes()
