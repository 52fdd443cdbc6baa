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
