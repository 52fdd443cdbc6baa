"""Words that are not there, and what is there instead, on the Explore page."""

from collections.abc import Callable, Iterator

import pytest

from tests.browser.conftest import serving_tiny
from textseg.model.others import shipped_nouns


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving_tiny(others=True) as address:
        yield address


@pytest.fixture
def ask(url, new_page) -> Callable:  # type: ignore[no-untyped-def]
    def go(words: str):  # type: ignore[no-untyped-def]
        page = new_page()
        page.goto(url)
        page.wait_for_selector(".explore:not(.stale) .classes li")
        page.fill("#words", words)
        answered(page, words)
        return page

    return go


def answered(page, words: str) -> None:
    page.wait_for_function("words => document.querySelector('.explore').dataset.answered === words", arg=words)


def test_something_else_names_what_it_is_and_one_click_asks_it(ask):
    page = ask("zebra")
    page.wait_for_selector("[data-part=rest]:visible")
    named = page.text_content("[data-part=rest-line]")
    assert "%" in page.text_content("[data-part=rest-area]") and "%" in named
    page.click("[data-part=rest] summary")
    first = page.locator("[data-part=rest-words] button").first
    word = first.get_attribute("aria-label").removeprefix("Add ")
    assert word in named
    first.click()
    answered(page, f"zebra, {word}")
    assert word in page.locator(".classes .name .label").all_text_contents()


def test_only_these_words_is_the_closed_vocabulary(ask):
    page = ask("zebra, cup")
    page.check("[data-part=only]")
    page.wait_for_selector("[data-part=rest]", state="hidden")
    areas = [float(text.split()[-2]) for text in page.locator(".classes li .area").all_text_contents()]
    assert sum(areas) == pytest.approx(100, abs=1)


def test_hovering_names_the_other_word_that_competes_there(ask):
    page = ask("zebra")
    page.hover(".explore .board canvas", position={"x": 300, "y": 300})
    page.wait_for_selector(".tip:not([hidden]) .other")
    assert page.text_content(".tip .other .label") in shipped_nouns()


def test_a_mask_names_the_other_word_that_fits_it_and_only_these_words_takes_it_away(ask):
    page = ask("zebra, cup")
    page.click("[data-view=masks]")
    for others in (1, 0):
        page.wait_for_function("document.querySelector('[data-part=mask-count]').textContent.includes('masks')")
        page.locator(".explore .board canvas").first.click()
        page.wait_for_selector("[data-part=mask]:visible .bars li:not(.other)")
        assert page.locator("[data-part=mask] .bars .other").count() == others
        page.check("[data-part=only]")
        page.wait_for_selector("[data-part=rest]", state="hidden")
