"""Photos and words that come and go on Explore: whose words stay, what undo, Back and a reload bring, late answers."""

import io
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from tests.browser.conftest import Held, serving_tiny
from tests.tiny import noise_photo
from tests.tiny_learning import draw_halves, make_project
from textseg.web.samples import SAMPLES

FIRST, SECOND = SAMPLES[:2]


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    noise_photo(120, 80, seed).save(buffer, "PNG")
    return buffer.getvalue()


def upload(page, name: str, seed: int = 1) -> None:
    page.set_input_files("[data-part=file]", {"name": name, "mimeType": "image/png", "buffer": png(seed)})
    in_hand(page, name)


def in_hand(page, name: str) -> None:
    page.wait_for_function("name => document.querySelector('.in-hand b')?.textContent === name", arg=name)
    page.wait_for_selector(".explore:not(.stale)")


def words(page) -> str:
    return page.input_value("#words")


def answered(page, text: str) -> None:
    page.wait_for_function("text => document.querySelector('.explore').dataset.answered === text", arg=text)


def ask(page, text: str) -> None:
    page.fill("#words", text)
    answered(page, text)


def sample(page, one) -> None:
    page.click(f".sample[title='{one.name}']")
    in_hand(page, one.file)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving_tiny() as address:
        yield address


@pytest.fixture
def visit(url, new_page) -> Callable:  # type: ignore[no-untyped-def]
    def go(**window):  # type: ignore[no-untyped-def]
        page = new_page(**window)
        page.goto(url)
        in_hand(page, FIRST.file)
        answered(page, FIRST.words)
        return page

    return go


def test_a_samples_words_leave_when_a_persons_own_photo_comes_and_can_be_brought_back(visit):
    page = visit()
    upload(page, "ski slope.png")
    assert words(page) == "" and page.locator(".classes li").count() == 0
    assert "Type words" in page.text_content("[data-part=none]") and page.is_hidden(".explore .problem")
    page.click("[data-part=replaced] button")
    answered(page, FIRST.words)
    assert words(page) == FIRST.words and page.locator(".classes li").count() == 2
    assert page.is_hidden("[data-part=replaced]")


def test_typed_words_stay_with_another_photo_of_ones_own(visit):
    page = visit()
    ask(page, "snow, ski")
    upload(page, "ski slope.png")
    answered(page, "snow, ski")
    assert words(page) == "snow, ski" and page.is_hidden("[data-part=replaced]")


def test_a_sample_that_replaced_typed_words_gives_them_back(visit):
    page = visit()
    ask(page, "snow, ski")
    sample(page, SECOND)
    answered(page, SECOND.words)
    page.click("[data-part=replaced] button")
    answered(page, "snow, ski")
    sample(page, FIRST)
    sample(page, SECOND)
    assert page.is_hidden("[data-part=replaced]"), "a sample's own words are no loss"


def test_back_and_forward_go_from_photo_to_photo_with_their_words(visit):
    page = visit()
    ask(page, "cup, spoon")
    sample(page, SECOND)
    upload(page, "mine.png")
    ask(page, "dog")
    page.go_back()
    in_hand(page, SECOND.file)
    answered(page, SECOND.words)
    page.go_back()
    in_hand(page, FIRST.file)
    answered(page, "cup, spoon")
    page.go_forward()
    page.go_forward()
    in_hand(page, "mine.png")
    answered(page, "dog")


def test_back_from_another_page_shows_the_photo_that_was_in_hand(visit):
    page = visit()
    sample(page, SECOND)
    page.click(".shell a[href='#data']")
    page.wait_for_selector("#data-page .empty-page:visible")
    page.go_back()
    page.wait_for_selector(".explore:visible")
    in_hand(page, SECOND.file)


def test_photo_and_words_survive_a_reload(visit):
    page = visit()
    upload(page, "mine.png", seed=5)
    ask(page, "dog, tree")
    page.reload()
    in_hand(page, "mine.png")
    answered(page, "dog, tree")
    page.click(".shell a[href='#data']")
    page.reload()
    page.click(".shell a[href='#explore']")
    in_hand(page, "mine.png")
    assert words(page) == "dog, tree"


def test_an_address_that_names_no_photo_of_this_browser_opens_the_first_sample(visit, url):
    page = visit()
    page.goto("about:blank")
    page.goto(f"{url}#explore/photo-gone%")
    in_hand(page, FIRST.file)


def test_classes_are_listed_by_the_area_they_cover(visit):
    page = visit()
    ask(page, "cup, dog, tree, wall, sky, road")
    areas = [float(text.replace("<", "").split()[0]) for text in page.locator(".classes .area").all_text_contents()]
    assert areas == sorted(areas, reverse=True)
    listed = page.locator(".classes .name .label").all_text_contents()
    assert page.locator(".card .label").all_text_contents() == listed
    page.locator(".explore .board canvas").focus()
    page.keyboard.press("2")
    assert page.text_content("[data-part=scale] b") == listed[1]


# Late answers: each is asked, the page goes on, and only then does the server answer.


def test_an_answer_to_older_words_does_not_show(visit):
    page = visit()
    held = Held(page, "answer", "zebra")
    page.fill("#words", "zebra")
    held.wait()
    ask(page, "cup, dog")
    held.release()
    assert page.locator(".classes .name .label").all_text_contents() != ["zebra"]
    assert page.locator(".classes li").count() == 2


def test_an_answer_about_another_photo_does_not_show(visit):
    page = visit()
    held = Held(page, "answer", "zebra")
    page.fill("#words", "zebra")
    held.wait()
    sample(page, SECOND)
    answered(page, SECOND.words)
    held.release()
    assert "zebra" not in page.locator(".classes .name .label").all_text_contents()


def test_a_photo_that_opens_late_does_not_replace_a_newer_one(visit):
    page = visit()
    held = Held(page, "open", SECOND.name)
    page.click(f".sample[title='{SECOND.name}']")
    held.wait()
    upload(page, "mine.png")
    held.release()
    assert page.text_content(".in-hand b") == "mine.png"


@pytest.mark.parametrize(
    ("view", "function", "count"), [("units", "partition", "unit-count"), ("masks", "masks", "mask-count")]
)
def test_units_and_masks_of_another_photo_do_not_show(visit, view, function, count):
    page = visit()
    held = Held(page, function)
    page.click(f"[data-view={view}]")
    held.wait()
    page.click("[data-view=labels]")
    sample(page, SECOND)
    answered(page, SECOND.words)
    held.release()
    assert page.text_content(f"[data-part={count}]") == ""


def test_what_is_near_an_older_pin_does_not_show(visit):
    page = visit()
    held = Held(page, "near")
    page.click(".explore .board canvas", position={"x": 400, "y": 300})
    held.wait()
    sample(page, SECOND)
    answered(page, SECOND.words)
    held.release()
    assert page.is_hidden("[data-part=why]")


def test_the_projects_head_answers_and_the_page_says_so(tmp_path, new_page, monkeypatch):
    from tests.tiny import tiny_model
    from textseg.web.api.project import ProjectApi

    project = make_project(tmp_path / "p", photos=1, corrected=0)
    draw_halves(project, project.photos()[0].id)
    asked = []
    with serving_tiny(project=project.folder) as address:
        active = SimpleNamespace(id=3, path=tmp_path / "p" / "project.sqlite")
        monkeypatch.setattr(type(project.heads), "active", lambda self: active)
        model = tiny_model()
        model.head_name = "head 3"
        monkeypatch.setattr(ProjectApi, "model", lambda self: (asked.append(1), model)[1])
        page = new_page()
        page.goto(f"{address}#explore")
        in_hand(page, FIRST.file)
        answered(page, FIRST.words)
        assert "Head 3 of p" in page.text_content("[data-part=method-line]") and asked
        asked.clear()
        active.id = 4
        page.click(".segments a[href='#label']")
        page.click(".segments a[href='#explore']")
        page.wait_for_function("document.querySelector('[data-part=method-line]').textContent.includes('Head 4 of p')")
        answered(page, FIRST.words)
        assert asked, "the answer is that of another head now"
        asked.clear()
        page.click("[data-part=method] summary")
        page.select_option("[data-part=head]", "")
        page.wait_for_function(
            "document.querySelector('[data-part=method-line]').textContent.includes('The program’s head')"
        )
        assert not asked
        active.path = tmp_path / "gone.safetensors"
        page.reload()
        in_hand(page, FIRST.file)
        answered(page, FIRST.words)
        assert "Head" not in page.text_content("[data-part=method-line]")
