"""The pages in another language: what is shown is in its table, and the table holds nothing that is not shown.

Explore and the header are complete, as is what a visitor of a Space sees of their project; of Label, Learn and Data the
markup is looked up, so a table may grow into them, and what it lacks is English.
"""

import re
from pathlib import Path

import pytest

from tests.visible import in_markup, in_script
from textseg.web.pages.explore import METHODS, TEMPLATES

WEB = Path(__file__).parents[2] / "assets/web"
LANGUAGES = sorted((WEB / "shared/languages").glob("*.js"))
COMPLETE = ("explore/explore.html",)
"""Markup of which every table has each text."""

ENTRY = re.compile(r'^  (?:"((?:[^"\\]|\\.)+)"|(\w+)):\s+"((?:[^"\\]|\\.)*)",$', re.MULTILINE)


def table(path: Path) -> dict[str, str]:
    return {quoted or plain: value for quoted, plain, value in ENTRY.findall(path.read_text("utf-8"))}


def markup(*names: str) -> set[str]:
    paths = [WEB / name for name in names] or sorted(WEB.glob("*/*.html"))
    return {text for path in paths for text in in_markup(path.read_text("utf-8"))}


def said() -> set[str]:
    return {text for path in WEB.rglob("*.js") for text in in_script(path.read_text("utf-8"))}


def other() -> set[str]:
    """What reaches `t` by a name: the links of the pages, the menus of Explore, what its keys do."""
    actions = re.findall(r'label: "([^"]+)"', (WEB / "explore/actions.js").read_text("utf-8"))
    menus = {*METHODS.values(), *TEMPLATES.values(), "Best for the method", "The model's own"}
    return {"Explore", "Label", "Learn", "Data", *menus, *actions}


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_every_text_of_explore_and_every_text_that_scripts_say_is_in_the_table(path):
    assert sorted((markup(*COMPLETE) | said() | other()) - table(path).keys()) == []


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_the_table_holds_nothing_that_is_not_shown(path):
    assert sorted(table(path).keys() - (markup() | said() | other())) == []


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_every_line_of_the_table_is_read_and_keeps_the_places_of_its_values(path):
    found = table(path)
    lines = [line for line in path.read_text("utf-8").splitlines() if re.search(r'":$|": "|^  \w+: ', line)]
    assert len(found) == len(lines)
    for text, own in found.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", own)), text


def test_every_table_is_in_the_menu():
    module = (WEB / "shared/language.js").read_text("utf-8")
    assert all(f"./languages/{path.name}" in module for path in LANGUAGES)
