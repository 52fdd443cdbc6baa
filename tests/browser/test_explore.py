"""Journeys on the Explore page: what a person does and sees, in a real browser."""

import base64
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from textseg.labelmap import read_index_png
from textseg.model import load_model
from textseg.segmentation import segment
from textseg.vocabulary import Vocabulary
from textseg.web.rpc import pictures
from textseg.web.samples import SAMPLES

FIRST = SAMPLES[0]
ANSWERED = ".explore:not(.stale) .classes li"


def ask(page, words: str) -> None:
    """Type words and wait for their answer."""
    page.fill("#words", words)
    page.wait_for_function("words => document.querySelector('.explore').dataset.answered === words", arg=words)


def upload(page, name: str, content: bytes) -> None:
    page.set_input_files("[data-part=file]", {"name": name, "mimeType": "image/png", "buffer": content})


def opened(page, name: str) -> None:
    page.wait_for_function("name => document.querySelector('.in-hand b')?.textContent === name", arg=name)
    page.wait_for_selector(".explore:not(.stale)")


def png(size: tuple[int, int], mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 80).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def pixel(page, x: float, y: float) -> list[int]:
    """The colour of the canvas at a share of its width and height."""
    return page.evaluate(
        """([x, y]) => { const c = document.querySelector('.explore .board canvas');
        return [...c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data]; }""",
        [x, y],
    )


@pytest.fixture(scope="module")
def scene():
    return load_model("lite", head="none").encode(FIRST.photo().open())


def test_the_first_visit_finds_a_photo_that_is_already_answered(page):
    assert page.input_value("#words") == FIRST.words
    assert page.text_content(".in-hand b") == FIRST.file
    areas = page.locator(".classes .area").all_text_contents()
    assert len(areas) == len(Vocabulary.parse(FIRST.words)) and all("%" in area for area in areas)
    page.wait_for_selector(".suggestion")
    assert page.locator(".card").count() == len(areas)
    assert page.text_content("[data-part=chip]").strip().startswith("lite")


def test_nothing_is_asked_of_any_other_host(page, app):
    page.wait_for_selector(".suggestion")
    assert app.called <= {"127.0.0.1", "localhost", "::1"}


def test_changing_words_answers_without_encoding_again(page, app):
    before = len(app.encoded)
    ask(page, "cup, spoon, wooden table")
    ask(page, "cup, spoon, wooden table, dog; puppy")
    assert len(app.encoded) == before
    assert page.locator(".classes li").count() == 4


def test_a_name_keeps_its_colour_when_others_come_and_go(page):
    colour = """name => [...document.querySelectorAll('.classes li')]
      .find((row) => row.querySelector('.label').textContent === name).style.getPropertyValue('--class')"""
    ask(page, "cup, spoon, table")
    table = page.evaluate(colour, "table")
    ask(page, "dog, table, cup")
    assert page.evaluate(colour, "table") == table
    assert page.evaluate(colour, "dog") not in (table, page.evaluate(colour, "cup"))


def test_hovering_names_the_words_that_score_best_there(page, scene):
    ask(page, "cup, spoon, wooden table, dog, sky, wall")
    board = page.locator(".explore .board canvas").bounding_box()
    for zoom in range(3):
        x, y = board["x"] + board["width"] * 0.45, board["y"] + board["height"] * 0.6
        page.mouse.move(x, y)
        page.wait_for_selector(".tip:not([hidden]) li")
        image = point_of(page, x, y, scene.size)
        expected = scene.top(*image, Vocabulary.parse("cup, spoon, wooden table, dog, sky, wall"), n=5)
        assert page.locator(".tip li:not(.other) .label").all_text_contents()[0] == expected[0][0]
        shown = [
            float(text.replace("−", "-")) for text in page.locator(".tip li:not(.other) .number").all_text_contents()
        ]
        np.testing.assert_allclose(shown, [score for _, score in expected], atol=0.03)
        if zoom < 2:
            page.mouse.wheel(0, -400)
            page.wait_for_timeout(50)


def point_of(page, x, y, size):
    """The photo pixel under a pointer, found from the pin that a click sets there."""
    page.mouse.click(x, y)
    text = page.text_content("[data-part=why] .number").split(",")
    page.keyboard.press("Escape")
    page.mouse.move(x + 1, y)
    page.mouse.move(x, y)
    return min(int(text[0]), size[0] - 1), min(int(text[1]), size[1] - 1)


def test_a_click_pins_the_point_and_says_why(page):
    page.click(".explore .board canvas", position={"x": 400, "y": 300})
    page.wait_for_selector("[data-part=why] .bars li")
    assert "Label here" in page.text_content("[data-part=why]")
    page.wait_for_function("document.querySelector('[data-part=why]').textContent.includes('Nearest of all nouns')")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-part=why]", state="hidden")


def test_a_chip_shows_its_heat_map_with_a_scale(page):
    before = pixel(page, 0.5, 0.5)
    page.click(".classes [data-word='0'] .name")
    page.wait_for_selector(".legend .bar")
    assert page.get_attribute("[data-view=heat]", "aria-pressed") == "true"
    assert page.text_content(".legend b") == Vocabulary.parse(FIRST.words)[0].name
    page.wait_for_timeout(100)
    assert pixel(page, 0.5, 0.5) != before


def test_thresholds_colours_and_hiding_need_no_server(page):
    calls = []
    page.on(
        "request",
        lambda call: call.method == "POST" and "status" not in (call.post_data or "") and calls.append(call.url),
    )
    page.wait_for_selector(".suggestion")
    calls.clear()
    slider = page.locator(".classes [data-word='0'] input")
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('.classes [data-word=\"0\"] .area').textContent.startsWith('0')")
    assert "%" in page.text_content("[data-part=rest-area]")
    page.click(".classes [data-word='0'] .eye")
    page.click("[data-view=heat]")
    page.locator(".explore [data-part=opacity]").fill("20")
    page.mouse.move(500, 400)
    assert calls == []


def test_the_downloads_are_what_the_library_gives_with_the_same_thresholds(page, scene):
    level = 90
    name = Vocabulary.parse(FIRST.words)[0].name
    page.locator(".classes [data-word='0'] input").fill(str(level))
    with page.expect_download() as download:
        page.click("[data-download=labels]")
    got = Path(download.value.path()).read_bytes()
    assert download.value.suggested_filename == Path(FIRST.file).stem + ".png"
    vocabulary = Vocabulary.parse(FIRST.words).with_thresholds({name: pictures.threshold_of(level)})
    expected = segment(scene, vocabulary)
    assert got == expected.to_png()

    with page.expect_download() as download:
        page.click("[data-download=facts]")
    facts = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert facts["size"] == list(scene.size)
    assert facts["classes"] == expected.classes()
    shown = page.text_content(".classes [data-word='0'] .area")
    assert abs(float(shown.split()[0]) - 100 * facts["classes"][0]["area"]) <= 0.6

    with page.expect_download() as download:
        page.click("[data-download=overlay]")
    with Image.open(download.value.path()) as overlay:
        assert overlay.size == scene.size


def test_what_is_painted_is_the_label_map(page, scene):
    """The pixels of the page's class map, counted, are those of the library's."""
    ids = segment(scene, Vocabulary.parse(FIRST.words)).ids
    shares = np.bincount(ids.ravel(), minlength=3)[1:] / ids.size
    areas = {
        int(row.get_attribute("data-word")): float(row.locator(".area").text_content().split()[0])
        for row in page.locator(".classes li").all()
    }
    np.testing.assert_allclose([areas[k] for k in range(len(shares))], 100 * shares, atol=0.51)


def test_a_background_word_wins_pixels_but_is_none(page):
    ask(page, "cup, -wooden table; wood")
    assert page.text_content(".classes [data-word='1'] .area") == ""
    assert "%" in page.text_content("[data-part=rest-area]")


def test_html_in_a_name_is_text(page):
    name = "<img src=x onerror=alert(1)><b>cat</b>"
    ask(page, f"{name}, wall")
    assert page.locator(".classes [data-word='0'] .label").text_content() == name
    assert page.locator(".explore img[src='x']").count() == 0
    page.hover(".explore .board canvas", position={"x": 300, "y": 300})
    page.wait_for_selector(".tip:not([hidden]) li")
    assert name in page.locator(".tip .label").all_text_contents()


def test_words_in_other_scripts_and_emoji_are_answered(page):
    ask(page, "猫, 🐱, cup")
    assert page.locator(".classes li").count() == 3


def test_five_hundred_words_are_answered(page):
    words = ", ".join(f"thing {k}" for k in range(500))
    ask(page, words)
    assert page.locator(".card").count() == 500


@pytest.mark.parametrize("words", [" , ", "x" * 10_000])
def test_words_that_cannot_be_used_are_refused_in_one_sentence(page, words):
    page.fill("#words", words)
    page.wait_for_selector(".explore .problem:not([hidden])")
    sentence = page.text_content(".explore .problem")
    assert sentence.endswith(".") and sentence.count(". ") == 0
    ask(page, "cup, wall")
    assert page.is_hidden(".explore .problem")


def bomb() -> bytes:
    """A PNG of 30,000 x 30,000 pixels that is a few hundred bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = (30_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [("torn.png", png((200, 100))[:2000]), ("text.png", b"hello"), ("empty.png", b""), ("bomb.png", bomb())],
)
def test_a_bad_photo_is_refused_in_one_sentence_and_the_page_goes_on(page, name, content):
    upload(page, name, content)
    page.wait_for_selector(".explore .problem:not([hidden])")
    sentence = page.text_content(".explore .problem")
    assert sentence.endswith(".") and sentence.count(". ") == 0 and "rror" not in sentence
    assert page.text_content(".in-hand b") == FIRST.file
    upload(page, "good.png", png((64, 48)))
    opened(page, "good.png")
    assert page.is_hidden(".explore .problem")


@pytest.mark.parametrize(
    ("size", "mode"), [((1, 1), "RGB"), ((20, 900), "RGB"), ((40, 30), "LA"), ((40, 30), "P"), ((40, 30), "I;16")]
)
def test_odd_photos_are_answered(page, size, mode):
    upload(page, "odd.png", png(size, mode) if mode != "I;16" else sixteen_bits(size))
    opened(page, "odd.png")
    assert f"{size[0]} × {size[1]}" in page.text_content(".in-hand")


def sixteen_bits(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint16).reshape(size[::-1])).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_photo_can_be_dropped_and_pasted(page):
    for kind, name in [("drop", "dropped.png"), ("paste", "pasted.png")]:
        page.evaluate(
            """([kind, name, data]) => {
              const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
              const transfer = new DataTransfer();
              transfer.items.add(new File([bytes], name, { type: "image/png" }));
              const options = { bubbles: true, cancelable: true };
              document.body.dispatchEvent(kind === "drop"
                ? new DragEvent("drop", { ...options, dataTransfer: transfer })
                : new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
            }""",
            [kind, name, base64.b64encode(png((50, 40))).decode()],
        )
        opened(page, name)


def test_a_photo_that_the_server_has_let_go_is_sent_again(page, monkeypatch):
    from textseg.web.rpc.photos import PhotoGoneError, Photos

    get, refusals = Photos.get, []

    def forgetful(self, token):
        if not refusals:
            refusals.append(token)
            raise PhotoGoneError
        return get(self, token)

    monkeypatch.setattr(Photos, "get", forgetful)
    ask(page, "cup, wall")
    assert len(refusals) == 1 and page.is_hidden(".explore .problem")


def masks_found(page, words: str) -> None:
    page.wait_for_function(
        "text => document.querySelector('[data-part=mask-count]').textContent.includes(text)", arg=words
    )


def test_a_click_takes_the_mask_under_it_and_the_next_click_a_larger_one(page):
    page.click("[data-view=masks]")
    masks_found(page, "masks")
    page.locator(".explore .board canvas").first.click()
    share = "[data-part=mask] .row .muted"
    page.wait_for_selector(share)
    assert page.locator("[data-part=mask] .bars li:not(.other)").count() == len(Vocabulary.parse(FIRST.words))
    areas = []
    for _ in range(2):
        areas.append(float(page.locator(share).first.text_content().split()[0]))
        page.locator(".explore .board canvas").first.click()
    assert areas[0] < areas[1]
    page.keyboard.press("Escape")
    assert page.is_hidden("[data-part=mask]")


def test_pseudo_labels_leave_what_is_not_sure(page):
    page.check("[data-part=only]")
    page.click("[data-view=masks]")
    masks_found(page, "masks")
    page.click("[data-kind=sure]")
    shares = []
    for sure in (0, 95):
        page.fill("[data-part=sure]", str(sure))
        masks_found(page, "labelled" if sure == 0 else "")
        page.wait_for_function(
            "sure => document.querySelector('[data-part=sure-value]').textContent.startsWith(sure)", arg=str(sure)
        )
        text = page.text_content("[data-part=mask-count]")
        shares.append(float(text.split()[0]) if "labelled" in text else 0.0)
    assert shares[0] > 90 > shares[1]


def test_units_go_from_coarse_to_fine(page):
    page.click("[data-view=units]")
    for grain, count in [("0", "=== 2"), ("8", "> 20")]:
        page.locator("[data-part=grain]").fill(grain)
        page.wait_for_function(f"parseInt(document.querySelector('[data-part=unit-count]').textContent) {count}")


def test_every_method_of_labelling_answers(page):
    page.click("[data-part=method] summary")
    for by in ("unit", "slic", "pixel"):
        with page.expect_response(lambda response: '"answer"' in (response.request.post_data or "")) as response:
            page.select_option("[data-part=by]", by)
        assert response.value.json()["ok"], by


def test_keys_work_and_are_off_while_typing(page):
    page.keyboard.press("/")
    page.keyboard.type("1v")
    assert page.get_attribute("[data-view=labels]", "aria-pressed") == "true"
    assert page.input_value("#words").endswith("1v")
    page.locator(".explore .board canvas").focus()
    page.keyboard.press("1")
    assert page.get_attribute("[data-view=heat]", "aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert page.get_attribute("[data-view=labels]", "aria-pressed") == "true"
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("[data-part=why] .bars li")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] kbd")


def test_every_control_has_a_name(page):
    page.click("[data-part=method] summary")
    nameless = page.evaluate(
        """() => {
          const named = (e) => e.getAttribute('aria-label') || e.textContent.trim()
            || [...(e.labels ?? [])].some((label) => label.textContent.trim());
          return [...document.querySelectorAll('button, input, select, textarea, a')]
            .filter((e) => e.closest('.page') && e.offsetParent !== null && !named(e)).map((e) => e.outerHTML);
        }"""
    )
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_and_can_be_changed(open_page, scheme):
    page = open_page(color_scheme=scheme)
    other = {"light": "dark", "dark": "light"}[scheme]
    theme = "() => document.documentElement.dataset.theme"
    assert page.evaluate(theme) == scheme
    page.click("[data-part=theme]")
    assert page.evaluate(theme) == other
    page.reload()
    page.wait_for_selector(ANSWERED)
    assert page.evaluate(theme) == other


def test_the_model_chip_opens_its_panel(page):
    page.click("[data-part=chip]")
    panel = page.text_content(".model-panel")
    assert "lite" in panel and "Licence" in panel and "One photo takes" in panel
    page.keyboard.press("Escape")
    assert page.is_hidden(".model-panel")


def test_a_phone_shows_everything_in_one_column(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.tap(".explore .board canvas", position={"x": 150, "y": 100})
    page.wait_for_selector(".tip:not([hidden]) li")
    tops = [
        page.locator(part).bounding_box()["y"] for part in (".explore .board", "#words", ".explore .classes", ".sheet")
    ]
    assert tops == sorted(tops)


def test_without_words_the_photo_has_all_the_room_and_nothing_of_the_answer_stays(page):
    page.fill("#words", "")
    page.wait_for_selector(".explore[data-answered='']")
    assert page.locator(".explore .classes li").count() == 0
    assert page.is_hidden(".explore .problem") and page.is_hidden(".sheet")
    foot = page.locator(".explore .board").bounding_box()
    assert foot["y"] + foot["height"] == page.viewport_size["height"]
    ask(page, "cup")
    assert page.is_visible(".sheet .card")


def test_the_raster_reader_is_exact(page):
    rng = np.random.default_rng(3)
    for channels in (1, 2, 3):
        planes = rng.integers(0, 256, (37, 53, channels)).astype(np.uint8)
        planes[10:30] = planes[10]  # rows alike, so that several row filters are used
        planes[:, 20:40] = np.arange(20)[None, :, None] * 3
        text = pictures._png(planes)
        got = page.evaluate(
            """async (text) => { const source = [...document.querySelectorAll('link[rel=modulepreload]')]
              .find((e) => e.href.endsWith('/png.js')).href;
            const raster = await (await import(source)).readPng(text);
            return [raster.width, raster.height, raster.channels, [...raster.bytes]]; }""",
            text,
        )
        assert got[:3] == [53, 37, channels]
        assert got[3] == planes.ravel().tolist()


def test_the_label_png_reads_back(page):
    with page.expect_download() as download:
        page.click("[data-download=labels]")
    assert read_index_png(Path(download.value.path()).read_bytes()).shape == (400, 600)


def test_a_word_that_is_not_found_takes_one_line_below_something_else(page):
    ask(page, "zebra, cup; coffee cup, giraffe")
    missing = page.locator("[data-part=absent] li.missing")
    assert missing.locator(".label").all_text_contents() == ["zebra", "giraffe"]
    assert all(text.endswith("% likely") for text in missing.locator(".absence").all_text_contents())
    assert missing.first.locator("input, .eye").locator("visible=true").count() == 0
    assert page.locator("[data-part=rest]").bounding_box()["y"] < missing.first.bounding_box()["y"]
    ask(page, "zebra")
    assert page.locator("[data-part=classes] li.missing").count() == 1, "alone it stands where a person looks first"


def test_a_word_that_the_model_does_not_know_is_told_as_such_and_asked_all_the_same(page):
    ask(page, "cup; blorft, perro")
    told = page.locator(".classes .unknown").all_text_contents()
    assert sorted(told) == ["The model does not know “blorft”", "The model does not know “perro”"]
    assert page.locator(".classes li").count() == 2
