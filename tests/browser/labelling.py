"""How the tests of the Label page point at a photo and wait for what was painted."""

SIZE = (300, 200)
"""Width and height of every photo of the test project."""


def saved(page, revision: int) -> None:
    """Wait until the page says that this revision is on disk; a refusal fails at once, with its reason."""
    page.wait_for_selector(f".labelling[data-revision='{revision}'], .labelling .problem:not([hidden])")
    if page.get_attribute(".labelling", "data-revision") != str(revision):
        raise AssertionError(page.text_content(".labelling .problem"))


def fitted(page) -> tuple[float, float, float]:
    """Where the fitted photo lies in the window: left, top, screen pixels an image pixel."""
    box = page.locator(".desk [data-part=board]").bounding_box()
    scale = min(box["width"] / SIZE[0], box["height"] / SIZE[1])
    left = box["x"] + (box["width"] - SIZE[0] * scale) / 2
    return left, box["y"] + (box["height"] - SIZE[1] * scale) / 2, scale


def on_screen(page, x: float, y: float) -> tuple[float, float]:
    """Where the image point (x, y) lies in the window while the photo is fitted."""
    left, top, scale = fitted(page)
    return left + x * scale, top + y * scale


def stroke(page, *points: tuple[float, float]) -> None:
    page.mouse.move(*on_screen(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*on_screen(page, *point), steps=4)
    page.mouse.up()


def class_at(page, x: float, y: float) -> str:
    """What the status line says about an image point."""
    page.mouse.move(*on_screen(page, x + 1, y))
    page.mouse.move(*on_screen(page, x, y))
    return page.text_content("[data-part=under]").split(" · ")[1]


def dab(page) -> None:
    """A short stroke of the brush in the middle of the photo, of whatever size that is."""
    box = page.locator(".desk [data-part=board]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.press("b")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y, steps=4)
    page.mouse.up()
