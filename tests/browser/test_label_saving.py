"""Edits and a server that dies while they are drawn: nothing is lost, nothing is called saved that is not."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from gradio.context import Context

from tests.browser.conftest import port_of_an_app, serving_tiny
from tests.browser.labelling import SIZE, on_screen, saved, stroke
from tests.tiny import noise_photo
from textseg.project import Project
from textseg.vocabulary import Vocabulary

GONE = "net::ERR_"


@dataclass
class Machine:
    """A place where servers are started and killed, always at one address."""

    folder: Path
    port: int

    @property
    def project(self) -> Project:
        return Project(self.folder / "pets")

    @contextmanager
    def serving(self, name: str | None = "pets") -> Iterator[str]:
        Context.id = 0  # a server that is started anew counts its components anew
        with serving_tiny(port=self.port, project=self.folder / name if name else None) as url:
            yield url


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Two projects, `pets` with three photos and `cars` with one."""
    for name, words, count in [("pets", "cat, sofa, wall", 3), ("cars", "wheel", 1)]:
        project = Project.create(tmp_path / name, Vocabulary.parse(words))
        for seed in range(count):
            noise_photo(*SIZE, seed=seed).save(tmp_path / f"{name}{seed}.png")
        project.add([tmp_path / f"{name}{seed}.png" for seed in range(count)])
    with port_of_an_app() as port:
        yield Machine(tmp_path, port)


@pytest.fixture
def visit(new_page, tab) -> Callable:  # type: ignore[no-untyped-def,type-arg]
    """`visit(url, photo)`: the Label page in a tab of its own, in a window whose storage later visits find again."""
    window = tab.take().context

    def go(url: str, photo: int | None = 1):  # type: ignore[no-untyped-def]
        page = new_page(window, expects=GONE)
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(f"{url}#label" + (f"/{photo}" if photo else ""))
        if photo:
            page.wait_for_selector(f".labelling[data-photo='{photo}']")
            page.keyboard.press("b")
        return page

    return go


def line(page) -> str:
    return page.text_content("[data-part=save]")


def wait_for_line(page, text: str) -> None:
    page.wait_for_function("text => document.querySelector('[data-part=save]').textContent.includes(text)", arg=text)


def kept(page, count: int) -> None:
    """Wait until so many edits lie in the browser's own store, where a closed tab leaves them."""
    page.wait_for_function(
        """count => new Promise((resolve) => {
          const opening = indexedDB.open("textseg-outbox");
          opening.onerror = () => resolve(false);
          opening.onsuccess = () => {
            const all = opening.result.transaction("parcels").objectStore("parcels").getAll();
            all.onerror = () => resolve(false);
            all.onsuccess = () => {
              opening.result.close();
              resolve(all.result.reduce((sum, parcel) => sum + parcel.gestures.length, 0) === count);
            };
          };
        })""",
        arg=count,
    )


def painted(project: Project, photo: int, *points: tuple[int, int]) -> list[int]:
    ids = project.label_map(photo)[0]
    return [int(ids[y, x]) for x, y in points]


def test_edits_drawn_while_the_server_is_dead_are_saved_when_it_is_back(machine, visit):
    with ExitStack() as first:
        page = visit(first.enter_context(machine.serving()))
        stroke(page, (60, 60))
        saved(page, 1)
    stroke(page, (120, 60))
    stroke(page, (180, 60))
    wait_for_line(page, "Not saved yet: the server does not answer; 2 waiting")
    assert machine.project.label_map(1)[1] == 1
    with machine.serving():
        saved(page, 3)
        assert line(page) == "Saved"
    assert painted(machine.project, 1, (60, 60), (120, 60), (180, 60)) == [1, 1, 1]


def test_edits_wait_while_their_project_is_not_open_and_are_saved_when_it_is(machine, visit):
    with machine.serving() as url:
        page = visit(url)
    stroke(page, (120, 60))
    with machine.serving(None):
        wait_for_line(page, "Not saved yet: 1 edit waits until this project is open here again")
        stroke(page, (60, 120))
        wait_for_line(page, "2 edits wait")
    with machine.serving("cars"):
        page.wait_for_function("document.querySelector('.labelling .problem').textContent.includes('Another project')")
        page.keyboard.press("Control+z")  # what waits is taken back in its turn
        wait_for_line(page, "3 edits wait")
    with machine.serving():
        page.wait_for_selector(".labelling[data-revision='3']")
        assert line(page) == "Saved" and page.is_hidden(".labelling .problem")
    assert painted(machine.project, 1, (120, 60), (60, 120)) == [1, 0]
    assert Project(machine.folder / "cars").label_map(1)[1] == 0


def test_edits_outlive_a_closed_tab_and_are_saved_when_their_project_is_open_again(machine, visit):
    with machine.serving() as url:
        page = visit(url, 2)
        stroke(page, (60, 60))
        saved(page, 1)
    stroke(page, (120, 60))
    stroke(page, (180, 60))
    wait_for_line(page, "2 waiting")
    kept(page, 2)
    page.close()
    with machine.serving(None) as url:
        page = visit(url, None)
        page.wait_for_selector(".empty-page .waiting")
        assert "2 edits wait for project pets" in page.text_content(".empty-page .waiting")
        page.close()
    with machine.serving("cars") as url:
        page = visit(url)
        wait_for_line(page, "Saved here; 2 edits wait for project pets")
        page.close()
    assert machine.project.label_map(2)[1] == 1
    with machine.serving() as url:
        page = visit(url, 1)  # another photo than the one they were drawn on
        wait_for_line(page, "Saved")
        page.wait_for_function("document.querySelector('[data-part=save]').textContent === 'Saved'")
        assert painted(machine.project, 2, (60, 60), (120, 60), (180, 60)) == [1, 1, 1]
        page.close()
        page = visit(url, 2)  # once, and not again
        saved(page, 3)


@pytest.mark.parametrize("answer", ["Apply", "Discard"])
def test_edits_that_come_too_late_are_offered(machine, visit, answer):
    with machine.serving() as url:
        page = visit(url)
    stroke(page, (120, 60))
    stroke(page, (180, 60))
    wait_for_line(page, "2 waiting")
    kept(page, 2)
    page.close()
    machine.project.edit(1, 0, {"type": "brush", "class": 2, "radius": 12, "points": [[60, 120]]})
    with machine.serving() as url:
        page = visit(url)
        page.wait_for_selector(".offer")
        assert "2 edits made on pets0.png while the server was away" in page.text_content(".offer")
        assert line(page) == "Not saved: 2 edits"
        page.close()  # nothing is decided: they are offered again
        page = visit(url, 2)
        page.wait_for_selector(".offer")
        page.click(".offer >> text=Show the photo")
        page.wait_for_selector(".labelling[data-photo='1']")
        page.click(f".offer >> text={answer}")
        if answer == "Apply":
            saved(page, 3)
        page.wait_for_function("document.querySelector('[data-part=save]').textContent === 'Saved'")
        assert page.locator(".offer").count() == 0
        page.reload()
        page.wait_for_selector(".labelling[data-photo='1']")
        page.wait_for_function("document.querySelector('[data-part=save]').textContent === 'Saved'")
    applied = 1 if answer == "Apply" else 0
    assert painted(machine.project, 1, (120, 60), (180, 60), (60, 120)) == [applied, applied, 2]


def test_two_tabs_never_send_the_same_edit_twice(machine, visit):
    with machine.serving() as url:
        page, other = visit(url), visit(url, 2)
    stroke(page, (120, 60))
    wait_for_line(page, "1 waiting")
    with machine.serving():
        other.reload()
        other.wait_for_selector(".labelling[data-photo='2']")
        saved(page, 1)
    assert len(machine.project.history(1)) == 1


def test_an_answer_that_comes_after_the_photo_changed_is_not_shown(machine, visit):
    with machine.serving() as url:
        machine.project.edit(1, 0, {"type": "brush", "class": 2, "radius": 30, "points": [[60, 60]]})
        page = visit(url)
        saved(page, 1)
        held = []

        def hold(route) -> None:  # type: ignore[no-untyped-def]
            if '"label_map"' in (route.request.post_data or ""):
                held.append(route)
            else:
                route.continue_()

        page.route(re.compile("component_server"), hold)
        machine.project.edit(1, 1, {"type": "brush", "class": 3, "radius": 30, "points": [[60, 60]]})
        with page.expect_request(lambda call: '"label_map"' in (call.post_data or "")):
            page.evaluate("window.dispatchEvent(new Event('focus'))")  # somebody else's edit: the map is read again
        page.keyboard.press("d")
        page.wait_for_selector(".labelling[data-photo='2']")
        with page.expect_response(re.compile("component_server")):
            held[0].continue_()
        page.mouse.move(*on_screen(page, 60, 60))
        page.mouse.move(*on_screen(page, 61, 60))
        assert page.text_content("[data-part=under]").split(" · ")[1] == "unlabelled"
        assert page.get_attribute(".labelling", "data-revision") == "0"
        assert not np.any(machine.project.label_map(2)[0])
