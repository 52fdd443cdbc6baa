"""Every visitor of a server for strangers has a project of their own; nobody reaches another's, and it goes in time."""

import re
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tiny import noise_photo, tiny_model
from textseg.errors import ProjectError, TextsegError, UsageError
from textseg.project import Project
from textseg.project.allowance import Allowance
from textseg.vocabulary import Vocabulary
from textseg.web.engine import Engine
from textseg.web.pages.data import Data
from textseg.web.pages.label import Label
from textseg.web.pages.learn import Learn
from textseg.web.rpc.page import VISITOR, answered
from textseg.web.visitors import Limits, Visitors
from textseg.web.visitors.api import VisitorApi
from textseg.web.visitors.functions import VisitFunctions
from textseg.web.visitors.shared import SHARED, SIGNED_IN, SharedProject, shared_project

LIMITS = Limits(allowance=Allowance(photos=3, pixels=20_000), trainings=2, upload_bytes=1000, life=100, projects=3)


class Server:
    """The functions of all pages as a browser calls them, and a clock that the test turns."""

    def __init__(self, folder: Path, limits: Limits = LIMITS, shared: SharedProject | None = None) -> None:
        self.now = 0.0
        folder.mkdir()
        self.folder = folder
        self.visitors = Visitors(limits, lambda: self.now, folder)
        engine = Engine()
        engine.model = lambda readout=None: model  # type: ignore[method-assign]
        model = tiny_model()
        self.api = VisitorApi(self.visitors, engine, shared)
        self.pages = [Label(self.api, engine), Learn(self.api, engine), Data(self.api)]
        self.visit = VisitFunctions(self.api)

    def call(self, name: str, visitor: str = "", page: int = 0, /, **message):
        function = getattr(self.pages[page], name)
        return answered(function, self.api.meant)({"visitor": visitor, **message})

    def header(self, name: str, visitor: str = "", /, **message):
        return answered(getattr(self.visit, name))({"visitor": visitor, **message})

    def begin(self, words: str = "cat, sofa") -> tuple[str, str]:
        """(visitor, key of the project)."""
        visitor = self.header("begin", words=words, samples=False)["visitor"]
        return visitor, self.call("overview", visitor)["key"]

    def add(self, visitor: str, *sizes: tuple[int, int], tmp: Path) -> list[int]:
        project = self.visitors.visit(visitor).project
        paths = [tmp / f"{k}.png" for k in range(len(sizes))]
        for k, (path, size) in enumerate(zip(paths, sizes, strict=True)):
            noise_photo(*size, seed=k).save(path)
        report = project.add(paths)
        assert not report.failed
        return report.ids


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "visitors")
    yield server
    server.visitors.close()


def test_a_visitor_without_a_project_has_none_and_is_offered_one(server):
    overview = server.call("overview")
    assert overview["project"] is None and overview["visits"] and not overview["local"]
    assert server.call("add_class", name="dog")["error"]


def test_two_visitors_have_a_project_each(server):
    (ada, one), (bob, two) = server.begin("cat"), server.begin("dog")
    assert one != two
    assert [c["name"] for c in server.call("overview", ada)["classes"]] == ["cat"]
    assert [c["name"] for c in server.call("overview", bob)["classes"]] == ["dog"]


def test_nobody_reaches_the_project_of_another_by_its_key_or_by_guessing(server, tmp_path):
    (ada, hers), (bob, his) = server.begin("cat"), server.begin("dog")
    photo = server.add(ada, (60, 40), tmp=tmp_path)[0]
    stroke = {
        "photo": photo,
        "base_revision": 0,
        "operation": {"type": "brush", "class": 1, "radius": 5, "points": [[9, 9]]},
    }
    guesses = [
        bob,
        "",
        SHARED,
        "x.y",
        ada[:-1] + ("0" if ada[-1] != "0" else "1"),
        ada.partition(".")[0] + ".",
        ada.upper(),
        "é.ü",
    ]
    asked = [
        (0, "edit", stroke), (0, "open", {"photo": photo}), (0, "thumbs", {"photos": [photo]}),
        (0, "label_map", {"photo": photo}), (0, "statistics", {}), (0, "run", {"action": "look"}),
        (0, "delete_class", {"id": 1}), (1, "state", {}), (1, "train", {}), (1, "download", {"head": 1}),
        (1, "relabel", {"action": "look"}), (2, "work", {"action": "look"}), (2, "export", {"format": "png"}),
        (2, "stage", {"path": "a.png"}), (2, "take", {"upload": "0" * 32}),
    ]  # fmt: skip
    for visitor in guesses:
        for page, name, message in asked:
            told = server.call(name, visitor, page, project=hers, **message)
            assert told["ok"] is False and told["other_project"], (visitor, name)
    assert server.call("open", bob, project=his, photo=photo)["ok"] is False  # an id of hers is nothing in his
    assert server.call("edit", ada, project=hers, **stroke)["revision"] == 1


def test_the_job_of_a_visitor_is_not_anothers(server):
    (ada, hers), (bob, his) = server.begin(), server.begin()
    server.call("run", ada, project=hers, action="start")
    assert server.call("run", bob, project=his, action="look")["state"] == "idle"
    assert server.call("run", bob, project=hers, action="cancel")["ok"] is False


def test_programs_name_a_project_by_its_visitors_key_alone(server, tmp_path):
    ada, key = server.begin()
    server.begin()
    with server.api.called(ada) as name:
        assert server.api.status(name)["project"] == "my-project"
    for guess in ["my-project", key, "", SHARED, "../my-project", ada.partition(".")[0]]:
        with pytest.raises(ProjectError, match="no project with that key"), server.api.called(guess):
            pass


def test_a_key_cannot_be_made_up(server):
    assert server.header("begin", "mine.0123", words="cat")["visitor"] != "mine.0123"
    with pytest.raises(ProjectError):
        server.visitors.make("mine.0123", Vocabulary.parse("cat"))
    assert not Visitors(root=server.folder).knows(server.visitors.issue())  # one of an earlier start


def test_the_folder_tells_neither_visitor_nor_key(server):
    ada, _ = server.begin()
    assert ada.partition(".")[0] not in str(list(server.folder.rglob("*")))
    assert all(re.fullmatch("[0-9a-f]{64}", path.name) for path in server.folder.iterdir())


def test_a_project_is_deleted_when_its_time_has_come_and_work_prolongs_it(server, tmp_path):
    ada, key = server.begin()
    server.add(ada, (60, 40), tmp=tmp_path)
    server.now = 90
    assert server.call("statistics", ada, project=key)["ok"]
    server.now = 180
    assert server.call("overview", ada)["project"] == "my-project"
    server.now = 191
    assert server.call("overview", ada)["project"] is None
    told = server.call("statistics", ada, project=key)
    assert told["other_project"] and "not here any more" in told["error"]
    assert list(server.folder.iterdir()) == []


def test_looking_at_the_header_does_not_prolong_it(server):
    ada, _ = server.begin()
    server.now = 99
    answered(lambda message: server.visit.told())({"visitor": ada})
    server.now = 101
    assert server.call("overview", ada)["project"] is None


def test_a_sweep_removes_what_nobody_came_back_to_and_what_belongs_to_none(server):
    ada, _ = server.begin()
    (server.folder / "left").mkdir()
    server.now = 200
    server.visitors.sweep()
    assert list(server.folder.iterdir()) == [] and server.visitors.visit(ada) is None


def test_who_comes_back_begins_anew_with_the_key_they_have(server):
    ada, _ = server.begin()
    server.now = 200
    assert server.header("begin", ada, words="dog")["visitor"] == ada
    assert [c["name"] for c in server.call("overview", ada)["classes"]] == ["dog"]


def test_a_project_goes_at_once_when_its_visitor_says_so(server):
    gone = []
    server.visitors.deleted = gone.extend
    (ada, _), (bob, _) = server.begin(), server.begin()
    assert server.header("leave", ada)["ok"]
    assert server.call("overview", ada)["project"] is None
    assert server.call("overview", bob)["project"] is not None


def test_photos_and_pixels_are_bounded_in_a_sentence(server, tmp_path):
    ada, _ = server.begin()
    project = server.visitors.visit(ada).project
    server.add(ada, (60, 40), (60, 40), tmp=tmp_path)
    noise_photo(200, 100, seed=9).save(tmp_path / "big.png")
    assert "0 megapixels in all" in project.add([tmp_path / "big.png"]).failed[0][1]
    noise_photo(60, 40, seed=7).save(tmp_path / "third.png")
    noise_photo(60, 40, seed=8).save(tmp_path / "fourth.png")
    report = project.add([tmp_path / "third.png", tmp_path / "fourth.png"])
    assert report.added == ["third.png"] and "may hold 3 photos" in report.failed[0][1]
    assert len(list((project.folder / "photos").iterdir())) == 3
    with pytest.raises(TextsegError, match="may hold 3 photos"), project.taking_in() as intake:
        intake.add_photo("fifth.png", ".png", b"fifth", (5, 5))
    with pytest.raises(TextsegError, match="may hold 3 photos"), project.taking_in(dry_run=True) as intake:
        intake.add_photo("fifth.png", ".png", b"fifth", (5, 5))


def test_trainings_are_bounded_for_each_and_for_all(server, monkeypatch):
    begun = []
    monkeypatch.setattr(
        "trainer.learning.start", lambda project, options: begun.append(project.trainings.begin({})) or begun[-1]
    )
    (ada, hers), (bob, his) = server.begin(), server.begin()
    assert server.call("train", ada, 1, project=hers)["ok"]
    assert "Another visitor" in server.call("train", bob, 1, project=his)["error"]
    trainings = server.visitors.visit(ada).project.trainings
    trainings.finish(begun[0], "failed")
    assert server.call("train", bob, 1, project=his)["ok"]
    server.visitors.visit(bob).project.trainings.finish(begun[1], "failed")
    assert server.call("train", ada, 1, project=hers)["ok"]
    trainings.finish(begun[2], "failed")
    assert "may train 2 times" in server.call("train", ada, 1, project=hers)["error"]


def test_only_so_many_have_a_project_at_a_time(server):
    keys = [server.begin()[0] for _ in range(3)]
    assert "3 people are labelling here" in server.header("begin", words="cat")["error"]
    assert "already" in server.header("begin", keys[0], words="cat")["error"]
    server.now = 200
    assert server.header("begin", words="cat")["ok"]


def test_a_project_is_taken_home_whole_and_opens_there(server, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    ada, key = server.begin("cat; kitten, sofa")
    photo = server.add(ada, (60, 40), tmp=tmp_path)[0]
    brush = {"type": "brush", "class": 2, "radius": 5, "points": [[9, 9]]}
    server.call("edit", ada, project=key, photo=photo, base_revision=0, operation=brush)
    told = server.header("take_home", ada)
    with zipfile.ZipFile(told["download"]["path"]) as archive:
        archive.extractall(tmp_path / "home")
    project = Project(tmp_path / "home" / "my-project")
    assert [c.name for c in project.classes()] == ["cat", "sofa"]
    assert (project.label_map(photo)[0] == 2).any()
    assert project.picture(photo).size == (60, 40)
    assert project.edit(photo, 1, {"type": "undo"}).changed > 0
    project.close()
    with sqlite3.connect(tmp_path / "home" / "my-project" / "project.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_header_says_how_much_there_is_and_for_how_long(server, tmp_path):
    ada, _ = server.begin()
    server.add(ada, (100, 50), tmp=tmp_path)
    server.now = 40
    told = answered(lambda message: server.visit.told())({"visitor": ada})
    assert told["photos"] == 1 and told["left"] == 60 and told["trainings"] == 0
    assert answered(lambda message: server.visit.told())({"visitor": "x.y"})["gone"]


@pytest.fixture
def owners(tmp_path):
    project = Project.create(tmp_path / "ours", Vocabulary.parse("cat"))
    noise_photo(60, 40).save(tmp_path / "ours.png")
    project.add([tmp_path / "ours.png"])
    project.close()
    return tmp_path / "ours"


def changes(key: str) -> list[tuple[int, str, dict]]:
    brush = {"type": "brush", "class": 1, "radius": 5, "points": [[9, 9]]}
    return [
        (0, "edit", {"photo": 1, "base_revision": 0, "operation": brush}),
        (0, "set_state", {"photo": 1, "state": "done"}),
        (0, "set_note", {"photo": 1, "note": "x"}), (0, "add_class", {"name": "dog"}), (0, "delete_class", {"id": 1}),
        (0, "change_class", {"id": 1, "name": "dog"}), (0, "pseudolabel", {"photo": 1}), (1, "train", {}),
        (1, "keep", {"on": True}), (1, "complete", {"on": False}), (1, "activate", {}),
        (0, "run", {"action": "start"}), (1, "relabel", {"action": "start"}), (2, "stage", {"path": "a.png"}),
    ]  # fmt: skip


def test_a_shared_project_to_look_at_is_seen_by_all_and_changed_by_nobody(tmp_path, owners):
    server = Server(tmp_path / "visitors", shared=SharedProject(owners, "looking"))
    key = server.call("overview", SHARED)["key"]
    assert server.call("open", SHARED, project=key, photo=1)["ok"]
    before = {
        path: path.read_bytes() for path in sorted(owners.rglob("*")) if path.is_file() and "cache" not in path.parts
    }
    for page, name, message in changes(key):
        told = server.call(name, SHARED, page, project=key, **message)
        assert told["ok"] is False and "looked at" in told["error"], (name, told)
    with server.api.called("ours") as name, pytest.raises(ProjectError, match="looked at"):
        server.api.edit(name, "1", 0, {"type": "brush", "class": 1, "radius": 5, "points": [[9, 9]]})
    after = {
        path: path.read_bytes() for path in sorted(owners.rglob("*")) if path.is_file() and "cache" not in path.parts
    }
    assert before == after


def test_an_upload_into_the_shared_project_leaves_those_of_others_alone(tmp_path, owners):
    server = Server(tmp_path / "visitors", shared=SharedProject(owners, "signed-in"))
    assert server.api.staged_for == 0
    before = VISITOR.set(SHARED)
    try:
        assert server.api.staged_for > 0
    finally:
        VISITOR.reset(before)


def test_a_shared_project_for_those_who_signed_in_is_theirs_alone(tmp_path, owners):
    server = Server(tmp_path / "visitors", shared=SharedProject(owners, "signed-in"))
    assert server.call("overview", SHARED)["project"] is None
    with pytest.raises(ProjectError), server.api.called("ours"):
        pass
    before = SIGNED_IN.set("ada")
    try:
        key = server.call("overview", SHARED)["key"]
        assert server.call("add_class", SHARED, project=key, name="dog")["ok"]
    finally:
        SIGNED_IN.reset(before)
    assert server.call("add_class", SHARED, project=key, name="bird")["ok"] is False


def test_the_owner_shares_a_project_by_the_variables_of_the_space(owners):
    assert shared_project({}) is None
    found = shared_project({"TEXTSEG_SHARED_PROJECT": str(owners), "TEXTSEG_SHARED_FOR": "signed-in"})
    assert found.name == "ours" and not found.may_see
    assert shared_project({"TEXTSEG_SHARED_PROJECT": str(owners)}).may_see
    with pytest.raises(UsageError, match="not for 'all'"):
        shared_project({"TEXTSEG_SHARED_PROJECT": str(owners), "TEXTSEG_SHARED_FOR": "all"})


def test_a_shared_project_is_neither_deleted_nor_taken_home(tmp_path, owners):
    server = Server(tmp_path / "visitors", replace(LIMITS, life=1), SharedProject(owners, "looking"))
    assert server.header("leave", SHARED)["ok"] is False and server.header("take_home", SHARED)["ok"] is False
    server.now = 100
    server.visitors.sweep()
    assert server.call("overview", SHARED)["project"] == "ours"
