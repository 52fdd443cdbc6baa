"""docs/architecture.md names what is there, and its picture shows every room."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
PICTURE = (ROOT / "docs/images/architecture.svg").read_text("utf-8")
NAMES = re.findall(r'class="name"[^>]*>([^<]+)<', PICTURE)


def test_every_file_and_folder_that_the_page_names_exists():
    paths = re.findall(r"`((?:textseg|trainer|assets|docs)/[\w./-]*)`", PAGE)
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_function_that_the_page_names_is_in_its_file():
    named = re.findall(r"`((?:textseg|trainer)/[\w/]+\.py)` `([\w.]+)`", PAGE)
    assert len(named) > 5
    for path, name in named:
        source = (ROOT / path).read_text("utf-8")
        assert re.search(rf"(def|class) {name.rpartition('.')[2]}\b", source), (path, name)


def test_the_picture_shows_every_room():
    """Draw it anew with: python docs/make_architecture.py"""
    python = {
        path.stem for path in (ROOT / "textseg").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    pages = {f"assets/web/{path.name}" for path in (ROOT / "assets/web").iterdir() if path.is_dir()}
    assert python - {"__init__", "__pycache__"} | {"trainer"} | pages == set(NAMES)
