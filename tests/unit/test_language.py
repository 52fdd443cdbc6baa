"""The pages in another language: each text that is shown is in its table, and the table holds nothing else."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.visible import WEB, entries, in_markup, in_script, parts, table, unsaid

ROOT = Path(__file__).parents[2]
LANGUAGES = sorted((WEB / "shared/languages").glob("*.js"))
ALONE = "sign-in"
"""A page of its own, which is in English."""

PLACE = re.compile(r"\{\w+\}")


def server(language: Path) -> dict[str, str]:
    return dict(entries(language.with_suffix("") / "server.js"))


def scripts() -> dict[str, str]:
    """Sources of the pages' scripts by path."""
    paths = (path for path in WEB.rglob("*.js") if "languages" not in path.parts and ALONE not in path.parts)
    return {str(path.relative_to(WEB)): path.read_text("utf-8") for path in sorted(paths)}


@cache
def shown() -> set[str]:
    """What the pages show: their markup, what their scripts say, and the links of the pages."""
    markup = (path.read_text("utf-8") for path in WEB.glob("*/*.html") if ALONE not in path.parts)
    said = (in_script(script) for script in scripts().values())
    texts = {text for html in markup for text in in_markup(html)} | {text for texts in said for text in texts}
    return texts | {"Explore", "Label", "Learn", "Data"}


@cache
def sentences() -> set[str]:
    """Every text of the program, its places empty."""
    found = set()
    for path in [*(ROOT / "textseg").rglob("*.py"), *(ROOT / "trainer").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                pieces = (piece.value if isinstance(piece, ast.Constant) else "{}" for piece in node.values)
                found.add("".join(str(piece) for piece in pieces))
    return found


each_language = pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)


@each_language
def test_every_text_of_the_pages_is_in_the_table(language):
    assert sorted(shown() - {"textseg"} - table(language).keys()) == []


@each_language
def test_the_table_holds_nothing_that_is_not_shown(language):
    assert sorted(table(language).keys() - shown()) == []


@each_language
def test_the_sentences_of_the_server_are_those_that_it_says(language):
    assert sorted(text for text in server(language) if PLACE.sub("{}", text) not in sentences()) == []


@each_language
def test_every_line_of_a_table_is_read_once_and_keeps_the_places_of_its_values(language):
    seen: set[str] = set()
    for path in [*parts(language), language.with_suffix("") / "server.js"]:
        found = entries(path)
        lines = [line for line in path.read_text("utf-8").splitlines() if re.search(r'":$|": "|^  \w+: ', line)]
        assert len(found) == len(lines), path
        for text, own in found:
            assert set(PLACE.findall(text)) == set(PLACE.findall(own)), text
        texts = [text for text, _ in found]
        assert len(texts) == len(set(texts)), path
        if path.stem != "server":
            assert not seen & set(texts)
            seen.update(texts)


def test_a_script_says_nothing_but_through_the_table():
    found = {path: unsaid(script) for path, script in scripts().items()}
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_what_a_script_says_is_told_from_what_it_means():
    said = 'h("b", { class: "row wrap" }, t("Open a photo")); plural(n, "{n} photo", "{n} photos"); // "Not this"'
    assert (in_script(said), unsaid(said)) == (["Open a photo", "{n} photo", "{n} photos"], [])
    assert unsaid('h("b", {}, "Open a photo")') == ["Open a photo"]
    assert unsaid("h('b', {}, `${n} photos`)") == ["${n} photos"]


def test_every_table_is_in_the_menu():
    module = (WEB / "shared/language.js").read_text("utf-8")
    assert all(f"./languages/{path.name}" in module for path in LANGUAGES)
