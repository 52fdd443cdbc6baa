"""The panels of the Label page: classes by keyboard, locks, notices, statistics, and a project without a photo."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import serving_tiny
from tests.browser.labelling import saved, stroke
from tests.tiny import noise_photo
from textseg.project import Project
from textseg.vocabulary import Vocabulary

FOCUSED = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
PROBLEM = ".labelling .panel .problem"


@pytest.fixture
def empty(tmp_path: Path, new_page) -> Iterator[Callable]:  # type: ignore[no-untyped-def,type-arg]
    """`empty()`: the Label page of a project without a photo."""
    Project.create(tmp_path / "p", Vocabulary.parse("cat, sofa"))
    with serving_tiny(project=tmp_path / "p") as url:
        page = new_page(expects="net::ERR_CONNECTION_REFUSED", viewport={"width": 1280, "height": 800})
        page.goto(f"{url}#label")
        page.wait_for_selector(".class-rows li")
        yield page


def test_the_class_list_is_one_stop_of_the_tab_key_and_arrows_walk_in_it(served, open_photo):
    page = open_photo(1)
    assert page.locator(".class-rows button[tabindex='0']").count() == 1
    page.focus(".class-rows button[tabindex='0']")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED) == "sofa"
    page.keyboard.press("Enter")
    assert page.text_content(".class-rows .chosen .label") == "sofa" and page.evaluate(FOCUSED) == "sofa"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED) == "Lock sofa"
    page.keyboard.press("Enter")
    assert page.get_attribute("[aria-label='Lock sofa']", "aria-pressed") == "true"
    page.keyboard.press("End")
    assert page.evaluate(FOCUSED) == "Lock wall"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "Lock wall"


def test_the_focus_goes_back_to_where_the_class_dialog_was_opened(served, open_photo):
    _, project = served
    page = open_photo(2)
    page.click("[aria-label='Change sofa']")
    page.keyboard.press("Escape")
    page.wait_for_function(f"({FOCUSED}) === 'Change sofa'")
    page.keyboard.press("Enter")
    page.fill("dialog[open] input[type=text]", "cat")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] .problem:not([hidden])")
    assert "already" in page.text_content("dialog[open] .problem")
    assert page.input_value("dialog[open] input[type=text]") == "cat"  # what was typed stays
    page.fill("dialog[open] input[type=text]", "couch")
    page.keyboard.press("Enter")
    page.wait_for_function(f"({FOCUSED}) === 'Change couch'")
    project.change_class(2, name="sofa", aliases=[])


def test_locks_outlive_the_page(served, open_photo):
    page = open_photo(3)
    page.keyboard.press("l")
    assert page.get_attribute("[aria-label='Lock cat']", "aria-pressed") == "true"
    page.reload()
    page.wait_for_selector(".labelling[data-photo='3']")
    assert page.get_attribute("[aria-label='Lock cat']", "aria-pressed") == "true"
    assert page.get_attribute("[aria-label='Lock wall']", "aria-pressed") == "false"


def test_open_statistics_follow_what_is_drawn(served, open_photo):
    page = open_photo(4)
    page.click(".labelling summary")
    rows = "[...document.querySelectorAll('[data-part=statistics-body] tr')]"
    share = f"{rows}.find((row) => row.textContent.includes('in work'))?.textContent ?? ''"
    page.wait_for_function(f"({share}).endsWith('0')")
    page.keyboard.press("b")
    stroke(page, (100, 100), (160, 120))
    saved(page, 1)
    page.wait_for_function(f"({share}).endsWith('1')")


def test_a_project_without_photos_has_no_zoom_and_no_button_that_does_nothing(empty):
    page = empty
    page.wait_for_selector("[data-part=no-photos]:not([hidden])")
    assert page.text_content(".statusline [data-part=zoom]") == ""
    assert page.locator(".desk [data-do]:enabled").evaluate_all("buttons => buttons.map((b) => b.dataset.do)") == [
        "keys"
    ]
    for key in ["d", "a", "t", "m", "y", "Control+z", "Control+Enter", "q", "x"]:
        page.keyboard.press(key)
    assert page.is_hidden(PROBLEM) and page.is_hidden("[data-part=notice]")


def test_the_first_error_of_a_project_without_photos_stays_until_it_is_dismissed(empty, tmp_path):
    page = empty
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8torn")
    noise_photo(60, 40, seed=5).save(tmp_path / "good.png")
    page.set_input_files(".queue [data-part=file]", [tmp_path / "torn.jpg", tmp_path / "good.png"])
    page.wait_for_selector(".labelling[data-photo='1']")
    assert "torn.jpg" in page.text_content(PROBLEM)
    page.click(f"{PROBLEM} [aria-label=Dismiss]")
    assert page.is_hidden(PROBLEM)
    page.wait_for_function("document.querySelector('.statusline [data-part=zoom]').textContent.startsWith('zoom ')")
    assert page.locator(".desk [data-do=brush]").is_enabled()


def test_news_fade_and_the_hint_of_the_tool_is_back(empty, tab, tmp_path):
    page = empty
    tab.spoil()  # a clock that is set stays so
    page.clock.install()
    noise_photo(60, 40, seed=5).save(tmp_path / "good.png")
    page.set_input_files(".queue [data-part=file]", tmp_path / "good.png")
    page.wait_for_function("document.querySelector('[data-part=notice]').textContent === '1 photo added.'")
    page.clock.fast_forward(7000)
    page.wait_for_function("document.querySelector('[data-part=notice]').textContent !== '1 photo added.'")


def test_a_folder_that_is_not_there_is_told_where_it_was_typed(empty):
    page = empty
    page.click("[data-part=add-folder]")
    page.fill("dialog[open] [data-part=photos-folder]", "/nowhere/at/all")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open] .problem:not([hidden])")
    assert "/nowhere/at/all" in page.text_content("dialog[open] .problem")
    assert page.input_value("dialog[open] [data-part=photos-folder]") == "/nowhere/at/all"


def test_a_class_that_the_model_does_not_know_says_so_when_it_is_added(served, open_photo, monkeypatch):
    def strange(_, vocabulary):
        return [text for word in vocabulary for text in word.texts if text == "blorft"]

    monkeypatch.setattr("textseg.model.known.unknown", strange)
    page = open_photo(1)
    assert page.locator(".class-rows .unknown").count() == 0
    page.fill("[data-part=new-name]", "cup; blorft")
    page.keyboard.press("Enter")
    page.wait_for_selector(".class-rows li:last-child .unknown")
    assert page.text_content(".class-rows .unknown") == "The model does not know “blorft”"
