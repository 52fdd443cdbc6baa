"""How a page's messages reach the server's functions: what is guarded, and what the page is told."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from gradio.data_classes import DataWithFiles

from tests.label_maps import make_project
from textseg.errors import StaleRevisionError
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.pages.data import Data
from textseg.web.pages.label import Label
from textseg.web.pages.learn import Learn
from textseg.web.rpc.page import answered, of_any_project
from textseg.web.rpc.photos import PhotoGoneError


@pytest.fixture
def api(tmp_path):
    return ProjectApi(make_project(tmp_path / "p", ["cat"], {"one.png": (30, 20)}), Engine(), local=True)


def refusing(error):
    def function(message):
        raise error

    return answered(function)({})


def test_an_answer_is_marked_with_what_the_page_can_do_about_it():
    assert refusing(PhotoGoneError())["gone"]
    assert refusing(StaleRevisionError("stale revision 3"))["stale"]
    unforeseen = refusing(ZeroDivisionError())
    assert refusing(OSError(28, "No space left on device", "/home/someone"))["error"].startswith("No space left")
    assert "someone" not in refusing(OSError(28, "No space left on device", "/home/someone"))["error"]
    assert unforeseen == {"ok": False, "error": "The server could not do that; its log says why."}


@pytest.mark.parametrize("message", [{}, {"project": None}, {"project": 7}, {"project": "0" * 16}])
@pytest.mark.parametrize("as_a_form", [False, True])
def test_a_message_that_names_no_project_or_another_one_does_nothing(api, message, as_a_form):
    done = []
    call = answered(lambda message: done.append(message) or {}, api.meant)
    reply = call(DataWithFiles(data=message, files=[("a.png", b"x")]) if as_a_form else message)
    assert not reply["ok"] and not done and reply["error"].count(".") == 1
    assert call({"project": api.key})["ok"] and len(done) == 1


def test_of_each_page_only_what_tells_or_opens_a_project_needs_no_name(api, monkeypatch):
    free, guarded = set(), set()

    def noted(name, functions, given, meant=None):
        for function in functions:
            (free if getattr(function, "of_any_project", False) else guarded).add(f"{name}.{function.__name__}")
        assert meant == api.meant
        return SimpleNamespace(GRADIO_CACHE="")

    for module in ("label", "learn", "data"):
        monkeypatch.setattr(f"textseg.web.pages.{module}.page", noted)
    for component in (Label(api, Engine()), Learn(api, Engine()), Data(api)):
        component.component()
    assert free == {"label.overview", "label.make_project", "label.open_project", "learn.overview", "data.overview"}
    assert {"label.add_photos", "label.edit", "learn.activate", "learn.train", "data.stage", "data.work"} <= guarded


def test_a_stale_tab_activates_no_head_of_the_project_opened_since(api, tmp_path):
    learn, key = Learn(api, Engine()), api.key
    make_project(tmp_path / "other", ["dog"], {"two.png": (30, 20)})
    api.open(str(tmp_path / "other"))
    reply = answered(learn.activate, api.meant)({"project": key, "head": None})
    assert reply == {"ok": False, "error": reply["error"], "other_project": True}


def test_a_message_is_about_its_project_to_the_end(api, tmp_path):
    make_project(tmp_path / "other", ["dog"], {"two.png": (30, 20)})

    def names(message):
        before = api.project.name
        api.open(str(tmp_path / "other"))  # another tab, in between
        return {"names": [before, api.project.name]}

    assert answered(names, api.meant)({"project": api.key})["names"] == ["p", "p"]
    assert api.project.name == "other"


def test_a_function_may_say_that_it_needs_no_project():
    @of_any_project
    def overview(message):
        return {}

    assert answered(overview, lambda key: nullcontext())({})["ok"]
