"""The film strip on Label: from frame to frame, labels carried along, and where to stop."""

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import serving_tiny
from tests.films import sliding, write_numbered
from tests.label_maps import make_project, put
from textseg.film.intake import take
from textseg.project import Project

CELLS = ".frames li"


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Project]]:
    """The app with a project of one photo and a film of four frames, the first of which is labelled."""
    folder = tmp_path_factory.mktemp("film")
    project = make_project(folder / "p", ["thing"], {"alone.png": (300, 200)})
    pictures, maps = sliding(4, step=3)
    large = [np.asarray(Image.fromarray(one).resize((320, 240), Image.Resampling.BICUBIC)) for one in pictures]
    take(project, write_numbered(folder / "walk", large))
    put(project, 2, maps[0].repeat(4, 0).repeat(4, 1))
    with serving_tiny(project=folder / "p") as url:
        yield url, project


def test_labels_are_carried_from_frame_to_frame_and_the_strip_says_how_sure(walk, new_page):
    url, project = walk
    page = new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{url}#label/2")
    page.wait_for_selector(f"{CELLS}.current[data-frame='2'] >> nth=0")
    assert page.text_content("[data-part=film-name]") == "walk"
    assert page.text_content("[data-part=film-place]").startswith("frame 1 of 4")
    assert page.text_content("[data-part=film-sure]") == "drawn by hand"
    assert page.locator(CELLS).count() == 4
    page.keyboard.press("c")
    page.wait_for_selector(f"{CELLS}.current[data-frame='3']")
    page.wait_for_function("document.querySelector('[data-part=film-sure]').textContent.endsWith('sure')")
    assert page.get_attribute(".labelling", "data-photo") == "3"
    ids, revision = project.label_map(3)
    assert revision == 1 and set(np.unique(ids)) == {0, 1}
    page.keyboard.press("Control+Shift+Enter")
    page.wait_for_selector(f"{CELLS}.current[data-frame='4']")
    assert project.photo(3).state == "done"
    page.wait_for_selector(".frames circle >> nth=2")
    page.keyboard.press("PageUp")
    page.wait_for_selector(f"{CELLS}.current[data-frame='3']")
    page.click(f"{CELLS}[data-frame='5'] button")
    page.wait_for_selector(f"{CELLS}.current[data-frame='5']")
    page.keyboard.press("c")
    page.wait_for_selector(".labelling .problem:not([hidden])")
    assert "last frame of walk" in page.text_content(".labelling .problem")
    assert page.is_disabled("[data-do=carry]") and page.is_enabled("[data-do=carryBack]")


def test_labels_are_carried_through_the_film_in_the_background_and_undone(walk, new_page):
    url, project = walk
    for photo in (3, 4, 5):
        project.set_state(photo, "in work")
        put(project, photo, np.zeros((240, 320), np.uint16))
    page = new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}#label/2")
    page.wait_for_selector(f"{CELLS}.current[data-frame='2'] >> nth=0")
    page.click("[data-part=film-more]")
    page.click("[data-do=carryEnd]")
    page.wait_for_function("document.querySelector('[data-part=notice]').textContent.startsWith('Carried to 3 frames')")
    assert all(project.label_map(photo)[0].any() for photo in (3, 4, 5))
    assert page.is_hidden("[data-part=film-run]") and page.is_hidden("[data-part=film-ways]")
    height = "document.querySelector('.film').clientHeight"
    assert page.evaluate(height) < 130, "the strip's buttons are in one row"
    page.click(f"{CELLS}[data-frame='5'] button")
    page.wait_for_selector(f"{CELLS}.current[data-frame='5']")
    page.keyboard.press("Control+z")
    page.wait_for_selector(f"{CELLS}.current button[aria-label*='no labels']")


def test_a_photo_of_no_film_has_no_strip(walk, new_page):
    page = new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{walk[0]}#label/1")
    page.wait_for_selector(".labelling[data-photo='1']")
    assert not page.is_visible("[data-part=film]")
