"""Journeys on the Data page: photos in by file, folder and zip, labels out and in again, in a real browser."""

import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.browser.conftest import Held, serving_tiny
from tests.label_maps import awkward_map, make_project, put
from tests.tiny import noise_photo
from textseg.project import Project
from textseg.vocabulary import Word

SIZE = (120, 80)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Project]]:
    """The app with a project of three photos, two of them labelled, and a model that encodes in a millisecond."""
    project = make_project(tmp_path / "p", ["cat", "sofa"], {f"{k}.png": SIZE for k in range(3)})
    for k, photo in enumerate(["0.png", "1.png"]):
        put(project, photo, np.maximum(awkward_map(*SIZE, 2, k), 1))
    with serving_tiny(project=tmp_path / "p") as url:
        yield url, project


@pytest.fixture
def open_data(served, new_page) -> Callable:  # type: ignore[no-untyped-def]
    """`open_data(**window)`: the Data page; it must stay without complaints."""

    def open_(**window):  # type: ignore[no-untyped-def]
        page = new_page(**window)
        page.goto(f"{served[0]}#data")
        page.wait_for_selector(".data .classes-table tr")
        return page

    return open_


def outcome(page, name: str) -> str:
    """What the page says when the work named is over."""
    place = f"[data-part={name}-outcome]"
    page.wait_for_selector(f"{place} .report, {place} .problem")
    return page.inner_text(place)


def test_files_that_are_damaged_are_listed_and_skipped(served, open_data):
    _, project = served
    page = open_data()
    page.click("[data-part=check]")
    assert "3 of 3 photos can be read" in outcome(page, "check")
    project.original(project.photo(2)).write_bytes(b"torn")
    page.click("[data-part=check]")
    page.wait_for_selector("[data-part=check-outcome] .button")
    assert "1.png was damaged or changed since it was added" in outcome(page, "check")
    page.click("[data-part=check-outcome] .button")
    page.wait_for_function("document.querySelector('.states [data-state=skipped] b').textContent === '1'")
    assert project.photo(2).state == "skipped"


def test_photos_come_in_as_files_folders_and_zips(served, open_data, tmp_path):
    page, (_, project) = open_data(), served
    folder = tmp_path / "holiday" / "day 1"
    folder.mkdir(parents=True)
    for k, name in enumerate(["a.png", "b ü.png", "c.png", "d.png"]):
        noise_photo(*SIZE, seed=50 + k).save(folder / name)
    (folder / "torn.jpg").write_bytes(b"\xff\xd8")
    (folder / "notes.txt").write_text("no photo")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(folder / "d.png", "inside/d.png")

    page.set_input_files("[data-part=add-files]", [folder / "a.png", tmp_path / "more.zip"])
    assert "2 photos added" in outcome(page, "add")
    page.set_input_files("[data-part=add-directory]", tmp_path / "holiday")
    page.wait_for_function("document.querySelector('[data-part=total]').textContent === '7 photos'")
    said = outcome(page, "add")
    assert "2 photos added" in said and "2 photos in the project already" in said and "2 files not taken in" in said
    assert {photo.name for photo in project.photos()} >= {"a.png", "day 1/b ü.png", "day 1/c.png", "d.png"}
    assert not list((project.folder / "cache" / "uploads").glob("*")), "an upload that was taken in is cleared away"


def test_an_export_is_downloaded_and_taken_in_again(served, open_data, tmp_path):
    page, (_, project) = open_data(), served
    page.click(".format-list label:has-text('YOLO')")
    page.check("input[name=split][value=yes]")
    page.click("[data-part=export-check]")
    assert "3 photos (1 train, 1 val, 1 test)" in outcome(page, "export")
    page.click("[data-part=export-go]")
    page.wait_for_selector("[data-part=export-outcome] a")
    with page.expect_download() as download:
        page.click("[data-part=export-outcome] a")
    assert download.value.suggested_filename == "p-yolo.zip"
    download.value.save_as(tmp_path / "p-yolo.zip")
    with zipfile.ZipFile(tmp_path / "p-yolo.zip") as archive:
        assert "data.yaml" in archive.namelist() and archive.testzip() is None

    wanted = project.label_map("1.png")[0]
    other = 3 - int(wanted[40, 40])
    project.edit("1.png", 1, {"type": "brush", "class": other, "radius": 20, "points": [[40, 40]]})
    page.select_option("[data-part=import-format]", "yolo")
    assert page.is_disabled("[data-part=import-go]")
    page.set_input_files("[data-part=import-files]", tmp_path / "p-yolo.zip")
    page.check("input[name=merge][value=theirs]")
    page.click("[data-part=import-check]")
    assert "Everything fits; nothing was changed yet" in outcome(page, "import")
    assert not np.array_equal(project.label_map("1.png")[0], wanted)
    page.click("[data-part=import-go]")
    page.wait_for_selector("[data-part=import-outcome] .report:has-text('Imported')")
    assert np.array_equal(project.label_map("1.png")[0], wanted)


def test_a_bad_import_is_one_sentence_and_changes_nothing(served, open_data, tmp_path):
    page, (_, project) = open_data(), served
    before = project.status()
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil.txt", "x")
    page.set_input_files("[data-part=import-files]", tmp_path / "evil.zip")
    page.click("[data-part=import-go]")
    assert "leads out of the zip" in outcome(page, "import")
    assert page.get_attribute("[data-part=import-outcome] .problem", "role") == "alert"
    page.set_input_files("[data-part=import-directory]", project.folder / "photos")
    page.click("[data-part=import-check]")
    assert "is of no format that is known" in outcome(page, "import") and project.status() == before


def test_what_came_in_shows_on_the_label_page(served, open_data, tmp_path):
    page, _ = open_data(), served
    page.click(".shell a[href='#label']")
    page.wait_for_selector(".labelling[data-photo] .photos-list li")
    page.click(".shell a[href='#data']")
    noise_photo(*SIZE, seed=70).save(tmp_path / "new one.png")
    page.set_input_files("[data-part=add-files]", tmp_path / "new one.png")
    outcome(page, "add")
    page.click(".shell a[href='#label']")
    page.wait_for_selector(".photos-list li:has-text('new one.png')")


def test_everything_is_reached_by_keyboard_and_fits_a_phone(served, open_data):
    page = open_data(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.focus("[data-part=add-photos]")
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.dataset.part || document.activeElement.name"))
    assert {"import-format", "import-choose", "merge", "export-format", "split", "export-go", "export-check"} <= seen
    unnamed = "[...document.querySelectorAll('.data :is(input, select, button)')].filter((e) => !e.labels?.length"
    unnamed += " && !e.ariaLabel && !e.textContent.trim()).map((e) => e.outerHTML)"
    assert page.evaluate(unnamed) == []


def test_an_export_goes_to_a_folder_of_this_computer(served, open_data, tmp_path):
    page = open_data()
    page.fill("[data-part=export-place]", str(tmp_path / "out"))
    page.click("[data-part=export-go]")
    assert "Written" in outcome(page, "export") and (tmp_path / "out/annotations/instances.json").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    page.fill("[data-part=export-place]", str(tmp_path / "mine"))
    page.click("[data-part=export-go]")
    page.wait_for_selector("[data-part=export-outcome] .problem:has-text('holds other files')")
    shutil.rmtree(tmp_path / "out")
    page.fill("[data-part=import-place]", str(tmp_path / "out"))
    page.click("[data-part=import-check]")
    assert "does not exist" in outcome(page, "import")


def ticked(page) -> list[str]:
    return page.eval_on_selector_all("[data-part=export-classes] input:checked", "all => all.map((one) => one.value)")


def test_a_class_that_came_in_meanwhile_is_exported_and_one_that_was_unticked_is_not(served, open_data):
    page, (_, project) = open_data(), served
    page.click("[data-part=export-box] summary")
    page.uncheck("[data-part=export-classes] input[value=sofa]")
    project.add_class(Word("lamp"))
    page.click(".shell a[href='#explore']")
    page.click(".shell a[href='#data']")
    page.wait_for_selector("[data-part=classes] tr:has-text('lamp')")
    assert ticked(page) == ["cat", "lamp"]
    page.click("[data-part=export-check]")
    assert "2 classes" in outcome(page, "export")


def test_the_choices_of_a_format_are_drawn_from_what_it_offers(served, open_data):
    page = open_data()
    assert page.locator("[data-option=polygons]").count() == 1
    page.click(".format-list label:has-text('Hugging Face')")
    assert page.locator("[data-part=export-options] [data-option]").count() == 0
    page.click("[data-part=import-box] summary")
    assert page.locator("[data-option=background]").count() == 0
    page.select_option("[data-part=import-format]", "voc")
    assert page.get_attribute("[data-option=background]", "placeholder") == "unlabelled"


def test_an_overview_that_comes_late_does_not_replace_a_newer_one(served, open_data):
    page, (_, project) = open_data(), served
    held = Held(page, "overview")
    page.click(".shell a[href='#explore']")
    page.click(".shell a[href='#data']")
    held.wait()
    late = held.routes[0].fetch()
    project.add_class(Word("lamp"))
    held.holding = False
    page.click(".shell a[href='#explore']")
    page.click(".shell a[href='#data']")
    page.wait_for_selector("[data-part=classes] tr:has-text('lamp')")
    held.routes[0].fulfill(response=late)
    page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    assert page.locator("[data-part=classes] tr:has-text('lamp')").count() == 1


def test_the_header_names_what_the_page_in_front_has_in_hand(served, open_data):
    page = open_data()
    assert page.text_content(".in-hand").strip() == "p"
    page.click(".shell a[href='#explore']")
    page.wait_for_function("document.querySelector('.in-hand').textContent.includes('×')")
    page.click(".shell a[href='#data']")
    page.wait_for_function("document.querySelector('.in-hand').textContent.trim() === 'p'")
