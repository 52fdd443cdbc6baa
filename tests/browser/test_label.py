"""Journeys on the Label page: mouse, keys and fingers in a real browser, pixels in the stored label map."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.browser.labelling import SIZE, class_at, fitted, on_screen, saved, stroke
from tests.tiny import noise_photo
from textseg.project import Region, operations
from textseg.vocabulary import Word


def test_from_pseudo_labels_by_click_and_brush_to_done(served, open_photo):
    _, project = served
    page = open_photo(1)
    saved(page, 0)
    page.keyboard.press("t")
    saved(page, 1)
    assert project.label_map(1)[0].any() and project.photo(1).state == "pseudo-labelled"

    page.keyboard.press("2")
    page.keyboard.press("u")
    page.mouse.move(*on_screen(page, 25, 25))
    page.mouse.click(*on_screen(page, 25, 25))
    saved(page, 2)
    assert project.label_map(1)[0][25, 25] == 2

    page.keyboard.press("b")
    page.keyboard.press("1")
    before = project.label_map(1)[0]
    stroke(page, (120, 100), (180, 110))
    saved(page, 3)
    painted = project.label_map(1)[0]
    assert painted[100, 121] == painted[109, 178] == 1 and not np.array_equal(painted, before)

    page.keyboard.press("Control+z")
    saved(page, 4)
    assert np.array_equal(project.label_map(1)[0], before)
    page.keyboard.press("Control+Shift+z")
    saved(page, 5)
    assert np.array_equal(project.label_map(1)[0], painted)

    page.reload()
    page.wait_for_selector(".labelling[data-photo='1']")
    saved(page, 5)
    assert class_at(page, 121, 100) == "cat" and class_at(page, 25, 25) == "sofa"
    page.keyboard.press("Control+z")  # undo outlives the page
    saved(page, 6)
    page.keyboard.press("Control+y")
    saved(page, 7)

    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".labelling[data-photo='2']")
    assert project.photo(1).state == "done"
    page.keyboard.press("q")
    page.wait_for_selector(".labelling[data-photo='3']")
    assert project.photo(2).state == "skipped"
    page.keyboard.press("a")
    page.wait_for_selector(".labelling[data-photo='2']")


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_the_brush_paints_where_it_is_at_every_zoom_and_pixel_ratio(served, open_photo, ratio):
    _, project = served
    photo = 3 + ratio
    page = open_photo(photo, viewport={"width": 1200, "height": 760}, device_scale_factor=ratio)
    page.keyboard.press("b")
    zoom = ".statusline [data-part=zoom]"
    for revision, (x, y) in enumerate([(140, 101), (163, 90), (110, 120)], start=1):
        left, top, scale = fitted(page)
        at = round(left + x * scale), round(top + y * scale)  # a mouse is on whole pixels
        point = (at[0] - left) / scale, (at[1] - top) / scale
        page.mouse.move(*at)
        for _ in range(revision - 1):  # the point under the pointer stays under it
            before = page.text_content(zoom)
            page.mouse.wheel(0, -300 * ratio)  # in device pixels; far enough that the photo fills the board
            page.wait_for_function(f"before => document.querySelector('{zoom}').textContent !== before", arg=before)
        page.keyboard.press(str(revision))
        page.mouse.down()
        page.mouse.up()
        saved(page, revision)
        (x0, y0, x1, y1), mask = operations.brush([point], 12, SIZE)
        expected = np.zeros(SIZE[::-1], bool)
        expected[y0:y1, x0:x1] = mask
        stored = project.label_map(photo)[0] == revision
        assert (stored ^ expected).sum() <= 2  # points travel in hundredths of a pixel
        page.keyboard.press("Control+0")


def test_a_stroke_travels_as_points_and_a_tap_paints_a_disc(served, open_photo):
    _, project = served
    page = open_photo(7)
    sent = []
    page.on("request", lambda request: "component_server" in request.url and sent.append(request.post_data or ""))
    page.keyboard.press("b")
    stroke(page, (50, 50), (200, 120), (80, 150))
    saved(page, 1)
    edits = [body for body in sent if '"brush"' in body]
    assert len(edits) == 1 and len(edits[0]) < 2_000 and "png" not in edits[0]
    stroke(page, (260, 30))
    saved(page, 2)
    assert (project.label_map(7)[0][10:50, 240:280] == 1).sum() == pytest.approx(np.pi * 12**2, rel=0.05)


def test_clicks_find_a_thing_and_enter_labels_it(served, open_photo):
    _, project = served
    page = open_photo(8)
    page.keyboard.press("s")
    page.mouse.click(*on_screen(page, 25, 25))
    page.wait_for_function("document.querySelector('.notice').textContent.includes('Enter')")
    page.mouse.click(*on_screen(page, 280, 180), button="right")
    page.wait_for_function("document.querySelector('.notice').textContent.includes('Enter')")
    page.keyboard.press("Enter")
    saved(page, 1)
    ids = project.label_map(8)[0]
    assert ids[25, 25] == 1 and ids[180, 280] == 0
    page.mouse.click(*on_screen(page, 150, 100))
    page.keyboard.press("Escape")  # lets go: nothing is painted
    assert project.label_map(8)[1] == 1


def test_polygon_fill_relabel_erase_and_pick(served, open_photo):
    _, project = served
    page = open_photo(9)
    page.keyboard.press("p")
    for corner in [(40, 40), (140, 40), (140, 120), (40, 120)]:
        page.mouse.click(*on_screen(page, *corner))
    page.keyboard.press("Enter")
    saved(page, 1)
    assert (project.label_map(9)[0] == 1).sum() == pytest.approx(100 * 80, rel=0.03)
    page.keyboard.press("g")
    page.keyboard.press("2")
    page.mouse.click(*on_screen(page, 90, 80))
    saved(page, 2)
    assert project.label_map(9)[0][80, 90] == 2
    page.keyboard.press("r")
    page.keyboard.press("3")
    page.mouse.click(*on_screen(page, 60, 60))
    saved(page, 3)
    assert (project.label_map(9)[0] == 3).sum() == pytest.approx(100 * 80, rel=0.03)
    page.keyboard.press("e")
    stroke(page, (90, 80))
    saved(page, 4)
    assert project.label_map(9)[0][80, 90] == 0
    page.keyboard.press("1")
    page.keyboard.press("i")
    page.mouse.click(*on_screen(page, 50, 50))
    assert page.text_content(".class-rows .chosen .label") == "wall"
    for revision in (5, 6, 7, 8):  # every gesture is one step back
        page.keyboard.press("Control+z")
        saved(page, revision)
    assert not project.label_map(9)[0].any()


def test_locked_classes_and_only_unlabelled_keep_finished_work(served, open_photo):
    _, project = served
    page = open_photo(10)
    page.keyboard.press("b")
    stroke(page, (100, 100))
    saved(page, 1)
    page.keyboard.press("l")
    page.keyboard.press("2")
    stroke(page, (80, 100), (120, 100))
    saved(page, 2)
    ids = project.label_map(10)[0]
    assert ids[100, 100] == 1 and ids[100, 80] == 2
    page.keyboard.press("3")
    page.keyboard.press("o")
    stroke(page, (60, 100), (120, 100))
    saved(page, 3)
    ids = project.label_map(10)[0]
    assert ids[100, 80] == 2 and ids[100, 58] == 3


def test_work_done_elsewhere_is_shown_and_never_lost(served, open_photo):
    _, project = served
    page = open_photo(11)
    project.edit(11, 0, {"type": "brush", "class": 2, "radius": 20, "points": [[50, 50]]})
    page.keyboard.press("b")
    stroke(page, (200, 100))
    page.wait_for_selector(".labelling .problem:not([hidden])")
    assert "changed elsewhere" in page.text_content(".labelling .problem")
    page.wait_for_selector(".labelling[data-revision='1']")
    assert class_at(page, 50, 50) == "sofa" and class_at(page, 200, 100) == "unlabelled"
    assert project.label_map(11)[0][100, 200] == 0
    stroke(page, (200, 100))
    page.wait_for_selector(".labelling[data-revision='2']")
    assert project.label_map(11)[0][100, 200] == 1 and project.label_map(11)[0][50, 50] == 2


def test_a_stroke_waits_for_a_server_that_does_not_answer(served, open_photo):
    _, project = served
    page = open_photo(12, expects="net::ERR_FAILED")
    page.route(re.compile("component_server"), lambda route: route.abort())
    page.keyboard.press("b")
    stroke(page, (100, 100))
    page.wait_for_selector(".save[data-state=offline]")
    assert "Not saved" in page.text_content(".save") and project.label_map(12)[1] == 0
    page.unroute_all()
    saved(page, 1)
    assert project.label_map(12)[0][100, 100] == 1


def test_going_on_to_another_photo_saves_first(served, open_photo):
    _, project = served
    page = open_photo(13)
    page.keyboard.press("b")
    stroke(page, (100, 100), (150, 120))
    page.keyboard.press("d")
    page.wait_for_selector(".labelling[data-photo='14']")
    assert project.label_map(13)[0][100, 100] == 1


def test_keys_rest_while_a_person_types(served, open_photo):
    page = open_photo(14)
    page.fill("[data-part=new-name]", "")
    page.click("[data-part=new-name]")
    page.keyboard.type("blue d")
    assert page.input_value("[data-part=new-name]") == "blue d"
    assert page.get_attribute(".labelling", "data-photo") == "14"
    page.fill("[data-part=new-name]", "")


def test_no_key_has_two_actions_and_the_list_shows_them_all(served, open_photo):
    page = open_photo(14)
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] .keys")
    rows = page.locator("dialog .keys tr").all_text_contents()
    caps = [cap for row in page.locator("dialog .keys tr").all() for cap in row.locator("kbd").all_text_contents()]
    assert len(rows) >= 30 and len(caps) == len(set(caps))
    documented = Path(__file__).parents[2].joinpath("docs/labelling.md").read_text("utf-8")
    for row in page.locator("dialog .keys tr").all():
        label = row.locator("td").nth(1).text_content()
        assert f"| {label} |" in documented


def test_classes_are_added_renamed_merged_and_deleted_under_the_pixels(served, open_photo):
    _, project = served
    page = open_photo(15)
    page.fill("[data-part=new-name]", "lamp; light")
    page.keyboard.press("Enter")
    page.wait_for_selector(".class-rows li:nth-child(4).chosen")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    stroke(page, (100, 100))
    saved(page, 1)
    lamp = project.classes()[-1]
    assert lamp.name == "lamp" and lamp.aliases == ["light"] and project.label_map(15)[0][100, 100] == lamp.id
    page.click(f".class-rows [data-class='{lamp.id}'] [aria-label='Change lamp']")
    page.fill("dialog[open] input[type=text]", "torch")
    page.click("dialog[open] button[type=submit]")
    page.wait_for_selector(f".class-rows [data-class='{lamp.id}'] .name[title=torch]")
    assert class_at(page, 100, 100) == "torch"
    page.click(f".class-rows [data-class='{lamp.id}'] [aria-label='Change torch']")
    page.select_option("dialog[open] select", label="cat")
    page.click("dialog[open] .danger")
    page.wait_for_selector(f".class-rows [data-class='{lamp.id}']", state="detached")
    page.wait_for_function("document.querySelector('.class-rows .share').textContent !== '0 %'")
    assert project.label_map(15)[0][100, 100] == 1 and class_at(page, 100, 100) == "cat"


def test_a_finger_paints(served, open_photo):
    _, project = served
    page = open_photo(16, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=2)
    page.click("[data-do=brush]")
    page.touchscreen.tap(*on_screen(page, 100, 100))
    saved(page, 1)
    assert project.label_map(16)[0][100, 100] == 1


def test_photos_are_added_by_upload_and_found_by_name_and_state(served, open_photo, tmp_path):
    _, project = served
    page = open_photo(16)
    noise_photo(90, 60, seed=99).save(tmp_path / "late.png")
    page.set_input_files(".queue [data-part=file]", tmp_path / "late.png")
    page.wait_for_selector(".photos-list [title='late.png']")
    assert project.photos()[-1].name == "late.png"
    page.fill(".queue [data-part=search]", "late")
    page.wait_for_function("document.querySelectorAll('.photos-list li').length === 2")
    assert re.findall(r"photo\d\d|late", " ".join(page.locator(".photos-list li:visible").all_text_contents())) == [
        "photo15",
        "late",
    ]  # the photo in hand stays in sight


def test_the_models_view_lies_beside_the_labels_and_moves_with_them(served, open_photo):
    _, project = served
    page = open_photo(18)
    page.keyboard.press("m")
    page.wait_for_selector("[data-part=model-board]:not([hidden])")
    boxes = [page.locator(f".desk [data-part={part}]").bounding_box() for part in ("board", "model-board")]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], abs=1) and boxes[0]["x"] < boxes[1]["x"]
    zoom = ".statusline [data-part=zoom]"
    before = page.text_content(zoom)
    page.mouse.move(boxes[1]["x"] + 150, boxes[1]["y"] + boxes[1]["height"] / 2)
    page.mouse.wheel(0, -600)  # zoomed in the one, zoomed in both
    page.wait_for_function(f"before => document.querySelector('{zoom}').textContent !== before", arg=before)
    at = "document.querySelector('[data-part=under]').textContent"
    here = page.evaluate(at)
    assert "model: " in here
    page.mouse.move(boxes[0]["x"] + 150, boxes[0]["y"] + boxes[0]["height"] / 2)
    assert page.evaluate(at).split(" · ")[0] == here.split(" · ")[0], "the same place of the photo at the same place"

    view = "document.querySelector('[data-part=model-board] canvas').toDataURL()"
    shown = page.evaluate(view)
    for level in page.locator(".class-rows .threshold input").all():
        level.fill("255")
    page.wait_for_function(f"shown => {view} !== shown", arg=shown)  # nothing reaches the thresholds: a preview, live
    page.keyboard.press("Control+0")
    page.keyboard.press("b")
    box = page.locator(".desk [data-part=board]").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # and painting goes on meanwhile
    saved(page, 1)
    assert project.label_map(18)[0][100, 150] == 1
    for level in page.locator(".class-rows .threshold input").all():
        level.fill("0")
    page.click("[data-part=use-view]")
    saved(page, 2)
    ids = project.label_map(18)[0]
    assert ids[100, 150] == 1 and (ids > 0).mean() > 0.9
    page.keyboard.press("d")
    page.wait_for_selector(".labelling[data-photo='19']")
    page.wait_for_selector(".labelling.models")


def test_a_note_stays_with_its_photo(served, open_photo):
    _, project = served
    page = open_photo(19)
    page.fill("[data-part=note]", "blurred on the left")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_selector(".labelling[data-photo='20']")
    assert project.photo(19).note == "blurred on the left" and page.input_value("[data-part=note]") == ""
    page.keyboard.press("a")
    page.wait_for_selector(".labelling[data-photo='19']")
    assert page.input_value("[data-part=note]") == "blurred on the left"


def test_regions_are_accepted_by_class_and_by_confidence(served, open_photo):
    _, project = served
    page = open_photo(20)
    halves = np.broadcast_to(1 + np.arange(300) // 100, (200, 300))
    project.put_model_labels(20, halves, [Region(1, 0.9), Region(1, 0.4), Region(2, 0.7)], head="test")
    page.reload()
    page.wait_for_selector("[data-part=accept-all]:enabled")

    def accepted() -> list[bool]:
        sources, rows = project.provenance(20)
        return [rows[sources[0, x]].kind == "accepted" for x in (50, 150, 250)]

    page.locator("[data-part=above]").fill("80")
    page.wait_for_function("document.querySelector('[data-part=sure-text]').textContent.startsWith('1 of')")
    page.click("[data-part=accept-sure]")
    saved(page, 2)
    assert accepted() == [True, False, False]
    page.keyboard.press("2")
    page.wait_for_selector("[data-part=accept-class]:enabled")
    page.click("[data-part=accept-class]")
    saved(page, 3)
    assert accepted() == [True, False, True]


def test_two_tabs_on_one_photo_lose_nothing(served, open_photo):
    _, project = served
    first, second = open_photo(14), open_photo(14)
    revision = project.photo(14).revision
    for page in (first, second):
        saved(page, revision)
        page.keyboard.press("b")
    stroke(first, (60, 60), (90, 60))
    saved(first, revision + 1)
    stroke(second, (200, 120), (230, 120))
    second.wait_for_selector(".labelling .problem:not([hidden])")
    assert "changed elsewhere" in second.text_content(".labelling .problem")
    second.wait_for_selector(f".labelling[data-revision='{revision + 1}']")
    assert class_at(second, 75, 60) == "cat" and class_at(second, 215, 120) == "unlabelled"
    stroke(second, (200, 120), (230, 120))  # done again, as it says: both are there
    second.wait_for_selector(f".labelling[data-revision='{revision + 2}']")
    ids = project.label_map(14)[0]
    assert ids[60, 75] == ids[120, 215] == 1


def test_a_stroke_in_a_class_that_was_deleted_elsewhere_is_kept_told_and_restored(served, open_photo):
    _, project = served
    page = open_photo(13)
    revision = project.photo(13).revision
    doomed = project.add_class(Word("doomed", colour="#aa3377"))
    page.reload()
    page.wait_for_selector(f".class-rows [data-class='{doomed}']")
    page.click(f".class-rows [data-class='{doomed}'] .name")
    project.delete_class(doomed)
    page.keyboard.press("b")
    stroke(page, (250, 150), (270, 150))
    page.wait_for_selector(".labelling .problem:not([hidden])")
    assert "was deleted meanwhile; this is kept" in page.text_content(".labelling .problem")
    page.wait_for_selector(f".labelling[data-revision='{revision + 1}']")
    page.wait_for_selector(f".class-rows [data-class='{doomed}']", state="detached")
    page.click("[data-part=deleted] [title='Restore doomed']")
    page.wait_for_selector(f".class-rows [data-class='{doomed}']")
    page.wait_for_function(
        "id => document.querySelector(`.class-rows [data-class='${id}'] .share`).textContent !== '0 %'", arg=doomed
    )
    assert project.label_map(13)[0][150, 260] == doomed and class_at(page, 260, 150) == "doomed"
    project.delete_class(doomed)


def test_a_photo_whose_file_vanished_is_told_and_passed_by(served, open_photo):
    _, project = served
    page = open_photo(1)
    row = project.photo(2)
    file = project.folder / "photos" / f"{row.sha256}{row.suffix}"
    content = file.read_bytes()
    file.unlink()
    try:
        page.keyboard.press("d")
        page.wait_for_selector(".labelling .problem:not([hidden])")
        assert "does not exist" in page.text_content(".labelling .problem")
        page.keyboard.press("d")
        page.wait_for_selector(".labelling[data-photo='3']")
        page.keyboard.press("a")
        page.wait_for_selector(".problem-line .link")
        state = project.photo(3).state
        page.keyboard.press("Control+Enter")
        page.wait_for_function("document.querySelector('[data-part=notice]').textContent.includes('cannot be shown')")
        assert project.photo(2).state == row.state and project.photo(3).state == state
        page.click(".problem-line .link")
        page.wait_for_selector(".rows [data-photo='2'][data-state=skipped]")
        page.wait_for_selector(".labelling[data-photo='3']")
        page.wait_for_selector(".labelling .problem", state="hidden")
        assert project.photo(2).state == "skipped"
    finally:
        file.write_bytes(content)
        project.set_state(2, row.state)


def test_nothing_found_under_a_click_is_said_and_another_click_is_taken(served, open_photo, monkeypatch):
    from textseg.proposals.regions import RegionProposals

    _, project = served
    found = RegionProposals.prompt
    answers = [lambda *_, **__: [], found]
    monkeypatch.setattr(RegionProposals, "prompt", lambda *given, **named: answers.pop(0)(*given, **named))
    page = open_photo(12)
    revision = project.photo(12).revision
    page.keyboard.press("s")
    page.mouse.click(*on_screen(page, 25, 25))
    page.wait_for_function("document.querySelector('.notice').textContent.includes('Nothing was found')")
    page.keyboard.press("Enter")  # there is nothing to label
    page.mouse.click(*on_screen(page, 30, 30))
    page.wait_for_function("document.querySelector('.notice').textContent.includes('Enter labels it')")
    page.keyboard.press("Enter")
    saved(page, revision + 1)


def test_the_next_photo_is_prepared_while_this_one_is_worked_on(served, open_photo):
    page = open_photo(15)
    with page.expect_request(lambda call: '"prepare"' in (call.post_data or "") and "[16]" in call.post_data):
        page.reload()


def test_the_models_regions_are_accepted_and_the_rest_labelled_in_the_background(served, open_photo):
    _, project = served
    page = open_photo(17)
    page.keyboard.press("t")
    saved(page, 1)
    page.wait_for_selector("[data-part=accept-all]:enabled")
    page.click("[data-part=accept-all]")
    saved(page, 2)
    assert {row.kind for row in project.provenance(17)[1].values()} == {"accepted"}
    page.keyboard.press("m")
    page.wait_for_selector(".labelling.models")
    assert project.label_map(17)[1] == 2  # looking stores nothing
    page.keyboard.press("m")
    page.wait_for_selector(".labelling:not(.models)")
    page.click("[data-part=run]")
    page.wait_for_function("document.querySelector('[data-part=run-state]').textContent.includes('done')")
    assert not project.photos(state="new")
    assert project.label_map(17)[1] == 2  # what a person accepted was left alone
