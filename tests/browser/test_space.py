"""The built Space, started as the hub starts it and clicked through by two visitors at once; a third is too late."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import begin_visit, class_names
from tests.browser.labelling import dab, saved
from tests.spaces import Started, started
from textseg import space


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "space"
    space.build(folder)
    return folder


@pytest.fixture(scope="module")
def running(built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    python = os.environ.get("SPACE_PYTHON", sys.executable)  # `make space` names one where nothing else is installed
    with started(built, tmp_path_factory.mktemp("home"), python) as one:
        yield one


@pytest.fixture
def begin(running, new_page):  # type: ignore[no-untyped-def]
    """A visitor in a window of their own, who has begun a project of the samples with these words."""

    def begin_(words: str):  # type: ignore[no-untyped-def]
        page = new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(180_000)
        begin_visit(page, running.url, words)
        return page

    return begin_


def test_the_space_runs_what_is_in_its_folder(built):
    code = "import json, textseg, trainer; print(json.dumps([textseg.__file__, trainer.__file__]))"
    found = subprocess.run([sys.executable, "-c", code], cwd=built, env={}, capture_output=True, text=True, check=True)
    assert all(Path(path).is_relative_to(built) for path in json.loads(found.stdout))


def test_two_visitors_work_at_once_each_for_themselves(begin):
    one, two = begin("cup; coffee cup, wooden table"), begin("cat, blanket")
    dab(two)
    one.keyboard.press("t")  # the model labels the first photo
    saved(two, 1)
    saved(one, 1)
    assert class_names(one) == ["cup", "wooden table"] and class_names(two) == ["cat", "blanket"]
    one.click("[data-do=undo]")
    saved(one, 2)
    two.reload()
    two.wait_for_selector(".labelling[data-revision='1']")
    one.click("nav a[href='#explore']")
    one.wait_for_selector(".explore:not(.stale) .classes li")
    for page in (one, two):
        page.click("nav a[href='#data']")
        page.wait_for_selector(".data [data-part=total]:has-text('5 photos')")
    with one.expect_download() as taken:
        one.click(".chip.visit")
        one.click(".visit-panel button:has-text('Download all of it')")
    assert taken.value.suggested_filename == "my-project.zip"


def test_a_third_is_too_late_and_is_told_so(running, begin):
    page = begin("cat")
    running.ahead.write_text("7300")
    page.reload()
    page.wait_for_selector(".visit-form .gone:has-text('not here any more')")
    running.ahead.write_text("0")


def test_a_link_opens_a_sample_with_its_words(running, new_page):
    page = new_page()
    page.set_default_timeout(180_000)
    page.goto(f"{running.url}?sample=cat&words=tabby cat, wall")
    page.wait_for_selector(".explore[data-answered='tabby cat, wall']")
    assert page.get_attribute(".sample[aria-pressed=true]", "title") == "cat"
