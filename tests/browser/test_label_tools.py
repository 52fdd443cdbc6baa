"""The tools of the Label page: what each does with a late answer, without a keyboard, and without a mouse."""

import json
import re
from collections.abc import Callable

import numpy as np
import pytest
from pycocotools import mask as coco

from tests.browser.labelling import SIZE, on_screen, saved


class Held:
    """The first question of a kind that the page asks: it is answered when the test says so, and as it says."""

    def __init__(self, page, name: str) -> None:  # type: ignore[no-untyped-def]
        self._page, self._name, self._route = page, name, None
        page.route(re.compile("component_server"), self._meet)

    def _meet(self, route) -> None:  # type: ignore[no-untyped-def]
        if self._route is None and self._is_it(route.request):
            self._route = route
        else:
            route.continue_()

    def _is_it(self, request) -> bool:  # type: ignore[no-untyped-def]
        return f'"{self._name}"' in (request.post_data or "")

    def asked(self):  # type: ignore[no-untyped-def]
        """`with held.asked():` the question is on its way when the block ends."""
        return self._page.expect_request(self._is_it)

    def answer(self, message: dict[str, object]) -> None:
        assert self._route is not None
        with self._page.expect_response(lambda response: self._is_it(response.request)):
            self._route.fulfill(body=json.dumps(message), content_type="application/json")


def whole_photo() -> dict[str, object]:
    """A mask that no model finds: every pixel."""
    width, height = SIZE
    rle = coco.encode(np.ones((height, width), np.uint8, order="F"))
    counts = {"size": [height, width], "counts": rle["counts"].decode()}
    return {"ok": True, "masks": [{"rle": counts, "box": [0, 0, width, height], "area": width * height, "score": 1.0}]}


@pytest.mark.parametrize(("key", "question"), [("u", "hierarchy"), ("s", "prompt")])
def test_an_answer_about_the_photo_before_paints_nothing_on_this_one(served, open_photo: Callable, key, question):
    _, project = served
    page = open_photo(1)
    page.keyboard.press(key)
    held = Held(page, question)
    with held.asked():
        page.mouse.click(*on_screen(page, 25, 25))
    page.keyboard.press("d")
    page.wait_for_selector(".labelling[data-photo='2']")
    page.mouse.move(*on_screen(page, 140, 100))
    held.answer(whole_photo())
    page.keyboard.press("Enter")
    page.mouse.click(*on_screen(page, 150, 100))
    if key == "s":
        page.wait_for_function("document.querySelector('.notice').textContent.includes('Enter')")
        page.keyboard.press("Enter")
    saved(page, 1)
    painted = project.label_map(2)[0] == 1
    assert painted[100, 150] and not painted.all() and not project.label_map(1)[0].any()


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def step(page, name: str) -> None:  # type: ignore[no-untyped-def]
    page.tap(f".steps [data-step={name}]")


def found(page) -> None:  # type: ignore[no-untyped-def]
    """Wait until the mask of all clicks so far is shown."""
    page.wait_for_function("document.querySelector('.notice').textContent.includes('correct it')")


def test_a_finger_finishes_mends_and_lets_go_of_a_prompt(served, open_photo: Callable):
    _, project = served
    page = open_photo(3, **PHONE)
    page.tap("[data-do=prompt]")
    page.touchscreen.tap(*on_screen(page, 25, 25))
    found(page)
    step(page, "negative")
    assert page.get_attribute(".steps [data-step=negative]", "aria-pressed") == "true"
    with page.expect_request(lambda call: '"prompt"' in (call.post_data or "")) as asked:
        page.touchscreen.tap(*on_screen(page, 280, 180))
    assert re.search(r"-1\]", asked.value.post_data)
    found(page)
    step(page, "accept")
    saved(page, 1)
    ids = project.label_map(3)[0]
    assert ids[25, 25] == 1 and ids[180, 280] == 0
    page.touchscreen.tap(*on_screen(page, 150, 100))
    step(page, "cancel")
    page.wait_for_selector(".steps", state="hidden")
    assert project.label_map(3)[1] == 1


def test_a_finger_closes_a_polygon_and_takes_a_larger_unit(served, open_photo: Callable):
    _, project = served
    page = open_photo(4, **PHONE)
    page.tap("[data-do=polygon]")
    for corner in [(40, 40), (140, 40), (140, 120), (90, 130), (40, 120)]:
        page.touchscreen.tap(*on_screen(page, *corner))
    step(page, "undo")
    step(page, "accept")
    saved(page, 1)
    assert project.label_map(4)[0][80, 90] == 1 and project.label_map(4)[0][150, 200] == 0
    page.tap("[data-do=unit]")
    page.touchscreen.tap(*on_screen(page, 225, 170))
    page.wait_for_selector(".steps [data-step=larger]")
    step(page, "larger")
    step(page, "accept")
    saved(page, 2)
    assert project.label_map(4)[0][170, 225] == 1


def test_a_mouse_alone_finishes_a_prompt(served, open_photo: Callable):
    _, project = served
    page = open_photo(5)
    page.click("[data-do=prompt]")
    page.mouse.click(*on_screen(page, 25, 25))
    found(page)
    page.click(".steps [data-step=accept]")
    saved(page, 1)
    assert project.label_map(5)[0][25, 25] == 1


def test_the_keyboard_alone_points_paints_and_is_told_where_it_is(served, open_photo: Callable):
    _, project = served
    page = open_photo(6)
    page.keyboard.press("b")
    page.focus(".desk [data-part=board] canvas")
    page.keyboard.press("ArrowRight")  # the point begins in the middle
    page.keyboard.press("Enter")
    saved(page, 1)
    assert project.label_map(6)[0][100, 153] == 1
    page.keyboard.press("ArrowLeft")  # where it is is told as it moves
    page.wait_for_function("/^15\\d, 100 · cat$/.test(document.querySelector('[data-part=spoken]').textContent)")
    page.keyboard.down("Space")  # held, it draws
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.up("Space")
    saved(page, 2)
    assert project.label_map(6)[0][100, 180] == 1 and project.label_map(6)[0][60, 180] == 0
    page.keyboard.press("u")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("2")
    page.keyboard.press("Space")
    saved(page, 3)
    assert (project.label_map(6)[0] == 2).any()


SIZES = [(1440, 900), (1280, 800), (1241, 800), (1024, 768), (960, 600), (861, 700), (390, 844)]
MISPLACED = """() => {
  const desk = document.querySelector('.desk').getBoundingClientRect(),
    name = (control) => control.dataset.do ?? control.dataset.part,
    controls = [...document.querySelectorAll('.desk :is(button, input)')].filter((each) => each.checkVisibility()),
    boxes = controls.map((each) => each.getBoundingClientRect()),
    before = (end, start) => end <= start + 0.5,
    beside = (a, b) => before(a.right, b.left) || before(b.right, a.left),
    apart = (a, b) => beside(a, b) || before(a.bottom, b.top) || before(b.bottom, a.top);
  return controls.flatMap((control, i) => {
    const box = boxes[i],
      wide = box.left < desk.left || box.right > desk.right + 0.5,
      cut = wide || box.top < desk.top || box.bottom > desk.bottom + 0.5,
      top = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2),
      wrong = boxes.map((other, j) => (j > i && !apart(box, other) ? `${name(control)} on ${name(controls[j])}` : ''));
    if (cut) wrong.push(`${name(control)} is cut off`);
    if (!top || (top !== control && !control.contains(top))) wrong.push(`${name(control)} is covered`);
    return wrong.filter(Boolean);
  });
}"""


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_control_lies_on_another_or_is_cut_off(served, open_photo: Callable, width, height):
    page = open_photo(7, viewport={"width": width, "height": height})
    page.click("[data-do=brush]")
    assert page.evaluate(MISPLACED) == []
    if width > 860:  # a phone's page is one column to scroll
        assert page.evaluate("document.documentElement.scrollHeight") <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if page.locator("[data-part=more]").is_visible():
        page.click("[data-part=more]")
        page.locator(".desk [data-part=opacity]").fill("30")  # refuses what is not seen
        page.keyboard.press("Escape")
    for part in ("opacity", "size"):
        assert page.get_attribute(f".desk input[data-part={part}]", "aria-valuetext")
