"""Journeys on the Learn page: train, see what changed, go back and forth between heads, go on with the next photo."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser.conftest import Held, serving_tiny
from tests.tiny_learning import SETTINGS, draw_halves, make_project
from textseg.project import Project
from trainer import learning

HEAD = ".learn [data-head='{}']"


TINY = {"backbone": "tiny", "head": "none", "set": SETTINGS}


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """The app with a project, and a model that encodes in a millisecond."""

    def start(project: Project, options: dict) -> int:
        """As `learning.start`, but in a thread: a process of its own would load the real backbone."""
        training = project.trainings.begin(TINY)
        threading.Thread(target=learning.run, args=(project.folder, training), daemon=True).start()
        return training

    with pytest.MonkeyPatch.context() as patch, serving_tiny(project=project.folder) as url:
        patch.setattr(learning, "start", start)
        yield url


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Project]]:
    """The app with a project that has learnt from seven of its ten photos."""
    project = make_project(tmp_path_factory.mktemp("learnt") / "p", photos=10, corrected=7)
    learning.run(project.folder, project.trainings.begin(TINY | {"activate": "always"}))
    with serving(project) as url:
        yield url, project


@pytest.fixture
def uncorrected(tmp_path: Path) -> Iterator[tuple[str, Project]]:
    """The app with a project that nobody has corrected yet."""
    project = make_project(tmp_path / "p", photos=10, corrected=0)
    with serving(project) as url:
        yield url, project


@pytest.fixture
def open_learn(served, new_page) -> Callable:  # type: ignore[no-untyped-def]
    """`open_learn(**window)`: the Learn page; it must stay without complaints."""

    def open_(**window):  # type: ignore[no-untyped-def]
        page = new_page(**window)
        page.goto(f"{served[0]}#learn")
        page.wait_for_selector(".learn:not([hidden]) [data-class]")
        return page

    return open_


def test_from_nothing_to_a_head_that_is_compared_rolled_back_and_activated(uncorrected, new_page):
    url, project = uncorrected
    page = new_page()
    page.goto(f"{url}#learn")
    page.wait_for_selector("[data-part=nothing]:not([hidden])")
    assert page.is_disabled("[data-part=train]")
    for photo in project.photos()[:7]:
        draw_halves(project, photo.id)
    page.reload()
    page.wait_for_selector("[data-part=train]:enabled")
    assert page.text_content("[data-part=corrected]") == "7 of 10 photos corrected"
    assert "7 photos" in page.text_content(".learn [data-class='1']")

    page.click("[data-part=train]")
    page.wait_for_selector(HEAD.format(1) + ".active")
    assert page.text_content("[data-part=doing]") == "Done."
    assert page.get_attribute("[data-part=curve]", "aria-label").startswith("Loss from")
    assert "held back" in page.text_content(HEAD.format(1))

    page.wait_for_selector(".compare:not([hidden])")
    assert "of the pixels changed" in page.text_content("[data-part=changed]")
    page.focus("[data-part=slide]")
    page.keyboard.press("Home")
    assert page.evaluate("document.querySelector('[data-part=after-canvas]').style.clipPath") in (
        "inset(0px 0px 0px 0%)",
        "inset(0px)",
        "inset(0 0 0 0%)",
    )
    assert page.locator(".scores tbody tr").count() == 2

    page.click(HEAD.format("start") + " button")
    page.wait_for_selector(HEAD.format("start") + ".active")
    assert project.heads.active() is None
    page.click(HEAD.format(1) + " button:has-text('Activate')")
    page.wait_for_selector(HEAD.format(1) + ".active")
    assert project.heads.active().id == 1


def test_the_next_photos_come_with_reasons_once_they_are_encoded(served, open_learn):
    _, project = served
    page = open_learn()
    page.click("[data-part=look]")
    page.wait_for_selector(".next li[data-photo]")
    corrected = {row.id for row in project.corrected()}
    shown = {int(one) for one in page.eval_on_selector_all(".next li", "all => all.map((li) => li.dataset.photo)")}
    assert shown and not shown & corrected
    page.select_option("[data-part=rule]", "diversity")
    page.wait_for_selector(".next .why:has-text('unlike what is corrected')")
    assert page.get_attribute(".next a >> nth=0", "href").startswith("#label/")


def test_a_person_is_told_what_went_wrong_and_labels_anew_without_losing_corrections(served, open_learn):
    _, project = served
    said = project.corrections(project.photos()[0].id)
    page = open_learn()
    page.click("[data-part=relabel]")
    page.wait_for_function("document.querySelector('[data-part=relabel-note]').textContent.startsWith('with')")
    page.wait_for_selector("[data-part=relabel]:enabled")
    assert (project.corrections(project.photos()[0].id) == said).all()
    busy = project.trainings.begin({})
    page.reload()
    page.wait_for_selector("[data-part=cancel]:visible")
    assert page.is_disabled("[data-part=train]")
    project.trainings.finish(busy, "failed", "The disk is full.")
    page.wait_for_selector("[data-part=doing]:has-text('The disk is full.')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_reaches_over_the_edge(open_learn, scheme):
    page = open_learn(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.wait_for_selector(".learn .heads li")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = page.eval_on_selector_all(
        ".learn *", "all => all.filter((one) => one.getBoundingClientRect().right > 391).map((one) => one.outerHTML)"
    )
    assert wide == []


def test_the_page_is_found_between_label_and_data(open_learn):
    page = open_learn()
    assert page.locator(".segments a").all_text_contents() == ["Explore", "Label", "Learn", "Data"]
    assert page.get_attribute(".segments a[href='#learn']", "aria-current") == "page"


def test_a_comparison_that_comes_late_does_not_replace_a_newer_one(served, open_learn):
    _, project = served
    if project.heads.active() is None:
        pytest.skip("needs the head of the first journey")
    page = open_learn()
    page.wait_for_selector(".compare:not([hidden])")
    held = Held(page, "compare")
    options = page.eval_on_selector_all(".learn select[data-part=photo] option", "all => all.map((one) => one.value)")
    page.select_option(".learn select[data-part=photo]", options[-1])
    held.wait()
    late = held.routes[0].fetch()
    held.holding = False
    page.select_option(".learn select[data-part=photo]", options[1])
    page.wait_for_function("document.querySelector('[data-part=changed]').textContent.includes('pixels changed')")
    held.routes[0].fulfill(response=late)
    page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    assert page.input_value(".learn select[data-part=photo]") == options[1]


def test_at_1024_pixels_train_is_in_view(open_learn):
    page = open_learn(viewport={"width": 1024, "height": 768})
    box = page.locator("[data-part=train]").bounding_box()
    assert box["y"] + box["height"] < 768


def test_whether_photos_that_are_done_show_everything_is_a_switch_that_the_project_remembers(served, open_learn):
    _, project = served
    page = open_learn()
    assert page.is_checked("[data-part=complete]")
    with page.expect_response(lambda response: '"fn_name":"complete"' in (response.request.post_data or "")):
        page.uncheck("[data-part=complete]")
    assert not project.trainings.complete
    page.reload()
    page.wait_for_selector(".learn:visible")
    page.wait_for_function("!document.querySelector('[data-part=complete]').checked")
    project.trainings.take_as_complete(True)
