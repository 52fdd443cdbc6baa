"""The documents: every page is in the navigation, every link leads somewhere, every example is right."""

import doctest
import importlib
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
OUTSIDE = {"CONTEXT.md": "words.md", "CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
WITH_EXAMPLES = ("textseg.grids", "textseg.labelmap", "textseg.rle", "textseg.vocabulary", "trainer.recipes")


def text_of(page: Path) -> str:
    """A page without what stands in fences."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What links to headings of the page end in, as GitHub and the site make it."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower() for heading in headings)
    return {re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip()) for heading in plain}


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page():
    config = re.sub(r"!!python/\S+", "", (ROOT / "mkdocs.yml").read_text("utf-8"))

    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        if isinstance(entry, dict):
            return [page for value in entry.values() for page in pages(value)]
        return [page for one in entry for page in pages(one)]

    named = pages(yaml.safe_load(config)["nav"])
    assert len(named) == len(set(named))
    assert {page.relative_to(DOCS).as_posix() for page in PAGES} | set(OUTSIDE.values()) == set(named)


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / name for name in ("README.md", *OUTSIDE))], ids=lambda p: p.name)
def test_every_link_of_a_page_leads_somewhere(page):
    for link in LINK.findall(text_of(page)):
        target, _, anchor = link.partition("#")
        if re.match(r"\w+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {link}; there are {sorted(anchors(file))}"


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_docstrings_are_right(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried and not failed


def test_the_examples_of_the_api_page_are_right():
    failed, tried = doctest.testfile(str(DOCS / "python.md"), module_relative=False)
    assert tried > 10 and not failed


def test_everything_that_textseg_offers_is_on_the_api_page():
    import textseg

    page = (DOCS / "python.md").read_text("utf-8")
    for name in textseg.__all__:
        assert re.search(rf"\b{name}\b", page), name


def test_the_site_builds_and_asks_no_other_host(tmp_path):
    build = pytest.importorskip("mkdocs.commands.build", reason="the extra [docs] is not installed (make docs)")
    from mkdocs.config import load_config

    build.build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path)))
    loaded = re.compile(
        r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b(?=[^>]*rel=["']?(?:stylesheet|preconnect|icon))[^>]*href=["']?(?:https?:)?//"""
    )
    for page in tmp_path.rglob("*.html"):
        assert not loaded.search(page.read_text("utf-8")), page.name
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text("utf-8")), sheet.name
    assert "load_model" in (tmp_path / "python.html").read_text("utf-8")
