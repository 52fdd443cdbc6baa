"""The Label page without a project: making one from a folder of photos and words, opening another, and who may."""

from pathlib import Path

import pytest

from tests.browser.conftest import serving_tiny
from tests.tiny import noise_photo
from textseg.project import Project
from textseg.vocabulary import Vocabulary


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `cats` of three photos, one of them torn; the home folder is empty."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "cats").mkdir()
    for seed in range(2):
        noise_photo(120, 80, seed).save(tmp_path / "cats" / f"{seed}.png")
    (tmp_path / "cats" / "torn.jpg").write_bytes(b"\xff\xd8torn")
    return tmp_path / "cats"


@pytest.fixture
def visit(new_page):  # type: ignore[no-untyped-def]
    def go(url: str):  # type: ignore[no-untyped-def]
        # The server closes before its windows do.
        page = new_page(expects="net::ERR_CONNECTION_REFUSED", viewport={"width": 1280, "height": 800})
        page.goto(f"{url}#label")
        return page

    return go


def test_a_stranger_makes_a_project_of_a_folder_and_opens_another(photos, visit, tmp_path):
    other = Project.create(tmp_path / "other", Vocabulary.parse("dog"))
    other.add([photos / "0.png"])
    with serving_tiny() as url:
        page = visit(url)
        page.fill("[data-part=project-words]", "cat; kitten, sofa")
        page.fill("[data-part=photos-folder]", str(photos) + "/")
        made = tmp_path / "home" / "textseg" / "cats"
        assert page.input_value("[data-part=project-folder]") == str(made)  # called like its photos
        page.click("text=Make the project")
        page.wait_for_selector(".labelling[data-photo='1']")
        page.wait_for_function("document.querySelectorAll('.photos-list li').length === 2")
        page.wait_for_function("document.querySelector('[data-part=run-state]').textContent.includes('1 failed')")
        project = Project(made)
        assert [c.name for c in project.classes()] == ["cat", "sofa"] and len(project.photos()) == 2

        stale = visit(url)
        stale.wait_for_selector(".labelling[data-photo='1']")
        page.click("[data-part=project]")
        page.fill("dialog[open] [data-part=open-folder]", str(tmp_path / "nowhere"))
        page.click("dialog[open] button:text-is('Open')")
        page.wait_for_selector("dialog[open] .problem:not([hidden])")
        assert "no project" in page.text_content("dialog[open] .problem")
        page.fill("dialog[open] [data-part=open-folder]", str(tmp_path / "other"))
        page.click("dialog[open] button:text-is('Open')")
        page.wait_for_selector(".class-rows .name[title=dog]")

        # A window that still shows the project before must not write into this one, where ids mean other photos.
        stale.keyboard.press("b")
        box = stale.locator(".desk [data-part=board]").bounding_box()
        stale.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        stale.wait_for_selector(".labelling .problem:not([hidden])")
        assert "Another project" in stale.text_content(".labelling .problem")
        assert other.label_map(1)[1] == project.label_map(1)[1] == 0


def test_bad_words_or_folders_are_one_sentence_in_the_form(photos, visit, tmp_path):
    with serving_tiny() as url:
        page = visit(url)
        for words, folder, photo_folder, says in [
            (";", str(tmp_path / "new"), "", "word"),
            ("cat", str(photos), "", "not empty"),
            ("cat", str(tmp_path / "new"), str(tmp_path / "nowhere"), "no folder"),
        ]:
            page.fill("[data-part=project-words]", words)
            page.fill("[data-part=photos-folder]", photo_folder)
            page.fill("[data-part=project-folder]", folder)
            page.click("text=Make the project")
            page.wait_for_function(
                "says => document.querySelector('.empty-page .problem').textContent.includes(says)", arg=says
            )
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "where", [{"host": "0.0.0.0"}, {"environment": ("SPACE_ID", "someone/space")}], ids=["open to the network", "space"]
)
def test_folders_are_chosen_only_by_who_sits_at_the_machine(photos, visit, tmp_path, monkeypatch, where):
    from textseg.web.api.project import ProjectApi

    apis = []
    made = ProjectApi.__init__
    monkeypatch.setattr(ProjectApi, "__init__", lambda self, *given: (made(self, *given), apis.append(self))[0])
    if "environment" in where:
        monkeypatch.setenv(*where["environment"])
    with serving_tiny(**{key: value for key, value in where.items() if key == "host"}) as url:
        page = visit(url)
        page.wait_for_selector(".visit-form" if "environment" in where else "text=Nothing to label yet")
        assert page.locator("form.project-form:not(.visit-form)").count() == 0
        api = apis[0]
        for attempt in (lambda: api.make(str(tmp_path / "new"), "cat"), lambda: api.open(str(tmp_path))):
            with pytest.raises(Exception, match="where the server runs"):
                attempt()
        assert not (tmp_path / "new").exists()
