"""The queue of a project of three thousand photos: what is drawn, found and reached, by mouse, keys and finger."""

from collections.abc import Callable, Iterator

import pytest

from benchmarks.many_photos import build
from tests.browser.conftest import serving_tiny
from textseg.project import Project

MANY = 3000
ROWS = ".photos-list li"
NAMES = f"[...document.querySelectorAll('{ROWS} .label')].map((label) => label.textContent)"
IN_SIGHT = f"""() => {{
  const frame = document.querySelector('.photos-list').getBoundingClientRect();
  return [...document.querySelectorAll('{ROWS}')].filter((row) => {{
    const box = row.getBoundingClientRect();
    return box.bottom > frame.top && box.top < frame.bottom && box.right > frame.left && box.left < frame.right;
  }}).map((row) => Number(row.dataset.photo));
}}"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Project]]:
    """The app with a project of three thousand photos."""
    folder = tmp_path_factory.mktemp("queue")
    project = build(folder / "p", MANY, classes=3)
    with serving_tiny(project=folder / "p") as url:
        yield url, project


@pytest.fixture
def open_queue(many, new_page) -> Callable:  # type: ignore[no-untyped-def,type-arg]
    def open_(photo: int = 1, **window):  # type: ignore[no-untyped-def]
        page = new_page(**({"viewport": {"width": 1280, "height": 800}} | window))
        page.goto(f"{many[0]}#label/{photo}")
        page.wait_for_selector(f".labelling[data-photo='{photo}']")
        return page

    return open_


def test_only_the_rows_in_sight_are_elements_and_all_can_be_scrolled_to(open_queue):
    page = open_queue()
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    assert page.locator(ROWS).count() < 40
    page.evaluate("document.querySelector('.photos-list').scrollTop = 1e9")
    page.wait_for_function(f"{NAMES}.includes('p2_0999.png')")
    assert page.locator(ROWS).count() < 40
    last = page.locator(f"{ROWS}[data-photo='{MANY}']")
    assert last.get_attribute("aria-posinset") == last.get_attribute("aria-setsize") == str(MANY)


def test_pictures_come_for_the_rows_in_sight_alone(open_queue):
    page = open_queue()
    asked = []
    page.on("request", lambda call: '"thumbs"' in (call.post_data or "") and asked.append(call.post_data_json))
    page.evaluate("document.querySelector('.photos-list').scrollTop = 56 * 1500")
    seen = page.evaluate(IN_SIGHT)
    page.wait_for_function(
        "ids => ids.every((id) => document.querySelector(`.photos-list [data-photo='${id}'] img`))", arg=seen
    )
    photos = [photo for call in asked for photo in call["data"]["photos"]]
    assert set(seen) <= set(photos) and len(photos) < 40


def test_a_search_lists_what_matches_and_typing_never_waits(open_queue):
    page = open_queue()
    page.evaluate(
        """() => {
          window.slowest = 0;
          const search = document.querySelector(".queue [data-part=search]");
          search.addEventListener("input", () => {
            const began = performance.now();
            setTimeout(() => (window.slowest = Math.max(window.slowest, performance.now() - began)));
          });
        }"""
    )
    page.click(".queue [data-part=search]")
    page.keyboard.type("P2_055")
    page.wait_for_function(f"{NAMES}.length === 11")  # ten, and the photo in hand
    assert page.text_content("[data-part=found]") == "11 of 3,000 photos listed"
    assert page.evaluate("window.slowest") < 300
    page.fill(".queue [data-part=search]", "")
    page.select_option(".queue [data-part=filter]", "done")
    page.wait_for_function(f"{NAMES}.length === 1")


def test_arrow_keys_walk_through_the_rows_and_enter_opens_one(open_queue):
    page = open_queue(100)
    current = page.locator(f"{ROWS} [aria-current=true]")
    assert page.locator(f"{ROWS} button[tabindex='0']").count() == 1
    current.focus()
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    focused = "Number(document.activeElement.closest('[data-photo]')?.dataset.photo)"
    assert page.evaluate(focused) == 120 and 120 in page.evaluate(IN_SIGHT)
    page.keyboard.press("End")
    assert page.evaluate(focused) == MANY
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(".labelling[data-photo='2']")
    assert page.evaluate(focused) == 2, "the focus stays on the row"


def test_the_photo_in_hand_is_scrolled_into_sight(open_queue):
    page = open_queue(2000)
    assert 2000 in page.evaluate(IN_SIGHT)
    page.keyboard.press("d")
    page.wait_for_selector(".labelling[data-photo='2001']")
    assert 2001 in page.evaluate(IN_SIGHT)


def test_on_a_phone_the_queue_runs_from_left_to_right(open_queue):
    page = open_queue(1500, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    seen = page.evaluate(IN_SIGHT)
    assert 1500 in seen and len(seen) <= 4 and page.locator(ROWS).count() < 20
    page.evaluate("document.querySelector('.photos-list').scrollLeft = 0")
    page.wait_for_selector(f"{ROWS}[data-photo='1']")
    page.tap(f"{ROWS}[data-photo='1'] button")
    page.wait_for_selector(".labelling[data-photo='1']")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
