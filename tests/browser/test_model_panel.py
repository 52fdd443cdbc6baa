"""The model panel: another model is chosen, its download stopped and gone on with, while labelling goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tiny_sam
from tests.browser.conftest import free_port
from tests.browser.labelling import SIZE, saved, stroke
from tests.tiny import noise_photo
from tests.tiny_hub import BLOCK, Hub, serving
from textseg.project import Project
from textseg.project import chosen as remembered
from textseg.vocabulary import Vocabulary

NAME = "hf:someone/sam2-tiny"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Hub, Project]]:
    from textseg import web

    folder = tmp_path_factory.mktemp("panel")
    (folder / "sam2").mkdir()
    tiny_sam.make("sam2").save_pretrained(folder / "sam2")
    project = Project.create(folder / "p", Vocabulary.parse("cat, sofa, wall"))
    noise_photo(*SIZE, seed=0).save(folder / "photo.png")
    project.add([folder / "photo.png"])
    port = free_port()
    with pytest.MonkeyPatch.context() as patch, serving(patch, folder / "hub") as hub:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setattr("textseg.web.nouns.Nouns.embed", lambda *_: None)
        patch.setattr("textseg.model.others.of", lambda *_, **__: None)
        hub.add("someone/sam2-tiny", folder / "sam2")
        blocks = web.serve(port=port, block=False, project=folder / "p", backbone="tiny")
        yield f"http://127.0.0.1:{port}/", hub, project
        blocks.close()


@pytest.fixture
def page(served, new_page):
    page = new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{served[0]}#label/1")
    page.wait_for_selector(".labelling[data-photo='1']")
    page.wait_for_selector(".dot.ready")
    page.click("[data-part=chip]")
    page.wait_for_selector(".choose .models input")
    return page


def ends(page) -> None:
    page.wait_for_selector(".switching", state="hidden")


def draw(page, project: Project) -> None:
    """A stroke on the Label page where there was none, which is on disk afterwards."""
    revision = project.photo(1).revision
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    stroke(page, (40, 40 + 50 * revision), (120, 40 + 50 * revision))
    saved(page, revision + 1)


def test_a_download_is_stopped_gone_on_with_and_used_while_labelling_goes_on(served, page):
    url, hub, project = served
    hub.dripping.set()
    page.fill("fieldset:has(legend:text('Masks by')) input[type=text]", NAME)
    page.click(".choose button[type=submit]")
    page.wait_for_function("() => /Fetching .* of .*/.test(document.querySelector('.switching').textContent)")
    draw(page, project)
    page.click("[data-part=chip]")
    page.click(".switching button")
    ends(page)
    assert "the next try goes on from there" in page.text_content(".model-panel .problem")
    parts = list(Path(hub.cache).rglob("*.part"))
    assert parts and max(part.stat().st_size for part in parts) >= BLOCK
    hub.dripping.clear()
    page.click(".choose button[type=submit]")
    page.wait_for_function(f"() => document.querySelector('.model-panel dl').textContent.includes('{NAME}')")
    ends(page)
    assert hub.sent("model.safetensors")[-1] != "bytes=0-"
    assert remembered.read(project.folder).proposals == NAME
    draw(page, project)


def test_another_backbone_answers_after_the_switch_and_a_failure_leaves_it(served, page):
    field = "fieldset:has(legend:text('Backbone')) input[type=text]"
    page.fill(field, "tinier")
    page.click(".choose button[type=submit]")
    page.wait_for_function("() => document.querySelector('[data-part=chip]').textContent.includes('tinier')")
    ends(page)
    page.fill(field, "someone/nothing")
    page.click(".choose button[type=submit]")
    page.wait_for_selector(".model-panel .problem:not([hidden])")
    assert "There is no repository someone/nothing" in page.text_content(".model-panel .problem")
    assert "tinier" in page.text_content("[data-part=chip]") and page.locator(".dot.ready").count() == 1
