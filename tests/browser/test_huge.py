"""A huge photo in a real browser: seen through a window, worked on in its own pixels. The bound is lowered for it."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.browser.conftest import serving_tiny
from tests.browser.labelling import saved
from tests.tiny import noise_photo
from textseg import images
from textseg.project import Project
from textseg.vocabulary import Vocabulary

tifffile = pytest.importorskip("tifffile")
SIZE = (3000, 2400)


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Project]]:
    folder = tmp_path_factory.mktemp("huge")
    pixels = np.asarray(noise_photo(*SIZE))
    tifffile.imwrite(folder / "huge.tif", pixels, tile=(512, 512), photometric="rgb")
    project = Project.create(folder / "p", Vocabulary.parse("cat, sofa, wall"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "MAX_PIXELS", 2_000_000)
        project.add([folder / "huge.tif"])
        with serving_tiny(project=folder / "p") as url:
            yield url, project


def opened(new_page, url, **window):  # type: ignore[no-untyped-def]
    page = new_page(**({"viewport": {"width": 1280, "height": 800}} | window))
    page.goto(f"{url}#label/1")
    page.wait_for_selector(".labelling[data-photo='1']")
    return page


def zoomed(page, factor: float) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Turn the wheel over the middle of the board; -> where that is, once the window has come."""
    box = page.locator(".desk [data-part=board]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -np.log(factor) / 0.002)
    page.wait_for_selector(".labelling[data-window*=',']")
    return x, y


def scale(page) -> float:  # type: ignore[no-untyped-def]
    return float(page.text_content(".statusline [data-part=zoom]").split()[1]) / 100


@pytest.mark.parametrize("width", [1440, 390])
def test_the_small_picture_and_what_is_waited_for_keep_their_text_inside(huge, new_page, width):
    page = opened(new_page, huge[0], viewport={"width": width, "height": 844})
    page.evaluate(
        """() => {
          const busy = document.querySelector(".labelling [data-part=busy]");
          const said = "<span class=spinner></span><span>Finding the regions of this part of the photo</span>";
          busy.innerHTML = said + "<span class='number muted'>12 s</span><button class=link>Stop waiting</button>";
          busy.hidden = false;
        }"""
    )
    board = page.locator(".labelling [data-part=board]").first.bounding_box()
    for inner, outer, edge in ((".navigator .extra a", ".navigator", 4), (".busy button", ".busy", 8)):
        one, around = (page.locator(f".labelling {each}").first.bounding_box() for each in (inner, outer))
        assert one["x"] + one["width"] <= around["x"] + around["width"] - edge
        assert board["x"] <= around["x"] and around["x"] + around["width"] <= board["x"] + board["width"]


def test_strokes_in_a_window_are_saved_in_the_photos_pixels_and_little_travels(huge, new_page):
    url, project = huge
    page, sent = opened(new_page, url), []
    page.on("response", lambda response: sent.append(response) if "component_server" in response.url else None)
    x, y = zoomed(page, 4)
    page.keyboard.press("b")
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=4)
    page.mouse.up()
    saved(page, 1)
    ids, _ = project.label_map(1)
    rows, columns = np.nonzero(ids)
    assert set(np.unique(ids)) == {0, 1}
    assert abs(columns.mean() - SIZE[0] / 2) < 5 and abs(rows.mean() - SIZE[1] / 2) < 5
    assert np.ptp(columns) == pytest.approx(120 / scale(page) + 24, rel=0.03) and np.ptp(rows) in (22, 23, 24)
    assert max(len(response.body()) for response in sent) < 6_000_000

    before = page.get_attribute(".labelling", "data-window")
    corner = page.locator(".desk .navigator canvas").bounding_box()
    page.mouse.click(corner["x"] + 6, corner["y"] + 6)
    page.wait_for_function("before => document.querySelector('.labelling').dataset.window !== before", arg=before)
    page.keyboard.press("g")
    page.keyboard.press("2")
    page.mouse.click(x, y)  # nothing is an edge here: what is seen is filled
    saved(page, 2)
    assert (project.label_map(1)[0] == 2)[0, 0] and np.array_equal(project.label_map(1)[0] == 1, ids == 1)

    page.keyboard.press("Control+0")
    page.wait_for_selector(".labelling[data-window='']")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    saved(page, 4)
    assert not project.label_map(1)[0].any()


def test_a_click_finds_its_region_in_the_window_and_explore_answers_for_it(huge, new_page):
    url, project = huge
    page = opened(new_page, url)
    saved(page, project.photo(1).revision)
    x, y = zoomed(page, 3)
    revision = project.photo(1).revision
    page.keyboard.press("s")
    page.mouse.click(x + 80, y + 50)
    page.wait_for_selector(".steps [data-step=accept], [data-part=steps] button")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    saved(page, revision + 1)
    placed = int(SIZE[1] / 2 + 50 / scale(page)), int(SIZE[0] / 2 + 80 / scale(page))
    assert project.label_map(1)[0][placed] == 3

    page.click(".navigator a")
    page.wait_for_selector(".explore[data-answered='cat, sofa, wall']")
    part = page.url.split("#")[1]
    frame = page.locator(".explore .navigator canvas").bounding_box()
    page.mouse.click(frame["x"] + 10, frame["y"] + 10)
    page.wait_for_function("part => location.hash.slice(1) !== part", arg=part)
    page.wait_for_selector(".explore:not(.stale)[data-answered='cat, sofa, wall']")
    assert page.url.split("#explore/huge-1-")[1].startswith("0-0-")
