"""The header: what it says of the model, and of a server that has gone."""

import pytest

from tests.browser.conftest import CALLS, serving_tiny

GONE = "ERR_CONNECTION_REFUSED|Failed to fetch"
CHIP = "document.querySelector('[data-part=chip]').textContent"


def test_the_chip_says_when_the_server_is_away_and_when_it_is_back(new_page):
    with serving_tiny() as url:
        page = new_page(expects=GONE)
        page.goto(url)
        page.wait_for_selector(".explore:not(.stale) .classes li")
        assert "server away" not in page.text_content("[data-part=chip]")
        page.route(CALLS, lambda route: route.abort("connectionrefused"))
        page.wait_for_function(f"{CHIP}.includes('server away')")
        assert page.locator(".dot.away").count() == 1
        page.unroute_all()
        page.wait_for_function(f"!{CHIP}.includes('server away')")
        assert page.locator(".dot.ready").count() == 1


@pytest.mark.parametrize("name", ["Explore", "Label", "Learn", "Data"])
def test_each_page_has_its_heading_and_title(new_page, name):
    with serving_tiny() as url:
        page = new_page()
        page.goto(f"{url}#{name.lower()}")
        page.wait_for_function("name => document.title === `${name} · textseg`", arg=name)
        assert page.locator("h1").text_content() == name
        page.wait_for_selector(f".shell a[href='#{name.lower()}'][aria-current=page]")
