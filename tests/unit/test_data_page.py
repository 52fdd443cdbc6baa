"""What the Data page's server functions take from strangers, and refuse."""

import io
import json
import time
import zipfile
from types import SimpleNamespace

import pytest
from gradio.data_classes import DataWithFiles

from tests.films import needs_av, noise, write_video
from tests.label_maps import make_project
from tests.tiny import noise_photo
from textseg import images
from textseg.errors import DatasetError, FormatError, ProjectError, TextsegError, UsageError
from textseg.project import Project
from textseg.web.api.export import export_options
from textseg.web.api.project import ProjectApi
from textseg.web.pages.data import Data


@pytest.fixture
def page(tmp_path):
    project = make_project(tmp_path / "p", ["cat"], {"one.png": (30, 20)})
    return Data(ProjectApi(project, SimpleNamespace()))


def piece(content=b"abc", **fields):
    return DataWithFiles(data={"upload": "", "path": "a.png", "offset": "0", **fields}, files=[("piece", content)])


def finished(page):
    deadline = time.monotonic() + 60
    while (state := page.work({"action": "look"}))["running"]:
        assert time.monotonic() < deadline
    return state


def test_pieces_of_a_file_come_together_under_its_path(page, tmp_path):
    token = page.stage(piece(b"abc", path="set/images/a b.png"))["upload"]
    page.stage(piece(b"def", upload=token, path="set/images/a b.png", offset="3"))
    staged = tmp_path / "p" / "cache" / "uploads" / token
    assert (staged / "set" / "images" / "a b.png").read_bytes() == b"abcdef"
    with pytest.raises(DatasetError, match="A piece of a b.png is missing"):
        page.stage(piece(b"xyz", upload=token, path="set/images/a b.png", offset="3"))


def test_adding_that_is_stopped_says_what_is_in_the_project(page, tmp_path, monkeypatch):
    token = ""
    for number in range(4):
        noise_photo(20, 10, seed=10 + number).save(tmp_path / "x.png")
        token = page.stage(piece((tmp_path / "x.png").read_bytes(), path=f"{number}.png", upload=token))["upload"]
    opened, really_open = [], images.open

    def stop_at_the_second(path, *how):
        opened.append(path)
        if len(opened) == 2:
            page.work({"action": "cancel"})
        return really_open(path, *how)

    monkeypatch.setattr(images, "open", stop_at_the_second)
    page.add({"upload": token})
    state = finished(page)
    assert state["problem"] is None and state["report"]["add"]["stopped"]
    assert state["report"]["add"]["added"] == ["0.png", "1.png"]
    assert [entry.name for entry in Project(tmp_path / "p").queue()] == ["one.png", "0.png", "1.png"]


def test_photos_that_cannot_be_read_are_named_and_skipped_on_demand(page, tmp_path):
    project = Project(tmp_path / "p")
    page.check({})
    assert finished(page)["report"]["check"] == {"photos": 1, "failed": [], "left": [], "changed": 0}
    project.original(project.photo(1)).write_bytes(b"torn")
    page.check({"then": "take"})
    report = finished(page)["report"]["check"]
    assert report["left"] == [1] and report["failed"][0].startswith("one.png was damaged or changed")
    assert project.photo(1).state == "new"
    page.check({"then": "skip"})
    assert finished(page)["report"]["check"]["left"] == [1] and project.photo(1).state == "new", "only what was seen"
    page.check({"then": "skip", "photos": report["left"]})
    assert finished(page)["report"]["check"]["left"] == [] and project.photo(1).state == "skipped"


def test_a_photo_that_is_done_stays_so_while_its_file_is_away(page, tmp_path):
    project = Project(tmp_path / "p")
    project.set_state(1, "done")
    (project.folder / "photos").rename(tmp_path / "away")
    page.check({"then": "skip", "photos": [1]})
    report = finished(page)["report"]["check"]
    assert report["left"] == [] and "does not exist" in report["failed"][0] and project.photo(1).state == "done"


def test_numbered_photos_of_an_upload_become_a_film_and_the_rest_photos(page, tmp_path):
    token = ""
    for number, name in enumerate(["walk/f-10.png", "walk/f-9.png", "walk/cover.png"]):
        noise_photo(20, 10, seed=10 + number).save(tmp_path / "x.png")
        token = page.stage(piece((tmp_path / "x.png").read_bytes(), path=name, upload=token))["upload"]
    page.add({"upload": token, "film": True})
    report = finished(page)["report"]["add"]
    assert (
        sorted(report["added"]) == ["cover.png", "f-10.png", "f-9.png"] and "walk: 2 frames added." in report["notes"]
    )
    films = Project(tmp_path / "p").films
    assert [still.name for still in films.stills(films.find("walk"))] == ["f-9.png", "f-10.png"]


def test_a_film_in_a_zip_is_told_once_and_by_its_own_name(page, tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as zipped:
        for number in range(2):
            noise_photo(20, 10, seed=10 + number).save(tmp_path / "x.png")
            zipped.writestr(f"walk/f-{number}.png", (tmp_path / "x.png").read_bytes())
    page.add({"upload": page.stage(piece(content.getvalue(), path="walk.zip"))["upload"], "film": True})
    report = finished(page)["report"]["add"]
    assert report["notes"] == ["walk: 2 frames added."] and report["added"] == ["f-0.png", "f-1.png"]


def test_a_jpeg_2000_is_a_photo(page, tmp_path):
    page.add({"upload": page.stage(piece(b"torn", path="a.jp2"))["upload"]})
    assert [reason for _, reason in finished(page)["report"]["add"]["failed"] if reason == "is no photo."] == []


@needs_av
def test_a_video_of_an_upload_becomes_frames_and_a_torn_one_is_told(page, tmp_path):
    content = write_video(tmp_path / "x.mp4", noise(20)).read_bytes()
    token = page.stage(piece(content, path="walk.mp4"))["upload"]
    page.stage(piece(b"torn", path="bad.mp4", upload=token))
    page.add({"upload": token, "every": "1 s"})
    report = finished(page)["report"]["add"]
    assert report["added"] == ["walk-000000.jpg", "walk-000010.jpg"] and report["notes"] == ["walk: 2 frames added."]
    assert [name for name, _ in report["failed"]] == ["bad.mp4"]
    with pytest.raises(UsageError, match="no time between two frames"):
        page.add({"upload": page.stage(piece())["upload"], "every": "often"})


@pytest.mark.parametrize("path", ["../a.png", "/a.png", "a//b", "a/../b", "..", "", "C:\\a.png", "a\0b", "x" * 300])
def test_a_path_that_leads_elsewhere_is_refused(page, tmp_path, path):
    with pytest.raises(DatasetError, match="no path of a file"):
        page.stage(piece(path=path))
    assert not list(tmp_path.rglob("a.png"))


@pytest.mark.parametrize("token", ["..", "../../photos", "x" * 32, "a" * 31, "/etc", "a" * 32])
def test_a_made_up_upload_is_refused(page, token):
    with pytest.raises(DatasetError, match="choose (the files|them) again"):
        page.stage(piece(upload=token))
    with pytest.raises(DatasetError, match="choose (the files|them) again"):
        page.take({"upload": token, "format": "coco", "merge": "mine", "as": "person"})


@pytest.mark.parametrize("message", [None, 3, "x", [], {}, {"upload": {}}, {"format": 3}, {"format": "coco"}])
def test_junk_is_refused_in_one_sentence(page, message):
    for function in (page.stage, page.add, page.take):
        with pytest.raises(TextsegError) as refused:
            function(message)
        assert "\n" not in str(refused.value)


def test_folders_of_the_server_are_for_those_who_sit_at_it(page, tmp_path):
    message = {"format": "coco", "folder": str(tmp_path / "out"), "merge": "mine", "as": "person", "options": {}}
    for function in (page.take, page.export):
        with pytest.raises(ProjectError, match="Folders are chosen where the server runs"):
            function(message)


def test_work_is_told_with_its_problem_and_one_at_a_time(page):
    assert page.export({"format": "png", "options": {"states": ["done"]}})["what"] == "Exporting"
    state = finished(page)
    assert state["problem"].startswith("No photo of the project matches") and state["report"] is None
    page.export({"format": "png", "options": {}, "dry_run": True})
    assert finished(page)["report"]["export"]["photos"] == 1


def test_a_stopped_import_leaves_nothing(page, tmp_path, monkeypatch):
    from textseg import formats

    other = make_project(tmp_path / "other", ["dog"], {f"{i}.png": (40, 30) for i in range(3)})
    formats.export(other, "png", tmp_path / "export")
    whole, seen = formats.import_, []

    def stopped(*arguments, progress, **options):
        def at(done, total):
            seen.append(done)
            if done == 2:  # two photos are in already
                page.work({"action": "cancel"})
            progress(done, total)

        return whole(*arguments, progress=at, **options)

    monkeypatch.setattr(formats, "import_", stopped)
    page._api.local = True
    project = page._api.project
    before = [row.name for row in project.photos()], [one.name for one in project.classes()]
    page.take({"folder": str(tmp_path / "export"), "format": "png", "merge": "mine", "as": "person"})
    assert finished(page)["problem"] == "Stopped; nothing was changed." and max(seen) == 2
    assert ([row.name for row in project.photos()], [one.name for one in project.classes()]) == before
    assert len(list((project.folder / "photos").iterdir())) == len(before[0])


@pytest.mark.parametrize(
    "options",
    [
        "{", [1], {"out": "x"}, {"states": "done"}, {"classes": [1]}, {"split": {"train": "x"}}, {"split": [1]},
        {"split": "train=2"}, {"seed": True}, {"seed": 1.5}, {"polygons": 1},
    ],
)  # fmt: skip
def test_options_that_are_none_are_refused(options):
    with pytest.raises(FormatError):
        export_options(options)


def test_options_are_those_of_the_library():
    given = {"split": "train=0.5,val=0.5", "seed": 3.0, "states": ["done"], "classes": None, "polygons": True}
    wanted = {"split": {"train": 0.5, "val": 0.5}, "seed": 3, "states": ["done"], "polygons": True}
    assert export_options(given) == export_options(json.dumps(given)) == wanted
    assert export_options(None) == export_options({}) == {}


def test_an_upload_has_one_limit_for_all_its_files(page, monkeypatch):
    monkeypatch.setattr("textseg.web.api.project.MAX_STAGED_BYTES", 8)
    token = page.stage(piece(b"12345", path="a.png"))["upload"]
    with pytest.raises(DatasetError, match="together"):
        page.stage(piece(b"6789", path="b.png", upload=token))
    page.stage(piece(b"678", path="c.png", upload=token))


def test_an_import_that_fails_names_the_file_as_the_person_knows_it(page):
    token = page.stage(piece(b"{", path="set/annotations/instances.json"))["upload"]
    page.take({"upload": token, "format": "coco", "merge": "mine", "as": "person"})
    problem = finished(page)["problem"]
    assert "instances.json" in problem and token not in problem and "uploads" not in problem
