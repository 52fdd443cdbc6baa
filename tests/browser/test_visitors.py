"""Two visitors of a server for strangers, each in a window of their own; and one who comes when the time is over."""

from collections.abc import Iterator

import pytest

from tests.browser.conftest import begin_visit, class_names, serving_tiny
from tests.browser.labelling import dab, saved
from textseg.project import Project
from textseg.vocabulary import Vocabulary
from textseg.web.visitors import Limits, Visitors
from textseg.web.visitors.shared import SharedProject


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Clock]]:
    """The address of a server for visitors, which shows a project of its owner too, and its clock."""
    folder, clock = tmp_path_factory.mktemp("visitors"), Clock()
    Project.create(folder / "street-signs", Vocabulary.parse("sign")).close()
    (folder / "own").mkdir()
    visitors = Visitors(Limits(life=3600), clock, folder / "own")
    shared = SharedProject(folder / "street-signs", "looking")
    with serving_tiny(visitors=visitors, shared=shared) as url:
        yield url, clock
    visitors.close()


@pytest.fixture
def begin(server, new_page):  # type: ignore[no-untyped-def]
    """`begin(words)`: a page in a window of its own, with a project of the samples that was begun there."""

    def begin_(words: str):  # type: ignore[no-untyped-def]
        page = new_page(viewport={"width": 1280, "height": 800})
        begin_visit(page, server[0], words)
        return page

    return begin_


def test_two_visitors_label_at_once_and_neither_sees_the_other(begin):
    one, two = begin("cat"), begin("dog, bird")
    dab(one)
    saved(one, 1)
    assert class_names(one) == ["cat"] and class_names(two) == ["dog", "bird"]
    two.reload()
    two.wait_for_selector(".labelling[data-photo]")
    assert two.get_attribute(".labelling", "data-revision") == "0"
    one.reload()
    one.wait_for_selector(".labelling[data-revision='1']")
    assert one.locator(".photos-list li").count() == 5


def test_a_third_comes_back_when_the_time_is_over(server, begin):
    page = begin("cat")
    page.wait_for_selector(".chip.visit:has-text('Your project · 60 min left')")
    server[1].now += 3601
    page.reload()
    page.wait_for_selector(".visit-form .gone:has-text('not here any more')")
    page.click(".visit-form button[type=submit]")  # and begins anew
    page.wait_for_selector(".labelling[data-photo]")


def test_coming_back_to_a_page_whose_time_is_over_breaks_nothing(server, begin):
    page = begin("cat")
    server[1].now += 3601
    with page.expect_response(lambda reply: '"project": null' in reply.text() or '"project":null' in reply.text()):
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.reload()
    page.wait_for_selector(".visit-form .gone:has-text('not here any more')")


def test_the_panel_says_what_there_is_and_lets_it_go_or_take_it_home(begin):
    page = begin("cat")
    page.click(".chip.visit")
    panel = page.locator(".visit-panel")
    assert "5 of 40" in panel.inner_text() and "Nobody else sees it" in panel.inner_text()
    page.click(".visit-panel summary:has-text('Continue on your computer')")
    assert "textseg serve --project my-project" in panel.inner_text()
    with page.expect_download() as taken:
        page.click(".visit-panel button:has-text('Download all of it')")
    assert taken.value.suggested_filename == "my-project.zip"
    page.click(".visit-panel button:has-text('Delete it now')")
    page.click(".visit-panel button:has-text('Delete for good?')")
    page.wait_for_selector(".visit-form")
    assert page.locator(".visit-form .gone").count() == 0


def test_own_photos_take_ones_own_words(server, new_page):
    page = new_page()
    page.goto(f"{server[0]}#label")
    page.check(".visit-form input[value=own]")
    assert page.input_value(".visit-form [data-part=project-words]") == ""
    page.fill(".visit-form [data-part=project-words]", "tree")
    page.click(".visit-form button[type=submit]")
    page.wait_for_selector(".labelling [data-part=no-photos]:visible")


def test_the_owners_project_is_looked_at_and_left_again(begin):
    page = begin("cat")
    page.click(".chip.visit")
    page.click(".visit-panel button:has-text('Open it')")
    page.wait_for_selector(".class-rows .name:has-text('sign')")
    page.fill("[data-part=new-name]", "tree")
    page.press("[data-part=new-name]", "Enter")
    page.wait_for_selector(".labelling .problem:has-text('nothing in it can be changed')")
    page.click(".chip.visit")
    page.click(".visit-panel button:has-text('Back to my own')")
    page.wait_for_selector(".class-rows .name:has-text('cat')")


def test_learn_and_data_show_the_same_project(begin):
    page = begin("cat")
    page.click("nav a[href='#data']")
    page.wait_for_selector(".data [data-part=total]:has-text('5 photos')")
    page.click("nav a[href='#learn']")
    page.wait_for_selector(".learn .lesson-table th:has-text('cat')")
