"""axe-core finds nothing to complain about: every page, light and dark, on a desk, a small window and a phone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import axe_playwright_python
import numpy as np
import pytest

from tests.browser.conftest import CALLS, serving_tiny
from tests.label_maps import awkward_map, make_project, put
from textseg.web.visitors import Visitors

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
SIZE = (120, 80)
READY = {
    "explore": ".explore:not(.stale) .classes li",
    "label": ".labelling[data-photo] .photos-list li",
    "learn": ".learn:not([hidden]) .heads li",
    "data": ".data .classes-table tr",
}
WIDTHS = {1440: 900, 1024: 768, 390: 844}

CUT = """() => [...document.querySelectorAll(".page :is(button, a, p, h2, legend, th)")]
  .filter((one) => one.checkVisibility() && !one.closest(".unseen, .photos-list, .lesson-scroller, .samples"))
  .filter((element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline"
    || element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.textContent.trim())"""
"""Controls and sentences of which something does not fit."""

PENDING: dict[str, set[str]] = {}
"""Rules that a page still breaks. To be empty."""


@pytest.fixture(scope="module")
def with_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app with a project of three photos, two of them labelled."""
    folder = tmp_path_factory.mktemp("accessible") / "p"
    project = make_project(folder, ["cat; kitten", "sofa"], {f"{k}.png": SIZE for k in range(3)})
    for k, photo in enumerate(["0.png", "1.png"]):
        put(project, photo, np.maximum(awkward_map(*SIZE, 2, k), 1))
    with serving_tiny(project=folder) as url:
        yield url


@pytest.fixture(scope="module")
def without_project() -> Iterator[str]:
    with serving_tiny() as url:
        yield url


@pytest.fixture
def visit(new_page) -> Callable:  # type: ignore[no-untyped-def]
    def go(url: str, page_name: str, width: int, **window):  # type: ignore[no-untyped-def]
        page = new_page(viewport={"width": width, "height": WIDTHS[width]}, **window)
        page.goto(f"{url}#{page_name}")
        return page

    return go


def complaints(page) -> list[str]:
    """What axe-core finds in both themes, one line a broken rule and element."""
    found = []
    page.evaluate(AXE)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
        result = page.evaluate("() => axe.run({ resultTypes: ['violations'] })")
        found += [
            f"{theme}: {rule['id']}: {node['html'][:160]}: {' '.join(node['failureSummary'].split())}"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]
    return found


def unexpected(page, page_name: str) -> list[str]:
    return [line for line in complaints(page) if line.split(": ")[1] not in PENDING.get(page_name, set())]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page_name", READY)
def test_a_page_in_use_has_no_violation(with_project, visit, page_name, width):
    page = visit(with_project, page_name, width)
    page.wait_for_selector(READY[page_name])
    assert unexpected(page, page_name) == []


@pytest.mark.parametrize("page_name", READY)
def test_a_page_in_german_has_no_violation_and_nothing_is_cut_off(with_project, visit, page_name):
    page = visit(with_project, page_name, 390, locale="de-DE")
    page.wait_for_selector(READY[page_name])
    assert unexpected(page, page_name) == []
    assert page.evaluate(CUT) == []


@pytest.mark.parametrize("page_name", ["label", "learn", "data"])
def test_a_page_without_a_project_has_no_violation(without_project, visit, page_name):
    page = visit(without_project, page_name, 1024)
    page.wait_for_selector(f"#{page_name}-page .empty-page:visible")
    assert unexpected(page, page_name) == []


def faded(page) -> None:
    """The answer in hand is being replaced."""
    page.route(CALLS, lambda route: None)
    page.evaluate("document.querySelector('.explore').classList.add('stale')")


def masks(page) -> None:
    page.click("[data-view=masks]")
    page.click("[data-kind=sure]")
    page.wait_for_selector("[data-part=sure-field]:visible")


def heat(page) -> None:
    page.click(".classes li:nth-child(1) .name")
    page.wait_for_selector("[data-part=scale]:visible")


def pinned(page) -> None:
    page.locator(".explore .board canvas").first.click()
    page.wait_for_selector("[data-part=why] .bars li")
    page.click("[data-part=method] summary")


def keys(page) -> None:
    page.click(".explore [data-part=keys]")
    page.wait_for_selector("dialog[open]")


def model(page) -> None:
    page.click("[data-part=chip]")
    page.wait_for_selector("[data-part=panel]:visible .choose input")


@pytest.fixture(scope="module")
def for_visitors() -> Iterator[str]:
    """The address of a server for strangers."""
    visitors = Visitors()
    with serving_tiny(visitors=visitors) as url:
        yield url
    visitors.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_what_a_visitor_sees_of_their_project_has_no_violation(for_visitors, visit, width):
    page = visit(for_visitors, "label", width)
    page.wait_for_selector(".visit-form")
    assert unexpected(page, "label") == []
    page.click(".visit-form button[type=submit]")
    page.wait_for_selector(".labelling[data-photo] .photos-list li")
    page.click(".chip.visit")
    for summary in page.locator(".visit-panel summary").all():
        summary.click()
    assert unexpected(page, "label") == []


@pytest.mark.parametrize("state", [faded, masks, heat, pinned, keys, model])
def test_what_opens_on_explore_has_no_violation(with_project, visit, state):
    page = visit(with_project, "explore", 1024)
    page.wait_for_selector(READY["explore"])
    state(page)
    assert unexpected(page, "explore") == []
