"""The pure parts of the pages' JavaScript, case by case, in the browser that will run them.

A module of `units/` imports what it tests from `assets/web` and names its cases: `test("a statement", () => { ... })`.
"""

import re
from functools import cache
from pathlib import Path

import pytest

UNITS = Path(__file__).parent / "units"
ROOT = UNITS.parents[2]
PAGE = "http://localhost/tests/browser/units/"
"""Nothing listens there: the browser's requests are answered from the files themselves."""

NAME = re.compile(r'^test\(\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)
MODULES = {path.stem: NAME.findall(path.read_text("utf-8")) for path in sorted(UNITS.glob("*.js"))}
CASES = [(module, name) for module, names in MODULES.items() for name in names]


@pytest.fixture(scope="module")
def outcomes(chromium):  # type: ignore[no-untyped-def]
    """What went wrong in each case of a module, "" where nothing did."""

    @cache
    def run(module: str) -> dict[str, str]:
        page = chromium.new_page()
        page.route(f"{PAGE}**", lambda route: route.fulfill(body="", content_type="text/html"))
        page.route(
            "**/*.js", lambda route: route.fulfill(path=ROOT / route.request.url.removeprefix("http://localhost/"))
        )
        page.goto(PAGE)
        found: dict[str, str] = page.evaluate(
            "async (module) => (await import('./cases.js')).outcomes(`./${module}.js`)", module
        )
        page.close()
        return found

    return run


@pytest.mark.parametrize(("module", "name"), CASES, ids=[f"{module}: {name}" for module, name in CASES])
def test_case(outcomes, module, name):
    assert outcomes(module)[name] == ""


@pytest.mark.parametrize("module", [module for module, names in MODULES.items() if names])
def test_every_case_that_a_module_runs_is_reported_by_name(outcomes, module):
    assert list(outcomes(module)) == MODULES[module]
