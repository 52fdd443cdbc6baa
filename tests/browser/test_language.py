"""The page in the language of the browser, or the one that a person chose; what Explore says of itself."""

import pytest


@pytest.fixture
def german(open_page):  # type: ignore[no-untyped-def]
    return open_page(locale="de-DE")


def test_the_page_speaks_the_browsers_language(german):
    assert german.locator("nav[aria-label=Seiten] a").all_text_contents() == [
        "Erkunden",
        "Labeln",
        "Lernen",
        "Daten",
    ]
    assert german.locator("html").get_attribute("lang") == "de"
    assert german.get_by_role("button", name="Foto öffnen").is_visible()
    assert german.locator("[data-part=explain]").inner_text().startswith("Jeder Bildpunkt")


def test_words_of_a_person_stay_as_they_are(german):
    german.fill("#words", "Photo, Labels")
    german.wait_for_selector(".explore[data-answered='Photo, Labels']")
    names = german.locator(".classes .name").all_text_contents()
    assert {"Photo", "Labels"} <= {name.strip() for name in names}


def test_a_choice_beats_the_browser_and_stays(german):
    german.select_option("[data-part=language]", "en")
    german.wait_for_selector("nav[aria-label=Pages]")
    german.reload()
    german.wait_for_selector("nav[aria-label=Pages]")


def test_a_phone_has_the_chooser_too(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, locale="de-DE")
    box = page.locator("[data-part=language]").bounding_box()
    assert box["width"] >= 32 and 0 <= box["x"] <= 390 - box["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.select_option("[data-part=language]", "en")
    page.wait_for_selector("nav[aria-label=Pages]")


def test_a_language_without_a_table_is_english(open_page):
    page = open_page(locale="fr-FR")
    assert page.locator("html").get_attribute("lang") == "en"


def test_each_layer_is_explained_where_it_is_seen(page):
    told = {}
    for view in ("labels", "heat", "units", "masks", "photo"):
        page.click(f"[data-view={view}]")
        told[view] = page.locator("[data-part=explain]").inner_text()
    assert len(set(told.values())) == 5 and all(told.values())
    page.click("[data-view=labels]")
    page.click("[data-part=explain-more]")
    text = page.locator("dialog[open]").inner_text()
    assert all(sentence in text for sentence in told.values())
    assert "Something else" in text and "Keys" in text
    page.keyboard.press("Escape")
