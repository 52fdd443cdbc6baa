"""docs/extending.md: what is added to the pages, put into place as the page says and used in a real browser."""

import os
import re
from collections.abc import Iterator

import numpy as np
import pytest

from tests import forked
from tests.browser.conftest import free_port
from tests.browser.labelling import SIZE, saved, stroke
from tests.extending import copied, written
from tests.tiny import noise_photo
from textseg.project import Project
from textseg.vocabulary import Vocabulary


@pytest.fixture
def project(tmp_path) -> Iterator[Project]:
    made = Project.create(tmp_path / "p", Vocabulary.parse("cat, sofa"))
    noise_photo(*SIZE).save(tmp_path / "photo.png")
    made.add([tmp_path / "photo.png"])
    yield made
    made.close()


@pytest.fixture
def serve(tmp_path, project):
    """`serve()`: the address of a copy of the program, in `serve.tree`, with a project of one photo."""
    running = []

    def serve() -> str:
        port = free_port()
        environment = os.environ | {"PYTHONPATH": str(serve.tree)}
        command = ["serve", "--port", port, "--project", project.folder]
        server = forked.start("-m", "textseg.cli", *command, env=environment, cwd=tmp_path)
        running.append(server)
        address = re.search(r"http://\S+", server.stdout.readline())
        assert address, "the server did not start"
        return address[0]

    serve.tree = copied(tmp_path / "tree")
    yield serve
    for server in running:
        server.terminate()
        server.wait()


def test_a_tool_paints_with_its_key_and_button(serve, project, new_page):
    written("assets/web/label/tools/rectangle.js", serve.tree)
    index = serve.tree / "assets/web/label/tools/index.js"
    index.write_text(index.read_text("utf-8").replace('"polygon", ', '"polygon", "rectangle", '), "utf-8")
    page = new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{serve()}#label/1")
    page.wait_for_selector(".labelling[data-photo='1']")
    page.keyboard.press("1")
    page.keyboard.press("w")
    page.wait_for_selector("[data-do=rectangle][aria-pressed=true]")
    stroke(page, (40, 30), (120, 90))
    saved(page, 1)
    ids = np.zeros(SIZE[::-1], np.uint16)
    ids[30:90, 40:120] = 1
    painted = project.label_map(1)[0]
    assert (painted != ids).mean() < 0.01 and painted[60, 80] == 1  # corners lie within a screen pixel
    page.keyboard.press("Control+z")
    saved(page, 2)
    assert not project.label_map(1)[0].any()


def test_a_page_is_reached_by_its_link_and_its_address(serve, project, new_page):
    for name in ("textseg/web/pages/notes.py", "assets/web/notes/notes.html"):
        written(name, serve.tree)
    written("assets/web/notes/notes.js", serve.tree)
    written("assets/web/notes/notes.css", serve.tree)
    page = new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{serve()}#notes")
    page.wait_for_selector(".notes .hint:has-text('No photo has a note yet')")
    assert page.locator(".shell nav a").all_inner_texts() == ["Explore", "Label", "Learn", "Data", "Notes"]
    page.click("a[href='#explore']")
    page.wait_for_selector(".notes", state="hidden")
    project.set_note(1, "the left ear is cut off")
    page.click("a[href='#notes']")
    page.wait_for_selector(".notes li:has-text('the left ear is cut off')")
    shown = page.locator("[id$='-page']:visible").evaluate_all("all => all.map((one) => one.id)")
    assert shown == ["shell-page", "notes-page"]
    assert page.locator(".notes").evaluate("element => getComputedStyle(element).padding") == "24px"
    page.click(".notes li a")
    page.wait_for_selector(".labelling[data-photo='1']")
