"""The page in the language of the browser, or the one that a person chose; what Explore says of itself."""

import re

import pytest

from tests.browser.conftest import serving_tiny
from tests.visible import WEB, table

READY = {
    "explore": ".explore:not(.stale) .classes li",
    "label": ".labelling[data-photo] .photos-list li",
    "learn": ".learn:not([hidden]) .heads li",
    "data": ".data:not([hidden]) .classes-table tr",
}
CHOICES = """.brand, .sample, .models .rows, .format-list, [data-part=import-format], .classes .name, .class-rows .name,
  [data-part=rest]"""
"""Where the names are of what one can choose: they are the same everywhere."""

TEXTS = """(names) => {
  const found = new Set();
  const take = (element, text) => {
    const shown = element?.closest(".page") && !element.closest(`script, style, code, pre, kbd, ${names}`);
    if (shown) found.add(text.trim());
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) take(walker.currentNode.parentElement, walker.currentNode.data);
  for (const name of ["aria-label", "aria-valuetext", "title", "placeholder", "alt"])
    for (const element of document.querySelectorAll(`[${name}]`)) take(element, element.getAttribute(name));
  return [...found];
}"""
"""All that the pages say, whether it is in sight or not."""

NAMES = re.compile(
    r"[\w-]+\.(png|jpg)|\d+\.png|/.*|cat(; kitten.*)?|sofa|wall|p|lite|textseg.*|English|Deutsch|ph"  # project, program
    r"|cup.*|coffee.*|wood.*|CPU|CC0-1.0|tiny|regions|sam:.*|\d+ \(\d+ MB\)|\d+ px|[A-Z0-9]+"  # of samples and models
)


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


@pytest.fixture(scope="module")
def without_project():
    with serving_tiny() as url:
        yield url


def texts(new_page, url: str, page_name: str, ready: str, locale: str) -> set[str]:
    page = new_page(locale=locale, viewport={"width": 1440, "height": 900})
    page.goto(f"{url}#{page_name}")
    page.wait_for_selector(ready)
    page.click("[data-part=chip]")
    page.wait_for_selector("[data-part=panel]:visible .choose input")
    return set(page.evaluate(TEXTS, CHOICES))


def same_in_both(new_page, url: str, page_name: str, ready: str) -> list[str]:
    """What a page says in English and German alike, but for names, and words that are the same."""
    words = table(WEB / "shared/languages/de.js")
    alike = {text.strip() for text, own in words.items() if text == own}
    both = texts(new_page, url, page_name, ready, "en-US") & texts(new_page, url, page_name, ready, "de-DE")
    return sorted(text for text in both - alike if re.search(r"[A-Za-z]{2}", text) and not NAMES.fullmatch(text))


@pytest.mark.parametrize("page_name", READY)
def test_nothing_of_a_page_stays_english(served, new_page, page_name):
    assert same_in_both(new_page, served[0], page_name, READY[page_name]) == []


@pytest.mark.parametrize("page_name", ["label", "learn", "data"])
def test_nothing_of_a_page_without_a_project_stays_english(without_project, new_page, page_name):
    assert same_in_both(new_page, without_project, page_name, f"#{page_name}-page .empty-page:visible") == []
