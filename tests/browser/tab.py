"""The tab that the tests of a worker use one after the other.

A page loads three times as fast in a tab that has shown it before: its 190 files are in the cache, its scripts are
compiled, and no process starts. Between two tests nothing stays of the one before: not the page, what it stored, who
listened, or how it was looked at.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VIEWPORT = {"width": 1440, "height": 900}
STORED = "cookies,local_storage,indexeddb,cache_storage,service_workers"


class Tab:
    """One tab in a window of its own: `take` lends its page, `give_back` leaves it as new."""

    def __init__(self, browser: "Browser") -> None:
        self._browser, self._page = browser, None
        self.lent, self._spoilt = False, False
        self._visited: set[str] = set()
        self._listeners: list[tuple[str, Any]] = []
        self._noting = pytest.MonkeyPatch()

    def take(self, viewport: dict[str, int] = VIEWPORT) -> "Page | None":
        """The page, empty; None while it is lent."""
        if self.lent:
            return None
        if self._page is None:
            window = self._browser.new_context(viewport=VIEWPORT)
            window.on("page", lambda page: page.on("framenavigated", self._note))
            self._page = window.new_page()
        page, listen = self._page, self._page.on

        def noted_listen(event: str, listener: Any) -> None:
            self._listeners.append((event, listener))
            listen(event, listener)

        self._noting.setattr(page, "on", noted_listen)
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        self.lent = True
        return page

    def _note(self, frame: Any) -> None:
        parts = urlsplit(frame.url)
        if parts.netloc:
            self._visited.add(f"{parts.scheme}://{parts.netloc}")

    def spoil(self) -> None:
        """Close it when it is given back: what a test does to it cannot be undone."""
        self._spoilt = True

    def give_back(self) -> None:
        """Make the page as new."""
        page, spoilt = self._page, self._spoilt
        self.lent = self._spoilt = False
        self._noting.undo()
        assert page is not None
        if spoilt or page.is_closed():
            page.context.close()
            self._page = None
            self._visited.clear()
            self._listeners.clear()
            return
        for event, listener in self._listeners:
            page.remove_listener(event, listener)
        self._listeners.clear()
        page.unroute_all(behavior="ignoreErrors")
        for other in page.context.pages:
            if other is not page:
                other.close()
        if page.url != "about:blank":
            page.evaluate("() => { try { sessionStorage.clear(); } catch { /* an error page has none */ } }")
        page.on("dialog", leave)
        page.goto("about:blank")
        page.remove_listener("dialog", leave)
        page.mouse.move(0, 0)
        page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        console = page.context.new_cdp_session(page)
        for visited in self._visited:
            console.send("Storage.clearDataForOrigin", {"origin": visited, "storageTypes": STORED})
        console.detach()
        self._visited.clear()


def leave(dialog: Any) -> None:
    """Leave a page that asks whether to."""
    dialog.accept()
