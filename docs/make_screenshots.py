"""Make the pictures of the pages in docs/images, in headless Chromium.

python docs/make_screenshots.py [--head default]
"""

import argparse
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from textseg import web

FOLDER = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
SMALL = {"viewport": {"width": 1120, "height": 760}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


def labels(page: Page) -> None:
    page.hover(".board canvas", position={"x": 480, "y": 260})


def heat(page: Page) -> None:
    page.click(".classes li:nth-child(1) .name")
    page.mouse.move(4, 4)


def units(page: Page) -> None:
    page.click("[data-view=units]")
    page.wait_for_function("document.querySelector('[data-part=unit-count]').textContent !== ''")


def ask(page: Page, words: str) -> None:
    page.fill("#words", words)
    page.wait_for_function("words => document.querySelector('.explore').dataset.answered === words", arg=words)


def found(page: Page) -> None:
    ask(page, "motorcycle")


def not_found(page: Page) -> None:
    ask(page, "zebra")
    page.click("[data-part=rest] summary")


def why(page: Page) -> None:
    page.click(".board canvas", position={"x": 420, "y": 330})
    page.wait_for_function("document.querySelector('[data-part=why]').textContent.includes('Nearest')")
    page.mouse.move(4, 4)


SHOTS: dict[str, tuple[dict, str, int, Callable[[Page], None]]] = {
    "explore": (DESKTOP, "light", 1, labels),
    "explore-dark": (DESKTOP, "dark", 2, labels),
    "explore-heat": (DESKTOP, "light", 2, heat),
    "explore-units": (DESKTOP, "light", 1, units),
    "explore-why": (DESKTOP, "dark", 1, why),
    "explore-found": (SMALL, "light", 4, found),
    "explore-not-found": (SMALL, "light", 4, not_found),
    "explore-phone": (PHONE, "light", 1, lambda page: None),
    "explore-phone-dark": (PHONE, "dark", 2, lambda page: page.tap("[data-view=heat]")),
}
"""By file name: window, theme, which sample photo, what is done before the picture is taken."""


def shoot(browser: Browser, url: str, name: str) -> None:
    window, theme, sample, act = SHOTS[name]
    context = browser.new_context(**window, color_scheme=theme)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(".explore:not(.stale) .classes li", timeout=300_000)
    chosen = page.locator(f".sample:nth-child({sample})")
    chosen.click()
    page.wait_for_selector(f".sample:nth-child({sample})[aria-pressed=true]")
    page.wait_for_selector(".explore:not(.stale) .classes li", timeout=120_000)
    page.wait_for_selector(".suggestion", timeout=600_000)
    act(page)
    page.wait_for_timeout(500)
    page.screenshot(path=FOLDER / f"{name}.png")
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--head", default="default")
    parser.add_argument("names", nargs="*", help="which pictures; all of them if none is named")
    args = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    blocks = web.serve(port=port, head=args.head, block=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name in args.names or SHOTS:
            shoot(browser, f"http://127.0.0.1:{port}/", name)
            print(FOLDER / f"{name}.png")
        browser.close()
    blocks.close()


if __name__ == "__main__":
    main()
