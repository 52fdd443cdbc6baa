"""The words that the pages show: in their markup, and in what their scripts say through `t`."""

import re
from html.parser import HTMLParser

NAMED = ("aria-label", "title", "placeholder")
NO_WORDS = re.compile(r"[\W\d_]*")


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.code = 0

    def take(self, text: str | None) -> None:
        text = " ".join((text or "").split())
        if not NO_WORDS.fullmatch(text) and text not in self.found:
            self.found.append(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.code += tag in ("code", "pre")
        for name, value in attributes:
            if name in NAMED:
                self.take(value)

    def handle_endtag(self, tag: str) -> None:
        self.code -= tag in ("code", "pre")

    def handle_data(self, data: str) -> None:
        if not self.code:
            self.take(data)


def in_markup(html: str) -> list[str]:
    """Each text and each name that a page's markup shows, as `assets/web/shared/language.js` looks it up."""
    words = _Words()
    words.feed(html)
    return words.found


def in_script(script: str) -> list[str]:
    """Each text that a script gives to `t` as it stands."""
    return [text.replace('\\"', '"') for text in re.findall(r'\bt\(\s*"((?:[^"\\]|\\.)*)"', script)]
